"""What a picture file holds: its frames as arrays, and what has to go with them into another."""

from __future__ import annotations

import contextlib
import io
import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, UnidentifiedImageError

from liveaction_onnx import animation, belongings, chunks, deep, tags
from liveaction_onnx.belongings import Belongings
from liveaction_onnx.errors import PictureError, PictureTooLargeError
from liveaction_onnx.formats import FORMATS

Array = NDArray[Any]

MAX_PIXELS = 128_000_000
"""The most px of a frame that are decoded unless the caller says otherwise."""

_NEW_SUBFILE_TYPE, _OF_ANOTHER = 254, 1 | 4
"""The TIFF tag for what a page is, and its bits for a smaller copy and a mask of another page."""

_pillow_limit = threading.Lock()


@dataclass
class Picture:
    """A picture file that has been opened."""

    path: Path
    format: str
    """One of `FORMATS`."""

    places: Sequence[int]
    """Which frames or pages of the file it is, the default image of an animation among them."""

    size: tuple[int, int]
    """Height and width of the first, upright, in px."""

    alpha: bool
    """The first says how transparent its px are."""

    frames: Iterator[Array]
    """Each (H, W), (H, W, 3) or (H, W, 4), uint8 or uint16, upright; PictureError where broken."""

    lossless: bool
    """It is a WebP file that was coded without loss."""

    plays: int
    """How often an animation is played in all, 0 for ever."""

    default_image: bool
    """The first frame is no part of the animation: it is for those who show none. PNG alone."""

    belongings: Belongings
    """What goes along with the frame that was taken last, or first of all with the first."""

    gray_alpha: bool = False
    """The frame that was taken last is gray with alpha, and came as RGBA."""

    durations_ms: list[float] = field(default_factory=list)
    """How long each frame is shown; grows as frames are taken."""

    @property
    def animated(self) -> bool:
        """Whether its frames are shown one after another."""
        return len(self.places) > 1 and self.format != "TIFF"

    @property
    def pages(self) -> int:
        """How many pictures it has that are not shown one after another."""
        return 1 if self.animated else len(self.places)

    def leave_default_out(self) -> None:
        """Take the default image, and forget it: what is left is the animation."""
        next(self.frames)
        self.durations_ms.clear()
        self.default_image = False


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
        _refuse(path, image, max_pixels)
        with _damage_told(path):
            picture = _picture(path, image, max_pixels)
        yield picture


def _refuse(path: Path, image: Image.Image, max_pixels: int) -> None:
    """Refuse a frame that is too large, or of a kind that is not read."""
    width, height = image.size
    if width * height > max_pixels:
        raise PictureTooLargeError(
            f"{path}: claims {width} x {height} px, and {max_pixels:,} px are the limit; "
            "raise max_pixels if you trust the file"
        )
    if image.mode in ("I", "F"):
        raise PictureError(f"{path}: 32 bits a px are not supported; save it with 8 or 16 bits")


def _opened(path: Path) -> Image.Image:
    if os.path.exists(path) and not os.path.isfile(path):  # a pipe would be waited for
        what = "a folder" if os.path.isdir(path) else "no plain file"
        raise PictureError(f"{path}: expected a picture, but it is {what}")
    try:
        file, icc = chunks.readable(path)
        with _without_pillows_limit():
            image = Image.open(file, formats=FORMATS)
        if icc:
            image.info["icc_profile"] = icc
        return image
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
    places = _places(image)
    _raise_clear_level(image)
    is_deep = deep.is_deep(image)  # before EXIF, which PNG has behind the px and loads
    if format_name == "PNG" and len(places) > 1 and is_deep:
        raise PictureError(f"{path}: 16-bit colour with more than one frame is not supported")
    exif = tags.found(image, path)
    orientation = tags.orientation(exif)
    width, height = image.size
    if format_name != "TIFF" and orientation >= 5:  # Pillow gives the size of TIFF upright
        width, height = height, width
    picture = Picture(
        path=path,
        format=format_name,
        places=places,
        frames=iter(()),
        lossless=image.format == "WEBP" and chunks.lossless_webp(path),
        size=(height, width),
        alpha=image.has_transparency_data,
        plays=animation.plays(image),
        default_image=bool(image.info.get("default_image")),
        belongings=belongings.of(image, exif, path),
    )
    picture.frames = _frames(picture, image, is_deep, orientation, max_pixels)
    return picture


