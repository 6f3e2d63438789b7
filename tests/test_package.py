"""The package as a whole: its front door, its rooms, what it imports and when."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import liveaction_onnx as la
from liveaction_onnx import errors

PACKAGE = Path(la.__file__).parent

LEVELS = (
    {
        "animation",
        "carrier",
        "cgroups",
        "children",
        "chunks",
        "clock",
        "cuts",
        "errors",
        "listing",
        "mastering",
        "protobuf",
        "rows",
        "streaming",
        "tags",
        "tiles",
    },
    {
        "belongings",
        "exits",
        "ffmpeg",
        "formats",
        "gif",
        "memory",
        "options",
        "processors",
        "publish",
        "receptive",
        "runtime",
        "targets",
        "tiff",
        "video_options",
        "weights",
    },
    {
        "breaks",
        "catalog",
        "deep",
        "devices",
        "fields",
        "footage",
        "graph",
        "journal",
        "lanes",
        "layouts",
    },
    {
        "blocked",
        "colour",
        "decoding",
        "encoders",
        "fetching",
        "picture",
        "pixels",
        "placement",
        "seeking",
    },
    {"choosing", "session"},
    {"belief"},
    {"opening"},
    {"asking", "doctor", "forms", "inputs", "planning", "saving", "segments", "streams"},
    {"muxing", "reuse", "writing"},
    {"treatment"},
    {"damage", "joining", "upscaler"},
    {"images", "pipe", "videos"},
    {"preview", "several"},
    {"__init__"},
    {"arguments", "interrupts", "watching"},
    {"commands"},
    {"cli"},
    {"__main__"},
)
"""The rooms from the ground up. A room imports from lower levels only."""


def imported(path: Path) -> set[str]:
    """The modules that a file imports, anywhere in it, by full name."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            module = str(node.module)
            found |= {f"{module}.{alias.name}" for alias in node.names} | {module}
    return found


def fresh(code: str) -> str:
    """What a new Python prints."""
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_every_room_has_a_level() -> None:
    rooms = {path.stem for path in PACKAGE.glob("*.py")}
    assert rooms == set().union(*LEVELS)


@pytest.mark.parametrize("level", range(len(LEVELS)))
def test_imports_point_down(level: int) -> None:
    above = set().union(*LEVELS[level:])
    for room in LEVELS[level]:
        names = imported(PACKAGE / f"{room}.py")
        ours = {n.split(".")[1] for n in names if n.startswith("liveaction_onnx.")}
        if "liveaction_onnx" in names and room not in ("arguments", "cli"):
            ours -= {"__version__"}
        assert not ours & (above - {"__init__"}), f"{room} imports from its own level or above"


def test_nothing_of_the_workshop_is_imported() -> None:
    for path in PACKAGE.glob("*.py"):
        roots = {name.split(".")[0] for name in imported(path)}
        assert not roots & {"torch", "onnx", "model", "bench", "tests", "cv2", "scipy"}, path


def test_every_import_is_declared() -> None:
    declared = {"liveaction_onnx", "numpy", "imageio", "imageio_ffmpeg", "PIL", "tqdm"}
    optional = {"onnxruntime", "pooch"}
    for path in PACKAGE.glob("*.py"):
        roots = {name.split(".")[0] for name in imported(path)}
        assert roots - set(sys.stdlib_module_names) <= declared | optional, path


def test_only_the_command_line_prints() -> None:
    for path in PACKAGE.glob("*.py"):
        calls = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
        prints = [n for n in calls if isinstance(n.func, ast.Name) and n.func.id == "print"]
        assert not prints or path.stem == "cli", path


def test_only_one_room_starts_processes() -> None:
    for path in PACKAGE.glob("*.py"):
        assert "subprocess" not in imported(path) or path.stem == "ffmpeg", path


def test_the_front_door_is_sorted_and_complete() -> None:
    assert la.__all__ == sorted(
        la.__all__, key=lambda name: (not name.isupper(), name.islower(), name)
    ), "constants, classes, functions"
    raised = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, Exception)
    }
    assert raised <= set(la.__all__)
    for name in la.__all__:
        assert getattr(la, name) is not None


def test_every_error_is_ours_and_drawn_in_the_tree() -> None:
    drawn = str(errors.__doc__)
    for name in (n for n in la.__all__ if n.endswith("Error")):
        error = getattr(la, name)
        assert issubclass(error, la.LiveactionError)
        builtins = [b.__name__ for b in error.__bases__ if b.__module__ == "builtins"]
        line = next(
            text
            for text in drawn.splitlines()
            if text.split("─ ")[-1].split()[:1] == [name] or text.strip() == name
        )
        assert all(f"({builtin})" in line for builtin in builtins if builtin != "Exception"), line


def test_import_brings_no_runtime_and_prints_nothing() -> None:
    said = fresh(
        "import sys, liveaction_onnx; "
        "print([m for m in ('onnxruntime', 'torch', 'onnx', 'pooch', 'imageio', 'PIL', "
        "'imageio_ffmpeg', 'urllib.request', 'http.client') if m in sys.modules])"
    )
    assert said == "[]\n"


def test_upscaling_brings_neither_torch_nor_onnx() -> None:
    said = fresh(
        "import sys, numpy, json, liveaction_onnx as la; "
        "la.upscale(numpy.zeros((4, 4, 3), 'uint8')); "
        "print(json.dumps(sorted({m.split('.')[0] for m in sys.modules})))"
    )
    roots = set(json.loads(said))
    assert "onnxruntime" in roots
    assert not roots & {"torch", "onnx", "model", "pooch", "requests"}


def test_importing_it_starts_no_thread() -> None:
    assert fresh("import liveaction_onnx, threading; print(threading.active_count())") == "1\n"


def test_python_m_works() -> None:
    command = [sys.executable, "-m", "liveaction_onnx", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"liveaction-onnx {la.__version__}\n"


def test_the_package_says_that_it_is_typed() -> None:
    assert (PACKAGE / "py.typed").exists()
