"""Short moving clips made of one picture: pans, zooms and shakes with mirrored margins."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from model.degrade.settings import Pixels, Settings, Stages, between, choose, happens, whole


@dataclass(frozen=True)
class Pose:
    """Where a frame looks: a turn and a zoom about the centre, then a shift."""

    right_px: float = 0.0
    down_px: float = 0.0
    turn_rad: float = 0.0
    zoom: float = 1.0


def warp(pixels: Pixels, pose: Pose) -> Pixels:
    """The picture seen from `pose`, bicubic, mirrored outside; the neutral pose changes nothing."""
    if pose == Pose():
        return pixels
    height, width = pixels.shape[:2]
    c, s = math.cos(pose.turn_rad) / pose.zoom, math.sin(pose.turn_rad) / pose.zoom
    far = max(height, width)
    margin = math.ceil(
        max(abs(pose.right_px), abs(pose.down_px)) + far * (abs(c - 1) + abs(s)) / 2 + 3
    )
    wide = np.pad(pixels, ((margin, margin), (margin, margin), (0, 0)), mode="symmetric")
    x, y = width / 2, height / 2
    matrix = (
        *(c, s, margin + pose.right_px + x - c * x - s * y),
        *(-s, c, margin + pose.down_px + y + s * x - c * y),
    )
    image = Image.fromarray(wide).transform(
        (width, height), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC
    )
    return np.asarray(image)


def poses(
    rng: np.random.Generator, settings: Settings, stages: Stages, height: int
) -> tuple[list[Pose], int]:
    """Draw a motion: the poses of a clip, and which of them is the neutral one that is kept."""
    kind = choose(rng, settings.motions)
    count = whole(rng, settings.clip_frames)
    kept = whole(rng, (2, count - 1))
    stages |= {"motion": kind, "frames": count, "kept": kept}
    times = [n - kept for n in range(count)]
    if kind == "pan":
        return _pan(rng, times, stages), kept
    if kind == "zoom":
        return _zoom(rng, times, stages), kept
    return _shake(rng, times, stages, height), kept


def _pan(rng: np.random.Generator, times: list[int], stages: Stages) -> list[Pose]:
    speed = between(rng, (0.25, 8.0), power=1.5)
    angle = between(rng, (-math.pi, math.pi))
    right, down = speed * math.cos(angle), speed * math.sin(angle)
    if happens(rng, 0.5):
        right, down = float(round(right)), float(round(down))
    stages |= {"motion.right_px": round(right, 4), "motion.down_px": round(down, 4)}
    return [Pose(right_px=right * t, down_px=down * t) for t in times]


def _zoom(rng: np.random.Generator, times: list[int], stages: Stages) -> list[Pose]:
    rate = between(rng, (-0.02, 0.02))
    stages["motion.rate"] = rate
    return [Pose(zoom=1.0 if t == 0 else math.exp(rate * t)) for t in times]


def _shake(rng: np.random.Generator, times: list[int], stages: Stages, height: int) -> list[Pose]:
    strength = between(rng, (0.3, 3.0), power=1.5)
    stages["motion.shake_px"] = strength
    found = []
    for t in times:
        right, down, turn = rng.normal(0.0, strength, 3)
        turned = Pose(right_px=right, down_px=down, turn_rad=turn / height)
        found.append(Pose() if t == 0 else turned)
    return found
