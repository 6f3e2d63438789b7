"""Processes that tests start, and signals to their own."""

from __future__ import annotations

import _thread
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

LONGEST_S = 120
"""No test waits longer for a process, whatever that hangs at."""


@contextmanager
def started(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[Any]]:
    """Start a process, with pipes of text unless `text` is False; kill it at the end, or once it
    takes too long, so that all waits for it end.
    """
    with subprocess.Popen(command, **{"text": True, **options}) as process:
        timer = threading.Timer(LONGEST_S, process.kill)
        timer.start()
        try:
            yield process
        finally:
            process.kill()
            timer.cancel()
            timer.join()


def interrupt_until(condition: Callable[[], bool], number: signal.Signals = signal.SIGINT) -> None:
    """Send the main thread a signal, from another one, and wait for what it is to bring about."""
    _thread.interrupt_main(number)
    deadline = time.monotonic() + LONGEST_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)
