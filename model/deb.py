"""Reading of files out of Debian packages (.deb), which are `ar` archives around a tar.

Nothing is written: a file's content is handed over, so no name in a package can lead anywhere.
The layout is that of deb(5) and ar(5).
"""

from __future__ import annotations

import importlib
import io
import subprocess
import tarfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, BinaryIO

AR_MAGIC = b"!<arch>\n"
AR_HEADER_BYTES = 60
STREAM_MODES = {".xz": "r|xz", ".gz": "r|gz", ".bz2": "r|bz2", "": "r|"}


class DebError(ValueError):
    """A package that cannot be read."""


def read_members(deb: Path, wanted: Collection[str]) -> Iterator[tuple[str, bytes]]:
    """Yield path (without "./") and content of the wanted plain files, in the package's order.

    Raises DebError where the package is damaged or packed in a way that cannot be unpacked here.
    """
    with deb.open("rb") as file:
        suffix, data = _find_data(file, deb)
        try:
            with _open_tar(deb, suffix, data) as tar:
                for entry in tar:
                    path = entry.name.removeprefix("./")
                    if path in wanted and entry.isfile():
                        content = tar.extractfile(entry)
                        assert content is not None  # a plain file has content
                        yield path, content.read()
        except (tarfile.TarError, EOFError, OSError) as error:
            raise DebError(f"{deb.name} cannot be unpacked: {error}") from error


def _find_data(file: BinaryIO, deb: Path) -> tuple[str, io.RawIOBase]:
    """Suffix and content of the data.tar.* in the archive."""
    if file.read(len(AR_MAGIC)) != AR_MAGIC:
        raise DebError(f"{deb.name} is no Debian package: it does not start as an ar archive")
    while header := file.read(AR_HEADER_BYTES):
        if len(header) != AR_HEADER_BYTES or header[58:] != b"`\n" or not header[48:58].strip():
            raise DebError(f"{deb.name} is damaged: no ar header at byte {file.tell()}")
        name, size = header[:16].decode("ascii").rstrip(" /"), int(header[48:58])
        if name.startswith("data.tar"):
            return name.removeprefix("data.tar"), _Span(file, size)
        file.seek(size + size % 2, io.SEEK_CUR)
    raise DebError(f"{deb.name} holds no data.tar")


class _Span(io.RawIOBase):
    """The next `size` bytes of a file as a file of its own."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._left = size

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        take = self._left if size < 0 else min(size, self._left)
        content = self._file.read(take)
        self._left -= len(content)
        return content


def _open_tar(deb: Path, suffix: str, data: io.RawIOBase) -> tarfile.TarFile:
    if suffix in STREAM_MODES:
        mode = STREAM_MODES[suffix]
        return tarfile.open(fileobj=data, mode=mode)  # type: ignore[call-overload, no-any-return]
    if suffix != ".zst":
        raise DebError(f"{deb.name} holds data.tar{suffix}, which is none of .xz, .gz, .bz2, .zst")
    return tarfile.open(fileobj=_unpack_zst(deb, data), mode="r|")


def _unpack_zst(deb: Path, data: io.RawIOBase) -> io.BytesIO:
    """A zst-packed tar, unpacked by dpkg-deb where there is one, else by `zstandard`."""
    try:
        run = subprocess.run(["dpkg-deb", "--fsys-tarfile", deb], capture_output=True, check=True)
        return io.BytesIO(run.stdout)
    except (OSError, subprocess.CalledProcessError) as error:
        try:
            zstandard: Any = importlib.import_module("zstandard")
        except ImportError:
            raise DebError(
                f"{deb.name} is packed with zstd: install dpkg, or the Python package zstandard"
            ) from error
    return io.BytesIO(zstandard.ZstdDecompressor().stream_reader(data).read())
