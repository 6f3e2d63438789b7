"""The frames of a picture, and what goes along, into a file of a format."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import imageio.v3 as iio
import numpy as np
from numpy.typing import NDArray
from PIL import PngImagePlugin

from liveaction_onnx import animation, belongings, deep, gif, tags, tiff
from liveaction_onnx.belongings import Belongings
from liveaction_onnx.errors import LiveactionError, TargetError
from liveaction_onnx.formats import EXIF_BYTES, SIXTEEN_BITS
from liveaction_onnx.picture import Picture

logger = logging.getLogger("liveaction_onnx")

Array = NDArray[Any]

QUALITY = 95
"""Of JPEG and lossy WebP, 0 to 100."""

PNG_LEVEL = 4
"""How hard zlib tries on a PNG in colour, of 9. Twenty photographs took 0.4 of the time of Pillow's
6, which is as long as a GPU needs for dozens of them, and 1 to 5 % more bytes. Gray ones would grow
by a tenth, and stay with 6.
"""


def save(
    file: BinaryIO, path: Path, format_name: str, picture: Picture, frames: Iterator[Array]
) -> None:
    """Write what was made of a picture's frames; each is taken right after that of the picture.

    Raises
    ------
    TargetError
        Where the format cannot hold it after all.
    """
    if picture.default_image and format_name != "PNG":
        picture.leave_default_out()
    fitting = (_fitting(frame, format_name) for frame in frames)
    told: set[str] = set()
    if format_name == "TIFF":
        with tiff.Writer(file) as pages:
            for frame in fitting:
                said = _fitted(picture, path, format_name, [frame], told)
                with _blamed(path, format_name):
                    pages.write(frame, icc=said.icc, exif=said.exif, dpi=said.dpi)
        return
    ready = list(fitting)  # one, or an animation, which is written whole
    said = _fitted(picture, path, format_name, ready, told)
    with _blamed(path, format_name):
        exif = None
        if said.exif is not None:
            exif = tags.packed(said.exif, path, EXIF_BYTES.get(format_name))
        if format_name == "GIF":
            _save_gif(file, path, picture, ready)
        elif ready[0].dtype == np.uint16 and ready[0].ndim == 3:
            deep.write_png(
                file, ready[0], icc=said.icc, exif=exif, dpi=said.dpi, colour=said.colour
            )
        else:
            options = _options(format_name, picture, said, exif) | _timing(format_name, picture)
            if format_name == "PNG" and ready[0].ndim == 3:
                options["compress_level"] = PNG_LEVEL
            _save_by_pillow(file, format_name, ready, options)


def _fitted(
    picture: Picture, path: Path, format_name: str, frames: list[Array], told: set[str]
) -> Belongings:
    """What goes along with frames; what is lost is told once."""
    gray = format_name != "WEBP" and all(frame.shape[2:] in ((), (2,)) for frame in frames)
    said, lost = belongings.fitted(
        picture.belongings, format_name, gray=gray, size=frames[0].shape[:2]
    )
    for loss in lost:
        if loss not in told:
            logger.warning("%s: %s", path, loss)
            told.add(loss)
    return said


@contextlib.contextmanager
def _blamed(path: Path, format_name: str) -> Iterator[None]:
    """Whatever an encoder raises over what it is given, as the target's fault."""
    try:
        yield
    except (LiveactionError, OSError, MemoryError):  # of the disk is told where it is written to
        raise
    except Exception as error:
        raise TargetError(f"{path}: cannot be written as {format_name}: {error}") from error


def _fitting(frame: Array, format_name: str) -> Array:
    """A frame as the format can hold it."""
    if frame.dtype == np.uint16 and format_name not in SIXTEEN_BITS:
        return np.rint(frame / 257).astype(np.uint8)
    if frame.dtype == np.uint16 and frame.shape[2:] == (2,) and format_name == "TIFF":
        return frame[..., [0, 0, 0, 1]]  # few can read gray with alpha there, Pillow among them
    return frame


def _save_gif(file: BinaryIO, path: Path, picture: Picture, ready: list[Array]) -> None:
    loop, delays = None, [0]
    if picture.animated:
        loop = animation.loop("GIF", picture.plays)
        least = {"least": 0} if picture.format == "GIF" else {}  # one's own are kept as they are
        delays = animation.gif_delays(picture.durations_ms, path, **least)
    gif.write(file, ready, delays=delays, loop=loop)


def _save_by_pillow(
    file: BinaryIO, format_name: str, ready: list[Array], options: dict[str, Any]
) -> None:
    suffix = f".{format_name.lower()}"
    opened: Any = iio.imopen(file, "w", plugin="pillow", extension=suffix)
    try:
        with opened as writer:
            for frame in ready:
                writer.write(frame, is_batch=False, **options)
    finally:  # where that failed, it would try again with the rest, as it is deleted
        opened.images_to_write.clear()


def _options(
    format_name: str, picture: Picture, said: Belongings, exif: bytes | None
) -> dict[str, Any]:
    """What Pillow is told of what goes along, and of how to pack it."""
    options: dict[str, Any] = {"icc_profile": said.icc, "exif": exif, "dpi": said.dpi}
    options = {name: value for name, value in options.items() if value}
    if said.colour:
        options["pnginfo"] = PngImagePlugin.PngInfo()
        for name, data in said.colour.items():
            options["pnginfo"].add(name, data)
    if format_name == "JPEG":
        options |= {"quality": QUALITY, "subsampling": "4:4:4"}
    if format_name == "WEBP":
        options |= {"quality": QUALITY, "lossless": picture.lossless}
    return options


def _timing(format_name: str, picture: Picture) -> dict[str, Any]:
    """What Pillow is told of an animation."""
    if not picture.animated:
        return {}
    durations = picture.durations_ms
    if format_name == "PNG":
        durations = [animation.png_ms(ms) for ms in durations]
    options: dict[str, Any] = {"loop": animation.loop(format_name, picture.plays)}
    if picture.default_image:
        options["default_image"] = True
        durations = durations[1:]
    return options | {"duration": durations}
