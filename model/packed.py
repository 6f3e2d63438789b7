"""The packed set: clean targets and their degraded draws in `part-NNN.zip` files of a folder.

A part is a plain ZIP (stored, for pictures do not shrink twice) of at most `PART_BYTES`, complete
in itself: the pictures, and an `index.json` that names the members of each record and carries the
stages of each draw. Parts appear by renaming, so whatever stops a packing leaves whole parts only.
"""

from __future__ import annotations

import json
import os
import re
import zipfile
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from model.records import MEMBER_BYTES, Encoded, PackedError, Record, decode, draw_lines, encode

PART_BYTES = 60 * 2**20
"""No part is larger."""

INDEX = "index.json"
PART_NAME = re.compile(r"part-(\d{3,})\.zip", re.ASCII)


def write_set(
    folder: Path, records: Iterable[Record], *, lossless: bool, first_part: int = 0
) -> list[Path]:
    """Write records to parts of a folder and return the parts; see `write_parts`."""
    encoded = (encode(record, lossless=lossless) for record in records)
    return write_parts(folder, encoded, first_part=first_part)


def write_parts(folder: Path, encoded: Iterable[Encoded], *, first_part: int = 0) -> list[Path]:
    """Write encoded records to new parts, numbered from `first_part` or the next free number on.

    Parts that are there are never touched. On an error the part that was being written is removed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    group: list[Encoded] = []
    size = MEMBER_BYTES
    for record in encoded:
        if MEMBER_BYTES + record.size > PART_BYTES:
            raise PackedError(
                f"{record.name} takes {record.size} bytes, and a part holds {PART_BYTES}"
            )
        if size + record.size > PART_BYTES:
            written.append(_write_part(folder, group, first_part))
            group, size = [], MEMBER_BYTES
        group.append(record)
        size += record.size
    if group:
        written.append(_write_part(folder, group, first_part))
    return written


def read_set(folder: Path, jobs: int = 2) -> Iterator[Record]:
    """Yield the records of all parts in their order, decoded by `jobs` threads."""
    yield from read_parts(some_parts(folder), jobs)


def read_parts(parts: Iterable[Path], jobs: int = 2) -> Iterator[Record]:
    """Yield the records of some parts, decoded by `jobs` threads."""
    with ThreadPoolExecutor(jobs) as pool:
        waiting: deque[Future[Record]] = deque()
        for encoded in (record for part in parts for record in _read_part(part)):
            waiting.append(pool.submit(decode, encoded))
            if len(waiting) > 4 * jobs:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def read_names(folder: Path) -> set[str]:
    """Names of the records in the parts of a folder; none where there is no folder."""
    return {name for part in list_parts(folder) for name in _read_index(part)}


def list_parts(folder: Path) -> list[Path]:
    """The parts of a folder by number."""
    found = [path for path in folder.glob("part-*.zip") if PART_NAME.fullmatch(path.name)]
    return sorted(found, key=_number)


def some_parts(folder: Path) -> list[Path]:
    """The same; raises PackedError where there are none."""
    parts = list_parts(folder)
    if not parts:
        raise PackedError(f"{folder} holds no part-NNN.zip; pack a set there first")
    return parts


def _number(part: Path) -> int:
    match = PART_NAME.fullmatch(part.name)
    assert match is not None  # list_parts lets only such names through
    return int(match[1])


def _write_part(folder: Path, group: list[Encoded], first_part: int) -> Path:
    number = max([first_part, *(_number(part) + 1 for part in list_parts(folder))])
    final = folder / f"part-{number:03d}.zip"
    partial = final.with_suffix(f".{os.getpid()}.tmp")
    try:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as part:
            for record in group:
                for member, data in record.members.items():
                    part.writestr(zipfile.ZipInfo(member), data)
            index = {record.name: record.entry for record in group}
            part.writestr(zipfile.ZipInfo(INDEX), json.dumps(index))
        partial.replace(final)
    finally:
        partial.unlink(missing_ok=True)
    return final


def _read_index(part: Path) -> dict[str, dict[str, object]]:
    try:
        with zipfile.ZipFile(part) as archive:
            index: dict[str, dict[str, object]] = json.loads(archive.read(INDEX))
            return index
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise PackedError(f"{part} is no whole part of a packed set: {error}") from error


def _read_part(part: Path) -> Iterator[Encoded]:
    index = _read_index(part)
    with zipfile.ZipFile(part) as archive:
        for name, entry in index.items():
            lines = [entry, *draw_lines(entry)]
            names = [line[key] for line in lines for key in ("input", "target") if key in line]
            members = {str(member): archive.read(str(member)) for member in names}
            yield Encoded(name, entry, members)
