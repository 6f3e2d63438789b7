"""The weights and ranges of every choice of the degradation, and how choices are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Weights: TypeAlias = Mapping[str, float]
Range: TypeAlias = tuple[float, float]
Stages: TypeAlias = dict[str, str | float | int | bool]
Picture: TypeAlias = NDArray[np.float32]
"""(H, W, 3) float32 RGB in gamma light, 0 to 255: what the stages before the codec work on."""
Pixels: TypeAlias = NDArray[np.uint8]
"""(H, W, 3) uint8 RGB."""


@dataclass(frozen=True)
class Settings:
    """What is drawn and how often; `Settings()` is the recipe, `dataclasses.replace` changes it.

    Weights need not add up to one. Ranges are (least, most). Chances are in [0, 1].

    >>> from dataclasses import replace
    >>> replace(Settings(), codecs={"vp9": 1}).codecs
    {'vp9': 1}
    """

    # Scaling
    scalings: Weights = field(default_factory=lambda: {"one-step": 1, "two-step": 1})
    one_step_filters: Weights = field(
        default_factory=lambda: dict.fromkeys(
            ("triangle", "catmull-rom", "lanczos", "spline", "box"), 1
        )
    )
    two_step_filters: Weights = field(
        default_factory=lambda: dict.fromkeys(
            ("triangle", "catmull-rom", "lanczos", "spline", "jinc"), 1
        )
    )
    linear_light: float = 0.7
    """Chance that a downscale is done in linear light; box is always done in gamma light."""
    middle_width: Range = (0.6, 1.25)
    """Width of the intermediate picture in widths of the input."""
    middle_height: Range = (0.75, 1.25)
    """Height of the intermediate picture in heights of the input."""
    match_mean: bool = True
    """Whether scaling gives back the mean colour that linear light and clipping move."""

    # Sharpening, of two-step draws
    sharpenings: Weights = field(default_factory=lambda: {"none": 2, "unsharp": 1, "fir": 1})
    unsharp_radius: tuple[int, int] = (1, 3)
    unsharp_amount: Range = (0.3, 1.2)
    fir_gain: Range = (1.1, 2.4)
    """Gain above the corner."""
    fir_corner: Range = (0.30, 0.45)
    """Corner in parts of the Nyquist frequency."""
    fir_echo: float = 0.2
    """Chance of a second, wider halo beside that of the FIR."""

    # Deinterlacing, of two-step draws
    deinterlaced: float = 0.2
    deinterlacings: Weights = field(
        default_factory=lambda: {
            "half-height": 2,
            "bob": 2,
            "blend": 1,
            "weave": 1,
            "yadif": 1.5,
            "bwdif": 1,
        }
    )
    line_filters: Weights = field(
        default_factory=lambda: {"point": 2, "triangle": 1, "catmull-rom": 1}
    )
    """What brings a field, or half the height, back to full height."""
    field_motion_px: Range = (0.0, 6.0)
    """Pan between two fields, in px of the intermediate picture; small ones more often."""

    # Text and patterns
    texts_wide: Weights = field(default_factory=lambda: {"none": 1, "over": 1, "under": 3})
    """On targets at least 512 px wide."""
    texts_narrow: Weights = field(default_factory=lambda: {"none": 4, "over": 1, "under": 3})
    """On targets of 256 to 511 px; narrower ones get none."""
    fonts: tuple[str, ...] = ()
    """Paths of the font files to use; empty: those that are found on this machine."""
    patterned: float = 0.03

    # Grain
    grains: Weights = field(default_factory=lambda: {"none": 8, "gaussian": 2})
    grain_sigma: Range = (1.0, 12.0)
    """Standard deviation in levels of 255; small ones more often."""

    # Codec and motion
    codecs: Weights = field(
        default_factory=lambda: {
            "none": 8.7,
            "jpeg": 10,
            "mpeg4": 11,
            "mpeg2": 4,
            "h264": 40,
            "vp9": 15,
            "h265": 20,
        }
    )
    clips: Weights = field(default_factory=lambda: {"moving": 2, "repeated": 1, "single": 1})
    """What a video codec is given: a moving clip, a clip of equal frames, or one frame."""
    motions: Weights = field(default_factory=lambda: {"pan": 3, "zoom": 1, "shake": 1})
    clip_frames: tuple[int, int] = (5, 9)
    """Frames of a moving clip; at least 3."""


def choose(rng: np.random.Generator, weights: Weights) -> str:
    """Draw one of the names by its weight."""
    names = list(weights)
    shares = np.array([weights[name] for name in names], dtype=np.float64)
    return names[int(rng.choice(len(names), p=shares / shares.sum()))]


def happens(rng: np.random.Generator, chance: float) -> bool:
    """Draw whether something of this chance happens."""
    return bool(rng.random() < chance)


def between(rng: np.random.Generator, bounds: Range, *, power: float = 1.0) -> float:
    """Draw a number of a range; a `power` above 1 makes small ones more frequent."""
    low, high = bounds
    return float(round(low + (high - low) * rng.random() ** power, 4))


def whole(rng: np.random.Generator, bounds: tuple[int, int]) -> int:
    """Draw a whole number of a range, both ends included."""
    return int(rng.integers(bounds[0], bounds[1] + 1))
