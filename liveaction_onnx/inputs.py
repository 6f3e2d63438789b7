"""The files that a command line names, and where their results go."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from liveaction_onnx.errors import OptionError, TargetError
from liveaction_onnx.footage import SUFFIXES as VIDEO_SUFFIXES
from liveaction_onnx.picture import SUFFIXES

KNOWN = frozenset([*SUFFIXES, *VIDEO_SUFFIXES])
"""Endings of the names of pictures and videos."""


def sources_of(inputs: Sequence[str]) -> list[Path]:
    """The files that the command line names, each once.

    A folder stands for its pictures and videos, without the `_2x` of another one in it.
    """
    found: dict[Path, None] = {}
    for text in inputs:
        path = Path(text)
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in KNOWN)
            stems = {p.stem for p in inside}
            found.update((p, None) for p in inside if not _made_of_another(p, stems))
        elif not path.exists() and glob.has_magic(text):
            matches = sorted(glob.glob(text, recursive=True))
            found.update((Path(match), None) for match in matches if Path(match).is_file())
        else:
            found[path] = None
    return list(found)


def refuse_target(inputs: Sequence[str], output: Path | None) -> None:
    """Raise OptionError where the second of two files looks like the target of the first.

    Else the first would be upscaled to its default target, for hours perhaps, and the second be
    said to be missing.
    """
    if output is not None or len(inputs) != 2:
        return
    source, target = map(Path, inputs)
    if source.is_file() and target.suffix.lower() in KNOWN and not target.exists():
        raise OptionError(f"{target}: no such file; to write it, say: {source} -o {target}")


def _made_of_another(path: Path, stems: set[str]) -> bool:
    source = re.sub(r"_\d+x$", "", path.stem)
    return source != path.stem and source in stems


def is_folder(output: Path | None, inputs: Sequence[str], sources: Sequence[Path]) -> bool:
    """Whether the output is a folder: it is one, has no ending, or has to hold several."""
    if output is None:
        return False
    several = len(inputs) > 1 or len(sources) > 1 or any(Path(text).is_dir() for text in inputs)
    return several or output.is_dir() or not output.suffix


def make_folder(folder: Path) -> None:
    """Make the folder of results, with those above it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TargetError(f"{folder}: cannot be made a folder: {error.strerror}") from error


def is_video(source: Path) -> bool:
    """Whether a file is taken for a video, by the ending of its name."""
    return source.suffix.lower() in VIDEO_SUFFIXES


def in_turn(sources: Sequence[Path]) -> Iterator[list[Path]]:
    """Each video by itself, and pictures that follow each other together.

    >>> named = Path("a.png"), Path("b.jpg"), Path("c.mkv"), Path("d.mkv")
    >>> [[path.name for path in alike] for alike in in_turn(named)]
    [['a.png', 'b.jpg'], ['c.mkv'], ['d.mkv']]
    """
    for videos, group in groupby(sources, is_video):
        if videos:
            yield from ([path] for path in group)
        else:
            yield list(group)
