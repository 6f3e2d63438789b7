"""Colour of 16 bits a channel in PNG and TIFF, of which Pillow keeps only the upper eight."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin, TiffImagePlugin

from liveaction_onnx import ffmpeg
from liveaction_onnx.errors import PictureError

Array = NDArray[Any]


def is_deep(image: Image.Image) -> bool:
    """Whether an opened, not yet loaded picture has colour of 16 bits a channel."""
    if image.format == "TIFF":
        bits: Any = getattr(image, "tag_v2", {}).get(258, ())
        return len(bits) in (3, 4) and set(bits) == {16} and image.mode in ("RGB", "RGBA", "RGBX")
    return (
        image.format == "PNG"
        and any(";16" in str(tile.args) for tile in getattr(image, "tile", ()))
        and (image.mode in ("RGB", "RGBA", "LA"))
    )


def read(path: Path, image: Image.Image) -> NDArray[np.uint16]:
    """Read the picture whole, as it lies in the file: (H, W, 3) or (H, W, 4) uint16.

    Raises
    ------
    PictureError
        Where ffmpeg cannot decode it, or it is not of the size that its head states.
    """
    channels = 4 if image.mode in ("RGBA", "LA") else 3
    if image.format == "PNG":
        return _decode(path, "png_pipe", (image.height, image.width, channels))
    tags: Any = getattr(image, "tag_v2", {})  # the size that Pillow gives has been turned upright
    width, height = tags[TiffImagePlugin.IMAGEWIDTH], tags[TiffImagePlugin.IMAGELENGTH]
    return _decode(path, "tiff_pipe", (height, width, channels))


def _decode(
    path: Path, demuxer: Literal["png_pipe", "tiff_pipe"], shape: tuple[int, int, int]
) -> NDArray[np.uint16]:
    """Have ffmpeg decode a picture of that shape (H, W, C)."""
    layout = "rgb48le" if shape[2] == 3 else "rgba64le"
    command = [ffmpeg.executable(), "-v", "error", "-nostdin", "-xerror", "-noautorotate"]
    command += [*ffmpeg.allowing(demuxer), "-f", demuxer, "-i", ffmpeg.address(path)]
    command += ["-frames:v", "1", "-f", "rawvideo", "-pix_fmt", layout, "pipe:1"]
    done = ffmpeg.answer(command)
    expected = 2 * shape[0] * shape[1] * shape[2]
    if done.returncode or len(done.stdout) != expected:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        why = said[-1] if said else f"{len(done.stdout)} bytes came, {expected} were expected"
        raise PictureError(f"{path}: ffmpeg cannot decode it: {why}")
    return np.frombuffer(done.stdout, "<u2").reshape(shape)


def write_png(file: BinaryIO, pixels: Array, *, icc: bytes | None, exif: bytes | None) -> None:
    """Write (H, W, 3) or (H, W, 4) uint16 as PNG."""
    height, width, channels = pixels.shape
    colour_type = {3: 2, 4: 6}[channels]
    file.write(b"\x89PNG\r\n\x1a\n")
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    PngImagePlugin.putchunk(file, b"IHDR", header)
    if icc:
        PngImagePlugin.putchunk(file, b"iCCP", b"ICC Profile\0\0" + zlib.compress(icc))
    if exif:
        PngImagePlugin.putchunk(file, b"eXIf", exif.removeprefix(b"Exif\0\0"))
    packer = zlib.compressobj(6)
    for row in _png_rows(pixels):
        packed = packer.compress(row)
        if packed:
            PngImagePlugin.putchunk(file, b"IDAT", packed)
    PngImagePlugin.putchunk(file, b"IDAT", packer.flush())
    PngImagePlugin.putchunk(file, b"IEND", b"")


def _png_rows(pixels: Array) -> Iterator[bytes]:
    """The rows of a PNG, each as its difference from the row above (filter 2, "up")."""
    above = np.zeros(2 * pixels.shape[1] * pixels.shape[2], np.uint8)
    for row in pixels:
        raw = np.frombuffer(row.astype(">u2").tobytes(), np.uint8)
        yield b"\x02" + (raw - above).tobytes()
        above = raw
