"""EXIF tags: those that say something of the picture, and can be written into another file."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image
from PIL import TiffImagePlugin as Tiff

logger = logging.getLogger("liveaction_onnx")

_ORIENTATION, _EXIF, _GPS = 0x0112, 0x8769, 0x8825
_EXIF_WIDTH, _EXIF_HEIGHT = 0xA002, 0xA003
_DESCRIPTIVE = (270, 271, 272, 282, 283, 296, 305, 306, 315, 33432)
"""EXIF tags of the first directory that say nothing of how the file is laid out: description, make,
model, resolution and its unit, software, date, artist, copyright."""


def found(image: Image.Image, path: Path) -> Image.Exif:
    """All EXIF of an opened picture; none where it cannot be read, for it is not the picture."""
    if image.format == "PNG":
        image.load()  # its EXIF may lie behind the px, and what is wrong with those is to be told
    try:
        return image.getexif()
    except Exception as error:  # Pillow raises whatever broken bytes lead it to
        logger.warning("%s: its EXIF cannot be read, and is left out: %s", path, error)
        return Image.Exif()


def orientation(exif: Image.Exif) -> int:
    """How the picture lies, 1 to 8; 1 where it does not say."""
    try:
        value = exif.get(_ORIENTATION, 1)
    except Exception:  # the same
        return 1
    return value if value in range(1, 9) else 1


def kept(exif: Image.Exif, path: Path) -> Image.Exif | None:
    """What goes along into another file: what says something of the picture, and can be written."""
    result, lost = Image.Exif(), list[str]()
    try:
        first = {tag: exif[tag] for tag in _DESCRIPTIVE if tag in exif}
        result.update(_writable(first, None, lost))
        for block in (_EXIF, _GPS):
            result.get_ifd(block).update(_writable(exif.get_ifd(block), block, lost))
    except Exception as error:  # the same
        logger.warning("%s: its EXIF cannot be read, and is left out: %s", path, error)
        return None
    if lost:
        logger.warning(
            "%s: EXIF of a kind that its tag cannot have is left out: %s", path, ", ".join(lost)
        )
    # an Exif whose first directory is empty is false, whatever the others hold
    empty = not result and not result.get_ifd(_EXIF) and not result.get_ifd(_GPS)
    return None if empty else result


def _writable(values: Mapping[int, Any], block: int | None, lost: list[str]) -> dict[int, Any]:
    """Those of a directory that Pillow can write; the names of the others go to `lost`.

    It takes the kind of a value from the tag, and phones write what they like.
    """
    names = ExifTags.GPSTAGS if block == _GPS else ExifTags.TAGS
    good = {}
    for tag, value in values.items():
        try:
            _packed(tag, value, block)
        except Exception:  # struct.error, TypeError, AttributeError and more
            lost.append(names.get(tag, f"0x{tag:04X}"))
        else:
            good[tag] = value
    return good


def _packed(tag: int, value: Any, block: int | None) -> bytes:
    directory = Tiff.ImageFileDirectory_v2(group=block)
    directory[tag] = value
    return directory.tobytes(8)


def sized(exif: Image.Exif, height: int, width: int) -> Image.Exif:
    """`exif` with the size of the result, where it states a size."""
    block = exif.get_ifd(_EXIF)
    for tag, size in ((_EXIF_WIDTH, width), (_EXIF_HEIGHT, height)):
        if tag in block:
            block[tag] = size
    return exif


def packed(exif: Image.Exif, path: Path, limit: int | None) -> bytes:
    """As bytes that begin with "Exif", no more than `limit`: the largest tags go first."""
    lost = []
    while limit is not None and len(exif.tobytes()) > limit:
        blocks = [(None, exif), *((block, exif.get_ifd(block)) for block in (_EXIF, _GPS))]
        sizes = {
            (block, tag): len(_packed(tag, value, block))
            for block, values in blocks
            for tag, value in values.items()
        }
        block, tag = max(sizes, key=lambda key: sizes[key])
        del (exif if block is None else exif.get_ifd(block))[tag]
        lost.append(ExifTags.TAGS.get(tag, f"0x{tag:04X}"))
    if lost:
        logger.warning(
            "%s: holds %s bytes of EXIF; left out: %s", path, f"{limit:,}", ", ".join(lost)
        )
    return exif.tobytes()
