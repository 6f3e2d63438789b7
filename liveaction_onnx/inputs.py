"""The files that a command line names, and where their results go."""

from __future__ import annotations

import glob
import logging
import os
import re
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import groupby
from pathlib import Path

from liveaction_onnx.errors import OptionError, TargetError
from liveaction_onnx.footage import SUFFIXES as VIDEO_SUFFIXES
from liveaction_onnx.footage import holds_video
from liveaction_onnx.formats import SUFFIXES

KNOWN = frozenset([*SUFFIXES, *VIDEO_SUFFIXES])
"""Endings of the names of pictures and videos."""

logger = logging.getLogger("liveaction_onnx")


def sources_of(inputs: Sequence[str]) -> list[Path]:
    """The files that the command line names, each once.

    A folder stands for its pictures and videos, without the `_2x` and the `_preview` of another one
    in it. A pattern that matches nothing comes as it is, after all that there is, to be told of as
    missing.

    Raises
    ------
    OptionError
        Where a folder cannot be looked into.
    """
    found: dict[str, Path] = {}
    missing: list[Path] = []
    for text in inputs:
        # unlike those of `Path`, these say no where it cannot be told
        if os.path.isdir(text):
            files = _inside(Path(text))
        elif not os.path.exists(text) and glob.has_magic(text):
            matches = filter(os.path.isfile, sorted(glob.glob(text, recursive=True)))
            files = list(map(Path, matches))
            missing += [] if files else [Path(text)]
        else:
            files = [Path(text)]
        for path in files:
            found.setdefault(os.path.realpath(path), path)
    return [*found.values(), *missing] if found else []


def _inside(folder: Path) -> list[Path]:
    """Pictures and videos in a folder."""
    try:
        named = sorted(path for path in folder.iterdir() if path.suffix.lower() in KNOWN)
    except OSError as error:
        raise OptionError(f"{folder}: cannot be looked into: {error.strerror}") from error
    files = [path for path in named if not os.path.isdir(path)]
    stems = {path.stem for path in files}
    made = {path for path in files if _made_of_another(path, stems)}
    for path in sorted(made):
        if path.stem.endswith("_preview"):  # others give their own trailers such names, too
            logger.warning("%s is left out, as a preview of another; named, it is taken", path)
    return [path for path in files if path not in made]


def refuse_target(inputs: Sequence[str], output: Path | None) -> None:
    """Raise OptionError where the second of two files looks like the target of the first.

    Else the first would be upscaled to its default target, for hours perhaps, and the second be
    said to be missing.
    """
    if output is not None or len(inputs) != 2:
        return
    source, target = map(Path, inputs)
    named = os.path.isfile(source) and target.suffix.lower() in KNOWN
    if named and not os.path.exists(target):
        raise OptionError(f"{target}: no such file; to write it, say: {source} -o {target}")


def refuse_pictures(sources: Sequence[Path]) -> None:
    """Raise OptionError where one of the sources is no video, of which alone there are previews."""
    for source in sources:
        if not is_video(source):
            raise OptionError(f"--preview: {source} is no video; of a picture, make the whole")


def _made_of_another(path: Path, stems: set[str]) -> bool:
    endings = r"_(\d+x|preview)$" if path.suffix.lower() in VIDEO_SUFFIXES else r"_\d+x$"
    source = re.sub(endings, "", path.stem)
    return source != path.stem and source in stems


def is_folder(output: Path | None, inputs: Sequence[str], sources: Sequence[Path]) -> bool:
    """Whether the output is a folder: it is one, has no ending, or has to hold several."""
    if output is None:
        return False
    several = len(inputs) > 1 or len(sources) > 1 or any(map(os.path.isdir, inputs))
    return several or os.path.isdir(output) or not output.suffix


def make_folder(folder: Path) -> None:
    """Make the folder of results, with those above it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TargetError(f"{folder}: cannot be made a folder: {error.strerror}") from error


def is_video(source: Path) -> bool:
    """Whether a file is taken for a video: by the ending of its name, or of others by a look."""
    suffix = source.suffix.lower()
    if suffix in KNOWN:
        return suffix in VIDEO_SUFFIXES
    try:
        seen = source.stat()
    except (OSError, ValueError):
        return False
    return _looked_into(source.absolute(), seen.st_size, seen.st_mtime_ns)


@cache
def _looked_into(source: Path, size: int, changed_ns: int) -> bool:
    """Whether a file of this size and time is a video: it is asked several times, of many files."""
    return holds_video(source)


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
