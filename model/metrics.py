"""Measures of an upscaled picture that need no more than numpy and scipy.

Pictures are (H, W, 3) uint8 RGB arrays.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Array = NDArray[Any]
Picture = NDArray[np.uint8]
Upscale = Callable[[Picture], Picture]

PSNR_CEILING_DB = 100.0
"""What pictures have that are the same: infinity can neither be averaged nor written as JSON."""


def luma(picture: Picture) -> Array:
    """Luma of BT.601 in studio swing, 16 to 235 of 255, not rounded: (H, W) float64.

    What the super-resolution field takes PSNR and SSIM of (ITU-R BT.601-7, 2.5).
    """
    weights = np.array([65.481, 128.553, 24.966]) / 255
    result: Array = 16 + picture.astype(np.float64) @ weights
    return result


def psnr_y(picture: Picture, target: Picture) -> float:
    """Peak signal-to-noise ratio of the luma, in dB of a peak of 255, rims included."""
    same_shape(picture, target)
    error = float(((luma(picture) - luma(target)) ** 2).mean())
    return min(PSNR_CEILING_DB, 10 * math.log10(255**2 / max(error, 1e-12)))


def ssim_y(picture: Picture, target: Picture) -> float:
    """Structural similarity of the luma, at most 1.

    Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error visibility to structural
    similarity", IEEE TIP 13(4), 2004: a Gaussian window of 11 x 11 px with a sigma of 1.5 px,
    K of 0.01 and 0.03, a range of 255, and only windows that lie within the picture.
    """
    same_shape(picture, target)
    if min(picture.shape[:2]) < 11:
        raise ValueError(f"expected sides of at least 11 px, got {picture.shape[:2]}")
    taps = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    taps /= taps.sum()

    def window(x: Array) -> Array:
        for axis in (0, 1):
            x = ndimage.correlate1d(x, taps, axis=axis)
        return x[5:-5, 5:-5]

    a, b = luma(picture), luma(target)
    mean_a, mean_b = window(a), window(b)
    variances = window(a * a) - mean_a**2 + window(b * b) - mean_b**2
    covariance = window(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    means = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    return float((means * (2 * covariance + c2) / (variances + c2)).mean())


def colour_shift(source: Picture, output: Picture) -> float:
    """How far the mean colour of `output` is from that of `source`, in levels of 255.

    The distance of the means of a channel, averaged over the channels. Sizes may differ.
    """
    means = [each.mean(axis=(0, 1), dtype=np.float64) for each in (source, output)]
    return float(np.abs(means[1] - means[0]).mean())


def overshoot(picture: Picture, target: Picture) -> float:
    """Halos and ringing, in levels of luma: how far px lie beyond all that the target has nearby.

    Nearby is 5 x 5 px: an edge that is blurred or 2 px off stays within that range, a halo does
    not. Averaged over the px at edges, where the range is over 32 levels; 0 where there are none.
    """
    same_shape(picture, target)
    y, wanted = luma(picture), luma(target)
    low, high = ndimage.minimum_filter(wanted, 5), ndimage.maximum_filter(wanted, 5)
    beyond = np.maximum(y - high, 0) + np.maximum(low - y, 0)
    edges = high - low > 32
    return float(beyond[edges].mean()) if edges.any() else 0.0


def fine(levels: Array) -> Array:
    """What a Gaussian of 2 px takes off (H, W).

    Half the power is left at 1/8 cycle per px of the output, 1/4 per px of the input: the upper
    octave of what the input can hold, where grain lies and shading does not, and all above it,
    so that grain made finer or coarser than it was counts as changed.
    """
    result: Array = levels - ndimage.gaussian_filter(levels, 2.0, mode="mirror")
    return result


def grain_energy(grainy: Picture, clean: Picture) -> float:
    """Energy of the fine part of the grain in `grainy`, in squared levels of luma per px.

    Both are outputs of one upscaler, for one picture with grain and without. Their difference is
    what has become of the grain. Detail that an upscaler sharpens is in both and cancels out; in
    the energy of one output it would pass for grain. Of a grain kept is spoken in % of what
    bicubic has here: being linear, it makes the picture plus the enlarged grain of its input.
    """
    same_shape(grainy, clean)
    return float((fine(luma(grainy) - luma(clean)) ** 2).mean())


def flat_fields() -> Iterator[Picture]:
    """Make flat fields (48, 64, 3): greys, the corners of the colour cube, and softer colours."""
    greys = [(level,) * 3 for level in (0, 1, 16, 64, 128, 192, 235, 254, 255)]
    corners = [colour for colour in product((0, 255), repeat=3) if len(set(colour)) > 1]
    soft = [(200, 120, 90), (60, 90, 160), (90, 140, 60), (240, 230, 200)]
    for colour in (*greys, *corners, *soft):
        yield np.full((48, 64, 3), colour, np.uint8)


def flat_field_error(upscale: Upscale) -> int:
    """Greatest difference, in levels, of a flat field's px from its colour, rims included."""
    worst = 0
    for field in flat_fields():
        off = upscale(field).astype(int) - field[0, 0]
        worst = max(worst, int(np.abs(off).max()))
    return worst


def same_shape(a: Array, b: Array) -> None:
    """Raise ValueError where two pictures differ in shape."""
    if a.shape != b.shape:
        raise ValueError(f"expected two pictures of one size, got {a.shape} and {b.shape}")
