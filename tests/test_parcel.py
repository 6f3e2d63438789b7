"""The parcel as users get it: the built wheel, in an environment of its own, elsewhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from pictures import load, save

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.slow


def run(*command: str | Path, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run a command away from the checkout."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(
        [*map(str, command)], cwd=cwd, env=clean, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, f"{done.stdout}\n{done.stderr}"
    return done


def environment(folder: Path) -> Path:
    """Make a virtual environment and give the folder of its programs."""
    venv.create(folder, with_pip=True)
    return folder / ("Scripts" if sys.platform == "win32" else "bin")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w"]
    run(*pip, folder, ROOT, cwd=folder)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = environment(tmp_path_factory.mktemp("env"))
    run(found / "pip", "install", "-q", f"{wheel}[cpu,models]", cwd=wheel.parent)
    return found


def test_the_wheel_is_small_and_holds_the_package_alone(wheel: Path) -> None:
    assert wheel.stat().st_size < 6_000_000
    with zipfile.ZipFile(wheel) as parcel:
        names = parcel.namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"liveaction_onnx"}
    inside = {name.removeprefix("liveaction_onnx/graphs/") for name in names if "graphs/" in name}
    graphs = {path.name for path in (ROOT / "liveaction_onnx" / "graphs").iterdir()}
    assert inside == graphs
    assert sum(name.endswith(".onnx") for name in inside) == 9
    assert any(name.endswith("py.typed") for name in names)
    assert any(name.endswith("licenses/NOTICE") for name in names)


def test_the_installed_command_doubles_a_picture(programs: Path, tmp_path: Path) -> None:
    save(tmp_path / "a.png")
    run(programs / "liveaction-onnx", "a.png", cwd=tmp_path)
    assert load(tmp_path / "a_2x.png").shape == (48, 64, 3)
    assert "works" in run(programs / "liveaction-onnx", "doctor", cwd=tmp_path).stdout


def test_the_installed_package_runs_without_the_checkout(programs: Path, tmp_path: Path) -> None:
    code = (
        "import json, sys, numpy, liveaction_onnx as la; "
        "shape = la.upscale(numpy.zeros((5, 7, 3), 'uint8')).shape; "
        "print(json.dumps([shape, la.__file__, sorted(m.split('.')[0] for m in sys.modules)]))"
    )
    shape, file, modules = json.loads(run(programs / "python", "-c", code, cwd=tmp_path).stdout)
    assert shape == [10, 14, 3]
    assert not Path(file).is_relative_to(ROOT)
    assert not {"torch", "onnx", "model"} & set(modules)


def test_without_onnx_runtime_the_three_commands_are_named(wheel: Path, tmp_path: Path) -> None:
    programs = environment(tmp_path / "env")
    run(programs / "pip", "install", "-q", wheel, cwd=tmp_path)
    save(tmp_path / "a.png")
    said = run(programs / "liveaction-onnx", "a.png", cwd=tmp_path, code=3).stderr
    for extra in ("cpu", "cuda", "directml"):
        assert f'pip install "liveaction-onnx[{extra}]"' in said
    assert not (tmp_path / "a_2x.png").exists()


def test_two_wheels_of_onnx_runtime_are_told_of(
    wheel: Path, programs: Path, tmp_path: Path
) -> None:
    """A second wheel, of which the name is enough, in a scratch environment."""
    project = tmp_path / "second"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "onnxruntime-gpu"\nversion = "0.0.1"\n'
        "[tool.hatch.build.targets.wheel]\nbypass-selection = true\n"
    )
    scratch = environment(tmp_path / "env")
    run(scratch / "pip", "install", "-q", f"{wheel}[cpu]", project, cwd=tmp_path)
    said = run(scratch / "liveaction-onnx", "doctor", cwd=tmp_path, code=1).stdout
    assert "pip uninstall -y onnxruntime onnxruntime-gpu" in said
    code = "import numpy, liveaction_onnx as la; la.upscale(numpy.zeros((5, 7, 3), 'uint8'))"
    warned = run(scratch / "python", "-c", code, cwd=tmp_path).stderr
    assert "RuntimeWarning" in warned
    assert "onnxruntime and onnxruntime-gpu" in warned
