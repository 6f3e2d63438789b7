"""Between gamma light and linear light by the sRGB curve (IEC 61966-2-1), and rounding to uint8."""

from __future__ import annotations

import numpy as np

from model.degrade.settings import Picture, Pixels


def to_linear(picture: Picture) -> Picture:
    """Gamma light 0 to 255 to linear light 0 to 1."""
    v = np.clip(picture, 0, 255) / np.float32(255)
    low, high = v / np.float32(12.92), ((v + np.float32(0.055)) / np.float32(1.055))
    return np.where(v <= 0.04045, low, high ** np.float32(2.4)).astype(np.float32)


def to_gamma(picture: Picture) -> Picture:
    """Linear light 0 to 1 to gamma light 0 to 255; what lies outside is clipped."""
    v = np.clip(picture, 0, 1).astype(np.float32)
    high = np.float32(1.055) * v ** np.float32(1 / 2.4) - np.float32(0.055)
    return (np.where(v <= 0.0031308, v * np.float32(12.92), high) * 255).astype(np.float32)


def to_pixels(picture: Picture) -> Pixels:
    """Round 0 to 255 floats to uint8."""
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)
