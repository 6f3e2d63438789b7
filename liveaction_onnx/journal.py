"""What of a video is already done, on disk, beside its target.

A folder holds the segments that are whole and a journal of them, one JSON object a line, each on
the disk before the next is begun. Whatever ends a run, the segments that the journal names are
whole, and all else in the folder is dropped by the run that goes on.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import IO, Any

from liveaction_onnx.errors import UnfinishedError
from liveaction_onnx.publish import blaming, patiently

VERSION = 2
_JOURNAL, _LOCK = "journal.jsonl", "lock"
_END_BYTES = 1 << 20

_LONGEST_NAME = 255
"""In bytes, of most file systems."""


@dataclass(frozen=True)
class Segment:
    """One whole segment."""

    file: str
    bytes: int
    sha256: str

    times: list[int]
    """Ticks at which its frames are shown."""

    end: int
    """Tick at which its last frame ends."""

    anchor: int
    """`Clock.anchor` of the run."""

    peak: int
    """When the latest of all frames up to here is shown, in ticks of the source."""


class Journal:
    """The folder of one target, held by one process at a time, where its file system has locks.

    Close it, or delete it.
    """

    def __init__(
        self, target: Path, key: Mapping[str, Any], *, restart: bool = False, kind: str = ""
    ) -> None:
        """Take up what lies there, or begin.

        `key` is JSON that says what the segments are made of; a journal with another one is not
        gone on with. `restart` drops it. Each `kind` of work on a target has a folder of its own.

        Raises
        ------
        UnfinishedError
            Where the journal is of other settings, or another process works on it.
        TargetError
            Where the folder cannot be made or written.
        """
        self.folder = folder_of(target, kind)
        self.segments: list[Segment] = []
        self._target, self._key = target, json.loads(json.dumps(key))
        with blaming(target):
            self.folder.mkdir(exist_ok=True)
            self._lock = self._locked()
        try:
            with blaming(target):
                self._take_up(restart)
        except BaseException:
            self._lock.close()
            raise

    @property
    def frames(self) -> int:
        """How many frames are done."""
        return sum(len(segment.times) for segment in self.segments)

    def new_file(self, suffix: str) -> Path:
        """A name in the folder that no other run has used."""
        return self.folder / f"part-{secrets.token_hex(6)}{suffix}"

    def add(self, part: Path, times: list[int], end: int, anchor: int, peak: int) -> None:
        """Record a segment, which is whole and on the disk under the name `part`.

        Raises
        ------
        TargetError
            Where the folder cannot be written any more.
        """
        file = f"segment-{len(self.segments):06d}{part.suffix}"
        with blaming(self._target):
            patiently(partial(os.replace, part, self.folder / file))
            size, digest = _of_file(self.folder / file)
            segment = Segment(file, size, digest, times, end, anchor, peak)
            with (self.folder / _JOURNAL).open("a", encoding="utf-8") as journal:
                journal.write(json.dumps(asdict(segment)) + "\n")
                _flush(journal)
        self.segments.append(segment)

    def close(self) -> None:
        """Let go of the folder; it stays for a later run."""
        if sys.platform != "win32" and not self._lock.closed:
            import fcntl

            with contextlib.suppress(OSError):  # as where there are no locks
                # a process that was forked meanwhile has it open, too
                fcntl.flock(self._lock, fcntl.LOCK_UN)
        self._lock.close()

    def delete(self) -> None:
        """Drop the folder with all in it."""
        if sys.platform == "win32":
            self._lock.close()  # an open file cannot be deleted there
        with contextlib.suppress(OSError):  # first of all, as what stays is not to be gone on with
            patiently((self.folder / _JOURNAL).unlink)
        shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.close()

    def _take_up(self, restart: bool) -> None:
        path = self.folder / _JOURNAL
        text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        lines = text.splitlines()
        begun = _parsed(lines[0]) if lines else None
        if begun is not None and not restart:
            self._refuse_another(begun)
            self.segments = self._whole(lines[1:])
        self._sweep({segment.file for segment in self.segments})
        head = {"version": VERSION, "key": self._key}
        rewritten = [head, *(asdict(segment) for segment in self.segments)]
        temporary = path.with_suffix(".tmp")
        with temporary.open("w", encoding="utf-8") as journal:
            journal.writelines(json.dumps(entry) + "\n" for entry in rewritten)
            _flush(journal)
        patiently(partial(os.replace, temporary, path))

    def _refuse_another(self, begun: dict[str, Any]) -> None:
        key = begun.get("key", {})
        if begun.get("version") == VERSION and key == self._key:
            return
        told = "; ".join(_differences(key, self._key)) or "it is of another version"
        raise UnfinishedError(
            f"{self._target}: an unfinished run lies in {self.folder}, and this one is not the "
            f"same: {told}. Give what it had to go on with it, or restart to drop it"
        )

    def _whole(self, lines: list[str]) -> list[Segment]:
        """The segments that are as the journal says, up to the first that is not."""
        found = []
        for line in lines:
            entry = _parsed(line)
            if entry is None or set(entry) != {field.name for field in fields(Segment)}:
                break
            segment = Segment(**entry)
            path = self.folder / segment.file
            if not path.is_file() or _of_file(path) != (segment.bytes, segment.sha256):
                break
            found.append(segment)
        return found

    def _sweep(self, kept: set[str]) -> None:
        for path in self.folder.iterdir():
            if path.name not in {*kept, _JOURNAL, _LOCK}:
                with contextlib.suppress(OSError):  # on Windows a dying encoder may hold it
                    path.unlink()

    def _locked(self) -> IO[bytes]:
        file = (self.folder / _LOCK).open("ab")
        try:
            if sys.platform == "win32":
                import msvcrt

                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            file.close()
            raise UnfinishedError(
                f"{self._target}: another process is at work on it (in {self.folder})"
            ) from error
        except OSError:
            pass  # some file systems have no locks; all else works there
        return file


def folder_of(target: Path, kind: str = "") -> Path:
    """Where the unfinished work on a target lies.

    >>> folder_of(Path("films/a.mkv")).name, folder_of(Path("films/a.mkv"), "preview").name
    ('.a.mkv.liveaction-onnx', '.a.mkv.liveaction-onnx-preview')
    """
    ending = f".liveaction-onnx{kind and f'-{kind}'}"
    name = f".{target.name}{ending}"
    if len(os.fsencode(name)) > _LONGEST_NAME:
        name = f".{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:32]}{ending}"
    return target.with_name(name)


def identity(source: Path) -> list[Any]:
    """What tells a file from another, or from what it was: size, date, and both its ends."""
    status = source.stat()
    digest = hashlib.sha256()
    with source.open("rb") as file:
        digest.update(file.read(_END_BYTES))
        file.seek(max(0, status.st_size - _END_BYTES))
        digest.update(file.read(_END_BYTES))
    return [status.st_size, status.st_mtime_ns, digest.hexdigest()]


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """A clause for each thing that is not what it was."""
    for name in sorted({*before, *now}):
        old, new = before.get(name), now.get(name)
        if old == new:
            continue
        if name == "source":
            yield "the source is another file, or has changed"
        else:
            was, now_is = _apart(old, new)
            yield f"{name} was {was} and is {now_is}"


def _apart(old: Any, new: Any) -> tuple[str, str]:
    """Two values as words; of lists as long as each other, what is not the same in both alone."""
    if not isinstance(old, list) or not isinstance(new, list):
        return str(old), str(new)
    if len(old) == len(new):
        pairs = [pair for pair in zip(old, new, strict=True) if pair[0] != pair[1]]
        old, new = zip(*pairs, strict=True)
    return " ".join(map(str, old)), " ".join(map(str, new))


def _parsed(line: str) -> dict[str, Any] | None:
    """A line of the journal; None for one that was cut short, or is none."""
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def _of_file(path: Path) -> tuple[int, str]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return path.stat().st_size, digest


def _flush(file: IO[str]) -> None:
    file.flush()
    os.fsync(file.fileno())
