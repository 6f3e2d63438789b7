"""What a caller asks of a video."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

Deinterlace = Literal["no", "auto", "frame", "field"]
Undouble = Literal["no", "auto", "yes"]


@dataclass(frozen=True)
class VideoOptions:
    """Every field has a default that keeps the source as it is."""

    codec: str | None = None
    """x265, x264, svtav1, vp9, ffv1, prores, nvenc, h264_nvenc or av1_nvenc; None: x265, and vp9
    for .webm."""

    crf: int | None = None
    """Constant quality in the codec's own measure, lower is better; None: a high one, such as 18 of
    x265. `liveaction-onnx --help` lists these."""

    preset: str | None = None
    """The codec's speed, or the profile of prores; None: its usual, such as "medium" of x265."""

    pix_fmt: str | None = None
    """A pixel format as ffmpeg names it; None: one that keeps the source's chroma and bits."""

    encoder_options: Mapping[str, str] = field(default_factory=dict)
    """Further options of ffmpeg's encoder, such as {"tune": "grain"}."""

    matrix: str = "auto"
    """"bt601", "bt709" or "bt2020" where the source is wrong or silent; "auto": what it says, or
    what is usual for its size and rate."""

    range: str = "auto"
    """"tv" for limited or "pc" for full range, likewise."""

    deinterlace: Deinterlace = "no"
    """"frame" or "field": to as many or twice as many frames; "auto": "frame", where it is certain
    that the source is interlaced."""

    undouble: Undouble = "no"
    """"yes": doubled lines are taken away first; "auto": where it is certain that they are."""

    start_s: Fraction | float | None = None
    """Seconds from the start of the source; None: from its first frame."""

    duration_s: Fraction | float | None = None
    """Seconds from there: frames that begin in them are taken; None: all."""

    accept_damage: bool = False
    """Whether to publish what could be decoded of a source that ends before its time."""

    reuse: bool = True
    """Whether what has not changed since the last frame is taken from there. The result is the
    same."""

    segment_frames: int | None = None
    """Frames of a segment, the most that a run can lose; None: 24 on the CPU and 240 on a GPU."""
