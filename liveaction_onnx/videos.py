"""A video file to a video file."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from liveaction_onnx import __version__, damage, ffmpeg, treatment
from liveaction_onnx.clock import Clock
from liveaction_onnx.errors import FfmpegError, PausedError, VideoDamagedError, VideoError
from liveaction_onnx.joining import join_to_target
from liveaction_onnx.journal import Journal, identity
from liveaction_onnx.publish import check_target
from liveaction_onnx.reuse import Reuse
from liveaction_onnx.streaming import finished
from liveaction_onnx.treatment import Treatment
from liveaction_onnx.upscaler import Cancel, Upscaler, shared_upscaler
from liveaction_onnx.video_options import VideoOptions
from liveaction_onnx.writing import Writer

CPU_SEGMENT_FRAMES, GPU_SEGMENT_FRAMES = 24, 240

logger = logging.getLogger("liveaction_onnx")


@dataclass(frozen=True)
class VideoReport:
    """What became of a video."""

    target: Path
    """The file that was written."""

    frames: int
    """How many are in it."""

    resumed_frames: int
    """How many of these an earlier run had done."""

    px: int
    """Of the source, in the frames of this run."""

    computed_px: int
    """How many of these were computed; the others had not changed since the frame before."""

    notes: tuple[str, ...]
    """What the caller should know: what was assumed, left out, or wrong with the source."""


@dataclass(frozen=True)
class Progress:
    """How far a video is."""

    done: int
    """Frames, those of earlier runs too."""

    total: int
    """An estimate until the end."""

    resumed: int
    px: int
    computed_px: int
    """As in `VideoReport`."""


Watch = Callable[[Progress], None]


def upscale_video(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str] | None = None,
    options: VideoOptions | None = None,
    *,
    upscaler: Upscaler | None = None,
    overwrite: bool = False,
    restart: bool = False,
    progress: Callable[[int, int], None] | None = None,
    cancel: Cancel | None = None,
    pause: Cancel | None = None,
) -> VideoReport:
    """Upscale the video of a file into another; all else in it goes along.

    Colour and times are kept exactly, and so are audio, subtitles, chapters, attachments and tags,
    as far as the container of the target holds them. The work is kept in segments in a folder
    beside the target, `.<name>.liveaction-onnx`: after whatever ends a run, the same call goes on
    at the last whole segment. The folder is gone once the target is there.

    Parameters
    ----------
    source
        The file to read; it is never written to.
    target
        The file to write: .mkv, .mp4, .m4v, .mov or .webm. None: `<stem>_2x` beside the source. It
        appears whole, by rename, or not at all.
    options
        How it is read, treated and encoded; None: all by default.
    upscaler
        The Upscaler to use, which works on RGB. None: one that is made at the first call and kept.
    overwrite
        Whether `target` may be replaced where it exists.
    restart
        Whether to drop what an earlier run has done.
    progress
        Called as `progress(done, total)`, in frames; `total` is an estimate until the end.
    cancel
        A `threading.Event` or its like; looked at twenty times a second. Loses what is in no whole
        segment. Let a handler of signals set it: a KeyboardInterrupt ends all as well, but Python
        may raise it where a lock has just been taken, and then nothing would end.
    pause
        The same, looked at between segments: nothing is lost.

    Returns
    -------
    report
        What was done.

    Raises
    ------
    VideoError
        Where the source is no video that we read, or changes its size midway. VideoDamagedError
        where it is cut short or damaged, unless `options.accept_damage`.
    OptionError
        Where an option cannot be followed.
    UnfinishedError
        Where an unfinished run of other settings or of another source lies at the target.
    TargetExistsError, TargetError
        Where the target exists, is the source, or cannot be written.
    PausedError, CancelledError
        Where `pause` or `cancel` was set. The same call goes on.
    FfmpegError
        Where ffmpeg fails.
    DeviceMemoryError
        Where not even the smallest tile fits.
    """
    upscaler = upscaler or shared_upscaler()
    path = None if target is None else Path(target)
    work = treatment.plan(Path(source), path, options or VideoOptions(), upscaler.facts.scale)

    def watch(at: Progress) -> None:
        if progress:
            progress(at.done, at.total)

    return run(
        work,
        upscaler,
        overwrite=overwrite,
        restart=restart,
        watch=watch,
        cancel=cancel,
        pause=pause,
    )


def run(
    work: Treatment,
    upscaler: Upscaler,
    *,
    overwrite: bool = False,
    restart: bool = False,
    watch: Watch | None = None,
    cancel: Cancel | None = None,
    pause: Cancel | None = None,
) -> VideoReport:
    """Carry out a plan; see `upscale_video`."""
    check_target(work.footage.path, work.target, overwrite=overwrite)
    for note in work.notes:
        logger.warning("%s: %s", work.footage.path, note)
    segment_frames = work.options.segment_frames or (
        CPU_SEGMENT_FRAMES if upscaler.device == "cpu" else GPU_SEGMENT_FRAMES
    )
    journal = Journal(work.target, _key(work, upscaler, segment_frames), restart=restart)
    try:
        watch = watch or (lambda at: None)
        report, clock = _fill(work, upscaler, journal, segment_frames, watch, cancel, pause)
        try:
            more = join_to_target(work, journal, clock, overwrite=overwrite)
        except FfmpegError as error:
            raise FfmpegError(
                f"{error}; what was computed is kept in {journal.folder}: the same call tries to "
                "join it again, and where that cannot help, restart drops it"
            ) from error
    except BaseException as error:
        hopeless = isinstance(error, VideoError) and not isinstance(error, VideoDamagedError)
        if hopeless or not journal.segments:
            journal.delete()  # nothing in it could be gone on with
        raise
    else:
        journal.delete()
    finally:
        journal.close()
    return replace(report, notes=(*report.notes, *more))


def _key(work: Treatment, upscaler: Upscaler, segment_frames: int) -> dict[str, Any]:
    """What a segment depends on."""
    facts = upscaler.facts
    return {
        "source": identity(work.footage.path),
        "reading": [str(work.cut), str(work.seek_s), *work.filters_in()],
        "encoding": [str(work.encoding), work.filters_out(), segment_frames],
        "graph": [facts.name, facts.version, facts.precision, upscaler.digest],
        "tiles": upscaler.tiling,
        "device": upscaler.device.partition(":")[0],
        "version": [__version__, ffmpeg.version()],
    }


def _fill(
    work: Treatment,
    upscaler: Upscaler,
    journal: Journal,
    segment_frames: int,
    watch: Watch,
    cancel: Cancel | None,
    pause: Cancel | None,
) -> tuple[VideoReport, Clock | None]:
    """Make the segments that are missing; give the decoder's clock, too."""
    done = resumed = journal.frames
    if resumed:
        logger.info("%s: going on after %d frames", work.target, resumed)
    last = journal.segments[-1] if journal.segments else None
    # Accepted, times may go back: what is done can be told from the rest by counting alone.
    skip = done if work.options.accept_damage else 0
    decoder = work.decoder(
        work.filters_in(done - skip, last.peak if last else 0),
        skip=skip,
        goes_on=(last.anchor, last.times[-1]) if last else None,
    )
    reuse = Reuse(upscaler)
    writer = Writer(journal, work.encoding, work.filters_out(), segment_frames)
    stream = partial((reuse if work.options.reuse else upscaler).stream, cancel=cancel)
    with closing(decoder.through(stream)) as results, finished(writer):
        for frame, big in results:
            writer.put(frame, big)
            done += 1
            total = max(done, work.frames or 0)
            watch(Progress(done, total, resumed, reuse.px, reuse.computed_px))
            if pause and pause.is_set() and done % segment_frames == 0:
                break
        else:
            pause = None
    if pause:
        raise PausedError(
            f"{work.target}: put off after {journal.frames} frames; the same call goes on"
        )
    if not journal.frames:
        raise damage.of_nothing(work, decoder)
    watch(Progress(done, done, resumed, reuse.px, reuse.computed_px))
    notes = (*work.notes, *damage.notes(work, decoder, journal.segments[-1].end))
    report = VideoReport(work.target, done, resumed, reuse.px, reuse.computed_px, notes)
    return report, decoder.clock
