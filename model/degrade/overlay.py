"""A patch of colour and cover that is laid over a target, or over its half-size picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from model.degrade.resample import resize
from model.degrade.settings import Picture

Colour: TypeAlias = tuple[int, int, int]
Layer: TypeAlias = tuple[NDArray[np.float32], Colour]
"""A mask (h, w) in 0 to 1 and what it is painted with."""


@dataclass(frozen=True)
class Overlay:
    """A patch whose corner lies at (`top`, `left`) px of the picture it is made for."""

    top: int
    left: int
    colour: Picture
    """(h, w, 3), 0 to 255, already multiplied by the cover."""
    cover: NDArray[np.float32]
    """(h, w, 1), 0 to 1."""

    def onto(self, picture: Picture) -> Picture:
        """A copy of the picture with the patch over it."""
        result = picture.copy()
        height, width = self.cover.shape[:2]
        part = result[self.top : self.top + height, self.left : self.left + width]
        part *= 1 - self.cover
        part += self.colour
        return result

    def halved(self) -> Overlay:
        """The same for the half-size picture: mean cover, as an unhinted font is drawn there.

        Corner and sides must be even.
        """
        height, width = self.cover.shape[0] // 2, self.cover.shape[1] // 2
        return Overlay(
            self.top // 2,
            self.left // 2,
            resize(self.colour, height, width, "box"),
            resize(self.cover, height, width, "box"),
        )


def lay(layers: Sequence[Layer], top: int, left: int, height: int, width: int) -> Overlay:
    """Lay layers of one size over each other, the lowest first, and cut them to the picture.

    `top` and `left` are even and may be negative, the layers may reach beyond a picture of
    (`height`, `width`), which is even too; corner and sides of the patch come out even.
    """
    high, wide = layers[0][0].shape
    y, x = max(top, 0), max(left, 0)
    bottom, right = min(top + high + high % 2, height), min(left + wide + wide % 2, width)
    colour = np.zeros((bottom - y, right - x, 3), dtype=np.float32)
    cover = np.zeros((bottom - y, right - x, 1), dtype=np.float32)
    for mask, paint in layers:
        seen = mask[y - top : bottom - top, x - left : right - left, None]
        place = (slice(seen.shape[0]), slice(seen.shape[1]))
        colour[place] = colour[place] * (1 - seen) + np.array(paint, dtype=np.float32) * seen
        cover[place] = cover[place] * (1 - seen) + seen
    return Overlay(y, x, colour, cover)
