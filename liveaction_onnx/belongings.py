"""What goes along with a picture, or with a page: colour profile, EXIF, dots per inch."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from PIL import Image

from liveaction_onnx import chunks, tags

_ICC = 34675
_X_RESOLUTION, _Y_RESOLUTION, _UNIT = 282, 283, 296

_HOLD_PROFILE = ("PNG", "JPEG", "WEBP", "TIFF")
"""They hold EXIF, too."""

_MOST_DPI = {"JPEG": 65_535, "PNG": 54_000_000, "BMP": 54_000_000, "TIFF": 2**32 - 1}
"""What formats hold of dots per inch, of those that hold any."""

_SRGB = {
    b"sRGB": (b"\0", b"\1", b"\2", b"\3"),
    b"gAMA": (b"\x00\x00\xb1\x8f",),
    b"cHRM": (struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000),),
    b"cICP": (b"\x01\x0d\x00\x01",),
}
"""What chunks of PNG say of colours that are as all programs take them to be."""


@dataclass(frozen=True)
class Belongings:
    """What goes along with a picture, or with a page."""

    icc: bytes | None = None
    """The colour profile that its array is in."""

    exif: Image.Exif | None = None
    """What can be said of the result too; its orientation is gone, for it has been applied."""

    dpi: tuple[float, float] | None = None
    """Dots per inch, across and down, at which it is to be printed."""

    colour: dict[bytes, bytes] = field(default_factory=dict)
    """Chunks of PNG that say what its colours are: cICP, sRGB, gAMA, cHRM."""


def of(image: Image.Image, exif: Image.Exif, path: Path) -> Belongings:
    """What goes along with the frame at which an opened picture stands."""
    return Belongings(
        icc=None if image.mode == "CMYK" else profile(image),  # CMYK becomes sRGB
        exif=tags.kept(exif, path),
        dpi=_dpi(image, exif),
        colour=chunks.colour_of_png(path) if image.format == "PNG" else {},
    )


def profile(image: Image.Image) -> bytes | None:
    """The colour profile of the frame at which it stands; a page of a TIFF has its own, or none."""
    directory: Any = getattr(image, "tag_v2", None)
    if directory is None or image.format != "TIFF":
        found = image.info.get("icc_profile")
    else:  # where info keeps that of an earlier page
        found = directory.get(_ICC)
    return found if isinstance(found, bytes) and found else None


def _dpi(image: Image.Image, exif: Image.Exif) -> tuple[float, float] | None:
    """Dots per inch: as the format says, or else as EXIF does, which in TIFF is the same."""
    found: Any = image.info.get("dpi")
    # what Pillow says of TIFF may be of its own making, and of JPEG without a unit
    jpeg = image.format in ("JPEG", "MPO")
    if image.format == "TIFF" or (jpeg and image.info.get("jfif_unit") not in (1, 2)):
        found = None
    try:
        if found is None:
            per_inch = {2: 1.0, 3: 2.54}[exif.get(_UNIT, 2)]
            found = [float(exif[tag]) * per_inch for tag in (_X_RESOLUTION, _Y_RESOLUTION)]
        across, down = (float(value) for value in found)
    except Exception:  # no such tags, or of whatever kind
        return None
    return (across, down) if all(v > 0 and math.isfinite(v) for v in (across, down)) else None


def fitted(
    said: Belongings, format_name: str, *, gray: bool, size: tuple[int, int]
) -> tuple[Belongings, list[str]]:
    """What of it a format holds for a result of that height and width, and what is lost by that."""
    icc, exif, dpi, colour, lost = said.icc, said.exif, said.dpi, said.colour, []
    if format_name not in _HOLD_PROFILE:
        icc = exif = None
    if icc and icc[16:20] != (b"GRAY" if gray else b"RGB "):
        kind = icc[16:20].decode("ascii", "replace").strip()
        lost.append(f"its colour profile is left out, which is of {kind or 'nothing'!r}")
        icc = None
    if exif is not None:
        exif = tags.sized(exif, *size)
    if dpi and not 1 <= round(min(dpi)) <= round(max(dpi)) <= _MOST_DPI.get(format_name, 0):
        dpi = None
    if said.icc:  # it counts for more than all but one of them
        colour = {name: data for name, data in colour.items() if name == b"cICP"}
    if format_name != "PNG":
        odd = [name.decode() for name, data in colour.items() if data not in _SRGB[name]]
        if odd and b"sRGB" not in colour:
            lost.append(f"what its colours are is left out, which {', '.join(odd)} of PNG say")
        colour = {}
    return replace(said, icc=icc, exif=exif, dpi=dpi, colour=colour), lost
