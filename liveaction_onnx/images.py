"""A picture file to a picture file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liveaction_onnx import formats, saving
from liveaction_onnx.formats import SUFFIXES
from liveaction_onnx.picture import MAX_PIXELS, Picture, open_picture
from liveaction_onnx.publish import check_target, publishing
from liveaction_onnx.upscaler import Cancel, Progress, Upscaler, shared_upscaler

Array = NDArray[Any]


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
    applied, the colour profile, EXIF and dpi go along, animations keep their delays, and TIFF its
    pages. CMYK becomes RGB, and palettes become colours. A target that cannot hold the picture is
    refused before anything is computed; what goes along and does not fit is left out, and logged.

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
        Where the source is no picture we can read, or is damaged. PictureTooLargeError where it has
        more px than `max_pixels`.
    TargetExistsError, TargetError
        Where the target exists, is the source, cannot hold the picture, or cannot be written.
    CancelledError, DeviceMemoryError
        As in calling an `Upscaler`; nothing is written then.
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
        path, format_name = _planned(picture, target, scale=scale, overwrite=overwrite)
        take(path)
        with publishing(path, overwrite=overwrite) as file:
            saving.save(file, path, format_name, picture, _doubled(picture, double))
    return path


def plan_image(
    source: Path,
    target: Path | None,
    *,
    scale: int,
    overwrite: bool,
    max_pixels: int,
    take: Callable[[Path], None],
    folder: bool,
) -> dict[str, str]:
    """What `upscale_by` would do, in words, by the names of what they tell; errors are the same.

    `folder` says that the target is one, which may be yet to be made.
    """
    with open_picture(source, max_pixels=max_pixels) as picture:
        path, format_name = _planned(
            picture, target, scale=scale, overwrite=overwrite, folder=folder
        )
        take(path)
        height, width = picture.size
        count = len(picture.places)
        several = f", {count} {'frames' if picture.animated else 'pages'}" if count > 1 else ""
        return {
            "source": str(source),
            "target": str(path),
            "picture": f"{picture.format}, {width} x {height} px{several}",
            "written": f"{format_name}, {scale * width} x {scale * height} px",
        }


def _planned(
    picture: Picture, target: Path | None, *, scale: int, overwrite: bool, folder: bool = False
) -> tuple[Path, str]:
    """Where the result of a picture goes, and in which format; refused where that cannot be."""
    # no program but ours would find the transparency that some write into BMP
    kept = "PNG" if picture.alpha and picture.format == "BMP" else picture.format
    default = default_target(picture.path, kept, scale)
    path = default if target is None else target
    there = os.path.isdir(path)
    if folder or there:
        path /= default.name
    format_name = formats.named(path)
    formats.check(
        path,
        format_name,
        size=(scale * picture.size[0], scale * picture.size[1]),
        alpha=picture.alpha,
        animated=picture.animated,
        pages=picture.pages,
    )
    if there or not folder:
        check_target(picture.path, path, overwrite=overwrite)
    return path, format_name


def _doubled(picture: Picture, double: Callable[[Array], Array]) -> Iterator[Array]:
    """Each frame, doubled; gray with alpha as (H, W, 2)."""
    for frame in picture.frames:
        result = double(frame)
        if picture.gray_alpha:
            gray = np.rint(result[..., :3].mean(axis=-1)).astype(result.dtype)
            result = np.stack([gray, result[..., 3]], axis=-1)
        yield result
