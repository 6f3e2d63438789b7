"""Patches of fine detail of full contrast, as test charts, tables and small print have it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from model.degrade.fonts import draw_font
from model.degrade.overlay import Overlay
from model.degrade.settings import Settings, Stages, between, choose, happens, whole
from model.degrade.words import phrase

_KINDS = {"chequers": 2, "lines": 2, "grating": 2, "grid": 1, "print": 2}
_CELLS_PX = (1, 2, 2, 3, 3, 4, 6)
"""Widths of lines and fields in px of the target: up to 3 px of the input, and between them."""


def draw_pattern(
    rng: np.random.Generator, settings: Settings, stages: Stages, height: int, width: int
) -> Overlay | None:
    """Draw whether a patch lies on the target of that size, where, and what it shows."""
    stages["pattern"] = "none"
    if not happens(rng, settings.patterned):
        return None
    kind = choose(rng, _KINDS)
    stages["pattern"] = kind
    high, wide = (min(whole(rng, (48, 200)), side) for side in (height, width))
    grey = _print(rng, settings, high, wide) if kind == "print" else _chart(rng, kind, high, wide)
    if happens(rng, 0.3):
        grey = 255 - grey
    top, left = whole(rng, (0, height - high)), whole(rng, (0, width - wide))
    colour = np.repeat(grey[..., None], 3, axis=2).astype(np.float32)
    return Overlay(top, left, colour, np.ones((high, wide, 1), dtype=np.float32))


def _chart(rng: np.random.Generator, kind: str, high: int, wide: int) -> NDArray[np.float32]:
    y, x = np.mgrid[:high, :wide]
    cell = int(rng.choice(_CELLS_PX))
    if kind == "chequers":
        light = (y // cell + x // cell) % 2
    elif kind == "lines":
        light = (y if happens(rng, 0.5) else x) % (cell + whole(rng, (1, 8))) < cell
    elif kind == "grid":
        light = (y % (cell + 8) < cell) | (x % (cell + 8) < cell)
    else:
        angle, period = between(rng, (0.0, np.pi)), between(rng, (2.5, 12.0))
        light = 0.5 + 0.5 * np.sin(2 * np.pi / period * (np.cos(angle) * x + np.sin(angle) * y))
    grey: NDArray[np.float32] = (255 * light).astype(np.float32)
    return grey


def _print(
    rng: np.random.Generator, settings: Settings, high: int, wide: int
) -> NDArray[np.float32]:
    size = whole(rng, (9, 18))
    font, _ = draw_font(rng, size, settings.fonts)
    page = Image.new("L", (wide, high))
    canvas = ImageDraw.Draw(page)
    for top in range(2, high, round(1.3 * size)):
        canvas.text((2, top), phrase(rng, 60), fill=255, font=font)
    return np.asarray(page, dtype=np.float32)
