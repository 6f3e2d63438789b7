"""What was wrong with a source, once it has been read: told, or refused."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from fractions import Fraction

from liveaction_onnx.decoding import Decoder
from liveaction_onnx.errors import OptionError, VideoDamagedError, VideoError
from liveaction_onnx.treatment import Treatment

EARLY_S = Fraction(1)
"""How much before its stated time a source may end."""

logger = logging.getLogger("liveaction_onnx")


def of_nothing(work: Treatment, decoder: Decoder) -> VideoError | OptionError:
    """The error of a source of which no frame came."""
    seen, complaints = work.footage, decoder.process.complaints
    first_s = (seen.shown.pts or 0) * seen.base
    if work.span.over(first_s):
        return OptionError(
            f"duration: expected more, for the first picture of {seen.path} comes "
            f"{float(first_s - seen.start_s):.3f} s after its beginning"
        )
    why = f" ({complaints[0]})" if complaints else ""
    return VideoError(f"{seen.path}: not one frame came of it{why}")


def notes(work: Treatment, decoder: Decoder, end: int) -> Iterator[str]:
    """Say what ffmpeg found wrong with a source whose last frame ends at the tick `end`.

    Raises
    ------
    VideoDamagedError
        Where it ends before its time, unless that is accepted.
    """
    seen, clock, complaints = work.footage, decoder.clock, decoder.process.complaints
    if decoder.broken:
        note = f"{decoder.broken} midway: what is shown there is out of step"
        logger.warning("%s: %s", seen.path, note)
        yield note
    if not complaints:
        return
    said = f"errors in reading it: {len(complaints)}, the first: {complaints[0]}"
    length, asked = seen.duration_s, work.cut.span(Fraction(0)).end_s
    if length is not None and clock is not None and not decoder.whole:
        ends = clock.seconds(end) - seen.start_s
        due = length - EARLY_S if asked is None else min(length - EARLY_S, asked)
        if ends < due and not work.options.accept_damage:
            raise VideoDamagedError(
                f"{seen.path}: its video ends after {float(ends):.2f} s, where it "
                f"states {float(length):.2f} s ({said}): it is cut short or damaged; accept "
                "the damage to have what is there, which is done already"
            )
    note = f"{said}; what could be decoded was taken"
    logger.warning("%s: %s", seen.path, note)
    yield note
