"""SSIMULACRA 2 as a loss: the errors that it counts, before they become a score.

Sneyers, "SSIMULACRA 2", github.com/cloudinary/ssimulacra2: structure, ringing and blurring in XYB
at up to six scales, each as a mean and as an L4 norm, with weights fitted to opinions of people.
"""

from __future__ import annotations

from functools import cache

import torch
from ssimulacra2 import ssimulacra2 as parts
from torch import Tensor
from torch.nn import functional

from model.losses import SIGMA, WINDOW, gaussian

SCALES, NORMS, KINDS = 6, 2, 3
SCORE_SCALE = 0.9562382616834844
"""What the package multiplies the sum by before it is bent into a score."""


def linear(image: Tensor) -> Tensor:
    """Linear light of sRGB's code values, cut to [0, 1]."""
    x = image.clamp(0, 1)
    return torch.where(x <= 0.04045, x / 12.92, ((x.clamp(min=0.04) + 0.055) / 1.055) ** 2.4)


@cache
def _constants(dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """The matrix to cones' colours, and the weights of the errors, on a device."""
    matrix, weights = (
        torch.as_tensor(numbers, dtype=dtype, device=device)
        for numbers in (parts.kOpsinAbsorbanceMatrix, parts.weights)
    )
    return matrix.view(3, 3), weights.view(3, SCALES, NORMS, KINDS)


def xyb(light: Tensor) -> Tensor:
    """(n, 3, h, w) linear RGB as positive XYB, scaled as SSIMULACRA 2 wants it."""
    matrix, _ = _constants(light.dtype, light.device)
    bias = float(parts.kB0)
    mixed = torch.einsum("kc,nchw->nkhw", matrix, light) + bias
    long, middle, short = (mixed.clamp(min=1e-6) ** (1 / 3) - bias ** (1 / 3)).unbind(dim=1)
    x, y = 0.5 * (long - middle), 0.5 * (long + middle)
    return torch.stack([14 * x + 0.42, y + 0.01, short - y + 0.55], dim=1)


def _norms(error: Tensor) -> Tensor:
    """(n, 3, 2): mean and L4 norm of each plane of (n, 3, h, w)."""
    fourth = (error**4).mean(dim=(2, 3)).clamp(min=1e-16) ** 0.25
    return torch.stack([error.mean(dim=(2, 3)), fourth], dim=-1)


def _errors(target: Tensor, output: Tensor) -> Tensor:
    """(n, 3, 2, 3): of each colour and norm: structure, ringing, blurring."""
    a, b = xyb(target), xyb(output)
    blurred = gaussian(torch.cat([a, b, a * a, b * b, a * b], dim=1), WINDOW, SIGMA)
    mean_a, mean_b, aa, bb, ab = blurred.chunk(5, dim=1)
    alike = 2 * (ab - mean_a * mean_b) + parts.kC2
    power = aa - mean_a**2 + bb - mean_b**2 + parts.kC2
    structure = (1 - (1 - (mean_a - mean_b) ** 2) * alike / power).clamp(min=0)
    inner = slice(WINDOW // 2, -(WINDOW // 2))
    edges_a = 1 + (a[..., inner, inner] - mean_a).abs()
    edges_b = 1 + (b[..., inner, inner] - mean_b).abs()
    ratio = edges_b / edges_a - 1
    kinds = (structure, ratio.clamp(min=0), (-ratio).clamp(min=0))
    return torch.stack([_norms(kind) for kind in kinds], dim=-1)


def error(output: Tensor, target: Tensor) -> Tensor:
    """The weighted sum of all errors, a scalar, 0 where alike; of the six scales what fits.

    Where the window does not fit whole, nothing is counted, unlike in the metric.
    """
    _, weights = _constants(output.dtype, output.device)
    a, b = linear(target), linear(output)
    total = torch.zeros((), dtype=output.dtype, device=output.device)
    for scale in range(SCALES):
        if scale:
            a, b = functional.avg_pool2d(a, 2), functional.avg_pool2d(b, 2)
        if min(a.shape[2:]) <= WINDOW:
            break
        total = total + (_errors(a, b).mean(dim=0) * weights[:, scale]).sum()
    return SCORE_SCALE * total


def score(error_sum: float) -> float:
    """The score that a sum of errors becomes: at most 100."""
    x = error_sum
    bent = 2.326765642916932 * x - 0.020884521182843837 * x**2 + 6.248496625763138e-05 * x**3
    bent = max(bent, 0.0) ** 0.6276336467831387
    return 100 - 10 * float(bent)
