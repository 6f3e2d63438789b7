"""Which crops are cut from a photograph, and how far it is scaled down first.

A photograph at its own size is no clean target: demosaicing, JPEG and lenses have softened it, so
each is scaled down, by the first of `SCALES` at least and further where it is soft.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Plane = NDArray[np.float32]

SCALES = (2.0, 2.5, 3.0, 3.5, 4.0)
"""Scales tried, least first; the last is taken where even that leaves a photograph soft."""

SHARP_DB = 35.0
"""A photograph is sharp at a scale where `detail_db` of its richest blocks is at most this."""

DETAILED_SHARE = 0.2
"""Share of the blocks that count as the most detailed: a sharp subject may stand before a soft
ground."""

BLOCK_PX = 32
CROP_PX = 640
VALID_CROP_PX = 512
LEAST_CROP_PX = 256
MULTIPLE_PX = 4
"""Sides of a crop are multiples of this."""

EXTRA_SCALE = 1.5
EXTRA_LEAST_PX = 448
"""Each crop is scaled down by a further factor of up to `EXTRA_SCALE`, as far as the short side of
the photograph stays at least `EXTRA_LEAST_PX`."""

FLAT_SHARE = 0.1
"""Share of the crops that are cut anywhere; of the others each is the best of `TRIES`."""

TRIES = 6
MOST_SHARE = 0.01
"""No photograph gives more than this share of the targets."""

MOST_AREA = 8.0
"""Crops' worth of px beyond which a larger photograph gives no more targets."""


@dataclass(frozen=True)
class Survey:
    """What is known of a photograph before crops are chosen."""

    width: int
    height: int
    scale: float
    detail: Plane
    """`detail_map` of the photograph, scaled down by `scale`."""


