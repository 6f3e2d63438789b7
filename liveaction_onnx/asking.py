"""What is asked of videos, and what of it can be told before one is opened."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from liveaction_onnx import choosing
from liveaction_onnx.cuts import Cut
from liveaction_onnx.options import one_of, seconds, whole
from liveaction_onnx.video_options import VideoOptions


def check(sources: Sequence[Path], target: Path | None, options: VideoOptions) -> None:
    """See that options can be followed at all, before any source is opened.

    Raises
    ------
    OptionError
        Where they cannot, whatever the sources are.
    TargetError
        Where the target's ending is that of no container.
    """
    part(options)
    if target is not None:
        choosing.refuse_misfit(options.codec or choosing.default_codec(target), target)
    targets = [target or choosing.default_target(source, 1) for source in sources]
    codecs = {options.codec or choosing.default_codec(target) for target in targets}
    if len(codecs) == 1:
        choosing.check(codecs.pop(), options)


def part(options: VideoOptions) -> Cut:
    """The part that is to be taken, after a look at all that can be wrong with any source."""
    one_of("deinterlace", options.deinterlace, ("no", "auto", "frame", "field"))
    one_of("undouble", options.undouble, ("no", "auto", "yes"))
    whole("segment_frames", options.segment_frames, 1, "frames")
    return Cut(
        seconds("start", options.start_s), seconds("duration", options.duration_s, more=True)
    )
