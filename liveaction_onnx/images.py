"""A picture file to a picture file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import imageio.v3 as iio
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from liveaction_onnx import deep, tags, tiff
from liveaction_onnx.errors import TargetError
from liveaction_onnx.picture import MAX_PIXELS, SUFFIXES, Picture, open_picture
from liveaction_onnx.publish import check_target, publishing
from liveaction_onnx.upscaler import Cancel, Progress, Upscaler, shared_upscaler

Array = NDArray[Any]

QUALITY = 95
"""Of JPEG and lossy WebP, 0 to 100."""

PNG_LEVEL = 4
"""How hard zlib tries on a PNG in colour, of 9. Twenty photographs took 0.4 of the time of Pillow's
6, which is as long as a GPU needs for dozens of them, and 1 to 5 % more bytes. Gray ones would grow
by a tenth, and stay with 6.
"""

_NO_ALPHA = ("JPEG",)
_ANIMATED = ("GIF", "PNG", "WEBP")
_SIXTEEN_BITS = ("PNG", "TIFF")
_EXIF_BYTES = {"JPEG": 65_533}
"""The most EXIF that a format holds, where there is a limit."""


def default_target(source: Path, format_name: str, scale: int) -> Path:
    """`<stem>_2x.<ext>` beside the source; the ending follows the content where it is another's.

    >>> default_target(Path("b.jpeg"), "JPEG", 2).name
    'b_2x.jpeg'
    >>> default_target(Path("b.jpeg"), "PNG", 2).name
    'b_2x.png'
    """
    right = SUFFIXES.get(source.suffix.lower()) == format_name
    suffix = (
        source.suffix if right else next(s for s, name in SUFFIXES.items() if name == format_name)
    )
    return source.with_name(f"{source.stem}_{scale}x{suffix}")


def upscale_image(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str] | None = None,
    *,
    upscaler: Upscaler | None = None,
    overwrite: bool = False,
    max_pixels: int = MAX_PIXELS,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> Path:
    """Upscale a picture file into another.

    PNG, JPEG, WebP, TIFF, BMP and GIF, 8 bits a channel, and 16 in PNG and TIFF. Orientation is
    applied, the colour profile and EXIF go along, animations keep their delays, TIFF its pages.
    CMYK becomes RGB, and palettes become colours.

    Parameters
    ----------
    source
        The file to read; it is never written to.
    target
        The file to write, in the format that its ending names, or a folder for `<stem>_2x.<ext>`.
        None: the folder of the source. It appears whole, by rename, or not at all.
    upscaler
        The Upscaler to use, which works on RGB. None: one that is made at the first call and kept.
    overwrite
        Whether `target` may be replaced where it exists.
    max_pixels
        The most px of a frame that are decoded; checked before decoding.
    progress, cancel
        As in calling an `Upscaler`; progress counts anew with each frame of an animation.

    Returns
    -------
    target
        The path that was written.

    Raises
    ------
    PictureError
        Where the source is no picture we can read, is damaged or too large.
    TargetExistsError, TargetError
        Where the target exists, is the source, cannot hold the picture, or cannot be written.
    """
    upscaler = upscaler or shared_upscaler()
    return upscale_by(
        partial(upscaler, progress=progress, cancel=cancel),
        Path(source),
        None if target is None else Path(target),
        scale=upscaler.facts.scale,
        overwrite=overwrite,
        max_pixels=max_pixels,
    )


def upscale_by(
    double: Callable[[Array], Array],
    source: Path,
    target: Path | None,
    *,
    scale: int,
    overwrite: bool,
    max_pixels: int,
    take: Callable[[Path], None] = lambda target: None,
) -> Path:
    """As `upscale_image`, by `double`, which makes of a frame one of `scale` times its size.

    `take` is told the target before anything is done for it, and may raise to refuse it.
    """
    with open_picture(source, max_pixels=max_pixels) as picture:
        default = default_target(source, picture.format, scale)
        path = default if target is None else target
        if os.path.isdir(path):
            path /= default.name
        format_name = SUFFIXES.get(path.suffix.lower())
        if format_name is None:
            raise TargetError(f"{path}: expected a name that ends in one of {', '.join(SUFFIXES)}")
        if picture.animated and format_name not in _ANIMATED:
            raise TargetError(
                f"{path}: {format_name} holds no animation; choose .gif, .png or .webp"
            )
        check_target(source, path, overwrite=overwrite)
        take(path)
        with publishing(path, overwrite=overwrite) as file:
            _write(file, path, format_name, picture, _doubled(picture, double))
    return path


def _doubled(picture: Picture, double: Callable[[Array], Array]) -> Iterator[Array]:
    for frame in picture.frames:
        result = double(frame)
        if picture.gray_alpha:
            gray = np.rint(result[..., :3].mean(axis=-1)).astype(result.dtype)
            result = np.stack([gray, result[..., 3]], axis=-1)
        yield result


def _write(
    file: BinaryIO, path: Path, format_name: str, picture: Picture, frames: Iterator[Array]
) -> None:
    """Write every frame to `file`."""
    fitting = (_fitting(frame, path, format_name) for frame in frames)
    if format_name == "TIFF":
        with tiff.Writer(file) as pages:
            for frame in fitting:
                pages.write(frame, icc=picture.belongings.icc, exif=_exif(picture, frame))
        return
    ready = list(fitting)  # one, or an animation, which Pillow wants whole
    exif = _exif(picture, ready[0])
    if ready[0].dtype == np.uint16 and ready[0].ndim == 3:
        deep.write_png(
            file, ready[0], icc=picture.belongings.icc, exif=_packed(exif, path, format_name)
        )
        return
    packed = _packed(exif, path, format_name)
    options = _options(format_name, picture, packed, colour=ready[0].ndim == 3)
    suffix = f".{format_name.lower()}"
    opened: Any = iio.imopen(file, "w", plugin="pillow", extension=suffix)
    with opened as writer:
        for frame in ready:
            writer.write(frame, is_batch=False, **options)


def _fitting(frame: Array, path: Path, format_name: str) -> Array:
    """A frame as the format can hold it."""
    if format_name in _NO_ALPHA and frame.ndim == 3 and frame.shape[2] in (2, 4):
        raise TargetError(f"{path}: {format_name} holds no transparency; choose .png or .webp")
    if frame.dtype == np.uint16 and format_name not in _SIXTEEN_BITS:
        return np.rint(frame / 257).astype(np.uint8)
    if frame.dtype == np.uint16 and frame.shape[2:] == (2,) and format_name == "TIFF":
        return frame[..., [0, 0, 0, 1]]  # few can read gray with alpha there, Pillow among them
    return frame


def _exif(picture: Picture, frame: Array) -> Image.Exif | None:
    exif = picture.belongings.exif
    return None if exif is None else tags.sized(exif, *frame.shape[:2])


def _packed(exif: Image.Exif | None, path: Path, format_name: str) -> bytes | None:
    return None if exif is None else tags.packed(exif, path, _EXIF_BYTES.get(format_name))


def _options(
    format_name: str, picture: Picture, exif: bytes | None, *, colour: bool
) -> dict[str, Any]:
    """What Pillow is told about a frame."""
    options: dict[str, Any] = {}
    if format_name == "PNG" and colour:
        options["compress_level"] = PNG_LEVEL
    if picture.belongings.icc and format_name not in ("BMP", "GIF"):
        options["icc_profile"] = picture.belongings.icc
    if exif and format_name not in ("BMP", "GIF"):
        options["exif"] = exif
    if format_name == "JPEG":
        options |= {"quality": QUALITY, "subsampling": "4:4:4"}
    if format_name == "WEBP":
        options |= {"quality": QUALITY, "lossless": picture.lossless}
    if picture.animated:
        options["duration"] = list(picture.durations_ms)
        if picture.loop is not None:
            options["loop"] = picture.loop
        if format_name == "GIF":
            options["disposal"] = 2
    return options
