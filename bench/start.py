"""How long `import liveaction_onnx` takes beyond numpy."""

from __future__ import annotations

import statistics
import subprocess
import sys

from bench.section import Section

RUNS = 15
_CODE = "import time{}; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"
_OURS = _CODE.format(", numpy", "liveaction_onnx")
_NUMPY = _CODE.format("", "numpy")


def _timed(code: str) -> float:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return 1000 * float(done.stdout)


def measure() -> Section:
    """Time both imports in turn, each in a new Python."""
    pairs = [(_timed(_OURS), _timed(_NUMPY)) for _ in range(RUNS)]
    ours, numpys = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    return Section(
        "Import time",
        f"`import liveaction_onnx` where numpy is already there, and numpy itself, in turn, {RUNS} "
        "times each in a new Python; medians. The promise is under 100 ms.",
        ("import", "ms", "of numpy's own"),
        [
            ("numpy", f"{numpys:.0f}", "1"),
            ("liveaction_onnx, beyond numpy", f"{ours:.0f}", f"{ratio:.2f}"),
        ],
        ("`import liveaction_onnx`, beyond numpy", f"{ours:.0f} ms"),
    )
