"""Clean targets: a crop of a photograph, scaled down, with its colours changed.

Scaled with Catmull-Rom (Pillow's bicubic, as wide as the scale asks) on code values: as sharp as
good footage is, with overshoots of a few levels at most. In linear light the same kernel's
undershoot beside a highlight turns dark grey to black, and a network would learn that halo; kernels
without negative lobes leave targets softer than footage, and a network would learn to blur.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.crops import Crop

Picture = NDArray[np.uint8]
Light = NDArray[np.float32]
"""(H, W, 3) RGB in [0, 1], linear."""

Codes = NDArray[np.float32]
"""(H, W, 3) RGB in [0, 1], as sRGB encodes it."""

PLAIN_SHARE = 0.3
"""Share of the crops whose colours stay as they are."""


@dataclass(frozen=True)
class Tone:
    """A change of colours; each field is neutral at 1."""

    gain: float = 1.0
    """Of linear light."""

    warmth: float = 1.0
    """Of linear red, and of linear blue its inverse."""

    gamma: float = 1.0
    """Exponent of code values; above 1 is darker."""

    saturation: float = 1.0
    """Distance from luma, of code values."""


def draw_tone(rng: np.random.Generator) -> Tone:
    """Draw a mild change of colours, or none (`PLAIN_SHARE`)."""
    if rng.random() < PLAIN_SHARE:
        return Tone()
    return Tone(
        gain=rng.uniform(0.85, 1.15),
        warmth=rng.uniform(0.95, 1.05),
        gamma=rng.uniform(0.85, 1.2),
        saturation=rng.uniform(0.7, 1.2),
    )


def cut(picture: Picture, crop: Crop, tone: Tone) -> Picture:
    """The crop of an (H, W, 3) uint8 photograph as (crop.height, crop.width, 3) uint8."""
    left, top, right, bottom = crop.box
    x, y = int(left), int(top)
    region = picture[y : int(np.ceil(bottom)), x : int(np.ceil(right))].astype(np.float32) / 255
    height, width = region.shape[:2]
    box = (left - x, top - y, min(right - x, width), min(bottom - y, height))
    planes = [
        Image.fromarray(np.ascontiguousarray(region[..., channel])).resize(
            (crop.width, crop.height), Image.Resampling.BICUBIC, box=box
        )
        for channel in range(3)
    ]
    codes = np.stack([np.asarray(plane) for plane in planes], axis=-1)
    return change(linear(np.clip(codes, 0, 1)), tone)


def linear(codes: Codes) -> Light:
    """Linear light of sRGB's code values in [0, 1] (IEC 61966-2-1)."""
    light = np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)
    return light.astype(np.float32)


def change(light: Light, tone: Tone) -> Picture:
    """Change the colours of linear light and encode it as (H, W, 3) uint8 sRGB."""
    balance = np.array([tone.warmth, 1.0, 1 / tone.warmth], np.float32) * tone.gain
    light = np.clip(light * balance, 0, 1)
    codes = np.where(
        light <= 0.0031308, light * 12.92, 1.055 * np.maximum(light, 1e-9) ** (1 / 2.4) - 0.055
    )
    codes = np.clip(codes, 0, 1) ** tone.gamma
    grey = codes @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    codes = grey[..., None] + (codes - grey[..., None]) * tone.saturation
    return np.asarray(np.clip(np.rint(codes * 255), 0, 255), np.uint8)
