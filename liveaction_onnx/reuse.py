"""Results of frames that follow each other: what has not changed is taken from the frame before."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from liveaction_onnx import pixels
from liveaction_onnx.errors import CancelledError
from liveaction_onnx.pixels import Kind
from liveaction_onnx.planning import Work
from liveaction_onnx.streaming import AnyOf, Cancel, overlapped
from liveaction_onnx.tiles import Box, Part

if TYPE_CHECKING:  # kept out of the import
    from concurrent.futures import Future

Array = NDArray[Any]
Job = Callable[[Cancel | None], Array]

CHUNK_PX = 16
"""Rows or columns compared at once: where all has changed, the first chunk of each side tells."""

GRID_PX = 16
"""Boxes begin and end at multiples of this, so that windows come in few sizes."""

WORTH = 0.95
"""A box is run alone where its windows have at most this share of the px of the whole frame's."""


class Upscales(Protocol):
    """What an `Upscaler` is to this room."""

    def work(self, kind: Kind) -> Work:
        """What makes results of pictures of one kind."""


class Reuse:
    """Upscales frames one after another and computes of each only what has changed.

    What may differ from the result before lies within the graph's halo of the px that differ: that
    box is computed, the rest copied. Results are what the upscaler gives for each frame alone; on
    the CPU they are equal to the bit. On other devices, with graphs of unknown halo, with too
    little overlap and with batches, only frames that are wholly equal are not computed.

    Frames may be of any size and dtype; one unlike the last is computed whole. Each is compared
    with a copy of the last, so that its array may be written to again once its result has come.

    Parameters
    ----------
    upscaler
        An `Upscaler`. It is not closed.
    """

    def __init__(self, upscaler: Upscales) -> None:
        self._upscaler = upscaler
        self._before = np.empty(0)
        self._result: Future[Array] | None = None

        self.px = 0
        """Input px of all frames so far."""

        self.computed_px = 0
        """Input px of which results were computed, context not counted."""

    def __call__(self, frame: Array, cancel: Cancel | None = None) -> Array:
        """Upscale the next frame. To be called from one thread at a time.

        Parameters
        ----------
        frame
            As `Upscaler.__call__` takes it.
        cancel
            A `threading.Event` or its like; looked at twenty times a second.

        Returns
        -------
        result
            Read-only, and never written to again: later results are made of it. A frame that
            equals the last gives the same array once more.

        Raises
        ------
        ArrayError, CancelledError, DeviceMemoryError
            As `Upscaler.__call__` does. The next frame is right all the same.
        """
        begun = self._begin(frame)
        if callable(begun):
            return begun(cancel)
        _refuse_cancelled(cancel)
        return begun.result()

    def stream(self, frames: Iterable[Array], cancel: Cancel | None = None) -> Iterator[Array]:
        """Upscale frames as `Upscaler.stream` does; what comes after them begins anew."""
        gone = threading.Event()
        either = AnyOf(gone, cancel)
        try:
            begun = self._all_begun(frames, either)
            yield from overlapped(lambda job: job(either), begun, gone)
        finally:
            self._result = None  # jobs that were not begun have no result to wait for

    def _all_begun(self, frames: Iterable[Array], cancel: Cancel) -> Iterator[Job | Future[Array]]:
        for frame in frames:
            _refuse_cancelled(cancel)
            yield self._begin(frame, aside=True)

    def _begin(self, frame: Array, *, aside: bool = False) -> Job | Future[Array]:
        """Find what is to be computed of the next frame, and give what does it, `aside` as
        `Work.make` has it; or the result of the last frame, where that is equal.

        Jobs may run at the same time, but have to be begun in order: each may wait for the last.
        """
        from concurrent.futures import Future

        work = self._upscaler.work(pixels.kind_of(frame))
        last, self._result = self._result, None  # where this fails, the next frame begins anew
        if last is None or last.cancelled() or not _alike(frame, self._before):
            last = None
            box: Box | None = whole(work.kind)
            self._before = frame.copy()
        else:
            box = to_compute(self._before, frame, work)
            np.copyto(self._before, frame)
        self.px += _px(work.kind, whole(work.kind))
        self.computed_px += _px(work.kind, box)
        if last is not None and box is None:
            self._result = last
            return last
        part = None if last is None or box == whole(work.kind) else box
        self._result = result = Future[Array]()

        def job(cancel: Cancel | None) -> Array:
            try:
                made = _made(work, frame, part, last, cancel, aside)
            except BaseException:
                result.cancel()
                raise
            result.set_result(made)
            return made

        return job


