"""What goes along with a picture, or with a page: its colour profile and its EXIF."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from liveaction_onnx import tags

_ICC = 34675


@dataclass(frozen=True)
class Belongings:
    """What goes along with a picture, or with a page."""

    icc: bytes | None
    """The colour profile that its array is in."""

    exif: Image.Exif | None
    """What can be said of the result too; its orientation is gone, for it has been applied."""


def of(image: Image.Image, exif: Image.Exif, path: Path) -> Belongings:
    """What goes along with the frame at which an opened picture stands."""
    icc = None if image.mode == "CMYK" else profile(image)  # CMYK becomes sRGB
    return Belongings(icc=icc, exif=tags.kept(exif, path))


def profile(image: Image.Image) -> bytes | None:
    """The colour profile of the frame at which it stands; a page of a TIFF has its own, or none."""
    directory: Any = getattr(image, "tag_v2", None)
    if directory is None or image.format != "TIFF":
        found = image.info.get("icc_profile")
    else:  # where info keeps that of an earlier page
        found = directory.get(_ICC)
    return found if isinstance(found, bytes) and found else None
