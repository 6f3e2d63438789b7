"""A packed set in memory, or on a GPU, as uint8, cut into batches of flipped patches there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from model.charts import chart
from model.grain import put_on
from model.packed import Record
from model.span import SCALE


@dataclass(frozen=True)
class Pair:
    """One degraded picture and what it should become."""

    input: Tensor
    """(3, h, w) uint8."""

    target: Tensor
    """(3, 2h, 2w) uint8; shared by the draws of one picture."""

    shift: Tensor
    """(3, 1, 1) float32, in [0, 1]: what is added to the target so that its mean colour is the
    input's. A codec moves the mean a little, and the network is not to learn to undo or copy that.
    """

    hard: bool = False
    """Scaled in two steps, with blur, sharpening or deinterlacing on the way."""


@dataclass(frozen=True)
class Pool:
    """What batches are cut from."""

    degraded: list[Pair]
    clean: list[Pair]
    """Targets, halved and not degraded: sources that need nothing but their detail back."""


KERNELS = {"bicubic": 0.5, "lanczos": 0.25, "box": 0.125, "hamming": 0.125}
"""Pillow's kernels by which clean pairs are halved, and how often."""


def _planes(picture: np.ndarray, device: torch.device) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1))).to(device)


def pairs(records: Iterable[Record], device: torch.device, smallest: int = 0) -> list[Pair]:
    """Every draw of every record whose input is at least `smallest` px high and wide."""
    found = []
    for record in records:
        shared: Tensor | None = None
        for draw in record.draws:
            if min(draw.input.shape[:2]) < smallest:
                continue
            if draw.target is not None:
                target = _planes(draw.target, device)
            else:
                shared = target = _planes(record.target, device) if shared is None else shared
            wide = record.target if draw.target is None else draw.target
            shift = draw.input.mean(axis=(0, 1)) - wide.mean(axis=(0, 1))
            moved = torch.tensor(shift / 255, dtype=torch.float32, device=device).view(3, 1, 1)
            hard = draw.stages.get("scaling") == "two-step"
            found.append(Pair(_planes(draw.input, device), target, moved, hard))
    return found


def clean(records: Iterable[Record], rng: np.random.Generator, device: torch.device) -> list[Pair]:
    """One pair of each record: its target, and that at half the size by one of `KERNELS`."""
    found = []
    for record in records:
        kernel = str(rng.choice(list(KERNELS), p=list(KERNELS.values())))
        height, width = record.target.shape[:2]
        half = Image.fromarray(record.target).resize(
            (width // SCALE, height // SCALE), Image.Resampling[kernel.upper()]
        )
        unmoved = torch.zeros(3, 1, 1, device=device)
        small, big = _planes(np.asarray(half), device), _planes(record.target, device)
        found.append(Pair(small, big, unmoved))
    return found


def batch(
    pool: Pool,
    rng: np.random.Generator,
    count: int,
    side: int,
    *,
    clean: float,
    charts: float,
    grain: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """`count` random patches: inputs (count, 3, side, side) and targets of twice the side.

    float32 in [0, 1], flipped left to right and top to bottom by chance. Not turned on their sides:
    interlacing and codecs treat rows and columns differently. A share of `clean` is of the clean
    pairs, and one of `charts` of none but drawn. A share of `grain` of all gets grain.
    """
    patches = []
    for kind in rng.random(count):
        if kind < charts:
            patches.append(_drawn(rng, side, pool.degraded[0].input.device))
        else:
            found = pool.clean if kind < charts + clean else pool.degraded
            patches.append(_cut(found[int(rng.integers(len(found)))], rng, side))
    inputs = torch.stack([small for small, _ in patches])
    targets = torch.stack([big for _, big in patches])
    inputs, targets = put_on(inputs, targets, rng, grain)
    return inputs.contiguous(memory_format=torch.channels_last), targets


def _cut(pair: Pair, rng: np.random.Generator, side: int) -> tuple[Tensor, Tensor]:
    height, width = pair.input.shape[1:]
    top, left = rng.integers(height - side + 1), rng.integers(width - side + 1)
    turned = [axis for axis in (1, 2) if rng.random() < 0.5]
    small = pair.input[:, top : top + side, left : left + side]
    rows = slice(SCALE * top, SCALE * (top + side))
    columns = slice(SCALE * left, SCALE * (left + side))
    big = pair.target[:, rows, columns].flip(turned).float() / 255 + pair.shift
    return small.flip(turned).float() / 255, big


def _drawn(rng: np.random.Generator, side: int, device: torch.device) -> tuple[Tensor, Tensor]:
    small, big = (_planes(picture, device).float() / 255 for picture in chart(rng, side))
    return small, big
