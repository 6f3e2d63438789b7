"""Plan, run and place the tiles of an array, through any callable.

A picture is cut into cores, which lie side by side and cover it. For each core a window is run: the
core with `overlap` px of context on every side. With an overlap of at least the halo of the
callable, the middle of each result is exactly what the callable makes of the whole picture, and is
placed. With less, results are blended where windows overlap.

Beyond the picture's rim up to `rim` px of context are mirrored in, so that no callable sees an
artificial edge there. All windows of a plan have one size.

A plan may be for a box of a picture only. Its windows take their context from all of the picture,
so that the box comes out as it does in the whole.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Part = tuple[int, int]
"""A part of an axis in px: its first, and one past its last."""

Box = tuple[Part, Part]
"""The rows and the columns of a part of a picture."""


@dataclass(frozen=True)
class Span:
    """One row or column of tiles, in input px along one axis."""

    start: int
    """First px of the core."""

    stop: int
    """One past the last px of the core."""

    window: int
    """First px of the window; negative where it begins in the mirrored rim."""


@dataclass(frozen=True)
class Plan:
    """Where to cut a picture of one size, or a box of it."""

    rows: tuple[Span, ...]
    columns: tuple[Span, ...]

    window_px: tuple[int, int]
    """(height, width) of every window."""

    overlap: int
    """Context in px on every side of a core."""

    blend: bool
    """Blend results where windows overlap, instead of cutting the core out of each."""

    @property
    def tiles(self) -> int:
        """How many tiles there are."""
        return len(self.rows) * len(self.columns)

    @property
    def computed_px(self) -> int:
        """How many px all windows have together."""
        return self.tiles * self.window_px[0] * self.window_px[1]


def with_context(part: Part, length: int, overlap: int, rim: int) -> int:
    """How many px a part of an axis of `length` px has together with its context.

    >>> with_context((0, 30), 100, overlap=5, rim=2)
    37
    """
    return min(part[1] + overlap, length + rim) - max(part[0] - overlap, -rim)


def cut(
    length: int,
    core: int,
    overlap: int,
    rim: int,
    window: int | None = None,
    part: Part | None = None,
) -> tuple[tuple[Span, ...], int]:
    """Cut `length` px, or a part of them, into cores of at most `core` px as even as can be, and
    give the windows' common size.

    >>> spans, size = cut(100, 40, overlap=5, rim=2)
    >>> [(s.start, s.stop, s.window) for s in spans], size
    ([(0, 34, -2), (34, 68, 29), (68, 100, 58)], 44)
    >>> spans, size = cut(100, 40, overlap=5, rim=2, part=(60, 100))
    >>> [(s.start, s.stop, s.window) for s in spans], size
    ([(60, 100, 55)], 47)
    """
    start, stop = part = part or (0, length)
    even = math.ceil((stop - start) / math.ceil((stop - start) / core))
    size = window or min(even + 2 * overlap, with_context(part, length, overlap, rim))
    last = max(-rim, length + rim - size)
    spans = tuple(
        Span(at, min(at + even, stop), min(max(at - overlap, -rim), last))
        for at in range(start, stop, even)
    )
    return spans, size


def plan(
    height: int,
    width: int,
    *,
    core: tuple[int, int],
    overlap: int,
    rim: int,
    blend: bool = False,
    window: tuple[int, int] | None = None,
    box: Box | None = None,
) -> Plan:
    """Plan tiles with cores of at most `core` (height, width) px, which cover the picture or `box`;
    `window` fixes the size of the windows.
    """
    if blend and box:
        raise ValueError("a blend is of the whole picture: plan it without a box")
    rim = min(rim, overlap)
    down, across = box or (None, None)
    rows, window_height = cut(height, core[0], overlap, rim, window and window[0], down)
    columns, window_width = cut(width, core[1], overlap, rim, window and window[1], across)
    return Plan(rows, columns, (window_height, window_width), overlap, blend)


def mirrored(start: int, stop: int, length: int) -> NDArray[np.intp]:
    """Indices start..stop of an axis of `length` px, mirrored at both ends with the end px
    repeated.

    >>> mirrored(-3, 7, 4).tolist()
    [2, 1, 0, 0, 1, 2, 3, 3, 2, 1]
    """
    phase = np.arange(start, stop) % (2 * length)
    return np.minimum(phase, 2 * length - 1 - phase)


def window(image: Array, row: Span, column: Span, size: tuple[int, int]) -> Array:
    """One window of `image` (H, W, ...): a view where it lies inside, a copy where it reaches
    beyond the rim.
    """
    parts, beyond = [], []
    for start, length, px in zip((row.window, column.window), image.shape, size, strict=False):
        stop = start + px
        parts.append(slice(max(start, 0), min(stop, length)))
        beyond.append((max(-start, 0), max(stop - length, 0)))
    inside = image[parts[0], parts[1]]
    if not np.any(beyond):
        return inside
    if np.max(beyond) > min(inside.shape[:2]):  # np.pad mirrors what it is given, not the picture
        rows, columns = (
            mirrored(span.window, span.window + px, length)
            for span, px, length in zip((row, column), size, image.shape, strict=False)
        )
        return image[rows[:, None], columns]
    return np.pad(inside, [*beyond, *[(0, 0)] * (image.ndim - 2)], mode="symmetric")


def run(
    image: Array,
    plan: Plan,
    function: Callable[[Array], Array],
    out: Array,
    *,
    scale: int,
    done: Callable[[], None] = lambda: None,
) -> None:
    """Run `function` over the windows of `image` and fill of `out` what the plan covers.

    Parameters
    ----------
    image
        (H, W, ...).
    function
        (h, w, ...) -> (h * scale, w * scale, ...); is given windows of one size.
    out
        (H * scale, W * scale, ...); written tile by tile. Floats are cast to an integer `out` by
        rounding to nearest.
    done
        Called after each tile; may raise to stop.
    """
    if plan.blend:
        _run_blended(image, plan, function, out, scale=scale, done=done)
        return
    for row in plan.rows:
        for column in plan.columns:
            result = function(window(image, row, column, plan.window_px))
            inner = result[_core(row, scale), _core(column, scale)]
            rows = slice(row.start * scale, row.stop * scale)
            columns = slice(column.start * scale, column.stop * scale)
            out[rows, columns] = _rounded(inner, out.dtype)
            done()


def _rounded(values: Array, dtype: np.dtype[Any]) -> Array:
    """Floats on their way to integers, rounded to nearest."""
    return np.rint(values) if dtype.kind in "ui" and values.dtype.kind == "f" else values


def _core(span: Span, scale: int) -> slice:
    """Where the core lies in the result of its window."""
    return slice((span.start - span.window) * scale, (span.stop - span.window) * scale)


def weights(span: Span, length: int, size: int, overlap: int, scale: int) -> NDArray[np.float32]:
    """(size * scale,) weights of one window along one axis: 1 in its core, ramps at its borders.

    A ramp is a half cosine across a border of cores, a quarter of the overlap long on either side:
    wider ones take in px near the rim of a window, which are worse than what they smooth
    (bench/seams.py). At every px the weights of all windows of a plan sum to 1, for each ramp up
    is one minus a neighbour's ramp down.
    """
    at = span.window + (np.arange(size * scale) + 0.5) / scale
    ramp = max(min(overlap, 2), overlap / 4)

    def step(edge: int) -> NDArray[np.float64]:
        if edge <= 0:
            return np.ones_like(at)
        if edge >= length:
            return np.zeros_like(at)
        if ramp == 0:
            return (at > edge).astype(np.float64)
        return 0.5 - 0.5 * np.cos(np.pi * np.clip((at - edge) / (2 * ramp) + 0.5, 0, 1))

    return (step(span.start) - step(span.stop)).astype(np.float32)


def _run_blended(
    image: Array,
    plan: Plan,
    function: Callable[[Array], Array],
    out: Array,
    *,
    scale: int,
    done: Callable[[], None],
) -> None:
    """Sum weighted windows in a strip of float32 for each row of tiles; no more is ever held.

    The weights of a px sum to 1 but for the last bit, so the sum is kept between the least and the
    greatest of what was summed.
    """
    least: Any = math.inf
    greatest: Any = -math.inf
    height, width = image.shape[:2]
    carried = np.zeros((0, *out.shape[1:]), np.float32)
    begun = 0
    for row in plan.rows:
        end = min(row.stop + plan.overlap, height)
        strip = np.zeros(((end - begun) * scale, *out.shape[1:]), np.float32)
        strip[: len(carried)] = carried
        for column in plan.columns:
            result = function(window(image, row, column, plan.window_px))
            least = np.minimum(least, result.min(axis=(0, 1)))
            greatest = np.maximum(greatest, result.max(axis=(0, 1)))
            tall = weights(row, height, plan.window_px[0], plan.overlap, scale)
            wide = weights(column, width, plan.window_px[1], plan.overlap, scale)
            _add(strip, result, (row.window - begun) * scale, column.window * scale, tall, wide)
            done()
        finished = (
            height
            if end == height and row is plan.rows[-1]
            else max(begun, row.stop - plan.overlap)
        )
        whole = strip[: (finished - begun) * scale]
        np.clip(whole, least, greatest, out=whole)
        out[begun * scale : finished * scale] = _rounded(whole, out.dtype)
        carried, begun = strip[len(whole) :], finished


def _add(
    strip: NDArray[np.float32],
    result: Array,
    top: int,
    left: int,
    tall: NDArray[np.float32],
    wide: NDArray[np.float32],
) -> None:
    """Add `result`, weighted, to `strip` at (top, left); what lies outside has no weight or is
    mirrored rim.
    """
    rows = slice(max(0, -top), min(len(result), len(strip) - top))
    columns = slice(max(0, -left), min(result.shape[1], strip.shape[1] - left))
    weight = tall[rows, None] * wide[None, columns]
    weight = weight.reshape(*weight.shape, *[1] * (result.ndim - 2))
    strip[top + rows.start : top + rows.stop, left + columns.start : left + columns.stop] += (
        result[rows, columns] * weight
    )
