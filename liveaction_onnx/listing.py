"""The streams and tags of a file, as ffmpeg lists them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction

_STREAM = re.compile(
    r"\[info\] +Stream #0:(?P<index>\d+)(\[\w+\])?(\((?P<language>[^)]*)\))?: "
    r"(?P<kind>Video|Audio|Subtitle|Attachment|Data)(: (?P<codec>\w+))?(?P<rest>.*)"
)
_DISPOSITION = re.compile(r"\((\w[\w ]*)\)")
_DISPOSITIONS = (
    *("default", "dub", "original", "comment", "lyrics", "karaoke", "forced", "captions"),
    *("hearing impaired", "visual impaired", "attached pic", "descriptions"),
)
_ALPHA = re.compile(r"\[info\] +alpha_mode +: 1$", re.IGNORECASE)
_APPLE = re.compile(r"\[info\]     com\.apple\.quicktime\.(?P<key>[\w.]+) *: (?P<value>.+)")
_PLAIN = {"location.ISO6709": "location", "creationdate": "date", "make": "make", "model": "model"}
"""What Apple calls its tags, to what .mp4 and .mov hold of them as ffmpeg writes these."""


@dataclass(frozen=True)
class Stream:
    """One stream of a file."""

    index: int

    kind: str
    """"Video", "Audio", "Subtitle", "Attachment" or "Data"."""

    codec: str
    language: str
    dispositions: tuple[str, ...]
    """Such as "default" and "attached pic", in ffmpeg's words."""

    alpha: bool = False
    """Whether the container says that it is transparent: VP8 and VP9 have that beside their frames,
    and do not tell of it."""

    retold: bool = False
    """Whether it is QuickTime's track of the chapters or of timecodes, which ffmpeg gives as such
    or as tags, too, and writes anew."""

    @property
    def is_cover(self) -> bool:
        """Whether it is a still picture that goes with the film."""
        return self.kind == "Video" and "attached pic" in self.dispositions

    @property
    def is_video(self) -> bool:
        """Whether it is moving pictures."""
        return self.kind == "Video" and not self.is_cover

    def __str__(self) -> str:
        language = f", {self.language}" if self.language else ""
        return f"stream {self.index} ({self.kind.lower()}, {self.codec or 'unknown'}{language})"


def streams_of(said: list[str]) -> tuple[Stream, ...]:
    """The streams of the one input that ffmpeg tells of."""
    found: list[Stream] = []
    chapters = any("[info]     Chapter #0:" in line for line in said)
    for line in said:
        if "Stream mapping:" in line:
            break
        match = _STREAM.search(line)
        if match:
            words = _DISPOSITION.findall(match["rest"])
            dispositions = tuple(word for word in words if word in _DISPOSITIONS)
            codec, language = match["codec"] or "", match["language"] or ""
            language = "" if language == "und" else language
            told = chapters and codec == "bin_data" and match["rest"].startswith(" (text / ")
            told |= codec == "none" and match["rest"].startswith(" (tmcd / ")
            index, kind = int(match["index"]), match["kind"]
            found.append(Stream(index, kind, codec, language, dispositions, retold=told))
        elif found and _ALPHA.search(line):
            found[-1] = replace(found[-1], alpha=True)
    return tuple(found)


def apple_tags(said: list[str]) -> dict[str, str]:
    """Place, date and camera of a film of Apple's, by the names that others have for these tags."""
    found = (match.groups() for line in said if (match := _APPLE.search(line)))
    return {_PLAIN[key]: value for key, value in found if key in _PLAIN}


def packets(listed: bytes) -> tuple[Fraction, list[int]]:
    """The time base of a stream, and the times of its packets, as the framecrc muxer lists them."""
    base, ticks = Fraction(1), []
    for line in listed.decode().splitlines():
        if line.startswith("#tb 0: "):
            base = Fraction(line.partition(": ")[2])
        elif not line.startswith("#"):
            ticks.append(int(line.split(",")[2]))
    return base, ticks
