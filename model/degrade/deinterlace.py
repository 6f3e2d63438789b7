"""What interlacing leaves behind: fields of two moments, put together well or badly.

Field 0 has lines 0, 2, 4 and so on. The frame that the target belongs to is always the one whose
field is kept, and every way of filling in the other lines keeps it where it is.
"""

from __future__ import annotations

import numpy as np

from model.degrade import ffmpeg
from model.degrade.light import to_pixels
from model.degrade.motion import Pose, warp
from model.degrade.resample import resize
from model.degrade.settings import Picture, Settings, Stages, between, choose, happens, whole
from model.degrade.sharpen import Kernel, correlate

_SMOOTH: Kernel = np.array([0.25, 0.5, 0.25], dtype=np.float32)


def deinterlace(
    picture: Picture, rng: np.random.Generator, settings: Settings, stages: Stages
) -> Picture:
    """Draw whether and how a picture of an even number of lines was interlaced once."""
    stages["deinterlacing"] = "none"
    if not happens(rng, settings.deinterlaced):
        return picture
    kind = choose(rng, settings.deinterlacings)
    stages["deinterlacing"] = kind
    if kind == "half-height":
        return _half_height(picture, rng, settings, stages)
    if happens(rng, 0.5):
        # Cameras read two lines at once, lest fine detail flicker.
        picture = correlate(picture, _SMOOTH, 0)
        stages["deinterlacing.smoothed"] = True
    parity = whole(rng, (0, 1))
    stages["deinterlacing.parity"] = parity
    if kind == "bob":
        return _bob(picture, parity, rng, settings, stages)
    right, down = _motion(rng, settings)
    stages |= {"deinterlacing.right_px": right, "deinterlacing.down_px": down}
    if kind in ("yadif", "bwdif"):
        return _by_ffmpeg(picture, kind, parity, right, down)
    woven = picture.copy()
    woven[1 - parity :: 2] = _at(picture, right, down)[1 - parity :: 2]
    return correlate(woven, _SMOOTH, 0) if kind == "blend" else woven


def _motion(rng: np.random.Generator, settings: Settings) -> tuple[float, float]:
    """Px to the right and down from one field to the next; a quarter stands still."""
    if happens(rng, 0.25):
        return 0.0, 0.0
    right = between(rng, settings.field_motion_px, power=1.5)
    down = between(rng, (-1.0, 1.0)) if happens(rng, 0.2) else 0.0
    return (-right if happens(rng, 0.5) else right), down


def _at(picture: Picture, right: float, down: float) -> Picture:
    return warp(to_pixels(picture), Pose(right_px=right, down_px=down)).astype(np.float32)


def _half_height(
    picture: Picture, rng: np.random.Generator, settings: Settings, stages: Stages
) -> Picture:
    part = 0.5 if happens(rng, 1 / 3) else between(rng, (0.42, 0.65))
    down, up = choose(rng, settings.one_step_filters), choose(rng, settings.line_filters)
    stages |= {"deinterlacing.height": part, "deinterlacing.down": down, "deinterlacing.up": up}
    height, width = picture.shape[:2]
    return resize(resize(picture, round(height * part), width, down), height, width, up)


def _bob(
    picture: Picture, parity: int, rng: np.random.Generator, settings: Settings, stages: Stages
) -> Picture:
    """One field at full height.

    Line y of the picture is line (y - parity) / 2 of the field; `resize` by two reads
    (y + 0.5) / 2 - 0.5. A doubled line lies half a line from where it was read, so for those the
    field is read half a line off, towards the line it will also stand for.
    """
    up = choose(rng, settings.line_filters)
    stages["deinterlacing.up"] = up
    height, width = picture.shape[:2]
    if up == "point":
        off = 0.5 - parity
        field = resize(picture, height, width, "catmull-rom", line_offset=off)[parity::2]
        return np.repeat(field, 2, axis=0)
    return resize(picture[parity::2], height, width, up, line_offset=0.25 - 0.5 * parity)


def _by_ffmpeg(picture: Picture, kind: str, parity: int, right: float, down: float) -> Picture:
    """Deinterlace the middle of three interlaced frames of two moments each; its first is kept."""
    height, width = picture.shape[:2]
    frames = []
    for frame in (-1, 0, 1):
        first, second = (_at(picture, right * t, down * t) for t in (2 * frame, 2 * frame + 1))
        woven = first.copy()
        woven[1 - parity :: 2] = second[1 - parity :: 2]
        frames.append(to_pixels(woven))
    data = ffmpeg.run(
        [
            *ffmpeg.raw_input(height, width),
            *("-vf", f"format=gbrp,{kind}=mode=0:parity={parity}:deint=0,format=rgb24"),
            *ffmpeg.RAW_OUTPUT,
        ],
        b"".join(f.tobytes() for f in frames),
    )
    return ffmpeg.frames_of(data, 3, height, width)[1].astype(np.float32)
