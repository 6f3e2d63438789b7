"""Writing TIFF: 8 or 16 bits a channel, pages, colour profile, and EXIF with its own directories.

Pillow writes no colour of 16 bits, and with its compressors no EXIF directory; what it has for
directories and pages is used here.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence
from typing import IO, Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL import TiffImagePlugin as Tiff

Array = NDArray[Any]

_ICC, _EXIF, _GPS = 34675, 0x8769, 0x8825
_UNDEFINED, _LONG = 7, 4
_ADOBE_DEFLATE = 8
_STRIP_BYTES = 1 << 20


class Writer:
    """A TIFF file under construction, page by page; whole once its block has ended well."""

    def __init__(self, file: BinaryIO) -> None:
        self._pages = Tiff.AppendingTiffWriter(file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is None:
            self._pages.finalize()
        io.BytesIO.close(self._pages)  # its own close would write again; the file stays open

    def write(
        self,
        pixels: Array,
        *,
        icc: bytes | None,
        exif: Image.Exif | None,
        dpi: tuple[float, float] | None = None,
    ) -> None:
        """Write one page: (H, W) or (H, W, C), gray or RGB with or without alpha, unsigned."""
        height, width = pixels.shape[:2]
        channels = 1 if pixels.ndim == 2 else pixels.shape[2]
        bytes_a_row = width * channels * pixels.itemsize
        rows = max(1, _STRIP_BYTES // bytes_a_row)
        little = pixels.dtype.newbyteorder("<")
        strips = [
            zlib.compress(np.ascontiguousarray(pixels[top : top + rows], little).tobytes(), 6)
            for top in range(0, height, rows)
        ]
        directory = _described(icc, exif, dpi)
        directory[Tiff.IMAGEWIDTH] = width
        directory[Tiff.IMAGELENGTH] = height
        directory[Tiff.BITSPERSAMPLE] = (8 * pixels.itemsize,) * channels
        directory[Tiff.COMPRESSION] = _ADOBE_DEFLATE
        directory[Tiff.PHOTOMETRIC_INTERPRETATION] = 1 if channels < 3 else 2  # gray, RGB
        directory[Tiff.SAMPLESPERPIXEL] = channels
        directory[Tiff.ROWSPERSTRIP] = rows
        directory[Tiff.PLANAR_CONFIGURATION] = 1
        if channels in (2, 4):
            directory[Tiff.EXTRASAMPLES] = 2  # alpha that colours are not multiplied by
        save_directory(directory, self._pages, [len(strip) for strip in strips])
        for strip in strips:
            self._pages.write(strip)
        self._pages.newFrame()


def save_directory(
    directory: Tiff.ImageFileDirectory_v2, file: IO[bytes], sizes: Sequence[int]
) -> None:
    """Write the directory of a page whose strips, of so many bytes each, follow at once."""
    # Pillow adds to the offsets where the strips begin, which is right behind the directory
    directory.tagtype[Tiff.STRIPOFFSETS] = directory.tagtype[Tiff.STRIPBYTECOUNTS] = _LONG
    directory[Tiff.STRIPOFFSETS] = tuple(np.cumsum([0, *sizes[:-1]]).tolist())
    directory[Tiff.STRIPBYTECOUNTS] = tuple(sizes)
    directory.save(file)


def _described(
    icc: bytes | None, exif: Image.Exif | None, dpi: tuple[float, float] | None
) -> Tiff.ImageFileDirectory_v2:
    """A directory with what is said of the picture."""
    directory = Tiff.ImageFileDirectory_v2()
    if dpi:
        directory[Tiff.X_RESOLUTION], directory[Tiff.Y_RESOLUTION] = dpi
        directory[Tiff.RESOLUTION_UNIT] = 2  # inch
    if exif is not None:  # which says of dots what a TIFF has said
        for tag, value in exif.items():
            directory[tag] = value
        for block in (_EXIF, _GPS):
            nested = exif.get_ifd(block)
            if nested:
                directory[block] = dict(nested)
    if icc:
        directory.tagtype[_ICC] = _UNDEFINED
        directory[_ICC] = icc
    return directory
