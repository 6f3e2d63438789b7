"""What exact reuse between frames saves where little moves, and costs where all does."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

import liveaction_onnx as la
from bench.footage import clip, ffmpeg
from bench.section import Section
from liveaction_onnx.reuse import Reuse

Frames = list[NDArray[np.uint8]]
SIDES, WIDE = (180, 240), (480, 720)
RUNS = 5


def frames(name: str, filters: str, count: int, sides: tuple[int, int] = SIDES) -> Frames:
    """The first frames of a clip as (H, W, 3) uint8."""
    height, width = sides
    chain = f"{filters},scale={width}:{height},format=rgb24"
    words = ["-i", str(clip(name)), "-frames:v", str(count), "-vf", chain]
    raw = ffmpeg(*words, "-fps_mode", "passthrough", "-f", "rawvideo", "-")
    return list(np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3))


def clips() -> Iterator[tuple[str, Frames]]:
    """What is measured, by name."""
    yield "all moves: a city by night", frames("cityCC0.mpg", "null", 8)
    height, width = WIDE
    bars = f"scale={width}:364,pad={width}:{height}:0:58"
    wide = frames("cityCC0.mpg", bars, 4, WIDE)
    yield f"letterbox: bars of 12 % above and below, {width} x {height} px", wide
    yield (
        "each frame shown twice, as in 12 fps",
        [one for one in frames("cityCC0.mpg", "null", 4) for _ in range(2)],
    )
    yield "a still camera: people on a street", frames("vtest.avi", "null", 8)


def measure() -> Section:
    """Run each clip with and without, in turn."""
    rows: list[tuple[object, ...]] = []
    found: dict[str, float] = {}
    with la.Upscaler(device="cpu") as upscaler:
        for name, given in clips():
            plain = [upscaler(frame) for frame in given]
            reuse = Reuse(upscaler)
            again = list(reuse.stream(given))
            same = all(np.array_equal(a, b) for a, b in zip(plain, again, strict=True))

            def seconds(reuse: bool, given: Frames = given) -> float:
                started = time.perf_counter()
                for _ in upscaler.stream(given, reuse=reuse):
                    pass
                return time.perf_counter() - started

            pairs = [(seconds(True), seconds(False)) for _ in range(RUNS)]
            ratio = statistics.median(a / b for a, b in pairs)
            found[name] = ratio
            computed = 100 * reuse.computed_px / reuse.px
            rows.append((name, "yes" if same else "NO", f"{computed:.0f} %", f"{ratio:.3f}"))
    ratios = list(found.values())
    return Section(
        "Reuse",
        f"Frames of {SIDES[1]} x {SIDES[0]} px, where nothing else is said, with exact reuse "
        "between frames, as videos have it, and without, streams on the CPU, the first computed "
        f"whole; median of {RUNS} ratios in one process, in turn. Equal: every result is the same "
        "to the bit.",
        ("clip", "equal", "px computed", "time, with / without"),
        rows,
        (
            "exact reuse between frames, time with / without: all moves, letterbox, frames twice",
            ", ".join(f"{ratio:.2f}" for ratio in ratios[:3]),
        ),
    )
