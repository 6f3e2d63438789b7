"""Which part of a video is taken."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

ROUNDED_S = Fraction(5, 2_000_000)
"""How much later than the frame that was meant a time may be: the start of a file and that of a cut
are whole microseconds, each rounded. No whole number of them, so that nothing lies just there."""


@dataclass(frozen=True)
class Span:
    """The frames whose time lies from `begin_s` up to, but not at, `end_s`; None: from or to all.

    In seconds of the source's own clock.
    """

    begin_s: Fraction | None = None
    end_s: Fraction | None = None

    def before(self, time_s: Fraction) -> bool:
        """Whether a frame comes too early to belong to it."""
        return self.begin_s is not None and time_s < self.begin_s - ROUNDED_S

    def over(self, time_s: Fraction) -> bool:
        """Whether a frame comes after its end."""
        return self.end_s is not None and time_s >= self.end_s - ROUNDED_S


@dataclass(frozen=True)
class Cut:
    """Which part of a source is taken, in seconds from where the file begins; None: all."""

    start_s: Fraction | None = None
    duration_s: Fraction | None = None

    def span(self, file_start_s: Fraction) -> Span:
        """The same of a file whose earliest stream begins at `file_start_s`."""
        begin_s = None if self.start_s is None else file_start_s + self.start_s
        if self.duration_s is None:
            return Span(begin_s)
        return Span(begin_s, (file_start_s if begin_s is None else begin_s) + self.duration_s)


WHOLE = Span()
"""All of a source."""
