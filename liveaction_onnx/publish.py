"""A target that appears whole or not at all."""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

from liveaction_onnx.errors import LiveactionError, TargetError, TargetExistsError

_PREFIX, _SUFFIX = ".liveaction-onnx-", ".part"

HELD_S = 1.0 if sys.platform == "win32" else 0.0
"""How long to wait for a file that was written just now: on Windows what looks for viruses, or for
words, holds it for a moment, and then it can neither be renamed nor deleted."""

_AGAIN_S = 0.02


def check_target(source: Path, target: Path, *, overwrite: bool) -> None:
    """Refuse a target that must not be written, before any work is done for it.

    Raises
    ------
    TargetExistsError
        Where it exists and `overwrite` is not set.
    TargetError
        Where it is the source, or no file can be at its place.
    """
    if os.path.isdir(target):
        raise TargetError(f"{target}: expected a file's name, but it is a folder")
    if not os.path.isdir(target.parent):
        raise TargetError(f"{target}: its folder {target.parent} does not exist")
    try:
        os.lstat(target)
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:  # too long a name, or one with a zero in it
        why = getattr(error, "strerror", None) or error
        raise TargetError(f"{target}: cannot be written: {why}") from error
    if os.path.exists(target) and os.path.samefile(target, source):
        raise TargetError(f"{target}: the target is the source, which is never overwritten")
    if not overwrite:
        raise TargetExistsError(
            f"{target}: exists already; choose another name, or overwrite it (-y on the command "
            "line)"
        )


class _Unnumbered(io.BufferedRandom):
    """A file that keeps its descriptor to itself.

    Given a descriptor, Pillow's encoders write to it past Python, and take a write that was cut
    short by a full disk for a whole one.
    """

    def fileno(self) -> int:
        raise io.UnsupportedOperation("fileno")


@contextlib.contextmanager
def publishing(target: Path, *, overwrite: bool) -> Iterator[BinaryIO]:
    """Open a file that becomes `target` where the block ends well, and vanishes where it does not.

    It lies beside the target under a name that begins with `.liveaction-onnx-`, and is flushed to
    the disk before it is renamed. After a `kill -9` only such a file can be left.

    Raises
    ------
    TargetError
        Where it cannot be written: no permission, no space, or no such folder.
    """
    temporary = target.with_name(f"{_PREFIX}{secrets.token_hex(6)}{_SUFFIX}")
    with blaming(target):
        descriptor = os.open(
            temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_BINARY", 0), 0o666
        )
        try:
            with _Unnumbered(io.FileIO(descriptor, "r+")) as file:
                yield file
                file.flush()
                os.fsync(descriptor)
            put_in_place(temporary, target, overwrite=overwrite)
        finally:
            with contextlib.suppress(OSError):  # what has gone wrong is told, not this
                patiently(temporary.unlink)


@contextlib.contextmanager
def blaming(target: Path) -> Iterator[None]:
    """Have what the system refuses told as the target's fault.

    Raises
    ------
    TargetError
        In place of any OSError that is not ours.
    """
    try:
        yield
    except OSError as error:
        if isinstance(error, LiveactionError):
            raise
        raise TargetError(f"{target}: cannot be written: {error.strerror or error}") from error


def patiently(step: Callable[[], object]) -> None:
    """Do something to a file that another program may hold for a moment, again and again."""
    until = time.monotonic() + HELD_S
    while True:
        try:
            step()
        except PermissionError:
            if time.monotonic() >= until:
                raise
            time.sleep(_AGAIN_S)
        else:
            return


def put_in_place(temporary: Path, target: Path, *, overwrite: bool) -> None:
    """Rename a file that is whole and on the disk to `target`, in the same file system.

    Raises
    ------
    TargetError
        Where that cannot be done, or `target` has come to exist and `overwrite` is not set.
    """
    if not overwrite and os.path.lexists(target):
        raise TargetExistsError(f"{target}: came to exist meanwhile; it was left as it is")
    with blaming(target):
        patiently(partial(os.replace, temporary, target))
