"""The processes that work for this one: they end with it, and are no business of those that are
forked from it.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
import weakref
from collections.abc import Iterator
from typing import Protocol


class Child(Protocol):
    """A process that this one has started."""

    def kill(self) -> None:
        """End it at once, where it has not ended."""

    def close_pipes(self) -> None:
        """Let go of this process's ends of its pipes."""


_children: weakref.WeakSet[Child] = weakref.WeakSet()
_lock = threading.Lock()


@contextlib.contextmanager
def starting(child: Child) -> Iterator[None]:
    """Start a child within this: keys do not reach it, and nothing is forked meanwhile."""
    with _deaf_to_keys(), _lock:
        yield
        _children.add(child)


@atexit.register
def kill_all() -> None:
    """End every child that runs, so that none outlives this process."""
    with _lock:
        running = list(_children)
    for child in running:
        child.kill()


def _let_go() -> None:
    """Leave every child to the process that this one was forked from: with a copy of its pipe here
    none would see the end of its input, for as long as this process lives.
    """
    for child in _children:
        child.close_pipes()
    _children.clear()
    _lock.release()


if sys.platform != "win32":
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_let_go)


@contextlib.contextmanager
def _deaf_to_keys() -> Iterator[None]:
    """Block what keys of a terminal send, for this thread and for a process that it starts, which
    is in our group until just before it becomes another program.
    """
    if sys.platform == "win32":
        yield
        return
    keys = {signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, keys)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
