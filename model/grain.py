"""Grain on patches in training: on the input and, enlarged, on the target, so that it stays."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor

CATMULL_ROM = (
    (-0.0234375, 0.2265625, 0.8671875, -0.0703125),
    (-0.0703125, 0.8671875, 0.2265625, -0.0234375),
)
"""Weights of four px, for the px of an enlargement that lie a quarter px before and after one."""

SIGMA_LEVELS = (1.0, 14.0)


def enlarge(planes: Tensor) -> Tensor:
    """(n, c, h, w) to (n, c, 2h, 2w) by Catmull-Rom: Pillow's bicubic, but for rounding."""
    rows, columns = (_matrix(side, planes.dtype, planes.device) for side in planes.shape[2:])
    return rows @ planes @ columns.T


@cache
def _matrix(side: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(2 side, side): what each px of the enlargement takes of each px; rims take less far."""
    matrix = np.zeros((2 * side, side))
    for phase, weights in enumerate(CATMULL_ROM):
        first = -2 if phase == 0 else -1
        for k, weight in enumerate(weights):
            for px in range(side):
                if 0 <= px + first + k < side:
                    matrix[2 * px + phase, px + first + k] += weight
    matrix /= matrix.sum(axis=1, keepdims=True)
    return torch.from_numpy(matrix).to(device, dtype)


def draw(rng: np.random.Generator, count: int, side: int, device: torch.device) -> Tensor:
    """Draw grains (count, 3, side, side), float32, for values in [0, 1].

    White or coarser, grey or in colour, by chance each. The numbers are drawn on the device.
    """
    low, high = SIGMA_LEVELS
    sigmas = low + (high - low) * rng.random(count) ** 2
    spreads = rng.uniform(0, 0.5, count) * (rng.random(count) < 0.5)
    grey = rng.random(count) < 0.5
    of_each = torch.from_numpy(np.stack([sigmas, spreads, grey]).astype(np.float32)).to(device)
    sigma, spread, alike = of_each.view(3, count, 1, 1, 1).unbind()
    numbers = torch.Generator(device).manual_seed(int(rng.integers(2**62)))
    grain = torch.randn((count, 3, side + 2, side + 2), generator=numbers, device=device)
    grain = torch.where(alike > 0, grain[:, :1], grain)
    for axis in (2, 3):
        grain = grain + spread * (grain.roll(1, axis) + grain.roll(-1, axis))
    grain = grain[..., 1:-1, 1:-1]
    return grain * (sigma / 255 / grain.std(dim=(1, 2, 3), keepdim=True, correction=0))


def put_on(
    inputs: Tensor, targets: Tensor, rng: np.random.Generator, share: float
) -> tuple[Tensor, Tensor, Tensor]:
    """A share of the patches with grain, and which these are: (k,) int64.

    Inputs are rounded to 8 bits and cut to [0, 1], as they come, and targets get what that left of
    the grain: in black it only lightens. `inputs` (n, 3, h, h), `targets` (n, 3, 2h, 2h), float32.
    """
    count = int(share * len(inputs) + rng.random())  # as good as always the same: so is the batch
    chosen = np.sort(rng.choice(len(inputs), count, replace=False))
    places = torch.from_numpy(chosen).to(inputs.device)
    if not chosen.size:
        return inputs, targets, places
    noise = draw(rng, len(chosen), inputs.shape[-1], inputs.device)
    grainy, wanted = inputs.clone(), targets.clone()
    grainy[places] = ((inputs[places] + noise).clamp(0, 1) * 255).round() / 255
    wanted[places] += enlarge(grainy[places] - inputs[places])
    return grainy, wanted, places
