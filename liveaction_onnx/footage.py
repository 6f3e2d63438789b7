"""What a video file says of itself: its streams, and the first frame of the one that counts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from liveaction_onnx import ffmpeg
from liveaction_onnx.errors import FfmpegError, VideoError
from liveaction_onnx.listing import Stream, apple_tags, streams_of

SUFFIXES = (
    *(".mkv", ".mk3d", ".webm", ".mp4", ".m4v", ".mov", ".qt", ".3gp", ".3g2", ".f4v", ".flv"),
    *(".avi", ".divx", ".wmv", ".asf", ".ogv", ".ogm", ".rm", ".rmvb", ".nut", ".ivf", ".y4m"),
    *(".ts", ".m2t", ".m2ts", ".mts", ".tod", ".mod", ".mpg", ".mpeg", ".mpe", ".vob", ".m2p"),
    *(".m1v", ".m2v", ".mpv", ".mxf", ".gxf", ".dv", ".wtv", ".h264", ".264", ".avc", ".h265"),
    *(".265", ".hevc", ".h266", ".266", ".vvc", ".obu", ".vc1"),
)
"""Endings of names that are taken for videos: those of `ffmpeg.FORMATS`."""

_INPUT = re.compile(r"\[info\] Input #0, (?P<format>\S+), from ")
_TIMES = re.compile(r"\[info\] +Duration: (?P<duration>[\d:.]+|N/A)(, start: (?P<start>-?[\d.]+))?")
_MAPPING = re.compile(r"\[info\] +Stream #0:(?P<index>\d+) -> #0:0 ")
_CONFIG = re.compile(r"config in time_base: (?P<base>\d+/\d+), frame_rate: (?P<rate>\d+/\d+)")
_SHOWN = re.compile(
    r"^\[Parsed_showinfo_\d+ @ \w+\] \[info\] n: *(?P<n>\d+) pts: *(?P<pts>-?\d+|NOPTS) .*?"
    r"duration: *(?P<duration>-?\d+) .*?fmt:(?P<format>\w+) (cl:(?P<chroma>\w+) )?"
    r"sar:(?P<sar>\d+/\d+) s:(?P<width>\d+)x(?P<height>\d+) i:(?P<fields>[PTB?])"
)
_COLOUR = re.compile(
    r"color_range:(?P<range>\S+) color_space:(?P<matrix>\S+) "
    r"color_primaries:(?P<primaries>\S+) color_trc:(?P<transfer>\S+)"
)
_DOLBY = re.compile(r"DOVI configuration record: .* profile: (5|10), .* compatibility id: 0\b")
"""Dolby Vision that no other player is meant to show: without it its colours are no colours."""

_ROTATION = re.compile(r"rotation of (?P<degrees>-?[\d.]+) degrees")
_TICKING = 1000
"""Frames a second from which on a rate is none where it is that of the ticks."""
_UNSAID = ("unknown", "unspecified", "reserved", "")


@dataclass(frozen=True)
class Shown:
    """One frame as ffmpeg's showinfo tells of it."""

    pts: int | None
    """In ticks of the time base."""

    duration: int
    """In the same; 0 where it is not known."""

    format: str
    chroma: str
    sar: Fraction
    width: int
    height: int

    fields: str
    """"P", or "T" or "B" for the field that is first, by the frame's own flag."""


@dataclass(frozen=True)
class Footage:
    """A video file and its main video, upright, as it is decoded."""

    path: Path
    format: str
    """The container, as ffmpeg names it."""

    start_s: Fraction
    """Where the earliest stream begins; the first frame, where the file does not say."""

    duration_s: Fraction | None
    streams: tuple[Stream, ...]
    video: Stream
    shown: Shown
    """The first frame."""

    base: Fraction
    """Seconds a tick of the frames' times."""

    rate: Fraction
    """Nominal frames a second; 0 where there is none."""

    range: str
    matrix: str
    primaries: str
    transfer: str
    """Colour in ffmpeg's words; "" where the file does not say."""

    side_data: tuple[str, ...]
    """What the first frame carries besides, in ffmpeg's words."""

    rotation: float
    """Degrees by which the file asks to be turned; already done to `shown`."""

    apple: Mapping[str, str]
    """Place, date and camera of a film of Apple's, by the names that others have for these tags."""


def examine(path: Path) -> Footage:
    """Open a video file and decode its first frame.

    Raises
    ------
    VideoError
        Where it is no video that we read, or holds no frame.
    """
    _refuse_what_is_no_file(path)
    command = [*ffmpeg.reading(path), "-copyts", "-map", "0:V:0", "-frames:v", "1"]
    command += ["-vf", "showinfo=checksum=0", "-f", "null", "-"]
    said: list[str] = []
    process = ffmpeg.Process(command, listen=said.append)
    failure: FfmpegError | None = None
    try:
        process.finish()
    except FfmpegError as error:
        failure = error
    shown = [found for line in said if (found := parse_shown(line))]
    if not shown:
        why = _why_not(said, failure)
        raise VideoError(f"{path}: {why}") from failure
    return _footage(path, said, shown[0])


