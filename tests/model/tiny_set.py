"""A validation set of a few small pictures, and an upscaler that is a function."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from model.metrics import Picture, Upscale
from model.records import Draw, Record
from model.rivals import Rival, resized


def photograph(seed: int) -> Picture:
    """Make (64, 80, 3) of a ramp, an edge and texture."""
    rows, columns = np.mgrid[:64, :80]
    levels = np.stack([60 + columns, 150 - rows, 80 + rows // 2 + columns // 2], axis=-1)
    levels[20:44, 30:60] += 50
    levels += np.random.default_rng(seed).integers(-6, 7, levels.shape)
    return levels.astype(np.uint8)


def records(count: int = 3) -> list[Record]:
    """Records of two draws: clean, and five levels too dark with a target of its own."""
    made = []
    for number in range(count):
        target = photograph(number)
        small = resized(target, 0.5, "bicubic")
        draws = (
            Draw(small, {"codec": "none", "text": "none"}),
            Draw(small - 5, {"codec": "h264", "h264.crf": 20, "text": "over"}, target - 5),
        )
        made.append(Record(f"picture{number}", target, draws))
    return made


def rival(upscale: Upscale, identity: str = "made up") -> Rival:
    @contextmanager
    def opened() -> Iterator[Upscale]:
        yield upscale

    return Rival("made up", identity, opened)
