"""A packed set in memory, or on a GPU, as uint8, cut into batches of flipped patches there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from model.charts import chart
from model.grain import enlarge, put_on
from model.records import Record
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

    times: int = 1
    """How often it is in a pool."""


@dataclass(frozen=True)
class Pool:
    """What batches are cut from."""

    degraded: list[Pair]
    clean: list[Pair]
    """Targets, halved and not degraded: sources that need nothing but their detail back."""

    def take(self, other: Pool) -> None:
        """Add what another one holds."""
        self.degraded.extend(other.degraded)
        self.clean.extend(other.clean)


@dataclass(frozen=True)
class Batch:
    """What a step is made of, float32 in [0, 1]."""

    inputs: Tensor
    """(n + k, 3, h, h): n patches, and behind them k of these once more, without their grain."""

    targets: Tensor
    """(n, 3, 2h, 2h)."""

    places: Tensor
    """(k,) int64: which of the n patches the last k are."""

    @property
    def flat(self) -> Tensor:
        """(m,) int64: which of the n patches are to become one colour."""
        least, most = self.targets.amin(dim=(2, 3)), self.targets.amax(dim=(2, 3))
        return (least == most).all(dim=1).nonzero()[:, 0]

    @property
    def grain(self) -> Tensor:
        """(k, 3, 2h, 2h): the grain of those patches, enlarged."""
        return enlarge(self.inputs[self.places] - self.inputs[len(self.targets) :])


TIMES = {
    ("scaling", "two-step"): 1,
    ("filter", "jinc"): 2,
    ("filter.second", "jinc"): 1,
    ("sharpening", "unsharp"): 1,
    ("deinterlacing", "yadif"): 2,
    ("deinterlacing", "blend"): 1,
    ("codec", "vp9"): 1,
}
"""How many times more a draw is in a pool for each of these stages: less is gained on them."""

KERNELS = {"bicubic": 0.5, "lanczos": 0.25, "box": 0.125, "hamming": 0.125}
"""Pillow's kernels by which clean pairs are halved, and how often."""


def _planes(picture: np.ndarray, device: torch.device) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1))).to(device)


def pool(
    records: Iterable[Record], rng: np.random.Generator, device: torch.device, smallest: int = 0
) -> Pool:
    """What batches are cut from, of records that are read once and of which nothing else is kept.

    Degraded pairs are there as often as they count. The clean pairs, one of each record, are its
    target, and that at half the size by one of `KERNELS`. Records whose inputs are not at least
    `smallest` px high and wide are left out.
    """
    found = Pool([], [])
    for record in records:
        if min(record.target.shape[:2]) < SCALE * smallest:
            continue
        target = _planes(record.target, device)
        for pair in _draws(record, target):
            found.degraded.extend([pair] * pair.times)
        found.clean.append(_halved(record, target, rng))
    return found


def pairs(records: Iterable[Record], device: torch.device) -> list[Pair]:
    """Every draw of every record."""
    return [pair for one in records for pair in _draws(one, _planes(one.target, device))]


def _draws(record: Record, target: Tensor) -> list[Pair]:
    """The draws of a record; `target` is the record's."""
    found = []
    for draw in record.draws:
        wide = record.target if draw.target is None else draw.target
        big = target if draw.target is None else _planes(wide, target.device)
        shift = draw.input.mean(axis=(0, 1)) - wide.mean(axis=(0, 1))
        moved = torch.tensor(shift / 255, dtype=torch.float32, device=target.device)
        times = 1 + sum(more for (k, v), more in TIMES.items() if draw.stages.get(k) == v)
        found.append(Pair(_planes(draw.input, target.device), big, moved.view(3, 1, 1), times))
    return found


def _halved(record: Record, target: Tensor, rng: np.random.Generator) -> Pair:
    kernel = str(rng.choice(list(KERNELS), p=list(KERNELS.values())))
    height, width = record.target.shape[:2]
    half = Image.fromarray(record.target).resize(
        (width // SCALE, height // SCALE), Image.Resampling[kernel.upper()]
    )
    unmoved = torch.zeros(3, 1, 1, device=target.device)
    return Pair(_planes(np.asarray(half), target.device), target, unmoved)


def batch(
    pool: Pool,
    rng: np.random.Generator,
    count: int,
    side: int,
    *,
    clean: float,
    charts: float,
    grain: float = 0.0,
    twins: bool = False,
) -> Batch:
    """`count` random patches of `side` px, flipped left to right and top to bottom by chance.

    Not turned on their sides: interlacing and codecs treat rows and columns differently. A share of
    `clean` is of the clean pairs, and one of `charts` of none but drawn. A share of `grain` of all
    gets grain; `twins` adds each of these without it.
    """
    device = pool.degraded[0].input.device
    patches = []
    for kind in rng.random(count):
        if kind < charts:
            patches.append(_drawn(rng, side, device))
        else:
            found = pool.clean if kind < charts + clean else pool.degraded
            patches.append(_cut(found[int(rng.integers(len(found)))], rng, side))
    smalls, bigs, shifts = (torch.stack(planes) for planes in zip(*patches, strict=True))
    inputs, targets = smalls.float() / 255, bigs.float() / 255 + shifts
    for axis in (2, 3):
        turned = torch.from_numpy(rng.random((count, 1, 1, 1)) < 0.5).to(device)
        inputs, targets = (torch.where(turned, x.flip(axis), x) for x in (inputs, targets))
    grainy, targets, places = put_on(inputs, targets, rng, grain)
    places = places if twins else places[:0]
    both = torch.cat([grainy, inputs[places]])
    return Batch(both.contiguous(memory_format=torch.channels_last), targets, places)


def _cut(pair: Pair, rng: np.random.Generator, side: int) -> tuple[Tensor, Tensor, Tensor]:
    """Input and target of a patch, and the target's shift."""
    height, width = pair.input.shape[1:]
    top, left = rng.integers(height - side + 1), rng.integers(width - side + 1)
    small = pair.input[:, top : top + side, left : left + side]
    rows = slice(SCALE * top, SCALE * (top + side))
    columns = slice(SCALE * left, SCALE * (left + side))
    return small, pair.target[:, rows, columns], pair.shift


def _drawn(
    rng: np.random.Generator, side: int, device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    small, big = (_planes(picture, device) for picture in chart(rng, side))
    return small, big, torch.zeros(3, 1, 1, device=device)
