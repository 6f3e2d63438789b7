"""Segments and everything else of a source into one target."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from liveaction_onnx import ffmpeg
from liveaction_onnx.breaks import RESTARTING
from liveaction_onnx.colour import Colour, tagging
from liveaction_onnx.cuts import Cut
from liveaction_onnx.encoders import Encoding
from liveaction_onnx.errors import FfmpegError
from liveaction_onnx.footage import Footage
from liveaction_onnx.listing import Stream, packets, streams_of
from liveaction_onnx.seeking import seeking
from liveaction_onnx.streams import COVERS, Kept, Streams, converted

_GROWING = "setts=pts=PTS:dts=if(gt(N\\,0)\\,max(DTS\\,PREV_OUTDTS+1)\\,DTS)"
"""Decoding times that always grow: where segments meet, and frames are of variable length, an
encoder begins before the one before has ended."""

_NOT_EARLY = "noise=drop=lt(pts\\,0)"
"""Without what comes before the start of a cut; the muxer of MP4 would move all the rest by it."""

_COUNTED = (
    *("BPS", "DURATION", "NUMBER_OF_BYTES", "NUMBER_OF_FRAMES", "_STATISTICS_TAGS"),
    *("_STATISTICS_WRITING_APP", "_STATISTICS_WRITING_DATE_UTC"),
)
"""What mkvmerge counts of a stream."""

_STALE = (
    *_COUNTED,
    *(f"{name}-eng" for name in _COUNTED),  # as ffmpeg names them where their language is stated
    *("encoder", "alpha_mode"),  # transparency is left out
)
"""Tags of a stream that tell of what was encoded, not of what is shown."""

TOLERANCE_S = Fraction(1, 1000)
"""How far a frame's time may be from the one that was meant: a millisecond, Matroska's tick."""


LATE_S = 2 * TOLERANCE_S
"""How much after the end of a cut other streams may go on, so that no frame of ours, whose time a
container may have rounded up to that end, is cut off with them."""

EARLIER_S = 10
"""How far from its picture what is heard with it may lie in a file, in seconds."""


def origin_s(footage: Footage, cut: Cut) -> Fraction:
    """The time of the source that becomes 0 in the target.

    0 itself for whole files, so that every time stays what it is; but the start of the file where
    that is below 0, or the clock of the container begins anywhere, and the start of a cut.
    """
    if cut.start_s is not None:
        return footage.start_s + cut.start_s
    free = footage.format in RESTARTING
    return footage.start_s if free or footage.start_s < 0 else Fraction(0)


@dataclass(frozen=True)
class Part:
    """One segment to be joined."""

    path: Path
    start_s: Fraction
    """When its first frame is shown, in the target."""

    end_s: Fraction


def join(
    parts: Sequence[Part],
    target: Path,
    footage: Footage,
    streams: Streams,
    encoding: Encoding,
    *,
    cut: Cut,
    seek_s: Fraction,
    colour: Colour,
    per_second: int,
) -> None:
    """Join segments and the other streams of the source into `target`, without encoding again.

    All parts lie in one folder. Of the source, whose video was read from `seek_s` on, the others
    are read from before. `colour` is what the video is tagged with, and `per_second` the ticks of
    its times.

    Raises
    ------
    FfmpegError, TargetError
        Where ffmpeg fails, or the disk is full.
    """
    folder = parts[0].path.parent
    listed = folder / "parts.ffconcat"
    listed.write_text(_listing(parts), encoding="ascii")
    kept = [one for one in streams.kept if one.codec != "attach"]
    position = sum(one.stream.index < footage.video.index for one in kept)
    before, after = kept[:position], kept[position:]
    sources = [*before, Kept(footage.video, "copy"), *after]
    command = ["-copyts", "-itsoffset", _decimal(parts[0].start_s)]
    command += [*ffmpeg.allowing(f"{ffmpeg.FORMATS},concat"), "-f", "concat"]
    command += ["-safe", "0", "-i", ffmpeg.address(listed), *_reading(footage, cut, seek_s)]
    command += ["-map_metadata", "1", "-map_chapters", "1"]
    command += ["-metadata", "timecode="] if cut.start_s else []
    command += ["-c", "copy", *converted(before, 0), *converted(after, position + 1)]
    for number, one in enumerate(sources):
        command += _of_stream(one, number, ours=number == position, cut=cut)
    command += [*tagging(colour, position), *_covers(streams, footage, folder)]
    command += [*_until(footage, cut), "-max_interleave_delta", "0"]
    if encoding.container in ("mp4", "mov"):
        for name, value in footage.apple.items():
            command += ["-metadata", f"{name}={value}"]
        command += ["-movflags", "+faststart", "-video_track_timescale", str(per_second)]
    else:  # the first packet of Vorbis primes its decoder and is before 0: all else would be moved
        command += ["-avoid_negative_ts", "disabled"]
    try:
        ffmpeg.run([*command, "-f", encoding.container, ffmpeg.address(target)], folder=folder)
    except FfmpegError as error:
        raise ffmpeg.of_target(error, target.parent) from error


def _reading(footage: Footage, cut: Cut, seek_s: Fraction) -> list[str]:
    """The options by which a source is read from before a cut, whose start becomes 0."""
    offset = ["-itsoffset", _decimal(-origin_s(footage, cut))]
    return [*seeking(seek_s - EARLIER_S), *offset, *ffmpeg.reading(footage.path)]


def _until(footage: Footage, cut: Cut) -> list[str]:
    """The options of an output that ends with a cut."""
    end_s = cut.span(footage.start_s).end_s
    return [] if end_s is None else ["-t", _decimal(end_s - origin_s(footage, cut) + LATE_S)]


def _of_stream(one: Kept, number: int, *, ours: bool, cut: Cut) -> list[str]:
    """The options of one stream of the output, with the tags of one of the source."""
    stream = one.stream
    given = ["-map", "0:v:0" if ours else f"1:{stream.index}"]
    given += [f"-map_metadata:s:{number}", f"1:s:{stream.index}"]
    words = "+".join(word.replace(" ", "_") for word in stream.dispositions)
    given += [f"-disposition:{number}", words or "0"]
    if not ours:
        if cut.start_s is None:
            return given
        # Reading begins before a cut. What is copied is told so; what is converted is not.
        late = [f"-bsf:{number}", _NOT_EARLY] if stream.kind == "Subtitle" else []
        if stream.kind == "Audio" and one.codec != "copy":
            late = [f"-filter:{number}", "atrim=start=0"]
        return [*given, f"-copypriorss:{number}", "0", *late]
    given += [f"-bsf:{number}", _GROWING]
    # The part of a tape that is taken begins later than its timecode says.
    for name in (*_STALE, *(["timecode"] if cut.start_s else [])):
        given += [f"-metadata:s:{number}", f"{name}="]
    return given


def _covers(streams: Streams, footage: Footage, folder: Path) -> list[str]:
    """The options that attach the pictures that are to be."""
    given = []
    fonts = sum(one.stream.kind == "Attachment" for one in streams.kept)
    covers = [one.stream for one in streams.kept if one.codec == "attach"]
    for number, stream in enumerate(covers):
        suffix, kind = COVERS[stream.codec]
        path = folder / f"cover-{number}.{suffix}"
        command = [*ffmpeg.reading(footage.path), "-map", f"0:{stream.index}", "-c", "copy"]
        command += ["-frames:v", "1", "-f", "image2", "-update", "1", ffmpeg.address(path)]
        ffmpeg.run(command)
        name = f"cover.{suffix}" if not number else path.name
        tag = f"-metadata:s:t:{fonts + number}"
        given += ["-attach", ffmpeg.address(path), tag, f"mimetype={kind}", tag, f"filename={name}"]
    return given


def _listing(parts: Sequence[Part]) -> str:
    """The script of ffmpeg's concat demuxer, with exact lengths so that no error adds up.

    It has the names of parts alone, and is to be read in their folder: the script has lines, and a
    folder's name may have line ends in it, or bytes that are in no encoding.
    """
    lines = ["ffconcat version 1.0"]
    starts = [_microseconds(part.start_s) for part in parts]
    ends = [*starts[1:], max(_microseconds(parts[-1].end_s), starts[-1] + 1)]
    for part, start, end in zip(parts, starts, ends, strict=True):
        lines += [f"file file:{part.path.name}", f"duration {end - start}us"]
    return "\n".join(lines) + "\n"


def _microseconds(seconds: Fraction) -> int:
    return round(seconds * 1_000_000)


def _decimal(seconds: Fraction) -> str:
    return f"{_microseconds(seconds)}us"


def check(
    target: Path,
    expected: Sequence[Fraction],
    streams: Streams,
    *,
    lacking: Callable[[Stream], bool] = lambda stream: False,
) -> list[Stream]:
    """See that a target has a frame at each of the times in seconds, and every stream that is kept.

    Returns
    -------
    empty
        The streams that are not there for there is nothing of them, as `lacking` says.

    Raises
    ------
    FfmpegError
        Where it is not so.
    """
    command = ["-copyts", *ffmpeg.reading(target), "-map", "0:V:0", "-c", "copy"]
    said, listed = ffmpeg.run([*command, "-f", "framecrc", "pipe:1"], stdout=True)
    base, shown = packets(listed)
    found = [ticks * base for ticks in sorted(shown)]
    if len(found) != len(expected):
        raise FfmpegError(f"{target}: {len(found)} frames came out, {len(expected)} went in")
    off = max((abs(a - b) for a, b in zip(found, expected, strict=True)), default=Fraction(0))
    if off > TOLERANCE_S:
        raise FfmpegError(f"{target}: a frame is {float(off):.4f} s off its time")
    there = Counter(stream.kind for stream in streams_of(said))
    empty: list[Stream] = []
    for kind, count in Counter(one.stream.kind for one in streams.kept).items():
        if there[kind] < count:
            alike = (one.stream for one in streams.kept if one.stream.kind == kind)
            missing = [stream for stream in alike if lacking(stream)]
            if there[kind] + len(missing) < count:
                raise FfmpegError(f"{target}: of {count} streams of {kind} {there[kind]} came out")
            empty += missing
    return empty


def lacks(stream: Stream, footage: Footage, *, cut: Cut, seek_s: Fraction) -> bool:
    """Whether nothing of a stream lies in a cut: .mp4 and .mov hold no sound of no length."""
    command = ["-copyts", *_reading(footage, cut, seek_s), "-map", f"0:{stream.index}"]
    command += ["-c", "copy", *(["-copypriorss", "0"] if cut.start_s is not None else [])]
    _, listed = ffmpeg.run(
        [*command, *_until(footage, cut), "-f", "framecrc", "pipe:1"], stdout=True
    )
    return not packets(listed)[1]
