"""Work on a stream of items, in order, a few of them at once, until somebody stops it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

IN_FLIGHT = 3
"""Items that may be on their way at once: one worked on, one prepared, one with the caller."""

In = TypeVar("In")
Out = TypeVar("Out")


class Cancel(Protocol):
    """What `cancel` has to offer; a `threading.Event` does."""

    def is_set(self) -> bool:
        """Whether the caller has asked to stop."""


class AnyOf:
    """Set where any of these is."""

    def __init__(self, *events: Cancel | None) -> None:
        self._events = [event for event in events if event is not None]

    def is_set(self) -> bool:
        """Whether one of them is set."""
        return any(event.is_set() for event in self._events)


def overlapped(
    function: Callable[[In], Out], items: Iterable[In], gone: threading.Event
) -> Iterator[Out]:
    """Give `function` of each item, in order, while others are worked on in two threads.

    Where `items` raises, what came before is still given, and then the error. `gone` is set once
    nobody waits for results any more.

    >>> list(overlapped(abs, [-1, 2, -3], threading.Event()))
    [1, 2, 3]
    """
    from concurrent.futures import Future, ThreadPoolExecutor  # kept out of the import

    broken: Exception | None = None
    source = iter(items)
    waiting: deque[Future[Out]] = deque()
    pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="liveaction-onnx")
    try:
        while True:
            try:
                item = next(source)
            except StopIteration:
                break
            except Exception as error:
                broken = error
                break
            waiting.append(pool.submit(function, item))
            if len(waiting) == IN_FLIGHT:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
        if broken is not None:
            raise broken
    finally:
        gone.set()
        pool.shutdown(wait=True, cancel_futures=True)