@dataclass(frozen=True)
class Crop:
    """What is cut from a photograph: its corner in px there, the scale, its size when scaled."""

    left: float
    top: float
    scale: float
    width: int
    height: int

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom in px of the photograph."""
        right = self.left + self.width * self.scale
        return self.left, self.top, right, self.top + self.height * self.scale


def luma(picture: NDArray[np.uint8]) -> Plane:
    """BT.709 luma of (H, W, 3) uint8, as (H, W) in code values."""
    weights = np.array([0.2126, 0.7152, 0.0722], np.float32)
    return np.asarray(picture.astype(np.float32) @ weights, np.float32)


def detail_map(plane: Plane) -> Plane:
    """Mean square of what half the size loses of a luma plane, in blocks of `BLOCK_PX` px."""
    rows, columns = (side // BLOCK_PX for side in plane.shape)
    plane = plane[: rows * BLOCK_PX, : columns * BLOCK_PX]
    image = Image.fromarray(plane)
    half = image.resize((image.width // 2, image.height // 2), Image.Resampling.BICUBIC)
    lost = plane - np.asarray(half.resize(image.size, Image.Resampling.BICUBIC))
    blocks = np.square(lost).reshape(rows, BLOCK_PX, columns, BLOCK_PX)
    return np.asarray(blocks.mean(axis=(1, 3)), np.float32)


def detail_db(detail: Plane, share: float = 1.0) -> float:
    """PSNR in dB of a plane against itself rebuilt from half its size; less is more detail.

    Of the `share` of its blocks that are richest in detail.
    """
    richest = np.sort(detail, axis=None)[::-1][: max(1, round(share * detail.size))]
    return float(10 * np.log10(255**2 / max(float(richest.mean()), 1e-6)))


def survey(picture: NDArray[np.uint8]) -> Survey:
    """Find the least of `SCALES` at which a photograph is sharp, or the largest that it allows.

    Raises ValueError for a photograph that is too small for any.
    """
    image = Image.fromarray(luma(picture))
    found: Survey | None = None
    for scale in SCALES:
        size = (int(image.width / scale), int(image.height / scale))
        if min(size) < LEAST_CROP_PX:
            break
        plane = np.asarray(image.resize(size, Image.Resampling.BICUBIC))
        found = Survey(image.width, image.height, scale, detail_map(plane))
        if detail_db(found.detail, DETAILED_SHARE) <= SHARP_DB:
            break
    if found is None:
        least = round(LEAST_CROP_PX * SCALES[0])
        raise ValueError(
            f"expected a photograph of at least {least} px a side, got {image.width}x{image.height}"
        )
    return found


def share_out(surveys: Sequence[Survey], targets: int) -> list[int]:
    """Number of crops of each photograph: by area and detail, none above `MOST_SHARE`.

    They add up to `targets`, or to less where the photographs are too few for that.

    >>> flat = np.full((20, 20), 1.0, np.float32)
    >>> share_out([Survey(1280, 1280, 2.0, flat)] * 3, 200)
    [2, 2, 2]
    """
    most = max(1, int(MOST_SHARE * targets))
    weights = np.array([_weight(one) for one in surveys])
    low, high = 0.0, targets / weights.min()
    for _ in range(60):  # bisect the factor at which the capped shares reach the total
        middle = (low + high) / 2
        if np.minimum(middle * weights, most).sum() < targets:
            low = middle
        else:
            high = middle
    shares = np.minimum(high * weights, most)
    counts = np.floor(shares).astype(int)
    missing = min(targets, round(float(shares.sum()))) - int(counts.sum())
    for index in np.argsort(counts - shares, kind="stable")[: max(0, missing)]:
        counts[index] += 1
    return [int(count) for count in counts]


def _weight(one: Survey) -> float:
    crops = one.width * one.height / one.scale**2 / CROP_PX**2
    detail = np.clip((44 - detail_db(one.detail)) / 12, 0.25, 1)
    return float(min(crops, MOST_AREA) * detail)


def choose_crops(one: Survey, count: int, rng: np.random.Generator) -> list[Crop]:
    """Draw crops for training, of up to `CROP_PX` px, that share as little as they can."""
    used = np.zeros_like(one.detail)
    rich = np.sqrt(one.detail)
    crops = []
    for _ in range(count):
        room = min(one.width, one.height) / one.scale / EXTRA_LEAST_PX
        extra = rng.uniform(1, np.clip(room, 1, EXTRA_SCALE))
        flat = rng.random() < FLAT_SHARE
        tries = [_place(one, one.scale * extra, rng) for _ in range(TRIES)]
        worth = [_mean(rich, one, crop) / (1 + 2 * _mean(used, one, crop)) for crop in tries]
        crop = tries[0 if flat else int(np.argmax(worth))]
        used[_blocks(one, crop)] += 1
        crops.append(crop)
    return crops


def choose_valid_crop(one: Survey) -> Crop:
    """The crop for validation, of up to `VALID_CROP_PX` px: rich in detail and near the centre."""
    width, height = _crop_size(one, one.scale, VALID_CROP_PX)
    room = one.width - width * one.scale, one.height - height * one.scale
    rich = np.sqrt(one.detail)
    steps = np.linspace(0, 1, 17)
    best, found = -1.0, Crop(0, 0, one.scale, width, height)
    for down in steps if room[1] > 0 else steps[:1]:
        for across in steps if room[0] > 0 else steps[:1]:
            crop = Crop(across * room[0], down * room[1], one.scale, width, height)
            off_centre = (2 * across - 1) ** 2 + (2 * down - 1) ** 2
            worth = _mean(rich, one, crop) * (1 - off_centre / 4)
            if worth > best:
                best, found = worth, crop
    return found


def _crop_size(one: Survey, scale: float, most_px: int) -> tuple[int, int]:
    """Width and height of a crop at a scale, multiples of `MULTIPLE_PX`."""
    sides = (min(most_px, int(side / scale + 1e-6)) for side in (one.width, one.height))
    width, height = (side // MULTIPLE_PX * MULTIPLE_PX for side in sides)
    return width, height


def _place(one: Survey, scale: float, rng: np.random.Generator) -> Crop:
    width, height = _crop_size(one, scale, CROP_PX)
    left = rng.uniform(0, max(0.0, one.width - width * scale))
    top = rng.uniform(0, max(0.0, one.height - height * scale))
    return Crop(left, top, scale, width, height)


def _blocks(one: Survey, crop: Crop) -> tuple[slice, slice]:
    """Where a crop lies in the detail map."""
    left, top, right, bottom = (round(edge / one.scale / BLOCK_PX) for edge in crop.box)
    rows, columns = one.detail.shape
    top, left = min(top, rows - 1), min(left, columns - 1)
    return slice(top, max(bottom, top + 1)), slice(left, max(right, left + 1))


def _mean(values: Plane, one: Survey, crop: Crop) -> float:
    return float(values[_blocks(one, crop)].mean())
