"""Resampling of pictures with aligned centres: separable filters, and Jinc over a disc (EWA)."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from model.degrade.settings import Picture

JINC_RADIUS = 3.2383154841662362
"""Third zero of jinc, 2 J1(pi r) / (pi r): where the filter ends, in px of the coarser side."""
_JINC_FIRST_ZERO = 1.2196698912665045
_TABLE = 4096
"""Steps of the table that the radial filter is read from."""


def _triangle(x: NDArray[np.float64]) -> NDArray[np.float64]:
    weight: NDArray[np.float64] = np.maximum(1 - np.abs(x), 0.0)
    return weight


def _catmull_rom(x: NDArray[np.float64]) -> NDArray[np.float64]:
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0))


def _lanczos(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0)


def _spline36(x: NDArray[np.float64]) -> NDArray[np.float64]:
    x = np.abs(x)
    a, b, c = x, x - 1, x - 2
    first = ((13 / 11 * a - 453 / 209) * a - 3 / 209) * a + 1
    second = ((-6 / 11 * b + 270 / 209) * b - 156 / 209) * b
    third = ((1 / 11 * c - 45 / 209) * c + 26 / 209) * c
    return np.where(x < 1, first, np.where(x < 2, second, np.where(x < 3, third, 0)))


_KERNELS: dict[str, tuple[Callable[[NDArray[np.float64]], NDArray[np.float64]], float]] = {
    "triangle": (_triangle, 1),
    "catmull-rom": (_catmull_rom, 2),
    "lanczos": (_lanczos, 3),
    "spline": (_spline36, 3),
}
"""Kernel and its radius, in px of the coarser side."""


def mirrored(index: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Fold indices outside [0, size) back in, the edge px repeated: -1 is 0, size is size - 1."""
    index = index % (2 * size)
    return np.minimum(index, 2 * size - 1 - index)


@lru_cache(maxsize=64)
def taps(
    size: int, out: int, name: str, offset: float = 0.0
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Which px of a line of `size` make each of the `out` px, and with what weights.

    Centres are aligned: out px i lies at (i + 0.5) size / out - 0.5 + `offset` px of the line.
    When shrinking, the kernel is widened to the coarser grid. "box" is the exact mean over the area
    of the out px, "point" the nearest px.

    Returns
    -------
    indices and weights, both (taps, out); the weights of an out px add up to 1.
    """
    step = size / out
    centre = (np.arange(out) + 0.5) * step - 0.5 + offset
    if name == "point":
        return mirrored(np.floor(centre + 0.5).astype(np.int64), size)[None], np.ones(
            (1, out), dtype=np.float32
        )
    stretch = max(step, 1.0)
    radius = (step + 1) / 2 if name == "box" else _KERNELS[name][1] * stretch
    count = int(np.ceil(2 * radius)) + 1
    index = np.floor(centre - radius).astype(np.int64)[None] + np.arange(count + 1)[:, None]
    distance = index - centre
    if name == "box":
        weight = np.clip((step + 1) / 2 - np.abs(distance), 0, min(1.0, step))
    else:
        weight = _KERNELS[name][0](distance / stretch)
    weight /= weight.sum(axis=0)
    used = np.abs(weight).max(axis=1) > 1e-9
    return mirrored(index[used], size), weight[used].astype(np.float32)


def _lines(picture: Picture, out: int, name: str, offset: float) -> Picture:
    if out == picture.shape[0] and offset == 0:
        return picture
    index, weight = taps(picture.shape[0], out, name, offset)
    total = np.zeros((out, *picture.shape[1:]), dtype=np.float32)
    for i, w in zip(index, weight, strict=True):
        total += picture[i] * w[:, None, None]
    return total


def resize(
    picture: Picture, height: int, width: int, name: str, *, line_offset: float = 0.0
) -> Picture:
    """Resize (H, W, C) to (height, width, C) without a shift of the picture.

    `name` is one of triangle, catmull-rom, lanczos (3 lobes), spline (36), box, point and jinc.
    `line_offset` moves the places read, in lines of `picture` (not for jinc).
    """
    if name == "jinc":
        return _resize_jinc(picture, height, width)
    rows = _lines(picture, height, name, line_offset)
    columns = _lines(np.ascontiguousarray(rows.transpose(1, 0, 2)), width, name, 0.0)
    return np.ascontiguousarray(columns.transpose(1, 0, 2))


def _bessel_j1(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """First-order Bessel function by Bessel's own integral (midpoints: exact to rounding here)."""
    angle = (np.arange(64) + 0.5) * np.pi / 64
    mean: NDArray[np.float64] = np.cos(angle - x[..., None] * np.sin(angle)).mean(axis=-1)
    return mean


def _jinc(r: NDArray[np.float64]) -> NDArray[np.float64]:
    x = np.pi * np.maximum(r, 1e-9)
    return 2 * _bessel_j1(x) / x


@lru_cache(maxsize=1)
def _jinc_table() -> NDArray[np.float32]:
    """The jinc-windowed jinc by r squared, in `_TABLE` steps up to its radius; then 0."""
    r = np.sqrt(np.arange(_TABLE + 1) / _TABLE) * JINC_RADIUS
    table = _jinc(r) * _jinc(r * _JINC_FIRST_ZERO / JINC_RADIUS)
    table[-1] = 0
    return table.astype(np.float32)


def _reach(size: int, out: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Per tap and out px: the px read, and its distance squared in steps of the table."""
    step = size / out
    stretch = max(step, 1.0)
    centre = (np.arange(out) + 0.5) * step - 0.5
    count = int(np.ceil(2 * JINC_RADIUS * stretch)) + 1
    index = np.ceil(centre - JINC_RADIUS * stretch).astype(np.int64)[None]
    index = index + np.arange(count)[:, None]
    square = ((index - centre) / stretch / JINC_RADIUS) ** 2 * _TABLE
    return mirrored(index, size), square.astype(np.float32)


def _resize_jinc(picture: Picture, height: int, width: int) -> Picture:
    """Elliptical weighted average with a 3-lobe jinc windowed by a jinc ("EWA Lanczos")."""
    table = _jinc_table()
    rows, row_square = _reach(picture.shape[0], height)
    columns, column_square = _reach(picture.shape[1], width)
    planes = np.ascontiguousarray(picture.transpose(2, 0, 1))
    total = np.zeros((planes.shape[0], height, width), dtype=np.float32)
    norm = np.zeros((height, width), dtype=np.float32)
    for j, column in enumerate(columns):
        read = np.ascontiguousarray(planes[:, :, column])
        for i, row in enumerate(rows):
            square = row_square[i][:, None] + column_square[j]
            if square.min() >= _TABLE:
                continue
            weight = table[np.minimum(square, _TABLE).astype(np.int32)]
            norm += weight
            total += read[:, row] * weight
    return np.ascontiguousarray((total / norm).transpose(1, 2, 0))
