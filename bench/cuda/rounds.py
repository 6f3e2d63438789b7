"""Levers in turn with the baseline on one frame, and the arithmetic of what came out."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.contenders.process import Frame
from bench.contenders.rounds import ON_GPU, Ratio, ratio, turns
from bench.cuda.lever import Lever
from bench.cuda.place import Place
from bench.cuda.roster import BASELINE


@dataclass
class Times:
    """What came out of one lever at one size, in seconds a frame, round by round."""

    seconds: list[float] = field(default_factory=list)

    baseline: list[float] = field(default_factory=list)
    """The baseline's in the same rounds; [] where it is not to be had."""

    differs: int | None = None
    """From the baseline's result."""

    def ratio(self) -> Ratio | None:
        return ratio(self.seconds, self.baseline) if self.baseline else None


@dataclass
class Sized:
    """What came out at one size."""

    width: int
    height: int
    times: dict[str, Times] = field(default_factory=dict)

    left_out: dict[str, str] = field(default_factory=dict)
    """What cannot be had, and why."""

    def so_far(self, name: str) -> str:
        """What came out of a lever, for what is cut off before its table."""
        if name in self.left_out:
            return f"not to be had: {self.left_out[name]}"
        times = self.times[name]
        rate = f"{1 / statistics.median(times.seconds):.1f} fps"
        return f"{rate}, {times.ratio() or 'no baseline'}, differs by {times.differs}"

    def medians(self) -> dict[str, float]:
        """Seconds a frame of each; the baseline's over all its rounds."""
        seconds = {name: each.seconds for name, each in self.times.items()}
        if every := [second for each in self.times.values() for second in each.baseline]:
            seconds = {BASELINE: every} | seconds
        return {name: statistics.median(each) for name, each in seconds.items()}


def warm(lever: Lever, place: Place, frame: Frame) -> list[Frame]:
    """Open it and give its results, after another picture, which none of them may show."""
    lever.open(place)
    lever.run(np.ascontiguousarray(frame[::-1]))
    return lever.run(frame)


def timed(lever: Lever, frame: Frame) -> float:
    """The seconds a frame of one turn."""
    count, seconds, started = 0, 0.0, time.perf_counter()
    while count < ON_GPU.frames or seconds < ON_GPU.least_s:
        lever.run(frame)
        count += lever.frames
        seconds = time.perf_counter() - started
    return seconds / count


def difference(results: Sequence[Frame], wanted: Frame) -> int:
    """The greatest difference of any result from what is wanted, in levels."""
    return max(int(np.abs(made.astype(np.int16) - wanted).max()) for made in results)


def compare(place: Place, everyone: Sequence[Lever], frame: Frame, rounds: int) -> Sized:
    """Time every lever beside the first of them, the baseline, on a frame (H, W, 3)."""
    found = Sized(place.width, place.height)
    baseline, *others = everyone
    wanted: Frame | None = None
    try:
        [wanted] = warm(baseline, place, frame)
    except Exception as error:  # ONNX Runtime's own classes differ from build to build
        found.left_out[baseline.name] = reason(error)
    for lever in others:
        print(f"{place.width} x {place.height}: {lever.name}", file=sys.stderr, flush=True)
        try:
            found.times[lever.name] = beside(baseline, lever, place, frame, wanted, rounds)
        except Exception as error:
            found.left_out[lever.name] = reason(error)
        finally:
            lever.close()
        print(f"  {found.so_far(lever.name)}", file=sys.stderr, flush=True)
    baseline.close()
    return found


def beside(
    baseline: Lever, lever: Lever, place: Place, frame: Frame, wanted: Frame | None, rounds: int
) -> Times:
    """Open a lever and let it take turns with the baseline, which made `wanted` of the frame."""
    results = warm(lever, place, frame)
    times = Times(differs=None if wanted is None else difference(results, wanted))
    parts = {lever.name: (lever, times.seconds)}
    if wanted is not None:
        parts[baseline.name] = baseline, times.baseline
    for number in range(rounds):
        for name in turns(list(parts), number):
            each, seconds = parts[name]
            seconds.append(timed(each, frame))
    return times


def reason(error: Exception) -> str:
    """What was raised, on one line."""
    return " ".join(str(error).split()) or type(error).__name__
