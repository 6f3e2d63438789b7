"""How long the frames of an animation are shown, and how often it is played, in each format."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from PIL import Image

logger = logging.getLogger("liveaction_onnx")

_SIXTEEN_BITS = 65_535
"""The most that a field of 16 bits holds: seconds / 100 in a GIF, numbers of a fraction in APNG."""

_GIF_LEAST = 2
"""Hundredths of a second that a player honours; most take less for ten."""


def plays(image: Image.Image) -> int:
    """How often an opened animation is played in all, 0 for ever."""
    loop = image.info.get("loop")
    if image.format != "GIF":  # PNG and WebP say just that
        return int(loop or 0)
    if loop is None:
        return 1
    return int(loop) + 1 if loop else 0  # a GIF says how often it is played again


def loop(format_name: str, plays: int) -> int | None:
    """What a format is told for an animation to be played so often; None: nothing.

    >>> [loop("GIF", plays) for plays in (0, 1, 3)], loop("PNG", 3)
    ([0, None, 2], 3)
    """
    if format_name != "GIF":
        return min(plays, _SIXTEEN_BITS)
    return None if plays == 1 else min(max(plays - 1, 0), _SIXTEEN_BITS)


def png_ms(duration_ms: float) -> float:
    """A time that is a fraction of seconds of two numbers of 16 bits: the same, or near it.

    >>> png_ms(1000 / 120) == 1000 / 120, png_ms(70_001), png_ms(1e9)
    (True, 70000.0, 65535000)
    """
    exact = min(max(duration_ms, 0) / 1000, _SIXTEEN_BITS)
    for parts in (64, 16, 4, 1):
        if Fraction(exact).limit_denominator(_SIXTEEN_BITS).numerator <= _SIXTEEN_BITS:
            break
        exact = round(exact * parts) / parts
    return 1000 * exact


def gif_delays(durations_ms: Sequence[float], path: Path, *, least: int = _GIF_LEAST) -> list[int]:
    """Hundredths of a second; what is lost by rounding goes to the next frame.

    >>> gif_delays([100 / 3, 100 / 3, 100 / 3, 8], Path("a.gif"))
    [3, 4, 3, 2]
    """
    delays, late = [], 0.0
    for duration_ms in durations_ms:
        exact = duration_ms / 10 + late
        delay = min(max(round(exact), least), _SIXTEEN_BITS)
        late = exact - delay if abs(exact - delay) <= 0.5 else 0.0  # else it was not rounding
        delays.append(delay)
    longest = max(durations_ms, default=0)
    if longest > 10 * _SIXTEEN_BITS:
        logger.warning(
            "%s: a frame of %g s is shown for %g s, the most that GIF holds",
            path,
            longest / 1000,
            _SIXTEEN_BITS / 100,
        )
    return delays
