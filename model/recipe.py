"""The settings of a training run, and what follows from them: the loss and the learning rate."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from model import losses, ssimulacra
from model.patches import Batch
from model.span import SCALE

PARTS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "charbonnier": losses.charbonnier,
    "psnr": losses.psnr,
    "ssim": lambda made, wanted: 1 - losses.ssim(made, wanted),
    "ms_ssim": lambda made, wanted: 1 - losses.ms_ssim(made, wanted),
    "consistency": losses.consistency,
    "ssimulacra": ssimulacra.error,
}
"""Of the loss, what compares with a target, by the names of their weights in a recipe."""


@dataclass(frozen=True)
class Recipe:
    """Settings of one run."""

    minutes: float = 120.0
    """Of training, validation and saving left out; the learning rate falls to its end over them."""

    batch: int = 8
    side: int = 80
    """Of a patch of the input, px; the target's is twice that."""

    clean: float = 0.45
    """Share of the patches whose input is not degraded, only halved."""

    charts: float = 0.05
    """Share of the patches that are drawn charts instead of pieces of photographs."""

    grain: float = 0.35
    """Share of the patches that get grain, the target as well."""

    rate: float = 5e-4
    rate_end: float = 1e-6
    warm_up_steps: int = 200
    clip: float = 0.5
    """Largest norm of the gradient: products of activations make rare huge ones."""

    pull: float = 0.3
    """Of each weight towards the SPAN authors' weight, in learning rates a step: as weight decay,
    but to where training starts from. What the loss does not ask for stays as it is there."""

    ema: float = 0.9995
    seed: int = 1
    margin: int = 8
    """Rim of a patch of the input, px, that most of the loss is not taken of: what lies beyond is
    not known there."""

    rim: int = 2
    """What the package is to add to a picture by mirroring, px of the input: from there to `margin`
    only flat fields count, by `ring`. What lies beyond the rim is known of these alone."""

    charbonnier: float = 1.0
    psnr: float = 0.006
    ssim: float = 0.1
    ms_ssim: float = 0.3
    consistency: float = 1.0
    ssimulacra: float = 0.003
    colour: float = 1.0
    ring: float = 0.0
    grain_kept: float = 0.05
    """Of what is wrong with the grain of each patch that has some: it costs the patch once more."""

    def loss(self, made: Tensor, batch: Batch) -> Tensor:
        """The weighted sum of the parts, of what was made of all inputs, without the margin."""
        rim, count = self.margin, len(batch.targets)
        values = []
        if self.ring and self.rim < rim and len(flat := batch.flat):
            bounds = SCALE * self.rim, SCALE * rim
            error = losses.ring(made[flat], batch.targets[flat], *bounds)
            values.append(self.ring * error * len(flat) / count)
        made, wanted = (_inner(x, SCALE * rim) for x in (made, batch.targets))
        made, twins = made[:count], made[count:]
        parts = {name: getattr(self, name) for name in PARTS}
        values += [weight * PARTS[name](made, wanted) for name, weight in parts.items() if weight]
        if self.colour:
            source = _inner(batch.inputs[:count], rim)
            values.append(self.colour * losses.colour(made, source))
        if len(twins):
            change, grain = made[batch.places] - twins, _inner(batch.grain, SCALE * rim)
            values.append(self.grain_kept * losses.grain(change, grain).sum() / count)
        return torch.stack(values).sum()

    def rate_at(self, step: int, done: float) -> float:
        """The learning rate once the share `done` of the minutes has passed."""
        fall = 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
        warm = min(1.0, (step + 1) / max(1, self.warm_up_steps))
        return warm * (self.rate_end + (self.rate - self.rate_end) * fall)


def _inner(planes: Tensor, rim: int) -> Tensor:
    """(n, c, h, w) without its outer px."""
    return planes[..., rim : -rim or None, rim : -rim or None]
