"""What becomes of the other streams of a video: which of them a container holds, and how."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from liveaction_onnx import ffmpeg
from liveaction_onnx.encoders import Encoding
from liveaction_onnx.errors import FfmpegError
from liveaction_onnx.footage import Footage
from liveaction_onnx.listing import Stream, streams_of

_TEXTS = {"matroska": "subrip", "mp4": "mov_text", "mov": "mov_text", "webm": "webvtt"}
"""The text subtitles that a container holds, for those of others to become."""

_SOUND = "pcm_s24le"
"""What PCM becomes, without loss, that is coded for discs, cameras or telephones alone."""

COVERS = {"png": ("png", "image/png"), "mjpeg": ("jpg", "image/jpeg")}
"""Pictures that Matroska attaches, by codec: their ending and type. As a stream of their own ffmpeg
writes them as a film of one frame, which moves the times of all."""

_NOTHING = ("-map", "0:v:0", "-c", "copy", "-t", "0", "-f", "null", "-")
"""What is done with a file of which only the streams are to be told."""


@dataclass(frozen=True)
class Kept:
    """What becomes of one stream of the source."""

    stream: Stream
    codec: str
    """"copy", "attach" for a cover in Matroska, or what it is converted to."""


@dataclass(frozen=True)
class Streams:
    """What becomes of all of them."""

    kept: tuple[Kept, ...]
    """In the source's order, the video left out."""

    warnings: tuple[str, ...]
    """A sentence for each that is left out or converted."""


def choose_streams(footage: Footage, encoding: Encoding) -> Streams:
    """See which streams of a source the container holds, by trying: first all, then one by one."""
    main = footage.video.index
    others = [one for one in footage.streams if one.index != main and not one.retold]
    copied = tuple(Kept(stream, _way(stream, encoding)) for stream in others)
    if not others or _fits(footage, encoding, copied):
        return Streams(copied, ())
    kept, warnings = [], []
    for one in copied:
        stream, other = one.stream, _otherwise(one.stream, encoding)
        if _fits(footage, encoding, (one,)):
            kept.append(one)
        elif other and _fits(footage, encoding, (Kept(stream, other),)):
            kept.append(Kept(stream, other))
            warnings.append(f"{stream} becomes {other}: {encoding.container} does not hold it")
        else:
            better = "" if encoding.container == "matroska" else "; .mkv holds more"
            warnings.append(f"{stream} is left out: {encoding.container} does not hold it{better}")
    return Streams(tuple(kept), tuple(warnings))


def _way(stream: Stream, encoding: Encoding) -> str:
    cover = stream.is_cover and stream.codec in COVERS
    return "attach" if cover and encoding.container == "matroska" else "copy"


def _otherwise(stream: Stream, encoding: Encoding) -> str:
    """What a stream may become where the container does not hold it as it is; "" for nothing."""
    if stream.kind == "Subtitle":
        return _TEXTS[encoding.container]
    if stream.codec.startswith("pcm_f"):  # floats may be louder than full
        return stream.codec.replace("be", "le")
    return _SOUND if stream.codec.startswith(("pcm_", "s302m")) else ""


def _fits(footage: Footage, encoding: Encoding, kept: Sequence[Kept]) -> bool:
    """Whether a header can be written with these beside the video.

    Attachments go into Matroska alone: the WebM muxer takes them and drops them. QuickTime would
    make a film of a cover.
    """
    if encoding.container != "matroska" and any(one.stream.kind == "Attachment" for one in kept):
        return False
    if encoding.container == "mov" and any(one.stream.is_cover for one in kept):
        return False
    kept = [one for one in kept if one.codec != "attach"]
    picture = f"color=gray:size=256x256:rate=25:duration=0.04,format={encoding.layout.name}"
    command = ["-t", "0.5", *ffmpeg.reading(footage.path), "-f", "lavfi", "-i", picture]
    command += ["-map", "1:v"]
    for one in kept:
        command += ["-map", f"0:{one.stream.index}"]
    command += ["-c", "copy", *converted(kept, first=1), *encoding.arguments()]
    try:
        if encoding.container == "mov":
            return _named(command, kept)
        ffmpeg.run([*command, "-f", encoding.container, ffmpeg.NOWHERE])
    except FfmpegError:
        return False
    return True


def _named(command: Sequence[str], kept: Sequence[Kept]) -> bool:
    """Whether what goes into QuickTime comes out: its muxer takes what it has no name for."""
    with TemporaryDirectory() as folder:
        written = Path(folder, "tried.mov")
        ffmpeg.run([*command, ffmpeg.address(written)])
        said, _ = ffmpeg.run([*ffmpeg.reading(written), *_NOTHING])
    return _nameless(streams_of(said)) <= _nameless(one.stream for one in kept)


def _nameless(streams: Iterable[Stream]) -> int:
    """How many nobody knows how to decode; not the track that is written for a timecode."""
    return sum(stream.codec == "none" and not stream.retold for stream in streams)


def converted(kept: Sequence[Kept], first: int) -> list[str]:
    """The codecs of what is not copied, where outputs are counted from `first`."""
    return [
        word
        for number, one in enumerate(kept, first)
        if one.codec != "copy"
        for word in (f"-c:{number}", one.codec)
    ]
