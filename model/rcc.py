"""Reading of Qt's compiled resource files (.rcc), versions 1 to 3, without Qt.

The layout is that of Qt's documentation of `rcc` and of what `QResource` reads: a header of
big-endian 32-bit numbers ("qres", version, offsets of the tree, the data and the names), a tree of
fixed-size nodes, the data each behind its length, and names in UTF-16BE.
"""

from __future__ import annotations

import importlib
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

COMPRESSED, DIRECTORY, ZSTD = 0x01, 0x02, 0x04
"""Flags of a node."""

DEEPEST = 64
"""No folder of a sound file is nested deeper; a tree that runs in a circle is stopped here."""


class ResourceError(ValueError):
    """A .rcc file that cannot be read."""


def read_resources(data: bytes, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of each file in a .rcc whose path is wanted.

    Paths are without a leading slash, e.g. "gcompris/src/activities/erase/resource/x.webp".
    """
    if data[:4] != b"qres":
        raise ResourceError(f"expected a Qt resource file ('qres'), found {data[:4]!r}")
    try:
        version, tree, blobs, names = struct.unpack_from(">4I", data, 4)
        if version not in (1, 2, 3):
            raise ResourceError(f"expected version 1 to 3 of the resource format, found {version}")
        node_bytes = 14 if version == 1 else 22  # since 2 each node ends in its time of change
        for path, at in _walk(data, tree, names, node_bytes):
            if wanted(path):
                yield path, _content(data, at, blobs)
    except (struct.error, zlib.error, UnicodeDecodeError) as error:
        raise ResourceError(f"the resource file is cut short or damaged: {error}") from error


def _walk(data: bytes, tree: int, names: int, node_bytes: int) -> Iterator[tuple[str, int]]:
    """Yield path and byte position of each file's node."""
    open_nodes = [("", 0, 0)]
    while open_nodes:
        folder, index, depth = open_nodes.pop()
        at = tree + index * node_bytes
        name_at, flags = struct.unpack_from(">IH", data, at)
        if index:
            folder = f"{folder}/{_name(data, names + name_at)}".lstrip("/")
        if not flags & DIRECTORY:
            yield folder, at
            continue
        count, first = struct.unpack_from(">2I", data, at + 6)
        if depth == DEEPEST or (count and first <= index):
            raise ResourceError("the resource tree runs in a circle")
        open_nodes += [(folder, child, depth + 1) for child in range(first, first + count)]


def _name(data: bytes, at: int) -> str:
    """Name of a node: its length in UTF-16 units, a hash, the text."""
    (units,) = struct.unpack_from(">H", data, at)
    return data[at + 6 : at + 6 + 2 * units].decode("utf-16-be")


def _content(data: bytes, at: int, blobs: int) -> bytes:
    """Content of the file whose node stands at `at`."""
    _, flags, _, _, offset = struct.unpack_from(">IH2HI", data, at)
    (length,) = struct.unpack_from(">I", data, blobs + offset)
    start = blobs + offset + 4
    content = data[start : start + length]
    if len(content) != length:
        raise ResourceError(f"expected {length} bytes of content, found {len(content)}")
    if flags & ZSTD:
        return _unpack_zstd(content)
    if flags & COMPRESSED:
        return zlib.decompress(content[4:])  # behind 4 bytes of its unpacked length
    return content


def _unpack_zstd(content: bytes) -> bytes:
    try:
        zstandard: Any = importlib.import_module("zstandard")
    except ImportError as error:
        raise ResourceError(
            "this resource is packed with zstd, which needs the `zstandard` package"
        ) from error
    unpacked: bytes = zstandard.ZstdDecompressor().decompressobj().decompress(content)
    return unpacked
