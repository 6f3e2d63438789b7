"""Static metadata of HDR: the display that a film was graded on, and its brightest light."""

from __future__ import annotations

import re
from collections.abc import Iterable

_NUMBER = r"\s*([\d.]+)"
_PAIR = rf"\({_NUMBER}[,\s]{_NUMBER}\)"
_DISPLAY = re.compile(
    rf"r{_PAIR} g{_PAIR} b{_PAIR} wp{_PAIR} min_luminance={_NUMBER}, max_luminance={_NUMBER}"
)
_LIGHT = re.compile(r"MaxCLL=(\d+), MaxFALL=(\d+)")
_CHROMATICITY, _NITS = 50_000, 10_000
"""Units in which SMPTE ST 2086 counts."""


def mastering(side_data: Iterable[str]) -> str:
    """What frames carry of it, in ffmpeg's words, as x265's parameters; "" where there is none.

    >>> mastering(["Content light level metadata: MaxCLL=1000, MaxFALL=400"])
    'max-cll=1000,400'
    """
    told = []
    for entry in side_data:
        display, light = _DISPLAY.search(entry), _LIGHT.search(entry)
        if display:
            values = [float(text) for text in display.groups()]
            places = [round(value * _CHROMATICITY) for value in values[:8]]
            red, green, blue, white = zip(places[::2], places[1::2], strict=True)
            low, high = (round(value * _NITS) for value in values[8:])
            named = {"G": green, "B": blue, "R": red, "WP": white, "L": (high, low)}
            told.append("master-display=" + "".join(f"{n}({a},{b})" for n, (a, b) in named.items()))
        if light:
            told.append(f"max-cll={light[1]},{light[2]}")
    return ":".join(told)
