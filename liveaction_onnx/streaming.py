"""Work on a stream of items, in order, a few of them at once, until somebody stops it."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:  # kept out of the import
    from concurrent.futures import Future

THREADS = 2
"""Items that are worked on at once."""

WAITING = 12
"""Items that may wait for their turn, those counted that nobody works on."""

WATCH_S = 0.05
"""How often a cancel is looked for while something runs."""

In = TypeVar("In")
Out = TypeVar("Out")


class Cancel(Protocol):
    """What `cancel` has to offer; a `threading.Event` does."""

    def is_set(self) -> bool:
        """Whether the caller has asked to stop."""


class Work(Protocol):
    """What is under way in a thread or process of its own."""

    def finish(self) -> None:
        """Wait until it is done; raises what went wrong."""

    def stop(self) -> None:
        """Give it up at once."""


@contextlib.contextmanager
def finished(work: Work) -> Iterator[None]:
    """Finish work at the end of what is within; stop it where that, or finishing, raises."""
    try:
        yield
        work.finish()
    except BaseException:
        work.stop()
        raise


class AnyOf:
    """Set where any of these is."""

    def __init__(self, *events: Cancel | None) -> None:
        self._events = [event for event in events if event is not None]

    def is_set(self) -> bool:
        """Whether one of them is set."""
        return any(event.is_set() for event in self._events)


@contextlib.contextmanager
def watched(cancel: Cancel, act: Callable[[], object]) -> Iterator[None]:
    """Call `act` in a thread as soon as `cancel` is set, if that is before what is within ends."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(WATCH_S):
            if cancel.is_set():
                act()
                return

    watcher = threading.Thread(target=watch, name="liveaction-onnx-cancel", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


class Workers:
    """Threads that do what is submitted, begun in that order, and end where nothing is left of it.

    Python's own executors take nothing any more once the main thread has ended, though it waits for
    the others, and a script may leave all its work to one of them.
    """

    def __init__(self, most: int) -> None:
        """So many threads work at once."""
        self._most = most
        self._waiting: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._threads: list[threading.Thread] = []
        self._working = 0
        self._lock = threading.Lock()

    def submit(self, work: Callable[[], Out]) -> Future[Out]:
        """Have it done in a thread; what it gives or raises is the result."""
        from concurrent.futures import Future  # kept out of the import

        result: Future[Out] = Future()
        with self._lock:
            if self._working < self._most:
                thread = threading.Thread(target=self._work, name="liveaction-onnx")
                thread.start()
                self._working += 1
                self._threads = [*filter(threading.Thread.is_alive, self._threads), thread]
            self._waiting.append((result, work))
        return result

    def stop(self) -> None:
        """Drop what has not been begun, and wait for the rest."""
        with self._lock:
            self._waiting.clear()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (begun := self._next()) is not None:
            result, work = begun
            try:
                result.set_result(work())
            except BaseException as error:  # raised to whoever waits for the result
                result.set_exception(error)
            del begun, result, work  # an error refers to this frame, which is not to hold them

    def _next(self) -> tuple[Future[Any], Callable[[], Any]] | None:
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._working -= 1
            return None


def overlapped(
    function: Callable[[In], Out],
    items: Iterable[In | Future[Out]],
    gone: threading.Event,
    *,
    threads: int = THREADS,
) -> Generator[Out]:
    """Give `function` of each item, in order, while others are worked on in `threads` threads; one
    more may be with the caller. An item that is a Future stands for its own result, which somebody
    works on already.

    Where `items` raises, what came before is still given, and then the error. `gone` is set once
    nobody waits for results any more.

    >>> list(overlapped(abs, [-1, 2, -3], threading.Event()))
    [1, 2, 3]
    """
    from concurrent.futures import Future  # kept out of the import

    broken: Exception | None = None
    source = iter(items)
    waiting: deque[Future[Out]] = deque()
    ours: set[Future[Out]] = set()
    workers = Workers(threads)
    try:
        while True:
            try:
                item = next(source)
            except StopIteration:
                break
            except Exception as error:
                broken = error
                break
            if isinstance(item, Future):
                waiting.append(item)
            else:
                waiting.append(workers.submit(partial(function, item)))
                ours.add(waiting[-1])
            while len(ours) > threads or len(waiting) == WAITING:
                first = waiting.popleft()
                ours.discard(first)
                yield first.result()
        while waiting:
            yield waiting.popleft().result()
        if broken is not None:
            raise broken
    finally:
        gone.set()
        workers.stop()


class Outlet(Generic[In]):
    """Where items go to be used up in a thread of its own, in order, a few of them waiting."""

    def __init__(
        self,
        use: Callable[[Iterator[In]], None],
        kill: Callable[[], None],
        *,
        waiting: int,
        name: str,
    ) -> None:
        """Start the thread.

        Parameters
        ----------
        use
            Takes the items; where that raises, it is to be left, for no more will come.
        kill
            Ends at once what `use` may be waiting for, such as a process that it writes to.
        waiting
            Items that may wait.
        """
        self._use, self._kill = use, kill
        self._items: queue.Queue[In | None] = queue.Queue(waiting)
        self._gone = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def put(self, item: In) -> None:
        """Hand over an item, once there is room; raises what `use` has raised."""
        self._offer(item)

    def finish(self) -> None:
        """Wait until all items are used up; raises what `use` has raised."""
        self._offer(None)
        self._thread.join()
        self._raise()

    def stop(self) -> None:
        """Have no more items used, and wait until `use` has left."""
        self._gone.set()
        with contextlib.suppress(queue.Full):
            self._items.put_nowait(None)  # it may be waiting for one
        self._kill()
        self._thread.join()

    def _offer(self, item: In | None) -> None:
        self._raise()
        self._items.put(item)
        self._raise()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        try:
            self._use(self._taken())
        except BaseException as error:  # handed to whoever puts items
            self._error = error
            with contextlib.suppress(queue.Empty):
                while True:
                    self._items.get_nowait()  # so that nobody waits for room

    def _taken(self) -> Iterator[In]:
        while (item := self._items.get()) is not None and not self._gone.is_set():
            yield item
        if self._gone.is_set():
            raise _StoppedError


class _StoppedError(Exception):
    """Tells a function that the items which it takes were given up."""
