"""Pixel formats as ffmpeg names them: how much chroma they keep, and how many bits."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from liveaction_onnx import ffmpeg

CHROMAS = ("420", "422", "444")
"""From little to all."""

_RAISED = {"410": "420", "411": "422", "440": "444"}
"""What holds as much of chroma and is encoded, where the source's is not."""

_SEMIPLANAR = {"nv12": "420", "nv21": "420", "nv16": "422", "nv20": "422", "nv24": "444"}
_SEMIPLANAR |= {"nv42": "444", "p01": "420", "p21": "422", "p41": "444", "y21": "422"}
_LINE = re.compile(r"^[I.][O.][H.][P.][B.] (?P<name>\w+) +(?P<count>\d+) +\d+ +(?P<depths>[\d-]+)")


@dataclass(frozen=True)
class Layout:
    """One pixel format."""

    name: str
    chroma: str
    """One of `CHROMAS`; RGB has all, grey is held by any."""

    depth: int
    """Bits of each component."""

    rgb: bool
    alpha: bool


def layout_of(name: str) -> Layout:
    """What a pixel format is.

    >>> layout_of("yuv411p")
    Layout(name='yuv411p', chroma='422', depth=8, rgb=False, alpha=False)
    """
    depth, count = _depths().get(name, (8, 3))
    rgb = bool(re.search(r"rgb|bgr|gbr|^pal8|bayer", name))
    return Layout(
        name=name,
        chroma="444" if rgb else _chroma(name),
        depth=depth,
        rgb=rgb,
        alpha=count in (2, 4) and not name.startswith(("rgb0", "bgr0", "0rgb", "0bgr")),
    )


def _chroma(name: str) -> str:
    found = re.search(r"4[1245][0124]", name)
    digits = found[0] if found else ""
    for prefix, chroma in _SEMIPLANAR.items():
        if name.startswith(prefix):
            digits = chroma
    digits = _RAISED.get(digits, digits)
    return digits if digits in CHROMAS else "420"


@cache
def _depths() -> dict[str, tuple[int, int]]:
    """The bits and the number of components of each format that this ffmpeg knows."""
    _, listed = ffmpeg.run(["-pix_fmts"], stdout=True)
    found = {}
    for line in listed.decode("utf-8", "replace").splitlines():
        match = _LINE.match(line)
        if match:
            depth = max(map(int, match["depths"].split("-")))
            found[match["name"]] = depth, int(match["count"])
    return found
