"""A few seconds of a video beside what a plain resize makes of them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from liveaction_onnx import seeking, treatment
from liveaction_onnx.clock import Clock
from liveaction_onnx.errors import OptionError, VideoError
from liveaction_onnx.joining import join_to_target
from liveaction_onnx.journal import Journal
from liveaction_onnx.publish import check_target
from liveaction_onnx.streaming import AnyOf, finished, overlapped
from liveaction_onnx.streams import Streams
from liveaction_onnx.treatment import Treatment
from liveaction_onnx.upscaler import Cancel, Upscaler
from liveaction_onnx.video_options import VideoOptions
from liveaction_onnx.videos import VideoReport
from liveaction_onnx.writing import Writer

Array = NDArray[Any]
WHOLE = 1 << 30
"""Frames of a segment that is never full."""


def upscale_preview(
    source: Path,
    target: Path | None,
    options: VideoOptions,
    *,
    seconds: float,
    upscaler: Upscaler,
    overwrite: bool = False,
    cancel: Cancel | None = None,
    take: Callable[[Path], None] = lambda target: None,
) -> VideoReport:
    """Write `seconds` of a video twice side by side: bicubic at the left, upscaled at the right.

    From `options.start_s`, or the middle of the source. Without its other streams. The target is
    `<stem>_preview.<ext>` where none is given, or a folder is; `take` is told it before anything is
    done for it, and may raise to refuse it. Errors are those of `upscale_video`.
    """
    shown = _planned(source, target, options, seconds, upscaler.facts.scale)
    work = replace(shown, streams=Streams((), ()))
    check_target(source, work.target, overwrite=overwrite)
    take(work.target)
    journal = Journal(work.target, {}, restart=True, kind="preview")
    try:
        clock, px = _fill(journal, work, upscaler, cancel)
        frames = journal.frames
        if clock is None or not frames:
            raise VideoError(f"{source}: no frame from {float(work.cut.start_s or 0):.3f} s on")
        join_to_target(work, journal, clock, overwrite=overwrite)
    finally:
        journal.delete()
    return VideoReport(work.target, frames, 0, px, px, shown.notes)


def _planned(
    source: Path, target: Path | None, options: VideoOptions, seconds: float, scale: int
) -> Treatment:
    """What is done to the seconds that are shown."""
    if not 0 < seconds < float("inf"):
        raise OptionError(f"preview: expected seconds, got {seconds!r}")
    folder = source.parent
    if target is not None and os.path.isdir(target):
        folder, target = target, None
    work = treatment.plan(source, target, replace(options, duration_s=seconds), scale)
    cut = work.cut
    if options.start_s is None and work.footage.duration_s is not None:
        middle = max(Fraction(0), (work.footage.duration_s - Fraction(seconds)) / 2)
        cut = replace(cut, start_s=middle.limit_denominator(1000))
    default = folder / f"{source.stem}_preview{work.target.suffix}"
    seek_s = seeking.seek_s(work.footage, cut)
    return replace(work, cut=cut, seek_s=seek_s, target=target or default)


def _fill(
    journal: Journal, work: Treatment, upscaler: Upscaler, cancel: Cancel | None
) -> tuple[Clock | None, int]:
    """Write all frames into one segment; give the decoder's clock, and the px that were decoded."""
    decoder = work.decoder(work.filters_in())
    writer = Writer(journal, work.encoding, work.filters_out(), WHOLE)
    gone = threading.Event()
    either = AnyOf(gone, cancel)

    def beside(pixels: Array) -> Array:
        halves = [plain(pixels, work.scale), upscaler(pixels, cancel=either)]
        return np.concatenate(halves, axis=1)

    def stream(frames: Iterator[Array]) -> Iterator[Array]:
        return overlapped(beside, frames, gone)

    px = 0
    with closing(decoder.through(stream)) as results, finished(writer):
        for frame, both in results:
            px += frame.pixels.size // 3
            writer.put(frame, both)
    return decoder.clock, px


def plain(pixels: Array, scale: int) -> Array:
    """(H, W, 3) enlarged by Pillow's bicubic, in its own dtype."""
    height, width = pixels.shape[:2]
    size = (width * scale, height * scale)
    if pixels.dtype == np.uint8:
        return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))
    planes = [_resized(pixels[..., channel], size) for channel in range(pixels.shape[2])]
    return np.stack(planes, axis=-1)


def _resized(plane: Array, size: tuple[int, int]) -> Array:
    image = Image.fromarray(plane.astype(np.float32)).resize(size, Image.Resampling.BICUBIC)
    rounded: Array = np.clip(np.rint(np.asarray(image)), 0, 65535).astype(plane.dtype)
    return rounded
