"""The segments of a video and the rest of its source, joined to the target."""

from __future__ import annotations

import logging
import os
from functools import partial

from liveaction_onnx import muxing
from liveaction_onnx.clock import Clock
from liveaction_onnx.errors import VideoError
from liveaction_onnx.journal import Journal
from liveaction_onnx.muxing import Part
from liveaction_onnx.publish import blaming, put_in_place
from liveaction_onnx.treatment import Treatment

logger = logging.getLogger("liveaction_onnx")


def join_to_target(
    work: Treatment, journal: Journal, clock: Clock | None, *, overwrite: bool
) -> list[str]:
    """Join what lies in a journal, look at what came of it, and put it in its place.

    Gives a sentence for each stream of which there is nothing.

    `clock` is that of the decoder, which has one once ffmpeg has told of the source.
    """
    if clock is None:
        raise VideoError(f"{work.footage.path}: ffmpeg tells of no time base")
    parts = [
        Part(
            journal.folder / segment.file,
            clock.seconds(segment.times[0]) - work.origin_s,
            clock.seconds(segment.end) - work.origin_s,
        )
        for segment in journal.segments
    ]
    whole = journal.new_file(work.target.suffix)
    with blaming(work.target):
        muxing.join(
            parts,
            whole,
            work.footage,
            work.streams,
            work.encoding,
            cut=work.cut,
            seek_s=work.seek_s,
            colour=work.made,
            per_second=clock.per_second,
        )
    times = [clock.seconds(t) - work.origin_s for s in journal.segments for t in s.times]
    lacking = partial(muxing.lacks, footage=work.footage, cut=work.cut, seek_s=work.seek_s)
    empty = muxing.check(whole, times, work.streams, lacking=lacking)
    with blaming(work.target), whole.open("rb+") as file:
        os.fsync(file.fileno())
    put_in_place(whole, work.target, overwrite=overwrite)
    notes = [f"{stream} is left out: nothing of it lies in what was taken" for stream in empty]
    for note in notes:
        logger.warning("%s: %s", work.footage.path, note)
    return notes
