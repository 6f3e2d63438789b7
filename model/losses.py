"""What the network is trained towards: fidelity, structure, and colour that does not move.

Everything takes (n, 3, h, w) float32 RGB in [0, 1], not clipped, and gives a scalar.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

LUMA = (0.299, 0.587, 0.114)
"""BT.601's weights of R, G and B."""

WINDOW, SIGMA = 11, 1.5
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Of MS-SSIM's scales: Wang, Simoncelli, Bovik, "Multiscale structural similarity", 2003."""

# MKL chooses its kernels at the first call. Where two threads made that, one of them once took
# roots from the processor's estimate, right to four digits (seen with torch 2.13 on AVX-512).
torch.sqrt(torch.zeros(1))


def luma(image: Tensor) -> Tensor:
    """(n, 1, h, w): BT.601 luma, full range."""
    weights = torch.tensor(LUMA, device=image.device, dtype=image.dtype).view(1, 3, 1, 1)
    return (image * weights).sum(dim=1, keepdim=True)


def charbonnier(output: Tensor, target: Tensor, epsilon: float = 1e-3) -> Tensor:
    """L1, smooth below a quarter of a level: mean of sqrt(difference^2 + epsilon^2)."""
    return torch.sqrt((output - target) ** 2 + epsilon**2).mean()


def ring(output: Tensor, target: Tensor, outer: int, inner: int) -> Tensor:
    """Charbonnier of the px that lie from `outer` to `inner` px inside the rim."""
    width = inner - outer
    error = torch.sqrt((output - target) ** 2 + 1e-6)[..., outer:-outer, outer:-outer]
    middle = error[..., width:-width, width:-width]
    return (error.sum() - middle.sum()) / (error.numel() - middle.numel())


def psnr(output: Tensor, target: Tensor) -> Tensor:
    """Minus the mean PSNR of luma, in dB, less some where the error is below a level or two.

    Of each patch by itself, as it is measured: easy patches count as much as hard ones.
    """
    squared = ((luma(output) - luma(target)) ** 2).mean(dim=(1, 2, 3))
    return 10 * torch.log10(squared + (2 / 255) ** 2).mean()


@cache
def _band(side: int, size: int, sigma: float, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(side, side - size + 1): a Gaussian window in each column, one px further down each time."""
    steps = torch.arange(size, device=device, dtype=dtype) - (size - 1) / 2
    window = torch.exp(-(steps**2) / (2 * sigma**2))
    columns = side - size + 1
    band = torch.zeros(side, columns, device=device, dtype=dtype)
    places = torch.arange(columns, device=device)
    for k, weight in enumerate(window / window.sum()):
        band[places + k, places] = weight
    return band


def gaussian(planes: Tensor, size: int, sigma: float) -> Tensor:
    """Each plane of (n, c, h, w) blurred, only where the window fits: sides shrink by size - 1.

    As two products with band matrices: at the sides of training patches several times faster
    than a convolution of single planes.
    """
    height, width = planes.shape[2:]
    like = planes.dtype, planes.device
    rows, columns = (_band(side, size, sigma, *like) for side in (height, width))
    return rows.T @ (planes @ columns)


def _similarity(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Maps of how alike the means of two (n, 1, h, w) are, and how alike what remains of them."""
    c1, c2 = 0.01**2, 0.03**2
    maps = gaussian(torch.cat([a, b, a * a, b * b, a * b], dim=1), WINDOW, SIGMA)
    mean_a, mean_b, aa, bb, ab = maps.unbind(dim=1)
    means = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    structure = (2 * (ab - mean_a * mean_b) + c2) / (aa - mean_a**2 + bb - mean_b**2 + c2)
    return means, structure


def ssim(output: Tensor, target: Tensor) -> Tensor:
    """Structural similarity of luma, 1 where alike: MS-SSIM hardly looks at its finest scale."""
    means, structure = _similarity(luma(output), luma(target))
    return (means * structure).mean()


def ms_ssim(output: Tensor, target: Tensor) -> Tensor:
    """Multi-scale structural similarity of luma, 1 where alike; of the five scales what fits."""
    a, b = luma(output), luma(target)
    scales = min(5, 1 + max(0, (min(a.shape[2:]) // (WINDOW + 4)).bit_length() - 1))
    weights = SCALE_WEIGHTS[:scales]
    total = torch.ones(a.shape[0], device=a.device)
    for k, weight in enumerate(weights):
        means, structure = _similarity(a, b)
        if k == scales - 1:
            structure = structure * means
        value = structure.mean(dim=(1, 2)).clamp(min=1e-3)
        total = total * value ** (weight / sum(weights))
        if k < scales - 1:
            a, b = functional.avg_pool2d(a, 2), functional.avg_pool2d(b, 2)
    return total.mean()


def consistency(output: Tensor, target: Tensor) -> Tensor:
    """Difference of luma and colour under a Gaussian of sigma 12 px of the output.

    Halos are narrower than that, so that taking them away costs little here, and a shift of
    brightness or colour is all that is left to see.
    """
    difference = functional.avg_pool2d(output - target, 4)
    return gaussian(difference, min(13, *difference.shape[2:]), 3.0).abs().mean()


def colour(output: Tensor, source: Tensor) -> Tensor:
    """How far the mean colour of each patch is from that of `source`, which may be smaller.

    After cutting to [0, 1], as a picture is: a white that overshoots lightens nothing.
    """
    means = [image.mean(dim=(2, 3)) for image in (output.clamp(0, 1), source)]
    return (means[0] - means[1]).abs().mean()


def grain(change: Tensor, wanted: Tensor) -> Tensor:
    """(n,): what is wrong with how luma changed when grain came, in parts of what was wanted.

    Root mean squares: all lost is 1, twice as much is 1. In parts, so that faint grain counts as
    much as strong.
    """
    errors, levels = ((luma(x) ** 2).mean(dim=(1, 2, 3)) for x in (change - wanted, wanted))
    return torch.sqrt((errors + 1e-8) / (levels + 1e-8))
