"""Where reading has to begin so that no frame of a cut is missing."""

from __future__ import annotations

from fractions import Fraction

from liveaction_onnx import ffmpeg
from liveaction_onnx.cuts import Cut
from liveaction_onnx.errors import FfmpegError, OptionError
from liveaction_onnx.footage import Footage, parse_config, parse_shown

_TIMED = ("matroska", "mov", "avi", "flv", "asf", "nut", "ogg", "mxf", "wtv", "mpegts")
"""Formats whose frames have the same times wherever reading begins. Others (MPEG program streams
and bare streams of a codec) count from there, and are read from their start."""


def seek_s(seen: Footage, cut: Cut) -> Fraction:
    """From where a source is read for a cut, in seconds after the start of the file.

    ffmpeg goes to the keyframe before a time where the format has an index, and in a transport
    stream to that time, from which it waits for a keyframe. So it is tried out: what comes first
    must not be later than the start of the cut, or reading begins farther before.
    """
    if cut.start_s is None or seen.format.split(",")[0] not in _TIMED:
        return Fraction(0)
    begin_s, earlier = seen.start_s + cut.start_s, Fraction(0)
    while (at := cut.start_s - earlier) > 0:
        first = _first_s(seen, at)
        if first is not None and seen.start_s <= first <= begin_s:
            return at
        earlier = 4 * earlier or Fraction(1)
    return Fraction(0)


def refuse_empty(cut: Cut, seen: Footage) -> None:
    """See that a cut can hold frames of a source.

    Raises
    ------
    OptionError
        Where it begins after the source's end.
    """
    length = seen.duration_s
    if cut.start_s is not None and length is not None and cut.start_s >= length:
        raise OptionError(
            f"start: {seen.path} is {float(length):.3f} s long: expected less, got "
            f"{float(cut.start_s):.3f} s"
        )


def seeking(at_s: Fraction) -> list[str]:
    """The options of an input that is read from the keyframe before a time on, or after it."""
    return ["-noaccurate_seek", "-ss", f"{float(at_s):.6f}"] if at_s > 0 else []


def _first_s(seen: Footage, at_s: Fraction) -> Fraction | None:
    """When the frame is shown that comes first if reading begins at `at_s`; None: none comes."""
    command = ["-copyts", *seeking(at_s), *ffmpeg.reading(seen.path)]
    command += ["-map", f"0:{seen.video.index}", "-frames:v", "1", "-vf", "showinfo=checksum=0"]
    try:
        said, _ = ffmpeg.run([*command, "-f", "null", "-"])
    except FfmpegError:
        return None
    base = next((config[0] for line in said if (config := parse_config(line))), None)
    pts = next((shown.pts for line in said if (shown := parse_shown(line))), None)
    return None if base is None or pts is None else pts * base
