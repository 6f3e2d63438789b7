"""Pixel formats as ffmpeg names them: how much chroma they keep, and how many bits."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from liveaction_onnx import ffmpeg

CHROMAS = ("420", "422", "444")
"""From little to all."""

_HELD = {(1, 1): "444", (1, 2): "444", (2, 1): "422", (4, 1): "422", (2, 2): "420", (4, 4): "420"}
"""What holds as much of chroma and is encoded, by the px across and down that share a sample."""

_SHARED = {0: (1, 1), 1: (2, 1), 2: (2, 2), 4: (4, 4)}
"""Px that share a sample, by the power of two of their number, where the name says no other."""

_SHAPES = {"440": (1, 2), "411": (4, 1)}
"""Names that say other; all that have as many samples are of the usual shape."""

_LINE = re.compile(
    r"^[I.][O.][H.][P.][B.] (?P<name>\w+) +(?P<count>\d+) +(?P<bits>\d+) +(?P<depths>[\d-]+)"
)
_RGB = re.compile(r"rgb|bgr|gbr|^pal8|^bayer|^xyz")
_FLOAT = re.compile(r"f(16|32)")


@dataclass(frozen=True)
class Layout:
    """One pixel format."""

    name: str
    chroma: str
    """One of `CHROMAS`; RGB, and XYZ that becomes RGB, have all, grey is held by any."""

    depth: int
    """Bits of each component; 32 for any floating-point numbers."""

    rgb: bool
    alpha: bool
    grey: bool = False
    shared: tuple[int, int] = (1, 1)
    """Px across and down that share a sample of chroma."""

    @property
    def xyz(self) -> bool:
        """Whether it is that of digital cinema."""
        return self.name.startswith("xyz")

    def lacking(self, width: int, height: int) -> tuple[int, int]:
        """How many px across and down the last samples of chroma of a picture of this size lack.

        >>> layout_of("yuv411p").lacking(66, 49)
        (2, 0)
        """
        return -width % self.shared[0], -height % self.shared[1]


def layout_of(name: str) -> Layout:
    """What a pixel format is; of one that ffmpeg does not list, no chroma is taken to be spared.

    >>> layout_of("yuv411p").chroma, layout_of("yuv411p").shared
    ('422', (4, 1))
    """
    bits, depths = _listed().get(name, (24, (8, 8, 8)))
    rgb, grey = bool(_RGB.search(name)), len(depths) < 3
    shared = (1, 1) if rgb or grey else _shared(name, bits, depths)
    depth = max(depths)
    if _FLOAT.search(name):
        depth = 32
    elif name.startswith("bayer"):
        depth = bits  # a px has one component, and ffmpeg lists the mean of each
    return Layout(
        name=name,
        chroma="444" if rgb else "420" if grey else _HELD[shared],
        depth=depth,
        rgb=rgb,
        alpha=len(depths) in (2, 4),
        grey=grey and not rgb,
        shared=shared,
    )


def _shared(name: str, bits: int, depths: tuple[int, ...]) -> tuple[int, int]:
    """Px across and down that share a sample of chroma, by the bits that a px has in all.

    >>> _shared("nv12", 12, (8, 8, 8)), _shared("yuv440p", 16, (8, 8, 8))
    ((2, 2), (1, 2))
    """
    whole = sum(depths) - sum(depths[1:3])
    for power, shape in _SHARED.items():
        if bits == whole + (sum(depths[1:3]) >> power):
            return next((_SHAPES[word] for word in _SHAPES if power and word in name), shape)
    return 1, 1


@cache
def _listed() -> dict[str, tuple[int, tuple[int, ...]]]:
    """Bits a px, and those of each component, of each format that this ffmpeg knows."""
    _, listed = ffmpeg.run(["-pix_fmts"], stdout=True)
    matches = map(_LINE.match, listed.decode("utf-8", "replace").splitlines())
    return {
        match["name"]: (int(match["bits"]), tuple(map(int, match["depths"].split("-"))))
        for match in matches
        if match
    }
