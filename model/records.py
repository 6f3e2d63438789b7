"""A record of the packed set, a clean target and its degraded draws, and its form as files.

Inputs are lossless (WebP): the marks of a codec are what the network is to see. Targets of a
training set are JPEG, quality 97, 4:4:4, at 5.3 bits per px; those of a validation set are
lossless.
Of a target that a draw changed only the rectangle that differs from the record's is kept.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Picture = NDArray[np.uint8]
Stages = Mapping[str, str | float | int | bool]

MEMBER_BYTES = 256
"""More than what ZIP writes around one member of a short name."""

JPEG_QUALITY = 97
JPEG_PSNR_DB = 40.0
"""A photograph read back from a training set is at least this near to what was written, in dB.

Of 21 targets of the recipe the mean was 45.0 and the least 40.8, of very fine texture."""


class PackedError(ValueError):
    """A packed set that cannot be read or written."""


@dataclass(frozen=True)
class Draw:
    """One degraded picture of a target."""

    input: Picture
    """(h, w, 3) uint8 RGB."""

    stages: Stages
    """What was done to it; JSON."""

    target: Picture | None = None
    """(2h, 2w, 3) uint8 RGB where the draw changed its target; None: the record's."""


@dataclass(frozen=True)
class Record:
    """One clean picture, (2h, 2w, 3) uint8 RGB, and its draws; the name is unique in a set."""

    name: str
    target: Picture
    draws: tuple[Draw, ...]


@dataclass(frozen=True)
class Encoded:
    """A record as it lies in a part: its line of the index, and its members."""

    name: str
    entry: Mapping[str, object]
    members: Mapping[str, bytes]

    @property
    def size(self) -> int:
        """Upper bound of the bytes that it adds to a part."""
        index = len(json.dumps({self.name: self.entry})) + 2
        return index + sum(len(data) + MEMBER_BYTES for data in self.members.values())


def encode(record: Record, *, lossless: bool) -> Encoded:
    """Compress the pictures of a record; raises PackedError where sizes do not fit together."""
    members: dict[str, bytes] = {}

    def put(name: str, picture: Picture, exact: bool) -> str:
        member = f"{record.name}/{name}.{'webp' if exact else 'jpg'}"
        members[member] = _compress(picture, exact)
        return member

    entry: dict[str, object] = {"target": put("target", record.target, lossless)}
    draws = []
    for number, draw in enumerate(record.draws):
        target = record.target if draw.target is None else draw.target
        for full in (record.target, target):
            _check_sizes(record.name, draw.input, full)
        line: dict[str, object] = {"input": put(f"{number}", draw.input, True)}
        box = _changed(record.target, target)
        if box is not None:
            left, top, right, bottom = box
            line["target"] = put(f"{number}.target", target[top:bottom, left:right], lossless)
            line["box"] = box
        draws.append({**line, "stages": dict(draw.stages)})
    entry["draws"] = draws
    return Encoded(record.name, entry, members)


def draw_lines(entry: Mapping[str, object]) -> list[dict[str, object]]:
    """What an entry says of each draw."""
    draws = entry["draws"]
    assert isinstance(draws, list)  # as `encode` writes it
    return draws


def decode(encoded: Encoded) -> Record:
    """Read the pictures of a record again."""

    def picture(member: object) -> Picture:
        with Image.open(io.BytesIO(encoded.members[str(member)])) as image:
            return np.asarray(image.convert("RGB"))

    clean = picture(encoded.entry["target"])
    draws = []
    for line in draw_lines(encoded.entry):
        stages = line["stages"]
        assert isinstance(stages, dict)  # as `encode` writes it
        target = picture(line["target"]) if "target" in line else None
        if target is not None and "box" in line:  # without one it is whole
            target = _patched(clean, target, line["box"])
        draws.append(Draw(picture(line["input"]), stages, target))
    return Record(encoded.name, clean, tuple(draws))


def _compress(picture: Picture, exact: bool) -> bytes:
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise PackedError(f"expected (H, W, 3) uint8, got {picture.shape} {picture.dtype}")
    out = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(picture))
    if exact:
        image.save(out, "WEBP", lossless=True, quality=50, method=3)
    else:
        image.save(out, "JPEG", quality=JPEG_QUALITY, subsampling="4:4:4", progressive=True)
    return out.getvalue()


def _check_sizes(name: str, small: Picture, target: Picture) -> None:
    height, width = small.shape[:2]
    if target.shape[:2] != (2 * height, 2 * width):
        raise PackedError(
            f"{name}: expected a target of {2 * width}x{2 * height} px, twice the input, "
            f"got {target.shape[1]}x{target.shape[0]}"
        )


def _patched(clean: Picture, patch: Picture, box: object) -> Picture:
    """A copy of a picture with a patch at left, top, right, bottom."""
    left, top, right, bottom = (int(edge) for edge in box)  # type: ignore[attr-defined]
    whole = clean.copy()
    whole[top:bottom, left:right] = patch
    return whole


def _changed(before: Picture, after: Picture) -> tuple[int, int, int, int] | None:
    """Left, top, right and bottom of what differs; None where nothing does.

    >>> before = np.zeros((4, 6, 3), np.uint8)
    >>> after = before.copy()
    >>> after[1:3, 2] = 9
    >>> _changed(before, after)
    (2, 1, 3, 3)
    """
    differs = (before != after).any(axis=2)
    rows, columns = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
    if not rows.size:
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