def _made(
    work: Work,
    frame: Array,
    box: Box | None,
    last: Future[Array] | None,
    cancel: Cancel | None,
    aside: bool,
) -> Array:
    """The result of a frame of which `box` differs from what `last` comes to; None: all of it."""
    _refuse_cancelled(cancel)
    made = work.make(frame, box=box, cancel=cancel, aside=aside)
    if last is not None and box is not None:
        _copy_around(box, work.scale, last.result(), made)  # which may be under way until here
    made.flags.writeable = False
    return made


def _refuse_cancelled(cancel: Cancel | None) -> None:
    if cancel is not None and cancel.is_set():
        raise CancelledError("cancelled before the frame was begun")


def _copy_around(box: Box, scale: int, before: Array, after: Array) -> None:
    """Copy what lies outside of a box of the input from one result to another."""
    (top, bottom), (left, right) = ((start * scale, stop * scale) for start, stop in box)
    after[:top], after[bottom:] = before[:top], before[bottom:]
    after[top:bottom, :left] = before[top:bottom, :left]
    after[top:bottom, right:] = before[top:bottom, right:]


def whole(kind: Kind) -> Box:
    """The box that is all of a picture."""
    return (0, kind.height), (0, kind.width)


def _px(kind: Kind, box: Box | None) -> int:
    """How many px a box of each picture has."""
    if box is None:
        return 0
    (top, bottom), (left, right) = box
    return (kind.frames or 1) * (bottom - top) * (right - left)


def to_compute(before: Array, after: Array, work: Work) -> Box | None:
    """Of which px of `after` the results may differ from those of `before`; None where they are
    equal.

    Where it is not known, or hardly less is to be run than for all of them, it is all of them.
    """
    everything = whole(work.kind)
    if work.kind.frames is not None or work.reach is None:
        return None if extent(before, after) is None else everything
    change = changed(before, after)
    if change is None:
        return None
    rows, columns = (
        widened(part, work.reach, length)
        for part, (_, length) in zip(change, everything, strict=True)
    )
    box = rows, columns
    if box == everything:
        return everything
    worth = work.plan(box).computed_px <= WORTH * work.plan().computed_px
    return box if worth else everything


def widened(part: Part, reach: int, length: int) -> Part:
    """A part of an axis of `length` px with `reach` px on both sides, out to the grid.

    >>> widened((60, 70), 21, 100)
    (32, 96)
    >>> widened((60, 80), 21, 100)
    (32, 100)
    """
    start = (part[0] - reach) // GRID_PX * GRID_PX
    stop = math.ceil((part[1] + reach) / GRID_PX) * GRID_PX
    return max(0, start), min(stop, length)


def changed(before: Array, after: Array) -> Box | None:
    """The least box (rows, columns) that holds all px in which two pictures (H, W[, C]) of one
    dtype differ, to the bit; None where they are equal.

    >>> a = np.zeros((40, 50), np.uint8)
    >>> b = a.copy()
    >>> b[7, 30] = b[9, 20] = 1
    >>> changed(a, b)
    ((7, 10), (20, 31))
    """
    rows = extent(before, after)
    if rows is None:
        return None
    band = slice(*rows)
    columns = extent(before[band].swapaxes(0, 1), after[band].swapaxes(0, 1))
    return (rows, columns) if columns else None


def extent(before: Array, after: Array) -> Part | None:
    """From the first to the last place along the first axis where two arrays differ."""
    length = len(before)
    for start in range(0, length, CHUNK_PX):
        found = _differing(before, after, start, start + CHUNK_PX)
        if found:
            break
    else:
        return None
    first = found[0]
    for stop in range(length, first, -CHUNK_PX):
        found = _differing(before, after, max(first, stop - CHUNK_PX), stop)
        if found:
            break
    return first, found[-1] + 1


def _differing(before: Array, after: Array, start: int, stop: int) -> list[int]:
    """Where between `start` and `stop` along the first axis two arrays differ."""
    bits = f"u{before.itemsize}"
    differs = before[start:stop].view(bits) != after[start:stop].view(bits)
    if not differs.any():
        return []
    places: list[int] = np.flatnonzero(differs.any(axis=tuple(range(1, differs.ndim)))).tolist()
    return [start + place for place in places]


def _alike(a: Array, b: Array) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype
