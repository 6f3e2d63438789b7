"""Contenders in turn on one frame, and the arithmetic of what came out."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bench.contenders.process import ONCE, FailedError, Frame, MissingError, Run, Turn, Worker
from bench.contenders.roster import OURS, Contender, Opening
from liveaction_onnx import memory

RIM_PX = 48
"""How much of a result's rim is not compared, in its px, 24 of the frame: the network sees 21 px
far, and what it is shown beyond the rim is each contender's own affair."""

PAUSE_S = 0.3
"""Before each turn: threads of who ran last may spin on for a while."""


ON_GPU = Turn(frames=8, least_s=0.5)
"""Frames one after another, as a video has them, until the clocks of an idle GPU are up."""


@dataclass(frozen=True)
class Ratio:
    """A ratio that was taken in every round."""

    median: float
    least: float
    greatest: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.least:.2f} to {self.greatest:.2f})"


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """Ours to theirs, round by round.

    >>> ratio([1.0, 1.0, 3.0], [2.0, 4.0, 4.0])
    Ratio(median=0.5, least=0.25, greatest=0.75)
    """
    each = [a / b for a, b in zip(ours, theirs, strict=True)]
    return Ratio(statistics.median(each), min(each), max(each))


def turns(names: Sequence[str], number: int) -> list[str]:
    """The order of a round: each begins with who came second in the one before.

    >>> turns(["a", "b", "c"], 1)
    ['b', 'c', 'a']
    """
    first = number % len(names)
    return [*names[first:], *names[:first]]


@dataclass(frozen=True)
class Difference:
    """How far a result is from ours away from the rims, in levels of 255."""

    greatest: int
    mean: float

    def __str__(self) -> str:
        return f"{self.greatest} ({self.mean:.3f})"


def difference(ours: Frame, theirs: Frame) -> Difference:
    """Compare two results of the same shape; of a small frame, its middle px at least."""
    height, width = ours.shape[:2]
    y, x = min(RIM_PX, (height - 1) // 2), min(RIM_PX, (width - 1) // 2)
    inner = slice(y, height - y), slice(x, width - x)
    levels = np.abs(ours[inner].astype(np.int16) - theirs[inner])
    return Difference(int(levels.max()), float(levels.mean()))


@dataclass
class Times:
    """What one contender has done at one size."""

    about: dict[str, Any]

    differs: Difference
    """From ours."""

    seconds: list[float] = field(default_factory=list)
    """A frame, round by round."""

    peak_bytes: int = 0

    def count(self, run: Run) -> None:
        self.seconds.append(run.seconds)
        self.peak_bytes = max(self.peak_bytes, run.peak_bytes)


@dataclass(frozen=True)
class Sized:
    """What came out at one size."""

    width: int
    height: int
    times: dict[str, Times]

    left_out: dict[str, str]
    """Who could not take part, and why."""

    def ratios(self) -> dict[str, Ratio]:
        """Ours to each of the others."""
        ours = self.times[OURS].seconds
        return {
            name: ratio(ours, each.seconds) for name, each in self.times.items() if name != OURS
        }

    def medians(self) -> dict[str, float]:
        """Seconds a frame of each."""
        return {name: statistics.median(each.seconds) for name, each in self.times.items()}


class Seats:
    """The processes of contenders at one size. Idle ones stay open while all of them fit into half
    of the memory; else every one is opened for each turn, so that all are treated alike.
    """

    def __init__(self, frame: Frame, opening: Opening) -> None:
        self._frame, self._opening = frame, opening
        self._turn = ONCE if opening.device == "cpu" else ON_GPU
        self._open: dict[str, Worker] = {}
        self._left_bytes = (memory.available_bytes() or 0) // 2

    def warm(self, contender: Contender, *, keep: bool) -> tuple[Worker, Run]:
        """Open a contender and let it run once, which is not counted."""
        worker = contender.open(self._opening)
        try:
            return worker, worker.run(self._frame, keep=keep)
        except BaseException:
            worker.close()
            raise

    def first(self, contender: Contender) -> tuple[dict[str, Any], Run]:
        """Warm a contender up, and see whether it can stay beside those before it."""
        worker, run = self.warm(contender, keep=True)
        self._open[contender.name] = worker
        self._left_bytes -= run.peak_bytes
        if self._left_bytes < 0:
            self.close()
        return worker.about, run

    def turn(self, contender: Contender) -> Run:
        """Let a contender run, warmed up."""
        if self._left_bytes >= 0:
            time.sleep(PAUSE_S)
            return self._open[contender.name].run(self._frame, self._turn)
        worker, _ = self.warm(contender, keep=False)
        with worker:
            time.sleep(PAUSE_S)
            return worker.run(self._frame, self._turn)

    def close(self, name: str = "") -> None:
        """End the process of one, or of all."""
        for each in [name] if name else list(self._open):
            if worker := self._open.pop(each, None):
                worker.close()


def compare(
    contenders: Sequence[Contender], frame: Frame, *, rounds: int, opening: Opening
) -> Sized:
    """Time contenders, ours first among them, on a frame (H, W, 3) in so many rounds.

    Raises `FailedError` or `MissingError` where it is ours that fails; of others it is told.
    """
    found = Sized(frame.shape[1], frame.shape[0], {}, {})
    by_name = {contender.name: contender for contender in contenders}
    seats = Seats(frame, opening)
    ours: Frame | None = None

    def lose(name: str, error: Exception) -> None:
        if name == OURS:
            raise error
        mend = by_name[name].install if isinstance(error, MissingError) else ""
        found.left_out[name] = f"{error}. To install it: {mend}" if mend else str(error)
        found.times.pop(name, None)
        seats.close(name)

    try:
        for name, contender in by_name.items():
            _tell(f"{found.width} x {found.height}: {name}")
            try:
                about, run = seats.first(contender)
            except (MissingError, FailedError) as error:
                lose(name, error)
                continue
            assert run.result is not None
            ours = run.result if ours is None else ours
            found.times[name] = Times(about, difference(ours, run.result))
        for number in range(rounds):
            _tell(f"{found.width} x {found.height}: round {number + 1} of {rounds}")
            for name in turns(list(found.times), number):
                try:
                    found.times[name].count(seats.turn(by_name[name]))
                except (MissingError, FailedError) as error:
                    lose(name, error)
    finally:
        seats.close()
    return found


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
