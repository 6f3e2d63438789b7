"""The formats of pictures: what they are called, and what each of them holds."""

from __future__ import annotations

from pathlib import Path

from liveaction_onnx.errors import TargetError

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF")
"""What is opened, by Pillow's names."""

SUFFIXES = {
    ".png": "PNG",
    ".apng": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".jfif": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
    ".gif": "GIF",
}
"""Endings of file names to Pillow's names of formats."""

NO_ALPHA = ("JPEG", "BMP")
ANIMATED = ("GIF", "PNG", "WEBP")
SIXTEEN_BITS = ("PNG", "TIFF")

SIDE_PX = {"JPEG": 65_500, "WEBP": 16_383, "GIF": 65_535}
"""The most px that a format holds in a row or a column, where that is no matter of memory."""

EXIF_BYTES = {"JPEG": 65_533}
"""The most EXIF that a format holds, where there is a limit."""


def named(path: Path) -> str:
    """The format that the ending of a target names.

    Raises
    ------
    TargetError
        Where it names none.
    """
    name = SUFFIXES.get(path.suffix.lower())
    if name is None:
        raise TargetError(f"{path}: expected a name that ends in one of {', '.join(SUFFIXES)}")
    return name


def check(
    path: Path, name: str, *, size: tuple[int, int], alpha: bool, animated: bool, pages: int
) -> None:
    """Refuse a target whose format cannot hold the result, before it is computed.

    Parameters
    ----------
    size
        Height and width of the result, in px.

    Raises
    ------
    TargetError
        Where it holds no transparency, animation or pages, or not as many px, and there are some.
    """
    if animated and name not in ANIMATED:
        raise TargetError(f"{path}: {name} holds no animation; choose .gif, .png or .webp")
    if pages > 1 and name != "TIFF":
        raise TargetError(f"{path}: {name} holds no pages, and there are {pages}; choose .tif")
    if alpha and name in NO_ALPHA:
        raise TargetError(f"{path}: {name} holds no transparency; choose .png or .webp")
    limit = SIDE_PX.get(name)
    if limit and max(size) > limit:
        raise TargetError(
            f"{path}: {name} holds no more than {limit:,} px a side, and the result has "
            f"{size[1]:,} x {size[0]:,}; choose .png"
        )