def holds_video(path: Path) -> bool:
    """Whether a file is a video that we read, whatever its name is; stills of HEIF are none."""
    try:
        seen = examine(path)
    except (VideoError, FfmpegError):
        return False
    return seen.duration_s is not None or not seen.format.startswith("mov")


def _refuse_what_is_no_file(path: Path) -> None:
    try:
        if not path.exists():
            raise VideoError(f"{path}: no such file")
        if not path.is_file():
            raise VideoError(f"{path}: expected a file, but it is none")
        if not path.stat().st_size:
            raise VideoError(f"{path}: the file is empty")
        with path.open("rb"):
            pass
    except (OSError, ValueError) as error:
        if isinstance(error, VideoError):
            raise
        raise VideoError(f"{path}: cannot be read: {error}") from error


def _why_not(said: list[str], failure: FfmpegError | None) -> str:
    text = "\n".join(said)
    if "Format not on whitelist" in text:
        return "is no video that we read, but a picture, sound, or a list that refers to others"
    if "not on whitelist" in text or "not in whitelist" in text:
        return "refused: it is no video in one file, but refers to others"
    streams = streams_of(said)
    if streams and not any(stream.is_video for stream in streams):
        return f"holds no video, only {', '.join(map(str, streams))}"
    if " pts_time:" in text:  # of a frame, as ffmpeg told of it before 5.1
        return "this ffmpeg tells of its frames in words that are not known here: use a newer one"
    if streams:
        return f"not one frame of it can be decoded: {failure or 'it has none'}"
    return f"is no video that we can read: {failure or 'it holds nothing'}"


def parse_shown(line: str) -> Shown | None:
    """What a line of showinfo says of a frame; None for any other line."""
    match = _SHOWN.search(line)
    if match is None:
        return None
    pts = None if match["pts"] == "NOPTS" else int(match["pts"])
    sar = Fraction(*map(int, match["sar"].split("/"))) if not match["sar"].endswith("/0") else 0
    return Shown(
        pts=pts,
        duration=max(0, int(match["duration"])),
        format=match["format"],
        chroma=_said(match["chroma"] or ""),
        sar=Fraction(sar),
        width=int(match["width"]),
        height=int(match["height"]),
        fields=match["fields"],
    )


def parse_config(line: str) -> tuple[Fraction, Fraction] | None:
    """The time base and the nominal rate that a line of showinfo tells; None for any other line.

    Where ffmpeg finds no rate, it tells that of the ticks, which frames of a recorder or of a
    screen have not: encoders would spend too little on each, or refuse.
    """
    match = _CONFIG.search(line)
    if match is None:
        return None
    base, rate = _fraction(match["base"]), _fraction(match["rate"])
    return base, Fraction(0) if rate >= _TICKING and rate * base == 1 else rate


def _said(word: str) -> str:
    return "" if word in _UNSAID else word


def _footage(path: Path, said: list[str], shown: Shown) -> Footage:
    text, streams = "\n".join(said), streams_of(said)
    mapped, named = _MAPPING.search(text), _INPUT.search(text)
    times, config, colour = _TIMES.search(text), parse_config(text), _COLOUR.search(text)
    if not (mapped and config and named):
        raise VideoError(f"{path}: ffmpeg tells of it in words that are not known here")
    video = next(stream for stream in streams if stream.index == int(mapped["index"]))
    starts = [Fraction(times["start"])] if times and times["start"] else []
    if shown.pts is not None:  # earlier than ffmpeg states, where a film begins with B frames
        starts.append(shown.pts * config[0])
    side = [line.partition("side data - ")[2] for line in said if "side data - " in line]
    turned = _ROTATION.search(text)
    words = {key: _said(value) for key, value in (colour.groupdict() if colour else {}).items()}
    return Footage(
        path=path,
        format=named["format"].rstrip(","),
        start_s=min(starts, default=Fraction(0)),
        duration_s=_seconds(times["duration"]) if times else None,
        streams=streams,
        video=video,
        shown=shown,
        base=config[0],
        rate=config[1],
        range=words.get("range", ""),
        matrix="Dolby Vision's own" if _DOLBY.search(text) else words.get("matrix", ""),
        primaries=words.get("primaries", ""),
        transfer=words.get("transfer", ""),
        side_data=tuple(dict.fromkeys(side)),
        rotation=float(turned["degrees"]) if turned else 0.0,
        apple=apple_tags(said),
    )


def _fraction(text: str) -> Fraction:
    above, below = map(int, text.split("/"))
    return Fraction(above, below) if below else Fraction(0)


def _seconds(text: str) -> Fraction | None:
    """`HH:MM:SS.ff` in seconds.

    >>> _seconds("00:01:02.50")
    Fraction(125, 2)
    """
    if text == "N/A":
        return None
    hours, minutes, seconds = text.split(":")
    return 3600 * int(hours) + 60 * int(minutes) + Fraction(seconds)
