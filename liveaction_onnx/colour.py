"""What the numbers of a video mean as colour, and the filters that take them to RGB and back.

Nothing here converts one colour space into another: the matrix and range that the source is read
with are those that the target is written with, and both are always named. The conversions are
zimg's (ffmpeg's zscale), which are exact to rounding; swscale moves full-range colour by half a
level.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from liveaction_onnx.errors import VideoError
from liveaction_onnx.footage import Footage
from liveaction_onnx.layouts import Layout, layout_of
from liveaction_onnx.options import one_of

MATRICES = {"bt601": "smpte170m", "bt709": "bt709", "bt2020": "bt2020nc"}
"""What a caller may name, in ffmpeg's words."""

RANGES = ("tv", "pc")

READABLE = ("bt709", "smpte170m", "bt470bg", "bt2020nc", "fcc", "smpte240m", "ycgco")
"""Matrices that zimg reads and writes, in ffmpeg's words, which are zscale's too. Of others it
makes numbers: "240m" would be 0, which is RGB."""

_PRIMARIES = {
    "bt709": "bt709",
    "smpte170m": "smpte170m",
    "bt470bg": "bt470bg",
    "bt2020nc": "bt2020",
    "fcc": "bt470m",
    "smpte240m": "smpte240m",
}
"""What usually goes with a matrix."""

_MATRIX_OF_PRIMARIES = {
    "bt709": "bt709",
    "smpte170m": "smpte170m",
    "bt470bg": "bt470bg",
    "bt2020": "bt2020nc",
}
_OF_XYZ = ("bt709", "bt470m")
"""Primaries and curve, a gamma of 2.2, of the RGB that ffmpeg makes of XYZ."""

_HD_WIDTH_PX, _SD_HEIGHT_PX = 1280, 576
"""At least as wide or higher is taken for BT.709, as players do."""

_UNTOUCHED = "transferin=709:transfer=709:primariesin=709:primaries=709:filter=bicubic:dither=none"
"""The same on both sides, whatever they are: zimg then leaves them as they are."""


@dataclass(frozen=True)
class Colour:
    """What a source is read with and a target tagged with, in ffmpeg's words."""

    matrix: str
    """"gbr" for RGB."""

    range: str
    """"tv" or "pc"."""

    primaries: str
    transfer: str
    chroma: str
    """Where chroma samples lie, "left" and such."""

    assumed: tuple[str, ...]
    """Which of these the source does not say."""

    def __str__(self) -> str:
        """Such as `bt709, tv (assumed: matrix)`."""
        told = f"{self.matrix}, {self.range}, {self.primaries}, {self.transfer}"
        return f"{told} (assumed: {', '.join(self.assumed)})" if self.assumed else told


def colour_of(footage: Footage, *, matrix: str = "auto", limits: str = "auto") -> Colour:
    """What a source's numbers mean: what a caller says, the source says, or a rule assumes.

    The rules: full range for RGB and limited for the rest; the matrix that goes with the
    primaries, or BT.709 from 1280 px wide or more than 576 lines, else that of BT.601 with the
    primaries of 625 lines for 25 and 50 frames a second, and of 525 for others; BT.709's curve.

    Raises
    ------
    OptionError
        Where `matrix` or `limits`, the range, is no word for one.
    VideoError
        Where the source states a matrix that cannot be read.
    """
    one_of("matrix", matrix, ("auto", *MATRICES))
    one_of("range", limits, ("auto", *RANGES))
    layout = layout_of(footage.shown.format)
    assumed = []
    if layout.rgb:
        named = footage.primaries or "bt709", footage.transfer or "bt709"
        return Colour("gbr", "pc", *(_OF_XYZ if layout.xyz else named), "left", ())
    found = MATRICES.get(matrix) or footage.matrix
    if not found or found == "gbr":
        found = _assumed_matrix(footage)
        assumed.append("matrix")
    if found not in READABLE:
        raise VideoError(
            f"{footage.path}: its colour matrix, {found}, is none that we can read; "
            f"name a matrix, one of {', '.join(MATRICES)}, if you know better"
        )
    if limits == "auto":
        limits = footage.range
    if not limits:
        limits = "pc" if footage.shown.format.startswith("yuvj") else "tv"
        assumed.append("range")
    primaries, transfer = footage.primaries, footage.transfer
    if not primaries or matrix != "auto":
        primaries = _PRIMARIES.get(found, "bt709")
        assumed.append("primaries")
    if not transfer:
        transfer = "bt709"
        assumed.append("transfer")
    chroma = footage.shown.chroma or "left"
    return Colour(found, limits, primaries, transfer, chroma, tuple(assumed))


def _assumed_matrix(footage: Footage) -> str:
    if footage.primaries in _MATRIX_OF_PRIMARIES:
        return _MATRIX_OF_PRIMARIES[footage.primaries]
    shown = footage.shown
    if shown.width >= _HD_WIDTH_PX or shown.height > _SD_HEIGHT_PX:
        return "bt709"
    return "bt470bg" if footage.rate in (25, 50) or shown.height == _SD_HEIGHT_PX else "smpte170m"


