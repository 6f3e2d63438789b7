"""What the rows of gray frames tell: whether they comb, and whether half of them are copies.

Pictures are judged block by block, for a hard edge, a caption or a black bar outweighs all else in
a mean over the whole. The figures at the constants were measured as told in `fields`.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.float32]
Frame = NDArray[np.uint8]
Truth = NDArray[np.bool_]
Sides = NDArray[np.float64]

BLOCK = (16, 32)
"""Height and width in pixels of the blocks that pictures are judged by."""

MOVED, MOVING_BLOCKS = 20.0, 4
"""Mean squared change (levels squared) of a block that moved; how many make a moving frame."""

COMB, COMB_RATIO, COMBED_BLOCKS = 8.0, 1.0, 0.04
"""A moving block is combed if its rows' squared bends exceed COMB (levels squared) and COMB_RATIO
times the squared steps within a field; a frame, if that share of its moving blocks, two at least,
is. Of 747 clips without fields none had such a frame; facades at night came nearest, with 3.3 %."""

SIDES = 4
"""Frames whose leaning a certain answer needs."""

TEXTURE, TEXTURED_BLOCKS, ROUNDING = 4.0, 12, 0.3
"""Energy (levels squared) from which a block tells anything of its rows, such blocks a frame must
have, and what is added to each side so that rounding to whole levels makes no ratio."""


def combs(frames: Frame) -> Truth:
    """(N - 1, 2): for each frame but the first, whether enough of it moved, and shows combs."""
    seen = np.zeros((max(len(frames) - 1, 0), 2), np.bool_)
    for at, (before, frame) in enumerate(pairwise(frames)):
        gray = frame.astype(np.float32)
        above, row, below = gray[:-2], gray[1:-1], gray[2:]
        moved = _blocks((row - before[1:-1]) ** 2) > MOVED
        steps, bends = _blocks((above - below) ** 2), _blocks((row - (above + below) / 2) ** 2)
        combed = np.count_nonzero(moved & (bends > COMB + COMB_RATIO * steps))
        blocks = np.count_nonzero(moved)
        seen[at, 0] = blocks >= MOVING_BLOCKS
        seen[at, 1] = seen[at, 0] and combed >= max(2, COMBED_BLOCKS * blocks)
    return seen


def _blocks(energy: Gray) -> Gray:
    """Means of whole blocks: (h, w) to (h // BLOCK[0], w // BLOCK[1])."""
    means: Gray = _split(energy).mean((1, 2, 4))
    return means


def _split(energy: Gray) -> Gray:
    """(h, w) to (blocks, half the rows of each, 2, blocks across, columns of each)."""
    down, across = energy.shape[0] // BLOCK[0], energy.shape[1] // BLOCK[1]
    whole = energy[: down * BLOCK[0], : across * BLOCK[1]]
    return whole.reshape(down, BLOCK[0] // 2, 2, across, BLOCK[1])


def leanings(frame: Frame) -> Sides:
    """(4, 2): leaning and agreement of rows and columns as repeated, and as interpolated."""
    rows = frame.astype(np.float32)
    columns = np.ascontiguousarray(rows.T)
    return np.array([_lean(*look(a)) for look in (_steps, _misses) for a in (rows, columns)])


def _steps(gray: Gray) -> tuple[Gray, Gray]:
    """Squared steps from odd rows to the next and from even rows, but at the edges of codecs' 8."""
    steps = _split(np.square(gray[1:] - gray[:-1])).mean(4)
    return steps[:, [0, 1, 2, 4, 5, 6], 1].mean(1), steps[:, :, 0].mean(1)


def _misses(gray: Gray) -> tuple[Gray, Gray]:
    """By how much even rows, and odd ones, miss what the four rows around them foretell, squared.

    The foretelling weighs the farther two as fits best, so that it holds for linear and cubic ones.
    """
    near, far = (gray[2:-4] + gray[4:-2]) / 2, (gray[:-6] + gray[6:]) / 2
    bend, reach = gray[3:-3] - near, far - near
    for first in (0, 1):
        b, r = bend[first::2], reach[first::2]
        b -= float(np.vdot(b, r)) / (float(np.vdot(r, r)) + 1) * r
    misses = _split(np.square(bend)).mean(4)
    return misses[:, :, 1].mean(1), misses[:, :, 0].mean(1)


def _lean(even: Gray, odd: Gray) -> tuple[float, float]:
    """How much more energy the first has, as log2, and the share of the blocks that agree.

    Above 0, originals begin at row 0; NaN where there is too little texture.
    """
    told = np.maximum(even, odd) > TEXTURE
    if np.count_nonzero(told) < TEXTURED_BLOCKS:
        return np.nan, np.nan
    ratios = np.log2((even[told] + ROUNDING) / (odd[told] + ROUNDING))
    middle = float(np.median(ratios))
    return middle, float(np.mean(ratios * middle > 0))


def settle(sides: Sides) -> tuple[float, float, float]:
    """(N, 2) of N frames: the middle leaning, its size whatever its side, and the agreement."""
    told = sides[~np.isnan(sides[:, 0])]
    if not len(told):
        return 0.0, 0.0, 0.0
    middle = float(np.median(told[:, 0]))
    agreed = min(np.median(told[:, 1]), np.mean(told[:, 0] * middle > 0))
    return middle, float(np.median(abs(told[:, 0]))), float(agreed) if len(told) >= SIDES else 0.0


def cadence(windows: list[Truth]) -> tuple[float, float]:
    """Combed shares of two neighbours in five moving frames and of the other three, best phases."""
    told = np.zeros((2, 2), np.int64)
    for window in windows:
        if window[:, 1].sum() < 4:
            continue
        fold = np.array([window[phase::5].sum(0) for phase in range(5)])
        pairs = fold + np.roll(fold, -1, 0)
        pair = pairs[np.argmax(pairs[:, 1])]
        told += [pair, fold.sum(0) - pair]
    shares = told[:, 1] / np.maximum(told[:, 0], 1)
    return float(shares[0]), float(shares[1])
