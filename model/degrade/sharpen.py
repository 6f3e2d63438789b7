"""Sharpening as players and cameras do it: an unsharp mask, or a short FIR with halos."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.degrade.settings import Picture, Settings, Stages, between, choose, happens, whole

Kernel = NDArray[np.float32]


def correlate(picture: Picture, kernel: Kernel, axis: int) -> Picture:
    """Correlate along one axis with an odd kernel; the edge px is repeated by mirroring."""
    reach = len(kernel) // 2
    pad = [(reach, reach) if a == axis else (0, 0) for a in range(picture.ndim)]
    wide = np.pad(picture, pad, mode="symmetric")
    total = np.zeros_like(picture)
    size = picture.shape[axis]
    for k, weight in enumerate(kernel):
        if weight:
            part = wide[k : k + size] if axis == 0 else wide[:, k : k + size]
            total += part * weight
    return total


def gaussian(sigma: float, reach: int) -> Kernel:
    """A Gaussian of `sigma` px, cut at `reach` px, adding up to 1."""
    x = np.arange(-reach, reach + 1)
    kernel = np.exp(-0.5 * (x / max(sigma, 1e-3)) ** 2)
    summing_to_one: Kernel = (kernel / kernel.sum()).astype(np.float32)
    return summing_to_one


def blur(picture: Picture, sigma: float, reach: int) -> Picture:
    """Gaussian blur along both axes."""
    kernel = gaussian(sigma, reach)
    return correlate(correlate(picture, kernel, 0), kernel, 1)


def fir(count: int, gain: float, corner: float) -> Kernel:
    """A symmetric FIR of `count` taps (odd) nearest to `gain` above `corner` and 1 below; 1 at DC.

    Least squares over the frequencies: H - 1 = sum over k of 2 a_k (cos(k w) - 1).
    """
    reach = count // 2
    w = (np.arange(256) + 0.5) / 256 * np.pi
    basis = np.stack([2 * (np.cos(k * w) - 1) for k in range(1, reach + 1)], axis=1)
    wanted = np.where(w > corner * np.pi, gain - 1, 0.0)
    side = np.linalg.lstsq(basis, wanted, rcond=None)[0]
    return np.concatenate([side[::-1], [1 - 2 * side.sum()], side]).astype(np.float32)


def echo(strength: float, distance: int) -> Kernel:
    """A kernel that leaves a faint negative of the picture `distance` px to both sides; 1 at DC."""
    kernel = np.zeros(2 * distance + 1, dtype=np.float32)
    kernel[[0, -1]] = -strength / 2
    kernel[distance] = 1 + strength
    return kernel


def sharpen(
    picture: Picture, rng: np.random.Generator, settings: Settings, stages: Stages
) -> Picture:
    """Draw a kind of sharpening and do it in gamma light, clipped to 0 to 255."""
    kind = choose(rng, settings.sharpenings)
    stages["sharpening"] = kind
    if kind == "unsharp":
        picture = _unsharp(picture, rng, settings, stages)
    elif kind == "fir":
        picture = _fir(picture, rng, settings, stages)
    return np.clip(picture, 0, 255)


def _unsharp(
    picture: Picture, rng: np.random.Generator, settings: Settings, stages: Stages
) -> Picture:
    radius = whole(rng, settings.unsharp_radius)
    sigma = between(rng, (0.1, 5.0 - radius))
    amount = between(rng, settings.unsharp_amount)
    stages |= {"unsharp.radius": radius, "unsharp.sigma": sigma, "unsharp.amount": amount}
    return picture + np.float32(amount) * (picture - blur(picture, sigma, radius))


def _fir(picture: Picture, rng: np.random.Generator, settings: Settings, stages: Stages) -> Picture:
    for axis, name in enumerate(("vertical", "horizontal")):
        count = 3 if happens(rng, 0.5) else 5
        gain, corner = between(rng, settings.fir_gain), between(rng, settings.fir_corner)
        picture = correlate(picture, fir(count, gain, corner), axis)
        stages |= {f"fir.{name}.taps": count, f"fir.{name}.gain": gain}
        stages[f"fir.{name}.corner"] = corner
    if happens(rng, settings.fir_echo):
        strength, distance = between(rng, (0.05, 0.25)), whole(rng, (2, 4))
        picture = correlate(picture, echo(strength, distance), 1)
        stages |= {"fir.echo.strength": strength, "fir.echo.distance_px": distance}
    return picture
