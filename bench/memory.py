"""Peak memory for a picture of 4000 x 4000 px on the CPU, as an array and by the command line."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from bench.section import Section

SIDE = 4000
_MAKE = (
    "import numpy as np; rng = np.random.default_rng(0); "
    "a = rng.integers(0, 256, ({side}, {side}, 3), dtype=np.uint8)"
)
_ARRAY = _MAKE + "; import liveaction_onnx as la; la.Upscaler(device='cpu')(a)"
_FILE = _MAKE + "; from PIL import Image; Image.fromarray(a).save({path!r})"


_WATCH = (
    "import os, subprocess, sys; "
    "process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL); "
    "_, status, usage = os.wait4(process.pid, 0); print(usage.ru_maxrss); sys.exit(status != 0)"
)


def peak_bytes(command: list[str]) -> int:
    """Run a command and give the most memory that it had at once.

    Watched by a process that has little itself: Linux counts with a program what the process had
    that started it.
    """
    watch = [sys.executable, "-c", _WATCH, *command]
    said = subprocess.run(watch, stdout=subprocess.PIPE, text=True, check=True).stdout
    return int(said) * 1024  # Linux counts in KiB


def measure(side: int = SIDE) -> Section:
    """Measure both, each in a process of its own."""
    rows: list[tuple[object, ...]] = []
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "a.png")
        subprocess.run([sys.executable, "-c", _FILE.format(side=side, path=path)], check=True)
        for name, command in (
            ("`Upscaler(...)(array)`", [sys.executable, "-c", _ARRAY.format(side=side)]),
            (
                "`liveaction-onnx a.png`",
                [sys.executable, "-m", "liveaction_onnx", path, "-d", "cpu"],
            ),
        ):
            rows.append((name, f"{peak_bytes(command) / 1e6:,.0f}"))
    held = side * side * 3 * 5
    rows.append(("input and output arrays alone", f"{held / 1e6:,.0f}"))
    return Section(
        "Peak memory",
        f"Largest resident size of the whole process for one picture of {side} x {side} px, uint8 "
        "RGB, tiles as they are chosen by default; one run each. The promise is under 1,500 MB.",
        ("what", "MB"),
        rows,
        (
            f"peak memory for {side} x {side} px: array, and command line",
            f"{rows[0][1]} and {rows[1][1]} MB",
        ),
    )
