"""Writing GIF: every frame whole, with its own 256 colours.

Pillow packs the frames. It does not put them together: where some are clear and others are not, its
own way loses what is clear.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import GifImagePlugin, Image

Array = NDArray[Any]

_LEFT, _CLEARED = 1, 2
"""What becomes of a frame when its time is over."""


def write(
    file: BinaryIO, frames: Sequence[Array], *, delays: Sequence[int], loop: int | None
) -> None:
    """Write frames, (H, W) or (H, W, C) uint8, gray or RGB with or without alpha, all of one size.

    A px is clear where it is more than half transparent.

    Parameters
    ----------
    delays
        Hundredths of a second that each is shown.
    loop
        How often it is played again, 0 for ever; None: not at all.
    """
    height, width = frames[0].shape[:2]
    file.write(b"GIF89a" + struct.pack("<HHBBB", width, height, 0x70, 0, 0))  # no common colours
    if loop is not None:
        file.write(b"!\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<H", loop) + b"\0")
    clear = any(frame.shape[2:] in ((2,), (4,)) for frame in frames)
    disposal = (_CLEARED if clear else _LEFT) if len(frames) > 1 else 0
    for frame, delay in zip(frames, delays, strict=True):
        image, transparency = _coloured(frame)
        options: dict[str, Any] = {"duration": 10 * delay, "disposal": disposal}
        if transparency is not None:
            options["transparency"] = transparency
        for part in GifImagePlugin.getdata(image, include_color_table=True, **options):
            file.write(part)
    file.write(b";")


def _coloured(frame: Array) -> tuple[Image.Image, int | None]:
    """A frame in 256 colours of its own, and which of them is clear."""
    if frame.ndim == 2:
        image = Image.fromarray(frame)
        image.putpalette(bytes(np.arange(256, dtype=np.uint8).repeat(3)))
        return image, None
    if frame.shape[2] == 3:
        return Image.fromarray(frame).quantize(256), None
    colours = frame[..., :3] if frame.shape[2] == 4 else frame[..., [0, 0, 0]]
    image = Image.fromarray(np.ascontiguousarray(colours)).quantize(255)
    palette = (image.getpalette() or [])[: 3 * 255]
    index = len(palette) // 3
    image.putpalette([*palette, 0, 0, 0])
    image.paste(index, mask=Image.fromarray(frame[..., -1] < 128))
    return image, index
