"""What Ctrl+C and SIGTERM do to work: it is told to leave, not cut off in the midst of a step."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

from liveaction_onnx import children
from liveaction_onnx.errors import PausedError
from liveaction_onnx.exits import INTERRUPTED
from liveaction_onnx.streaming import WATCH_S

ENDING = [signal.SIGTERM]
"""What asks a process to end, besides the keys of its terminal."""

if sys.platform == "win32":
    ENDING.append(signal.SIGBREAK)  # all that a program there can send to one it has started

IMPATIENT_S = 1.0
"""A signal this long after the one that cancelled means that leaving takes too long. Those before
it are of keys held down.
"""

Out = TypeVar("Out")


class Mark:
    """Set or not. The lock of a `threading.Event` may be held by what a handler breaks into."""

    def __init__(self) -> None:
        self._set = False

    def set(self) -> None:
        """Set it, for good."""
        self._set = True

    def is_set(self) -> bool:
        """Whether it was set."""
        return self._set


class Interrupts:
    """Runs work in a thread, while the main one waits for it and for signals.

    Python has a signal raise its error between any two steps of the main thread, so also where that
    has just taken a lock, which then stays taken: work that needs it would never end. Here handlers
    only set marks, which the work looks at.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        """`say` takes a line that tells the user what his signal has done."""
        self.pause, self.cancel = Mark(), Mark()
        self._say = say
        self._pausable = self._told = self._at_once = False
        self._cancelled_s = 0.0

    @property
    def asked(self) -> bool:
        """Whether the user wants no more to be begun."""
        return self.pause.is_set() or self.cancel.is_set()

    def run(
        self,
        function: Callable[[], Out],
        *,
        pausable: bool = False,
        patience_s: float | None = None,
    ) -> Out:
        """Call a function in another thread and give what it gives. To be called in the main one.

        Ctrl+C sets `pause` where the work is `pausable`, and `cancel` the next time, or at once
        where it is not; `ENDING` set `cancel`. Then every ffmpeg is killed, so that the function
        waits for none; it has to look at `cancel` itself, and to leave by an error or its result.
        Where it has not left `patience_s` later, or is not waited for (Ctrl+C once more), this
        process ends without it.

        Raises
        ------
        KeyboardInterrupt
            In place of an error of the function, once it was cancelled.
        """
        result: Future[Out] = Future()

        def work() -> None:
            try:
                result.set_result(function())
            except BaseException as error:  # raised to the caller
                result.set_exception(error)

        thread = threading.Thread(target=work, name="liveaction-onnx-work", daemon=True)
        self._pausable = pausable
        with self._handled():
            thread.start()
            while thread.is_alive():
                thread.join(WATCH_S)  # on Windows no signal would end a wait without a limit
                self._attend(patience_s)
        try:
            return result.result()
        except PausedError:
            raise
        except Exception:
            if self.cancel.is_set():
                raise KeyboardInterrupt from None
            raise

    @contextmanager
    def _handled(self) -> Iterator[None]:
        numbers = [*ENDING]
        # a shell has its background jobs ignore Ctrl+C, which is for what is in front
        if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
            numbers.append(signal.SIGINT)
        before = {number: signal.signal(number, self._take) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _take(self, number: int, frame: Any) -> None:
        """Handle a signal, by marks alone: another may come before this has ended."""
        if self.cancel.is_set():
            self._at_once = time.monotonic() - self._cancelled_s > IMPATIENT_S
        elif self._pausable and number == signal.SIGINT and not self.pause.is_set():
            self.pause.set()
        else:
            self._cancelled_s = time.monotonic()
            self.cancel.set()

    def _attend(self, patience_s: float | None) -> None:
        """Do what the marks ask for."""
        if self.cancel.is_set():
            children.kill_all()
            late = patience_s is not None and time.monotonic() > self._cancelled_s + patience_s
            if self._at_once or late:
                self._leave()
        elif self.pause.is_set() and not self._told:
            self._told = True
            self._say("finishing the segment at hand; Ctrl+C once more stops at once")

    def _leave(self) -> NoReturn:
        self._say("stopped at once")
        os._exit(INTERRUPTED)