def to_rgb(colour: Colour, layout: Layout, *, lacking: tuple[int, int] = (0, 0)) -> str:
    """The filters from a source's frames to rgb24, or rgb48le where it has more than 8 bits.

    `lacking`: px across and down that the last samples of chroma lack, by `Layout.lacking`.
    """
    planes, packed = ("gbrp16le", "rgb48le") if layout.depth > 8 else ("gbrp", "rgb24")
    if colour.matrix == "gbr":
        return f"format={packed}"
    before, after = "", ""
    if layout.grey:
        before = f"setparams=range=pc,format={_whole(layout)},"
    elif any(lacking):
        before, after = _completed(layout, lacking), f"crop=iw-{lacking[0]}:ih-{lacking[1]}:0:0,"
    return (
        f"{before}zscale=matrixin={colour.matrix}:rangein={_limits(colour)}:"
        f"chromalin={colour.chroma}:matrix=gbr:range=full:{_UNTOUCHED},"
        f"{after}format={planes},format={packed}"
    )


def _completed(layout: Layout, lacking: tuple[int, int]) -> str:
    """Filters that add the px that are lacking, for zimg takes none but whole samples of chroma.

    A tile in a larger picture keeps its last samples, which `pad` drops; swscale would stretch them
    over the px that are there.
    """
    across, down = (n if lack else 1 for n, lack in zip(layout.shared, lacking, strict=True))
    cut = f"crop=iw/{across}+{lacking[0]}:ih/{down}+{lacking[1]}:0:0:exact=1"
    return f"tile={across}x{down}:nb_frames=1,{cut},"


def _whole(layout: Layout) -> str:
    """The format of planes of as many bits that has all of chroma.

    Grey is read and written by it, too: zimg knows few greys, and swscale, which ffmpeg then asks,
    takes all of them for full range. What goes through it as full range keeps its numbers.
    """
    return f"yuv444p{min(layout.depth, 16)}le" if layout.depth > 8 else "yuv444p"


def from_rgb(
    made: Colour,
    layout: Layout,
    *,
    deep: bool,
    sar: Fraction,
    unsaid: bool,
    lacking: tuple[int, int] = (0, 0),
) -> str:
    """The filters from rgb24, or rgb48le where `deep`, to a target's frames, tagged as `made` is.

    `sar` is the width of a px by its height, 0 where that is not to be said. `unsaid`: the encoder
    is not to hear of full range, for it would have it converted. `lacking` is as in `to_rgb`.
    """
    told = "tv" if unsaid else made.range
    tags = (
        f"setparams=range={told}:colorspace={made.matrix}:"
        f"color_primaries={made.primaries}:color_trc={made.transfer}"
    )
    if sar:
        tags = f"setsar={sar.numerator}/{sar.denominator}:max={max(sar.as_integer_ratio())},{tags}"
    if layout.rgb:
        return f"format={layout.name},{tags}"
    planes = "gbrp16le" if deep else "gbrp"
    between = ""
    if layout.grey:
        between = f"format={_whole(layout)},extractplanes=y,"
    elif not layout.name.startswith("yuv"):  # else zimg is passed by, and swscale does it all
        between = f"format=yuv{layout.chroma}p{layout.depth}le,"
    right, below = lacking
    more, less = "", ""
    if any(lacking):
        more = f"pad=iw+{right}:ih+{below},fillborders=right={right}:bottom={below}:mode=smear,"
        less = f",crop=iw-{right}:ih-{below}:0:0:exact=1"
    return (
        f"format={planes},{more}zscale=matrixin=gbr:rangein=full:matrix={made.matrix}:"
        f"range={_limits(made)}:chromal={made.chroma}:{_UNTOUCHED},"
        f"{between}format={layout.name}{less},{tags}"
    )


def target_colour(colour: Colour, layout: Layout, *, only_limited: bool = False) -> Colour:
    """What a target of this layout holds and is tagged with.

    A picture that came as RGB is written by BT.709's matrix, limited, where the target is not RGB.
    Chroma lies where players expect it that are not told.
    """
    made = replace(colour, chroma="left", range="tv" if only_limited else colour.range)
    if colour.matrix == "gbr" and not layout.rgb:
        return replace(made, matrix="bt709", range="tv")
    return made


def tagging(made: Colour, stream: int) -> list[str]:
    """The options that tag a stream which is copied, counted in the output."""
    words = {
        "color_range": made.range,
        "colorspace": "rgb" if made.matrix == "gbr" else made.matrix,
        "color_primaries": made.primaries,
        "color_trc": made.transfer,
    }
    return [part for name, word in words.items() for part in (f"-{name}:{stream}", word)]


def _limits(colour: Colour) -> str:
    return "full" if colour.range == "pc" else "limited"
