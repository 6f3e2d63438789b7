"""Where the results of one call go: none is written over another, or over a source."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from pathlib import Path

from liveaction_onnx.errors import TargetError, TargetExistsError


class Targets:
    """The targets of files of which several are worked on in one call, some at the same time."""

    def __init__(self, sources: Iterable[Path]) -> None:
        """`sources` are all files of the call."""
        self._sources = {_place(source) for source in sources}
        self._taken: dict[str, Path] = {}
        self._lock = threading.Lock()

    def take(self, source: Path, target: Path) -> None:
        """Claim a target for a source, before anything is done for it.

        Raises
        ------
        TargetExistsError
            Where it is another's.
        TargetError
            Where it is a source.
        """
        place = _place(target)
        if place in self._sources:
            raise TargetError(f"{target}: is itself a source here, and sources are never written")
        with self._lock:
            other = self._taken.setdefault(place, source)
        if other != source:
            raise TargetExistsError(f"{target}: is where the result of {other} goes, too")


def _place(path: Path) -> str:
    return os.path.normcase(os.path.realpath(path))
