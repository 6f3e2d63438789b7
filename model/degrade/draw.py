"""One draw of the degradation: the order of its stages, and the pair that comes of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from model.degrade.codec import compress
from model.degrade.deinterlace import deinterlace
from model.degrade.grain import draw_grain
from model.degrade.light import to_gamma, to_linear, to_pixels
from model.degrade.motion import Pose, poses, warp
from model.degrade.patterns import draw_pattern
from model.degrade.resample import resize
from model.degrade.settings import Picture, Pixels, Settings, Stages, between, choose, happens
from model.degrade.sharpen import sharpen
from model.degrade.text import draw_text

SMALLEST_PX = 64


@dataclass(frozen=True)
class Pair:
    """A degraded picture, the one to be made of it, and what was drawn."""

    input: Pixels
    """(h, w, 3) uint8 RGB; h and w even."""
    target: Pixels
    """(2h, 2w, 3) uint8 RGB, with the text and the grain that the input has."""
    stages: Stages
    """All that was drawn, by name; of plain str, float, int and bool."""


def degrade(picture: Pixels, rng: np.random.Generator, settings: Settings | None = None) -> Pair:
    """Degrade a picture to half its size, as old and compressed live-action video is degraded.

    Parameters
    ----------
    picture
        (H, W, 3) uint8 RGB, at least 64 px each way. Sides that are not multiples of 4 are cut at
        the right and at the bottom, so that the input has even sides as 4:2:0 wants them.
    rng
        What all choices are drawn from: the same state gives the same bytes, with the same fonts
        and the same ffmpeg.
    settings
        Weights and ranges of the choices; `Settings()` if None.

    Raises
    ------
    TypeError
        If `picture` is not uint8.
    ValueError
        If it is not (H, W, 3), or too small.
    FfmpegError
        If an encoder fails.
    """
    settings = Settings() if settings is None else settings
    stages: Stages = {}
    target = _legal(picture).astype(np.float32)
    height, width = target.shape[:2]
    pattern = draw_pattern(rng, settings, stages, height, width)
    if pattern is not None:
        target = pattern.onto(target)
    text = draw_text(rng, settings, stages, height, width)
    if text is not None and stages["text"] == "under":
        target = text.onto(target)
    small = _scale(target, rng, settings, stages)
    if text is not None and stages["text"] == "over":
        target, small = text.onto(target), text.halved().onto(small)
    return _record(target, small, rng, settings, stages)


def _legal(picture: Pixels) -> Pixels:
    if picture.dtype != np.uint8:
        raise TypeError(f"expected a picture of uint8, got {picture.dtype}; scale it to 0 to 255")
    if picture.ndim != 3 or picture.shape[2] != 3:
        raise ValueError(f"expected a picture of (H, W, 3), got {picture.shape}")
    height, width = (side // 4 * 4 for side in picture.shape[:2])
    if min(height, width) < SMALLEST_PX:
        raise ValueError(
            f"expected a picture of at least {SMALLEST_PX}x{SMALLEST_PX} px, got "
            f"{picture.shape[1]}x{picture.shape[0]}; leave it out or take a larger one"
        )
    return picture[:height, :width]


def _scale(
    target: Picture, rng: np.random.Generator, settings: Settings, stages: Stages
) -> Picture:
    """Bring the target to half its size, in one step or with what happens on the way in two."""
    height, width = target.shape[0] // 2, target.shape[1] // 2
    kind = choose(rng, settings.scalings)
    stages |= {"scaling": kind, "sharpening": "none", "deinterlacing": "none"}
    if kind == "one-step":
        name = choose(rng, settings.one_step_filters)
        linear = name != "box" and happens(rng, settings.linear_light)
        stages |= {"filter": name, "linear": linear}
        small = _shrunk(target, height, width, name, linear)
    else:
        small = _two_steps(target, rng, settings, stages)
    if settings.match_mean:
        small = small + (target.mean(axis=(0, 1)) - small.mean(axis=(0, 1)))
    return np.clip(small, 0, 255)


def _shrunk(picture: Picture, height: int, width: int, name: str, linear: bool) -> Picture:
    if not linear:
        return np.clip(resize(picture, height, width, name), 0, 255)
    return to_gamma(resize(to_linear(picture), height, width, name))


def _two_steps(
    target: Picture, rng: np.random.Generator, settings: Settings, stages: Stages
) -> Picture:
    height, width = target.shape[0] // 2, target.shape[1] // 2
    # An even number of lines: there may be two fields of them.
    down = 2 * round(height / 2 * between(rng, settings.middle_height))
    across = round(width * between(rng, settings.middle_width))
    first, second = (choose(rng, settings.two_step_filters) for _ in range(2))
    linear = happens(rng, settings.linear_light)
    stages |= {"filter": first, "filter.second": second, "linear": linear}
    stages |= {"middle.height": down, "middle.width": across}
    early = happens(rng, 0.5)
    stages["sharpening.early"] = early
    middle = _shrunk(target, down, across, first, linear)
    if early:
        middle = sharpen(middle, rng, settings, stages)
    middle = deinterlace(middle, rng, settings, stages)
    small = _shrunk(middle, height, width, second, False)
    return small if early else sharpen(small, rng, settings, stages)


def _record(
    target: Picture, small: Picture, rng: np.random.Generator, settings: Settings, stages: Stages
) -> Pair:
    """Add grain to both, and put the small picture through the codec, alone or in a clip."""
    grain = draw_grain(rng, settings, stages)
    codec = choose(rng, settings.codecs)
    stages |= {"codec": codec, "motion": "still", "frames": 1, "kept": 0}
    clip = "single" if codec in ("none", "jpeg") else choose(rng, settings.clips)
    views, kept = [Pose()], 0
    if clip == "moving":
        views, kept = poses(rng, settings, stages, small.shape[0])
    elif clip == "repeated":
        views, kept = [Pose()] * 4, 2
        stages |= {"frames": 4, "kept": 2}
    pixels = to_pixels(small)
    frames = []
    for number, view in enumerate(views):
        frame = warp(pixels, view)
        if grain is not None:
            noise = grain.noise(frame.astype(np.float32), rng)
            plain = small if number == kept else frame.astype(np.float32)
            frame = to_pixels(plain + noise)
            if number == kept:
                target = target + grain.doubled(noise)
        frames.append(frame)
    degraded = compress(frames, kept, codec, rng, stages)
    return Pair(degraded.copy(), to_pixels(target), stages)
