"""Taking the listed photographs out of packages, and reading them as RGB in sRGB."""

from __future__ import annotations

import io
import struct
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps

from model.deb import read_members
from model.photos import Photo
from model.rcc import read_resources

SRGB = ImageCms.createProfile("sRGB")

UNREADABLE = (
    EOFError,
    Image.DecompressionBombError,
    OSError,
    SyntaxError,
    ValueError,
    Warning,
    struct.error,
)
"""What Pillow raises for a damaged or absurd picture; warnings, where they are errors."""


class PhotoError(ValueError):
    """A photograph that is missing or cannot be read."""


def extract_package(deb: Path, photos: Sequence[Photo], folder: Path) -> list[str]:
    """Write the photographs of one package to `folder`/NAME as they lie in it; return complaints.

    Each is read in full before it is kept; one that is missing, unreadable or of another size than
    the list says is left out, and a line tells so. Files that are there already are left alone.
    """
    by_member: dict[str, list[Photo]] = defaultdict(list)
    for photo in photos:
        if not (folder / photo.name).exists():
            by_member[photo.member].append(photo)
    left = {photo.name for photos in by_member.values() for photo in photos}
    complaints = []
    for path, content in read_members(deb, by_member) if by_member else ():
        for photo, picture in _pictures(content, by_member[path]):
            left.discard(photo.name)
            try:
                _check(photo, decode(picture))
            except PhotoError as error:
                complaints.append(f"{photo.name}: {error}")
                continue
            _publish(folder / photo.name, picture)
    return complaints + [f"{name}: not found in {deb.name}" for name in sorted(left)]


def _publish(path: Path, content: bytes) -> None:
    """Write a file under another name first, so that it is there whole or not at all."""
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _pictures(content: bytes, photos: list[Photo]) -> Iterator[tuple[Photo, bytes]]:
    """The photographs in one file of a package, each as the bytes of a picture file."""
    if content[:4] == b"qres":
        inner = {photo.path.split("!")[-1]: photo for photo in photos}
        for path, picture in read_resources(content, inner.__contains__):
            yield inner[path], picture
    elif photos[0].member.endswith(".edj"):
        yield photos[0], largest_jpeg(content)
    else:
        yield photos[0], content


def largest_jpeg(data: bytes) -> bytes:
    """The JPEG of most pixels inside a container; raises PhotoError where there is none."""
    best, found = 0, (0, 0)
    at = data.find(b"\xff\xd8\xff")
    while at >= 0:
        size, scan = _jpeg_facts(data, at)
        if size > best:
            best, found = size, (at, scan)
        at = data.find(b"\xff\xd8\xff", at + 3)
    if not best:
        raise PhotoError("there is no JPEG in the file")
    start, scan = found
    end = data.find(b"\xff\xd9", scan)
    return data[start : end + 2 if end >= 0 else len(data)]


def _jpeg_facts(data: bytes, at: int) -> tuple[int, int]:
    """Pixels that a JPEG at `at` says it has (0 where there is none), and where its scan starts."""
    size, at = 0, at + 2
    try:
        while data[at] == 0xFF:
            marker, length = struct.unpack_from(">BH", data, at + 1)
            if marker == 0xDA:
                return size, at
            if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
                height, width = struct.unpack_from(">2H", data, at + 5)
                size = height * width
            at += 2 + length
    except (IndexError, struct.error):
        pass
    return 0, at


def decode(picture: bytes) -> NDArray[np.uint8]:
    """A picture file as (H, W, 3) uint8, upright, in sRGB; raises PhotoError.

    A profile that is not sRGB is converted from, relative colorimetric with black point
    compensation, as browsers and viewers do.
    """
    try:
        with Image.open(io.BytesIO(picture)) as image:
            profile = image.info.get("icc_profile")
            upright = ImageOps.exif_transpose(image)
            if profile and upright.mode in ("RGB", "L", "CMYK"):
                upright = _to_srgb(upright, profile)
            return np.asarray(upright.convert("RGB"))
    except UNREADABLE as error:
        raise PhotoError(f"the picture cannot be read: {error}") from error


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(source).lower():
            return image
        converted = ImageCms.profileToProfile(
            image,
            source,
            ImageCms.ImageCmsProfile(SRGB),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except ImageCms.PyCMSError:
        return image  # a broken profile says nothing; viewers take such pictures as sRGB too
    assert converted is not None  # inPlace is off
    return converted


def _check(photo: Photo, pixels: NDArray[np.uint8]) -> None:
    height, width = pixels.shape[:2]
    if (width, height) != (photo.width, photo.height):
        raise PhotoError(
            f"expected {photo.width}x{photo.height} px as listed, found {width}x{height}"
        )
