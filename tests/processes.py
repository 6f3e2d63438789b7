"""Processes that tests start."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator, Sequence
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
