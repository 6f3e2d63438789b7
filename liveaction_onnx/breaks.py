"""Where the times of a video go back, or leap ahead: recordings that were put end to end."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from liveaction_onnx import ffmpeg
from liveaction_onnx.errors import FfmpegError, VideoDamagedError
from liveaction_onnx.listing import packets

RESTARTING = ("mpegts", "mpeg")
"""Containers whose clock begins anywhere, and may begin anew midway."""

_BACK_S, _LEAP_S = Fraction(1, 10), 10
"""How far times may go back, as they do by a frame or so in broken files, and ahead. Beyond these
ffmpeg itself, where it is free to set times, takes them for another clock's."""


_UNSAID = -(1 << 63)
"""What stands for a time that is not known."""

_AS_READ = ("-bsf:0", f"setts=pts=DTS:dts=N-{10**12}")
"""Times of decoding in the place of those of showing: in their own, ffmpeg makes them grow."""


@dataclass(frozen=True)
class Break:
    """Two frames, one after the other, of which the second is shown as by another clock."""

    before_s: Fraction
    after_s: Fraction

    def __str__(self) -> str:
        way = "go back" if self.after_s < self.before_s else "leap"
        return f"its times {way} from {float(self.before_s):.2f} s to {float(self.after_s):.2f} s"

    def refused(self, name: str) -> VideoDamagedError:
        """The error of a source that has it."""
        return VideoDamagedError(
            f"{name}: {self} midway, as where recordings are put end to end: sound and pictures "
            "cannot be kept in step there. Mend it first, by ffmpeg -fflags +genpts -i "
            f"{shlex.quote(name)} -map 0 -dn -c copy whole.mkv as a rule; or accept the damage to "
            "have frames when they say, and at once where that has gone by"
        )


def between(before_s: Fraction, after_s: Fraction, *, restarting: bool) -> Break | None:
    """The break between the times of two frames, of a container whose clock may begin anew."""
    ahead = after_s - before_s
    if ahead < -_BACK_S or (restarting and ahead > _LEAP_S):
        return Break(before_s, after_s)
    return None


def refuse_broken(path: Path, container: str, stream: int) -> None:
    """Look through a file for a break, where its container is such that it may have any.

    The whole file is read, but nothing in it decoded.

    Raises
    ------
    VideoDamagedError
        Where there is one.
    """
    if container in RESTARTING and (found := _first_break(path, stream)):
        raise found.refused(str(path))


def _first_break(path: Path, stream: int) -> Break | None:
    """The first break, by the times at which the packets of a stream are decoded."""
    command = ["-copyts", *ffmpeg.reading(path), "-map", f"0:{stream}", "-c", "copy", *_AS_READ]
    try:
        _, listed = ffmpeg.run([*command, "-f", "framecrc", "pipe:1"], stdout=True)
    except FfmpegError:
        return None  # what is wrong with it is told when it is decoded
    base, read = packets(listed)
    times = (ticks * base for ticks in read if ticks != _UNSAID)
    found = (between(*pair, restarting=True) for pair in pairwise(times))
    return next(filter(None, found), None)
