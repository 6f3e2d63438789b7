"""The chunks of PNG and WebP files: what Pillow does not tell of them, or will not read."""

from __future__ import annotations

import io
import logging
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from PIL import PngImagePlugin

logger = logging.getLogger("liveaction_onnx")

_PNG = b"\x89PNG\r\n\x1a\n"
_COLOUR_BYTES = {b"cICP": 4, b"sRGB": 1, b"gAMA": 4, b"cHRM": 32}
_PROFILE_BYTES = 64 << 20
"""The most that a colour profile may unpack to."""


def lossless_webp(path: Path) -> bool:
    """Whether a WebP file was coded without loss, in every frame."""
    names = set()
    with path.open("rb") as file:
        file.seek(12)
        while len(head := file.read(8)) == 8:
            name, length = struct.unpack("<4sI", head)
            names.add(name)
            # a frame of an animation has chunks of its own, behind 16 bytes of its place and time
            file.seek(16 if name == b"ANMF" else length + length % 2, io.SEEK_CUR)
    return b"VP8L" in names and b"VP8 " not in names


def colour_of_png(path: Path) -> dict[bytes, bytes]:
    """What a PNG says of its colours besides a profile: cICP, sRGB, gAMA and cHRM."""
    found: dict[bytes, bytes] = {}
    with path.open("rb") as file:
        for name, place, length in _chunks(file):
            if name == b"IDAT":
                break
            if length == _COLOUR_BYTES.get(name):
                file.seek(place)
                found[name] = file.read(length)
    return found


def readable(path: Path) -> tuple[Path | BinaryIO, bytes | None]:
    """What Pillow is to open for a file, and the colour profile, where it is not in there.

    That is the file; but where texts or a profile in a PNG unpack to more than Pillow reads, as
    some that are sound do, it is a copy in memory without them. Pillow's limit is of the process.
    """
    with path.open("rb") as file:
        if file.read(8) != _PNG:
            return path, None
        bulky, profile = _bulky(file)
        if not bulky:
            return path, None
        copy = _copy_without(file, bulky)
    if profile is None:
        return copy, None
    unpacker = zlib.decompressobj()
    icc = unpacker.decompress(profile, _PROFILE_BYTES)
    if unpacker.unconsumed_tail:
        logger.warning("%s: its colour profile is left out, of more than 64 MB", path)
        return copy, None
    return copy, icc


def without_exif(path: Path) -> bytes | None:
    """A PNG without its EXIF, for a reader that refuses the px over it; None where it has none."""
    with path.open("rb") as file:
        exif = [(place, length) for name, place, length in _chunks(file) if name == b"eXIf"]
        return _copy_without(file, exif).getvalue() if exif else None


def _copy_without(file: BinaryIO, unwanted: list[tuple[int, int]]) -> io.BytesIO:
    """A PNG without the chunks whose places and lengths are given, in the order of the file."""
    copy, begin = io.BytesIO(), 0
    for place, length in unwanted:
        file.seek(begin)
        copy.write(file.read(place - 8 - begin))
        begin = place + length + 4
    file.seek(begin)
    copy.write(file.read())
    copy.seek(0)
    return copy


def _bulky(file: BinaryIO) -> tuple[list[tuple[int, int]], bytes | None]:
    """Place and length of each chunk that unpacks to too much; a profile among them, packed."""
    bulky, profile, texts = [], None, 0
    for name, place, length in _chunks(file):
        if name not in (b"iCCP", b"tEXt", b"zTXt", b"iTXt"):
            continue
        if texts > PngImagePlugin.MAX_TEXT_MEMORY and name != b"iCCP":
            bulky.append((place, length))  # and no time is spent on it
            continue
        file.seek(place)
        packed = _packed(name, file.read(length))
        unpacker, size = zlib.decompressobj(), length
        if packed is not None:
            try:
                size = len(unpacker.decompress(packed, PngImagePlugin.MAX_TEXT_CHUNK))
            except zlib.error:
                continue  # Pillow gets over these
        if name != b"iCCP":
            texts += size
        if unpacker.unconsumed_tail or texts > PngImagePlugin.MAX_TEXT_MEMORY:
            bulky.append((place, length))
            profile = packed if name == b"iCCP" else profile
    return bulky, profile


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Name, place and length of what is in each chunk of a PNG, as far as it goes."""
    place = len(_PNG)
    file.seek(place)
    while len(head := file.read(8)) == 8:
        length, name = struct.unpack(">I4s", head)
        yield name, place + 8, length
        place += length + 12
        file.seek(place)


def _packed(name: bytes, data: bytes) -> bytes | None:
    """What is packed in a chunk of text or of a profile; None where nothing is."""
    rest = data.partition(b"\0")[2]
    if name in (b"iCCP", b"zTXt"):
        return rest[1:]
    if name == b"iTXt" and rest[:1] == b"\1":
        return rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    return None
