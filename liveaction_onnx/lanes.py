"""A graph on the CPU that two frames go through at once, each with half of the processors.

Threads that share a run wait for each other after each of its nodes. With a processor each, two
frames of 720 x 480 px take 0.9 of the time in which both processors do one after the other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from liveaction_onnx import memory, processors
from liveaction_onnx.errors import ClosedError
from liveaction_onnx.streaming import THREADS

LANES = THREADS
"""How many runs go on at once: one for each frame of a stream that is worked on."""

MOST_BYTES = 5 << 30
"""The most that these runs may take together: two frames of 1920 x 1080 px take 4.4 GB."""

UNASKED_BYTES = 256 << 20
"""What they may take together without a look at how much memory there is."""


class Lanes:
    """Opens a graph once more, when first a run is to go on beside another, and keeps it."""

    def __init__(self, make: Callable[[], Any]) -> None:
        """`make` gives an InferenceSession of `threads()` threads."""
        self._make = make
        self._inference: Any = None
        self._closed = False
        self._lock = threading.Lock()
        self._free = threading.BoundedSemaphore(LANES)
        self._granted_bytes = UNASKED_BYTES // LANES

    def fit(self, run_bytes: int) -> bool:
        """Whether there is memory for runs that take so much each; what was granted once stays so,
        for it is held from then on.
        """
        if run_bytes > self._granted_bytes:
            together, free = LANES * run_bytes, memory.available_bytes()
            if together > MOST_BYTES or free is None or together > free // 2:
                return False
            self._granted_bytes = run_bytes
        return True

    @contextmanager
    def turn(self) -> Iterator[Any]:
        """Give an InferenceSession for one run, as soon as a lane is free.

        Raises
        ------
        ClosedError
            After `close`.
        """
        with self._free:
            with self._lock:
                if self._closed:
                    raise ClosedError("the Upscaler has been closed")
                if self._inference is None:
                    self._inference = self._make()
                inference = self._inference
            yield inference

    def close(self) -> None:
        """Give back its memory, once what runs has ended."""
        with self._lock:
            self._closed, self._inference = True, None


def threads() -> int:
    """How many threads compute in each lane; 0 where one processor is all there is."""
    ours = processors.usable()
    return 0 if ours == 1 else -(-ours // LANES)
