"""Whether memory and open files stay flat over a long video, and what is left running after it."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.footage import clip, ffmpeg
from bench.section import Section

FRAMES = 2000
SIDES = (64, 96)


def _source(folder: Path) -> Path:
    """A city by night, over and over, small, with sound."""
    height, width = SIDES
    path = folder / "long.mkv"
    words = ["-stream_loop", "-1", "-i", str(clip("cityCC0.mpg")), "-f", "lavfi", "-i", "sine"]
    words += ["-vf", f"scale={width}:{height}", "-frames:v", str(FRAMES), "-shortest"]
    ffmpeg(*words, "-c:v", "libx264", "-preset", "fast", "-c:a", "aac", str(path))
    return path


def _resident_mb(process: int) -> float:
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _ffmpegs() -> int:
    """How many processes of ffmpeg there are."""
    names = []
    for entry in Path("/proc").glob("[0-9]*/comm"):
        try:
            names.append(entry.read_text())
        except OSError:
            continue
    return sum(name.startswith("ffmpeg") for name in names)


def measure() -> Section:
    """Run the command line and look at its process twice a second."""
    seen: list[tuple[float, int]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        words = [str(_source(folder)), "-o", str(folder / "out.mkv"), "-d", "cpu", "-q"]
        before = _ffmpegs()
        command = [sys.executable, "-m", "liveaction_onnx", *words, "--preset", "ultrafast"]
        with subprocess.Popen(command) as process:
            while process.poll() is None:
                try:
                    files = len(os.listdir(f"/proc/{process.pid}/fd"))
                    seen.append((_resident_mb(process.pid), files))
                except OSError:
                    break
                time.sleep(0.5)
        if process.returncode:
            raise RuntimeError(f"{command} ended with {process.returncode}")
        left = _ffmpegs() - before
        kept = sorted(entry.name for entry in folder.iterdir())
    tenth = max(1, len(seen) // 10)
    parts = {"second tenth": seen[tenth : 2 * tenth], "last tenth": seen[-tenth - 1 : -1]}
    rows: list[tuple[object, ...]] = [
        (
            part,
            f"{statistics.median(memory for memory, _ in values):.0f}",
            f"{statistics.median(files for _, files in values):.0f}",
        )
        for part, values in parts.items()
    ]
    rows.append(("at most", f"{max(m for m, _ in seen):.0f}", max(f for _, f in seen)))
    first, last = rows[0][1], rows[1][1]
    return Section(
        "Endurance",
        f"A video of {FRAMES:,} frames of {SIDES[1]} x {SIDES[0]} px with sound by the command "
        "line on the CPU: resident memory and open files of its process, medians over tenths of "
        f"the run. Afterwards {left} processes of ffmpeg were left, and in the folder {kept}.",
        ("part of the run", "MB", "open files"),
        rows,
        (
            f"memory in the second and in the last tenth of {FRAMES:,} frames",
            f"{first} and {last} MB",
        ),
    )
