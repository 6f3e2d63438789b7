"""Colour of 16 bits a channel in PNG and TIFF, of which Pillow keeps only the upper eight."""

from __future__ import annotations

import struct
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin
from PIL import TiffImagePlugin as Tiff

from liveaction_onnx import chunks, ffmpeg, tiff
from liveaction_onnx.errors import PictureError

Array = NDArray[Any]

_LAYOUT = (258, 259, 262, 266, 277, 278, 284, 317, 338, 339)
"""TIFF tags of how px lie in the file: bits, compression, photometric, fill order, samples, rows of
a strip, planes, predictor, alpha, kind of number."""

_TILE_WIDTH, _TILE_HEIGHT = 322, 323


def is_deep(image: Image.Image) -> bool:
    """Whether an opened, not yet loaded picture has colour of 16 bits a channel."""
    if image.format == "TIFF":
        bits: Any = getattr(image, "tag_v2", {}).get(258, ())
        return len(bits) in (3, 4) and set(bits) == {16} and image.mode in ("RGB", "RGBA", "RGBX")
    return (
        image.format == "PNG"
        and any(";16" in str(tile.args) for tile in getattr(image, "tile", ()))
        and image.mode in ("RGB", "RGBA")
    )


def read(path: Path, image: Image.Image, page: int) -> NDArray[np.uint16]:
    """Read a picture or a page whole, as it lies in the file: (H, W, C) uint16, C from 2 to 4.

    Alpha is straight. The image has been loaded, and stands at that page.

    Raises
    ------
    PictureError
        Where ffmpeg cannot decode it, or it is not of the size that its head states.
    """
    if image.format == "PNG":
        with path.open("rb") as file:
            gray = file.read(26)[25] == 4  # its type of colour; Pillow makes RGBA of gray and alpha
        channels = 2 if gray else len(image.getbands())
        # ffmpeg refuses px over EXIF that it cannot read, as makers of cameras write it
        plain = chunks.without_exif(path)
        pixels = _decode(path, "png_pipe", (image.height, image.width, channels), plain)
        return _keyed(pixels, image.info.get("transparency"))
    tags: Any = getattr(image, "tag_v2", {})  # the size that Pillow gives has been turned upright
    height, width = tags[Tiff.IMAGELENGTH], tags[Tiff.IMAGEWIDTH]
    if page == 0 and Tiff.TILEOFFSETS not in tags:
        pixels = _decode(path, "tiff_pipe", (height, width, len(image.getbands())))
    else:
        pixels = _page(path, tags, len(image.getbands()))
    return _straight(pixels) if tags.get(Tiff.EXTRASAMPLES, ())[:1] == (1,) else pixels


