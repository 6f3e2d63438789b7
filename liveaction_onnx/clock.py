"""When frames are shown: whole ticks of one time base, exact where the source was rounded."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction

_FINE = 10_000
"""Ticks a second from which on a time base can say every usual rate well enough."""

_FASTEST = 1000
"""Frames a second beyond which a nominal rate is none. One that is no whole number, nor one of
those over 1001, is a mean of a variable rate."""

UNTOLD_RATE = Fraction(25)
"""Frames a second that are reckoned with where nobody states how many there are."""


@dataclass
class Clock:
    """Turns the times of decoded frames, as they come, into ticks that always grow.

    Containers with millisecond ticks (Matroska, FLV, ASF) hold 24000/1001 frames a second only
    rounded. Where a frame is within a tick of the grid of the nominal rate, its time on that grid
    is taken; one that is off the grid keeps its own time, so variable rates stay what they are.

    >>> clock = Clock(Fraction(1, 1000), Fraction(24000, 1001))
    >>> [clock.ticks(ms) for ms in (0, 42, 83, 125, 700)], clock.per_second
    ([0, 1001, 2002, 3003, 16800], 24000)
    """

    base: Fraction
    """Seconds a tick of the source."""

    rate: Fraction
    """Nominal frames a second; 0 where there is none."""

    anchor: int | None = None
    """The time of the first frame, in ticks of the source; where the grid begins."""

    last: int | None = None
    """The tick given last."""

    per_second: int = field(init=False)
    """Ticks a second of what `ticks` gives."""

    def __post_init__(self) -> None:
        usual = self.rate.denominator in (1, 1001) and 0 < self.rate <= _FASTEST
        self._snaps = usual and self.base > Fraction(1, _FINE)
        if self._snaps:
            self.per_second = self.rate.numerator * math.ceil(_FINE / self.rate.numerator)
        else:
            self.per_second = self.base.denominator

    def ticks(self, time: int) -> int:
        """The tick of the next frame, whose time is `time` ticks of the source."""
        if self.anchor is None:
            self.anchor = time
        tick = self._at(time)
        if self.last is not None and tick <= self.last:
            tick = self.last + 1  # a broken source shows two frames at once
        self.last = tick
        return tick

    def _at(self, time: int) -> int:
        own = time * self.base
        if self._snaps and self.anchor is not None:
            first = self.anchor * self.base
            grid = first + round((own - first) * self.rate) / self.rate
            if abs(grid - own) <= self.base:
                own = grid
        return round(own * self.per_second)

    def seconds(self, ticks: int) -> Fraction:
        """The time of a tick in seconds."""
        return Fraction(ticks, self.per_second)

    @property
    def frame_ticks(self) -> int:
        """How long a frame lasts that does not say so itself."""
        return max(1, round(self.per_second / self.rate)) if self.rate else self.per_second // 25
