"""Any image array to what a graph eats, and back.

The range of an array comes from its dtype: 0..255, 0..65535, or [0, 1] for floats; never from its
values.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from liveaction_onnx.errors import ArrayError, GraphError
from liveaction_onnx.graph import GraphFacts

Array = NDArray[Any]
ColorOrder = Literal["rgb", "bgr"]
Run = Callable[[Array], Array]

FILL_PX = 16
"""How far colour is spread into wholly transparent px; farther in, they have no say of a level in
what can be seen."""

_DTYPES = ("uint8", "uint16", "float16", "float32")


@dataclass(frozen=True)
class Kind:
    """What sort of picture an array is."""

    frames: int | None
    """Pictures in a batch; None for a single picture."""

    height: int
    width: int

    channels: int
    """1 for gray, 3 for colour, 4 for colour and alpha."""

    dtype: np.dtype[Any]
    """One of uint8, uint16, float16, float32, in the array's own byte order."""

    @property
    def alpha(self) -> bool:
        """Whether the last channel is opacity."""
        return self.channels == 4

    @property
    def best_dtype(self) -> str:
        """Of the graph that needs the least done to it: its own for integer colour."""
        integer_colour = self.dtype.kind == "u" and self.channels == 3
        return self.dtype.newbyteorder("=").name if integer_colour else "float32"


def kind_of(image: Array) -> Kind:
    """What `image` is; its values are looked at only to refuse floats outside [0, 1].

    Raises
    ------
    ArrayError
        Where it is not (H, W), (H, W, C) or (N, H, W, C) with C of 1, 3 or 4, or not of a dtype we
        take.
    """
    if not isinstance(image, np.ndarray):
        raise ArrayError(f"expected a numpy array, got {type(image).__name__}")
    if image.dtype.newbyteorder("=").name not in _DTYPES:
        raise ArrayError(
            f"expected dtype {', '.join(_DTYPES[:-1])} or {_DTYPES[-1]}, got {image.dtype}: "
            "convert it first, so that its range is not guessed"
        )
    shape = image.shape
    if image.ndim not in (2, 3, 4):
        raise ArrayError(f"expected (H, W), (H, W, C) or (N, H, W, C), got the shape {shape}")
    channels = 1 if image.ndim == 2 else shape[-1]
    if channels not in (1, 3, 4):
        raise ArrayError(f"expected 1, 3 or 4 channels last, got the shape {shape}")
    if 0 in shape:
        raise ArrayError(f"expected at least one px, got the shape {shape}")
    if image.dtype.kind == "f":
        low, high = float(image.min()), float(image.max())
        if not (low >= 0 and high <= 1):  # true for NaN too
            raise ArrayError(f"expected floats in [0, 1], got values from {low} to {high}")
    frames = shape[0] if image.ndim == 4 else None
    height, width = shape[1:3] if image.ndim == 4 else shape[:2]
    return Kind(frames, height, width, channels, image.dtype)


def prepare_out(image: Array, out: Array | None, kind: Kind, scale: int) -> Array:
    """An array for the result: `out`, checked, or a new one of the image's dtype and axes."""
    shape = list(image.shape)
    first = 0 if kind.frames is None else 1
    shape[first : first + 2] = kind.height * scale, kind.width * scale
    if out is None:
        return np.empty(shape, kind.dtype)
    if not isinstance(out, np.ndarray) or out.shape != tuple(shape) or out.dtype != kind.dtype:
        got = f"{out.dtype} {out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
        raise ArrayError(f"out: expected {kind.dtype} {tuple(shape)}, got {got}")
    if not out.flags.writeable:
        raise ArrayError("out: expected an array that can be written to, got a read-only one")
    if np.may_share_memory(image, out):
        raise ArrayError("out: expected memory of its own, got memory shared with the image")
    return out


