"""What a video is encoded with: encoders, their defaults, and the pixel formats that they hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from liveaction_onnx.layouts import Layout

CONTAINERS = {".mkv": "matroska", ".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".webm": "webm"}
"""Endings of targets to ffmpeg's names of what is written."""

_TEN = ("yuv420p10le", "yuv422p10le", "yuv444p10le")
_EIGHT = ("yuv420p", "yuv422p", "yuv444p")
_TWELVE = ("yuv420p12le", "yuv422p12le", "yuv444p12le")
_ISO = ("matroska", "mp4", "mov")
_AV1 = ("matroska", "mp4", "webm")


@dataclass(frozen=True)
class Encoder:
    """One way of encoding."""

    name: str
    """Its name in ffmpeg."""

    quality: str
    """The option for constant quality; "" for a codec without loss."""

    default: int
    """Of that option, lower is better."""

    preset: str
    """The option for speed; "" where there is none."""

    default_preset: str
    layouts: tuple[str, ...]
    """Pixel formats that it holds, the ones preferred first."""

    containers: tuple[str, ...]
    segment: Literal["mp4", "mov"]
    """What its segments are written as: containers that can be told to keep ticks exactly."""

    fixed: tuple[str, ...] = ()
    """Options that it always gets."""

    ranges: Literal["both", "tv", "unsaid"] = "both"
    """"tv": it holds limited range alone. "unsaid": it holds both, and the container alone says
    which; ffmpeg would convert what it is told is full."""


ENCODERS = {
    "x265": Encoder(
        *("libx265", "crf", 18, "preset", "medium"),
        (*_TEN, *_TWELVE, *_EIGHT),
        _ISO,
        "mp4",
        ("-tag:v:0", "hvc1"),
    ),
    "x264": Encoder(*("libx264", "crf", 16, "preset", "medium"), (*_EIGHT, *_TEN), _ISO, "mp4"),
    "svtav1": Encoder(
        *("libsvtav1", "crf", 24, "preset", "6"),
        ("yuv420p10le", "yuv420p"),
        _AV1,
        "mp4",
    ),
    "vp9": Encoder(
        *("libvpx-vp9", "crf", 24, "cpu-used", "2"),
        (*_TEN, *_TWELVE, *_EIGHT),
        ("matroska", "webm", "mp4"),
        "mp4",
        ("-b:v:0", "0", "-row-mt", "1"),
    ),
    "ffv1": Encoder(
        *("ffv1", "", 0, "", ""),
        (*_EIGHT, *_TEN, *_TWELVE, "gbrp", "gbrp10le", "gbrp12le", "yuv444p16le", "gbrp16le"),
        ("matroska",),
        "mov",
        ("-level", "3", "-g", "1", "-slices", "16", "-slicecrc", "1"),
        "unsaid",
    ),
    "prores": Encoder(
        *("prores_ks", "qscale:v:0", 6, "profile:v:0", "auto"),
        ("yuv422p10le", "yuv444p10le"),
        ("mov", "matroska"),
        "mov",
        ranges="tv",
    ),
    "nvenc": Encoder(
        *("hevc_nvenc", "cq", 20, "preset", "p6"),
        ("p010le", "yuv420p", "yuv444p16le", "yuv444p"),
        _ISO,
        "mp4",
        ("-rc", "vbr", "-b:v:0", "0", "-tag:v:0", "hvc1"),
    ),
    "h264_nvenc": Encoder(
        *("h264_nvenc", "cq", 20, "preset", "p6"),
        ("yuv420p", "yuv444p"),
        _ISO,
        "mp4",
        ("-rc", "vbr", "-b:v:0", "0"),
    ),
    "av1_nvenc": Encoder(
        *("av1_nvenc", "cq", 26, "preset", "p6"),
        ("p010le", "yuv420p"),
        _AV1,
        "mp4",
        ("-rc", "vbr", "-b:v:0", "0"),
    ),
}
"""By the names that a caller gives. x265 in 10 bits is the default: bench/RESULTS.md has why."""


@dataclass(frozen=True)
class Encoding:
    """How a target is encoded."""

    codec: str
    """A name of `ENCODERS`."""

    layout: Layout
    container: str
    quality: int | None = None
    preset: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    """Further options of ffmpeg's encoder, without their dash."""

    mastering: str = ""
    """Static metadata of HDR, as x265 takes it."""

    @property
    def encoder(self) -> Encoder:
        """What the codec stands for."""
        return ENCODERS[self.codec]

    def arguments(self) -> list[str]:
        """What ffmpeg is told."""
        encoder = self.encoder
        given = ["-c:v:0", encoder.name, *encoder.fixed]
        if encoder.quality:
            quality = encoder.default if self.quality is None else self.quality
            given += [f"-{encoder.quality}", str(quality)]
        if encoder.preset:
            given += [f"-{encoder.preset}", self.preset or encoder.default_preset]
        options = dict(self.options)
        if self.codec == "x265":
            params = ["log-level=error", self.mastering, options.get("x265-params", "")]
            options["x265-params"] = ":".join(filter(None, params))
        for name, value in options.items():
            given += [f"-{name}", value]
        return given

    def __str__(self) -> str:
        """Such as `libx265 crf 18 preset medium yuv420p10le`."""
        told = [word.removeprefix("-").removesuffix(":v:0") for word in self.arguments()[1:]]
        return " ".join([*told, self.layout.name])
