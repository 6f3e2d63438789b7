"""Fine detail of full contrast at the size of the input's px: what footage hardly ever holds.

The network multiplies a signal by a function of itself, six times over. Where training never
showed it chequers, small print or noise of full contrast, they come out as louder noise, and
overflow fp16.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Picture = NDArray[np.uint8]

KINDS = {"chequers": 1, "lines": 1, "grid": 1, "print": 1, "noise": 2, "dots": 2, "flat": 4}
"""And how often: noise, a television without a station, is what goes wrong most easily. Flat fields
of strong colours, which photographs lack, else come out a few levels off."""


def chart(rng: np.random.Generator, side: int) -> tuple[Picture, Picture]:
    """Draw an input (side, side, 3) and its target of twice the side.

    Drawn things become px of twice the size, noise its bicubic enlargement.
    """
    shares = np.array(list(KINDS.values())) / sum(KINDS.values())
    kind = str(rng.choice(list(KINDS), p=shares))
    if kind == "noise":
        planes = rng.integers(0, 256, (side, side, 3))
        grey = np.repeat(planes[..., :1], 3, axis=2)
        small = (planes if rng.random() < 0.5 else grey).astype(np.uint8)
        big = Image.fromarray(small).resize((2 * side, 2 * side), Image.Resampling.BICUBIC)
        return small, np.asarray(big)
    light = _dots(rng, side) if kind == "dots" else _drawn(rng, kind, side)[..., None]
    low, high = _colours(rng)
    if kind == "flat":
        low = high = np.clip(np.rint(rng.uniform(-128, 383, 3)), 0, 255)
    small = np.rint(low + (high - low) * light).astype(np.uint8)
    return small, small.repeat(2, axis=0).repeat(2, axis=1)


def _colours(rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Black and white, one in two turned about, one in three in other colours."""
    low, high = np.zeros(3), np.full(3, 255.0)
    if rng.random() < 1 / 3:
        low, high = rng.integers(0, 256, 3).astype(float), rng.integers(0, 256, 3).astype(float)
    return (low, high) if rng.random() < 0.5 else (high, low)


def _dots(rng: np.random.Generator, side: int) -> NDArray[np.float64]:
    channels = int(rng.choice([1, 3]))
    return (rng.random((side, side, channels)) < rng.uniform(0.05, 0.5)).astype(np.float64)


def _drawn(rng: np.random.Generator, kind: str, side: int) -> NDArray[np.float64]:
    if kind == "print":
        return _print(rng, side)
    y, x = np.mgrid[:side, :side] + rng.integers(0, 8)
    cell = int(rng.choice([1, 1, 1, 2, 2, 3, 4]))
    period = cell + int(rng.choice([1, 1, 2, 3, 7]))
    if kind == "chequers":
        light = (y // cell + x // cell) % 2
    elif kind == "grid":
        light = (y % period < cell) | (x % period < cell)
    else:
        light = (y if rng.random() < 0.5 else x) % period < cell
    return np.asarray(light, np.float64)


def _print(rng: np.random.Generator, side: int) -> NDArray[np.float64]:
    page = Image.new("L", (side, side))
    canvas = ImageDraw.Draw(page)
    if rng.random() < 0.5:
        canvas.fontmode = "1"
    size = int(rng.integers(8, 15))
    font = ImageFont.load_default(size)
    for top in range(-int(rng.integers(0, 8)), side, round(1.4 * size)):
        line = "".join(chr(code) for code in rng.integers(48, 123, side // 3))
        canvas.text((-int(rng.integers(0, 8)), top), line, fill=255, font=font)
    return np.asarray(page) / 255