def through(facts: GraphFacts, kind: Kind, order: ColorOrder, run: Run) -> Run:
    """A function from a window (h, w[, C]) of such a picture to its result in the same dtype,
    through `run`.

    `run` takes and gives what the graph does: one picture in the graph's layout and dtype. Gray
    runs as three equal channels, of which the mean comes back. Alpha runs as gray and stays between
    the least and the greatest alpha around each px, so that what was opaque or transparent is so
    still; wholly transparent px take on the colour of their neighbours before they are run, so that
    hidden colours do not bleed into what can be seen.
    """

    def colour(window: Array) -> Array:
        result = run(_to_graph(window, facts, order))
        expected = facts.input_shape(*[side * facts.scale for side in window.shape[:2]])
        if result.shape != expected:
            raise GraphError(f"the graph gave {result.shape} where its scale promises {expected}")
        return _from_graph(result, facts, order)

    def gray(window: Array) -> Array:
        result = colour(np.broadcast_to(window[..., None], (*window.shape, 3)))
        mean: Array = _unit(result).mean(axis=-1)
        return mean

    def alpha(window: Array) -> Array:
        least, greatest = _around(window)
        if least.min() == greatest.max():
            return np.full(
                [side * facts.scale for side in window.shape], _unit(window[:1, :1])[0, 0]
            )
        bounds = (
            _unit(side).repeat(facts.scale, 0).repeat(facts.scale, 1) for side in (least, greatest)
        )
        return np.clip(gray(window), *bounds)

    def whole(window: Array) -> Array:
        if kind.channels == 3:
            return _as(colour(window), kind.dtype)
        if kind.channels == 1:
            plane = _as(gray(window.reshape(window.shape[:2])), kind.dtype)
            return plane.reshape(*plane.shape, *window.shape[2:])
        parts = colour(_filled(window)), alpha(window[..., 3])
        return np.dstack([_as(part, kind.dtype) for part in parts])

    return whole


def _unit(array: Array) -> NDArray[np.float32]:
    """An array in the range of its dtype as float32 in [0, 1]."""
    if array.dtype.kind == "u":
        return np.multiply(array, np.float32(1 / np.iinfo(array.dtype).max), dtype=np.float32)
    return array.astype(np.float32)


def _as(array: Array, dtype: np.dtype[Any]) -> Array:
    """An array in the range of its dtype as `dtype`; floats become integers by rounding to
    nearest.
    """
    if array.dtype.kind == "u" and array.dtype.name != dtype.name:
        array = _unit(array)
    if dtype.kind == "u" and array.dtype.kind == "f":
        array = np.rint(array * np.float32(np.iinfo(dtype).max))
    return array.astype(dtype, copy=False)


def _to_graph(window: Array, facts: GraphFacts, order: ColorOrder) -> Array:
    """A colour window (h, w, 3) as one input of the graph."""
    if order == "bgr":
        window = window[..., ::-1]
    wanted = np.dtype(facts.dtype)
    values = _as(window if wanted.kind == "u" else _unit(window), wanted)
    if facts.channels_first:
        values = values.transpose(2, 0, 1)
    return np.ascontiguousarray(values[None])


def _from_graph(result: Array, facts: GraphFacts, order: ColorOrder) -> Array:
    """One output of the graph as (h, w, 3): its integers, or float32 clipped to [0, 1]."""
    image: Array = result[0].transpose(1, 2, 0) if facts.channels_first else result[0]
    if order == "bgr":
        image = image[..., ::-1]
    if image.dtype.kind == "u":
        return image
    if not np.isfinite(image).all():
        exact = "precision='fp32'" if facts.precision else "a form of it that computes in fp32"
        raise GraphError(
            f"the graph gave values that are not finite: try {exact}, or another device"
        )
    clipped: Array = np.clip(image, 0, 1, dtype=np.float32)
    return clipped


def _shifts(array: Array, mode: Literal["edge", "constant"]) -> list[Array]:
    """The nine neighbours of each px of (h, w[, C]), itself included."""
    height, width = array.shape[:2]
    padded = np.pad(array, [(1, 1), (1, 1)] + [(0, 0)] * (array.ndim - 2), mode=mode)
    return [padded[y : y + height, x : x + width] for y in range(3) for x in range(3)]


def _around(alpha: Array) -> tuple[Array, Array]:
    """The least and the greatest value among each px and its eight neighbours."""
    shifts = _shifts(alpha, "edge")
    return np.minimum.reduce(shifts), np.maximum.reduce(shifts)


def _filled(window: Array) -> Array:
    """The colour (h, w, 3) of an RGBA window, spread from what can be seen into what is wholly
    transparent.
    """
    seen = window[..., 3] > 0
    if seen.all():
        return window[..., :3]
    known = seen.astype(np.float32)[..., None]
    colour = _unit(window[..., :3]) * known
    for _ in range(FILL_PX):
        count = np.add.reduce(_shifts(known, "constant"))
        spread = np.add.reduce(_shifts(colour, "constant")) / np.maximum(count, 1)
        colour = np.where(known > 0, colour, spread)
        known = np.minimum(count, 1)
    filled = np.where(known > 0, colour, np.float32(0.5))
    return np.where(seen[..., None], window[..., :3], _as(filled, window.dtype))
