"""Arguments that are what they should be, or an OptionError that says what was expected."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from liveaction_onnx.errors import OptionError

_LONGEST_S = 10**9
"""Seconds that no video has, and that ffmpeg can still be told."""


def one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Refuse a word that is not one of these."""
    if value not in allowed:
        raise OptionError(f"{name}: expected one of {', '.join(allowed)}, got {value!r}")


def sides(tile: int | tuple[int, int] | None) -> tuple[int, int] | None:
    """Take a tile's size, one number or two, as (height, width)."""
    given = tile if isinstance(tile, tuple) else (tile, tile)
    if len(given) != 2:
        raise OptionError(f"tile: expected a number or (height, width), got {tile!r}")
    tall, wide = (whole("tile", side, 1) for side in given)
    return None if tall is None or wide is None else (tall, wide)


def whole(name: str, value: int | None, least: int, unit: str = "px") -> int | None:
    """Take a whole number of px, or of what `unit` says, at least so many, or None."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | np.integer)):
        raise OptionError(f"{name}: expected a whole number of {unit}, got {value!r}")
    if value is not None and value < least:
        raise OptionError(f"{name}: expected at least {least}, in {unit}, got {value}")
    return None if value is None else int(value)


def seconds(name: str, value: Fraction | float | None, *, more: bool = False) -> Fraction | None:
    """A number of seconds, in whole millionths as ffmpeg takes them; `more` than 0, or 0 too.

    Raises
    ------
    OptionError
        Where it is none that a video could have.
    """
    if value is None:
        return None
    if value >= _LONGEST_S:  # and has more digits than can be told
        raise OptionError(f"{name}: expected seconds, fewer than {_LONGEST_S:,}")
    if not value >= 0:
        raise OptionError(f"{name}: expected seconds, got {value!r}")
    rounded = Fraction(round(Fraction(value) * 1_000_000), 1_000_000)
    if more and not rounded:
        raise OptionError(f"{name}: expected seconds, a millionth at least, got {value!r}")
    return rounded
