"""How long it takes from nothing: the import, the first picture, and `doctor`."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from bench.section import Section

RUNS = 15
SLOW_RUNS = 5
_CODE = "import time{}; t = time.perf_counter(); {}; print(time.perf_counter() - t)"
_OURS = _CODE.format(", numpy", "import liveaction_onnx")
_NUMPY = _CODE.format("", "import numpy")
_RUNTIME = _CODE.format(", numpy", "import onnxruntime")
_PICTURE = _CODE.format(
    ", numpy, liveaction_onnx",
    "liveaction_onnx.upscale(numpy.zeros((64, 64, 3), numpy.uint8), device='cpu')",
)


def _timed(code: str) -> float:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return 1000 * float(done.stdout)


def _whole(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, *command], capture_output=True, check=True)
    return 1000 * (time.perf_counter() - began)


def measure() -> Section:
    """Time each in turn, always in a new Python."""
    pairs = [(_timed(_OURS), _timed(_NUMPY)) for _ in range(RUNS)]
    ours, numpys = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    turns = [
        (_timed(_RUNTIME), _timed(_PICTURE), _whole(["-m", "liveaction_onnx", "doctor"]))
        for _ in range(SLOW_RUNS)
    ]
    runtime, picture, doctor = (statistics.median(side) for side in zip(*turns, strict=True))
    return Section(
        "Start",
        "Always in a new Python; medians. `import liveaction_onnx` where numpy is already there, "
        f"and numpy itself, in turn, {RUNS} times; the promise is under 100 ms. The first "
        "`upscale` of a picture of 64 x 64 px after the import, with ONNX Runtime's own import in "
        f"it, and the whole command `liveaction-onnx doctor`, in turn, {SLOW_RUNS} times.",
        ("what", "ms", "of numpy's import"),
        [
            ("`import numpy`", f"{numpys:.0f}", "1"),
            ("`import liveaction_onnx`, beyond numpy", f"{ours:.0f}", f"{ratio:.2f}"),
            ("`import onnxruntime`, beyond numpy", f"{runtime:.0f}", f"{runtime / numpys:.2f}"),
            ("first `upscale`, that import included", f"{picture:.0f}", f"{picture / numpys:.2f}"),
            ("`liveaction-onnx doctor`", f"{doctor:.0f}", f"{doctor / numpys:.2f}"),
        ],
        ("`import liveaction_onnx`, beyond numpy", f"{ours:.0f} ms"),
    )
