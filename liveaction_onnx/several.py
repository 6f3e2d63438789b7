"""Picture files to picture files, several at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from liveaction_onnx import memory, processors
from liveaction_onnx.errors import CancelledError, LiveactionError
from liveaction_onnx.images import upscale_by
from liveaction_onnx.picture import MAX_PIXELS
from liveaction_onnx.pixels import kind_of
from liveaction_onnx.streaming import THREADS, WATCH_S, AnyOf, overlapped
from liveaction_onnx.targets import Targets
from liveaction_onnx.upscaler import Cancel, Upscaler

Array = NDArray[Any]

GPU_THREADS = 8
"""The most pictures that are read and written at once beside a GPU, which needs a fraction of the
time of packing one PNG. Without one there are as many as the CPU computes at once."""


UNKNOWN_BYTES = 2 << 30
"""What all of them may take where it cannot be told how much memory is free."""

_COPIES = 2
"""Of a result: as it is computed, and as it is packed."""


@dataclass(frozen=True)
class Made:
    """What became of one of several pictures."""

    source: Path
    target: Path | None
    """What was written; None where nothing was."""

    error: LiveactionError | None
    """Why nothing was."""

    seconds: float
    """From opening the source to the target in its place, while others were worked on."""


def outcome(source: Path, upscale: Callable[[], Path]) -> Made:
    """Call what upscales a picture and gives its target, and tell what became of it.

    Raises
    ------
    CancelledError
        Where it does: that is nothing of the picture's.
    """
    started = time.perf_counter()
    target: Path | None = None
    problem: LiveactionError | None = None
    try:
        target = upscale()
    except CancelledError:
        raise
    except LiveactionError as error:
        problem = error
    return Made(source, target, problem, time.perf_counter() - started)


def upscale_images(
    sources: Sequence[Path],
    target: Path | None = None,
    *,
    upscaler: Upscaler,
    overwrite: bool = False,
    max_pixels: int = MAX_PIXELS,
    cancel: Cancel | None = None,
    targets: Targets | None = None,
) -> Generator[Made]:
    """Upscale picture files as `upscale_image` does, several at a time.

    While some are read and written, others are computed: two at once on the CPU, each with half of
    the processors. Beside a GPU there are as many on their way as processors, but no more than
    eight. Half of the memory that is free at the start has to hold them: large ones wait.

    Parameters
    ----------
    target
        The folder to write to; None: that of each source.
    cancel
        A `threading.Event` or its like; looked at twenty times a second.
    targets
        What claims the targets, which other sources may share; None: these sources alone.

    Yields
    ------
    made
        What became of each, in the order of `sources`.

    Raises
    ------
    CancelledError
        Where `cancel` was set.
    """
    gone = threading.Event()
    either = AnyOf(gone, cancel)
    targets, room = targets or Targets(sources), _Room()
    scale = upscaler.facts.scale

    def one(source: Path) -> Made:
        if either.is_set():
            raise CancelledError("cancelled before the picture was begun")
        with room.share(either) as enter:

            def double(frame: Array) -> Array:
                enter(frame.nbytes * (1 + _COPIES * scale**2))
                return upscaler.work(kind_of(frame)).make(frame, cancel=either, aside=True)

            upscale = partial(
                upscale_by,
                double,
                source,
                target,
                scale=scale,
                overwrite=overwrite,
                max_pixels=max_pixels,
                take=partial(targets.take, source),
            )
            return outcome(source, upscale)

    beside_gpu = min(GPU_THREADS, max(THREADS, processors.usable()))
    return overlapped(
        one, sources, gone, threads=THREADS if upscaler.device == "cpu" else beside_gpu
    )


class _Room:
    """Memory for pictures that are worked on at the same time; one of them always has enough."""

    def __init__(self) -> None:
        free = memory.available_bytes()
        self._bytes = UNKNOWN_BYTES if free is None else free // 2
        self._taken = 0
        self._changed = threading.Condition()

    @contextmanager
    def share(self, stop: Cancel) -> Iterator[Callable[[int], None]]:
        """Give what takes so many bytes for one picture, and waits for them at the first time; all
        are given back in the end. What has some waits for no more: two would wait for each other.
        """
        mine = 0

        def enter(count: int) -> None:
            nonlocal mine
            with self._changed:
                while not mine and self._taken and self._taken + count > self._bytes:
                    if stop.is_set():
                        raise CancelledError("cancelled before the picture was computed")
                    self._changed.wait(WATCH_S)
                self._taken += count
                mine += count

        try:
            yield enter
        finally:
            with self._changed:
                self._taken -= mine
                self._changed.notify_all()
