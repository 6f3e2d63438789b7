"""What a picture file holds: its frames as arrays, and what has to go with them into another."""

from __future__ import annotations

import contextlib
import io
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from liveaction_onnx import deep, tags
from liveaction_onnx.errors import PictureError, PictureTooLargeError

Array = NDArray[Any]

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

MAX_PIXELS = 128_000_000
"""The most px of a frame that are decoded unless the caller says otherwise."""

_pillow_limit = threading.Lock()


@dataclass
class Picture:
    """A picture file that has been opened."""

    path: Path
    format: str
    """One of the values of `SUFFIXES`."""

    count: int
    """How many frames or pages it has."""

    frames: Iterator[Array]
    """Each (H, W), (H, W, 3) or (H, W, 4), uint8 or uint16, upright; PictureError where broken."""

    gray_alpha: bool
    """Frames are gray with alpha, and come as RGBA."""

    lossless: bool
    """It is a WebP file that was coded without loss."""

    icc: bytes | None
    """The colour profile that the arrays are in."""

    exif: Image.Exif | None
    """What can be said of the result too; its orientation is gone, for it has been applied."""

    loop: int | None
    """How often an animation runs, 0 for ever; None where it does not say."""

    durations_ms: list[float] = field(default_factory=list)
    """How long each frame is shown; grows as frames are taken."""

    @property
    def animated(self) -> bool:
        """Whether its frames are shown one after another."""
        return self.count > 1 and self.format != "TIFF"


@contextlib.contextmanager
def open_picture(path: Path, *, max_pixels: int = MAX_PIXELS) -> Iterator[Picture]:
    """Open a picture file; nothing is decoded before its size has been seen.

    Raises
    ------
    PictureTooLargeError
        Where a frame has more than `max_pixels` px.
    PictureError
        Where it cannot be read or is none of `FORMATS`.
    """
    with _opened(path) as image:
        _refuse_large(path, image, max_pixels)
        with _damage_told(path):
            picture = _picture(path, image, max_pixels)
        yield picture


def _refuse_large(path: Path, image: Image.Image, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise PictureTooLargeError(
            f"{path}: claims {width} x {height} px, and {max_pixels:,} px are the limit; "
            "raise it if you trust the file"
        )


def _opened(path: Path) -> Image.Image:
    try:
        with _without_pillows_limit():
            return Image.open(path, formats=FORMATS)
    except FileNotFoundError as error:
        raise PictureError(f"{path}: no such file") from error
    except UnidentifiedImageError as error:
        empty = path.stat().st_size == 0
        known = "PNG, JPEG, WebP, TIFF, BMP or GIF"
        why = "the file is empty" if empty else f"not a picture we can read: expected {known}"
        raise PictureError(f"{path}: {why}") from error
    except OSError as error:
        raise PictureError(f"{path}: cannot be read: {error.strerror or error}") from error
    except Exception as error:  # Pillow's plugins raise whatever broken bytes lead them to
        raise PictureError(f"{path}: damaged: {error}") from error


@contextlib.contextmanager
def _without_pillows_limit() -> Iterator[None]:
    """Pillow's own limit on px is for the whole process; ours is for this file."""
    with _pillow_limit:
        kept, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = kept


@contextlib.contextmanager
def _damage_told(path: Path) -> Iterator[None]:
    """Whatever Pillow raises over broken bytes, as PictureError."""
    try:
        yield
    except (PictureError, MemoryError):
        raise
    except Exception as error:
        raise PictureError(f"{path}: damaged: {error}") from error


def _picture(path: Path, image: Image.Image, max_pixels: int) -> Picture:
    """Read what the header says."""
    # a JPEG with more pictures behind the first, such as a preview, is MPO to Pillow
    format_name = "JPEG" if image.format == "MPO" else str(image.format)
    count = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    is_deep = deep.is_deep(image)
    if is_deep and count > 1:
        raise PictureError(f"{path}: 16-bit colour with more than one frame is not supported")
    if image.mode in ("I", "F"):
        raise PictureError(f"{path}: 32 bits a px are not supported; save it with 8 or 16 bits")
    exif = tags.found(image, path)
    icc = image.info.get("icc_profile")
    picture = Picture(
        path=path,
        format=format_name,
        count=count,
        frames=iter(()),
        gray_alpha=image.mode in ("LA", "La") and not is_deep,
        lossless=image.format == "WEBP" and b"VP8L" in _head(path),
        icc=None if image.mode == "CMYK" and icc else icc,
        exif=tags.kept(exif, path),
        loop=image.info.get("loop"),
    )
    if is_deep:
        picture.frames = _deep_frame(path, image, tags.orientation(exif))
    else:
        picture.frames = _frames(picture, image, max_pixels)
    return picture


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(4096)


def _deep_frame(path: Path, image: Image.Image, orientation: int) -> Iterator[Array]:
    with _damage_told(path):
        image.load()  # ffmpeg conceals damage, Pillow tells of it
    yield upright(deep.read(path, image), orientation)


def _frames(picture: Picture, image: Image.Image, max_pixels: int) -> Iterator[Array]:
    for index in range(picture.count):
        with _damage_told(picture.path):
            image.seek(index)
            _refuse_large(picture.path, image, max_pixels)  # pages differ in size
            image.load()
            picture.durations_ms.append(float(image.info.get("duration", 0)))
            frame = _array(ImageOps.exif_transpose(image) if index == 0 else image)
        yield frame


def _array(image: Image.Image) -> Array:
    """The px of a loaded frame in one of our kinds of array."""
    if image.mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16, copy=False)
    if image.mode in ("1", "L") and "transparency" not in image.info:
        return np.asarray(image.convert("L"))
    if image.mode == "CMYK" and image.info.get("icc_profile"):
        return np.asarray(_cmyk_to_srgb(image))
    alpha = image.has_transparency_data
    return np.asarray(image.convert("RGBA" if alpha else "RGB"))


def _cmyk_to_srgb(image: Image.Image) -> Image.Image:
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
        srgb = ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, profile, srgb, outputMode="RGB")
    except ImageCms.PyCMSError:
        converted = None  # a profile that is none: as if there were none
    return converted or image.convert("RGB")


def upright(pixels: Array, orientation: int) -> Array:
    """Turn (H, W, ...) upright, as EXIF's orientation 1 to 8 says; a view, not a copy.

    >>> upright(np.array([[1, 2], [3, 4]]), 6).tolist()
    [[3, 1], [4, 2]]
    """
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels
