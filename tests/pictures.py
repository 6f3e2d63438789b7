"""Small picture files for tests, made, not stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

Array = NDArray[Any]


def ramp(height: int = 24, width: int = 32) -> NDArray[np.uint8]:
    """A colourful picture without sharp edges, so that lossy formats keep it nearly as it is."""
    rows, columns = np.mgrid[0:height, 0:width]
    planes = [40 + columns * 150 // width, 60 + rows * 120 // height, 200 - columns * 90 // width]
    return np.stack(planes, axis=-1).astype(np.uint8)


def ramp16(height: int = 24, width: int = 32) -> NDArray[np.uint16]:
    """The same with 16 bits a channel, all of them in use."""
    low = np.arange(height * width, dtype=np.uint16).reshape(height, width, 1) * 37 % 256
    return (ramp(height, width).astype(np.uint16) * 256 + low).astype(np.uint16)


def srgb_profile() -> bytes:
    """An ICC profile."""
    profile: bytes = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile


def camera_exif(orientation: int, width: int = 32) -> Image.Exif:
    """EXIF as a camera writes it: orientation, make, exposure, size, place."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "Camera"
    exif.get_ifd(0x8769)[0x829A] = 0.01
    exif.get_ifd(0x8769)[0xA002] = width
    exif.get_ifd(0x8825)[1] = "N"
    return exif


def save(path: Path, pixels: Array | None = None, **options: Any) -> Path:
    """Save `pixels`, or the ramp, by Pillow."""
    Image.fromarray(ramp() if pixels is None else pixels).save(path, **options)
    return path


def load(path: Path, mode: str | None = None) -> Array:
    """Load a picture's first frame by Pillow."""
    with Image.open(path) as image:
        return np.asarray(image.convert(mode) if mode else image)


def halved(pixels: Array) -> NDArray[np.float64]:
    """The mean of each 2 x 2 px: what a doubled picture should still look like."""
    tall, wide = pixels.shape[0] // 2, pixels.shape[1] // 2
    blocks = pixels.astype(np.float64).reshape(tall, 2, wide, 2, *pixels.shape[2:])
    mean: NDArray[np.float64] = blocks.mean(axis=(1, 3))
    return mean