def _raise_clear_level(image: Image.Image) -> None:
    """Pillow raises gray of 2 and 4 bits to 8, and leaves the level that is clear as it was."""
    for bits, step in ((2, 85), (4, 17)):
        raised = any(tile.args == f"L;{bits}" for tile in getattr(image, "tile", ()))
        if image.format == "PNG" and raised and image.info.get("transparency", 256) < 2**bits:
            image.info["transparency"] *= step


def _places(image: Image.Image) -> Sequence[int]:
    """The frames of a picture, or its pages without previews and masks of others."""
    count = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    if image.format != "TIFF" or count == 1:
        return range(count)
    kinds = []
    for page in range(count):
        image.seek(page)
        directory: Any = getattr(image, "tag_v2", {})
        kind = directory.get(_NEW_SUBFILE_TYPE, 0)
        kinds.append(kind if isinstance(kind, int) else 0)
    image.seek(0)
    return [page for page, kind in enumerate(kinds) if page == 0 or not kind & _OF_ANOTHER]


def _frames(
    picture: Picture, image: Image.Image, is_deep: bool, orientation: int, max_pixels: int
) -> Iterator[Array]:
    """Decode one after another; `is_deep` and `orientation` are those of the first."""
    for index in picture.places:
        with _damage_told(picture.path):
            image.seek(index)
            _refuse(picture.path, image, max_pixels)  # pages differ in size and kind
            if index and picture.format == "TIFF":  # and in what is said of them
                is_deep = deep.is_deep(image)
                exif = tags.found(image, picture.path)
                orientation = tags.orientation(exif)
                picture.belongings = belongings.of(image, exif, picture.path)
            pixels = _pixels(picture, image, index if is_deep else None)
            if is_deep or picture.format != "TIFF":  # which Pillow turns by itself
                pixels = upright(pixels, orientation)
            if picture.default_image and index == 0:  # Pillow would draw the animation onto it
                image.paste(Image.new(image.mode, image.size))
        yield pixels


def _pixels(picture: Picture, image: Image.Image, deep_page: int | None) -> Array:
    """Decode the frame at which an image stands."""
    image.load()  # of the deep ones too: ffmpeg conceals damage, Pillow tells of it
    picture.durations_ms.append(float(image.info.get("duration", 0)))
    pixels = _array(image) if deep_page is None else deep.read(picture.path, image, deep_page)
    picture.gray_alpha = pixels.shape[2:] == (2,)
    return pixels[..., [0, 0, 0, 1]] if picture.gray_alpha else pixels


def _array(image: Image.Image) -> Array:
    """The px of a loaded frame: (H, W) or (H, W, C), gray or RGB with or without alpha."""
    alpha = image.has_transparency_data
    if image.mode.startswith("I;16"):
        return deep.gray(image)
    if image.mode == "CMYK":
        return np.asarray(_cmyk_to_srgb(image))
    if image.mode in ("1", "L") and not alpha:
        return np.asarray(image.convert("L"))
    if image.mode in ("LA", "La"):
        return np.asarray(image.convert("LA"))
    pixels = np.asarray(image.convert("RGBA" if alpha else "RGB"))
    # a GIF may be gray in its first frame alone
    gray = image.mode in ("1", "L") and image.format != "GIF"
    return pixels[..., [0, 3]] if gray else pixels


def _cmyk_to_srgb(image: Image.Image) -> Image.Image:
    icc = belongings.profile(image)
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc or b""))
        srgb = ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, profile, srgb, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
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
