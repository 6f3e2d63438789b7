"""Arguments that are what they should be, or an OptionError that says what was expected."""

from __future__ import annotations

import numpy as np

from liveaction_onnx.errors import OptionError


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


def whole(name: str, value: int | None, least: int) -> int | None:
    """Take a whole number of px, at least so many, or None."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | np.integer)):
        raise OptionError(f"{name}: expected a whole number of px, got {value!r}")
    if value is not None and value < least:
        raise OptionError(f"{name}: expected at least {least} px, got {value}")
    return None if value is None else int(value)