def _page(path: Path, tags: Tiff.ImageFileDirectory_v2, channels: int) -> NDArray[np.uint16]:
    """Read a page of a TIFF by itself: ffmpeg finds those alone that say their numbers.

    Nor does it know tiles. One below another, they are the strips of a tall picture.
    """
    height, width = tags[Tiff.IMAGELENGTH], tags[Tiff.IMAGEWIDTH]
    tiled = Tiff.TILEOFFSETS in tags
    tall, wide = (tags[_TILE_HEIGHT], tags[_TILE_WIDTH]) if tiled else (height, width)
    down, across = -(-height // tall), -(-width // wide)
    little = tags.prefix == b"II"
    directory = Tiff.ImageFileDirectory_v2((b"II*\0" if little else b"MM\0*") + bytes(4))
    for tag in _LAYOUT:
        if tag in tags:
            directory[tag] = tags[tag]
    directory[Tiff.IMAGEWIDTH], directory[Tiff.IMAGELENGTH] = wide, tall * down * across
    if tiled:
        directory[Tiff.ROWSPERSTRIP] = tall
    offsets = tags[Tiff.TILEOFFSETS if tiled else Tiff.STRIPOFFSETS]
    sizes = tags[Tiff.TILEBYTECOUNTS if tiled else Tiff.STRIPBYTECOUNTS]
    with tempfile.TemporaryDirectory(prefix="liveaction-onnx-") as folder:
        alone = Path(folder) / "page.tif"
        with path.open("rb") as source, alone.open("w+b") as file:
            tiff.save_directory(directory, file, sizes)
            for offset, size in zip(offsets, sizes, strict=True):
                source.seek(offset)
                file.write(source.read(size))
        pixels = _decode(alone, "tiff_pipe", (tall * down * across, wide, channels))
    grid = pixels.reshape(down, across, tall, wide, channels).swapaxes(1, 2)
    return grid.reshape(down * tall, across * wide, channels)[:height, :width]


def gray(image: Image.Image) -> NDArray[np.uint16]:
    """Gray of 12 or 16 bits that Pillow has loaded: (H, W), or (H, W, 2) where some is clear."""
    pixels = np.asarray(image).astype(np.uint16, copy=False)
    tags: Any = getattr(image, "tag_v2", {})
    most = 2 ** tags.get(Tiff.BITSPERSAMPLE, (16,))[0] - 1
    if most < 65535:
        pixels = np.rint(pixels * (65535 / most)).astype(np.uint16)
    if tags.get(Tiff.PHOTOMETRIC_INTERPRETATION) == 0:  # 0 is white
        pixels = 65535 - pixels
    key = image.info.get("transparency")
    return pixels if key is None else _keyed(pixels[..., None], key)


def _keyed(pixels: NDArray[np.uint16], key: Any) -> NDArray[np.uint16]:
    """(H, W, C) with alpha behind, which is 0 where a px has the one colour that is clear."""
    if key is None:
        return pixels
    clear = (pixels == np.array(key, np.uint16)).all(axis=-1)
    return np.dstack([pixels, np.where(clear, 0, 65535).astype(np.uint16)])


def _straight(pixels: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """(H, W, 4) whose colours had been multiplied by alpha, with colours as they were before.

    >>> _straight(np.array([[[100, 200, 32768, 32768]]], np.uint16)).tolist()
    [[[200, 400, 65535, 32768]]]
    """
    colour, alpha = pixels[..., :3].astype(np.uint32), pixels[..., 3:].astype(np.uint32)
    colour = (colour * 65535 + alpha // 2) // np.maximum(alpha, 1)
    return np.concatenate([np.minimum(colour, 65535), alpha], axis=-1).astype(np.uint16)


def _decode(
    path: Path,
    demuxer: Literal["png_pipe", "tiff_pipe"],
    shape: tuple[int, int, int],
    data: bytes | None = None,
) -> NDArray[np.uint16]:
    """Have ffmpeg decode a picture of that shape (H, W, C); `data` in place of what is in it."""
    layout = {2: "ya16le", 3: "rgb48le", 4: "rgba64le"}[shape[2]]
    command = [ffmpeg.executable(), "-v", "error", "-nostdin", "-xerror", "-noautorotate"]
    address = ffmpeg.address(path) if data is None else "pipe:0"
    command += [*ffmpeg.allowing(demuxer), "-f", demuxer, "-i", address]
    command += ["-frames:v", "1", "-f", "rawvideo", "-pix_fmt", layout, "pipe:1"]
    done = ffmpeg.answer(command, data or b"")
    expected = 2 * shape[0] * shape[1] * shape[2]
    if done.returncode or len(done.stdout) != expected:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        why = said[-1] if said else f"{len(done.stdout)} bytes came, {expected} were expected"
        raise PictureError(f"{path}: ffmpeg cannot decode it: {why}")
    return np.frombuffer(done.stdout, "<u2").reshape(shape)


def write_png(
    file: BinaryIO,
    pixels: Array,
    *,
    icc: bytes | None,
    exif: bytes | None,
    dpi: tuple[float, float] | None = None,
    colour: Mapping[bytes, bytes] | None = None,
) -> None:
    """Write (H, W, 2) gray with alpha, (H, W, 3) or (H, W, 4) uint16 as PNG."""
    height, width, channels = pixels.shape
    colour_type = {2: 4, 3: 2, 4: 6}[channels]
    file.write(b"\x89PNG\r\n\x1a\n")
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    PngImagePlugin.putchunk(file, b"IHDR", header)
    if icc:
        PngImagePlugin.putchunk(file, b"iCCP", b"ICC Profile\0\0" + zlib.compress(icc))
    for name, data in (colour or {}).items():
        if not icc or name != b"sRGB":  # a file has one of them
            PngImagePlugin.putchunk(file, name, data)
    if dpi:
        a_metre = (round(value / 0.0254) for value in dpi)
        PngImagePlugin.putchunk(file, b"pHYs", struct.pack(">IIB", *a_metre, 1))
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
