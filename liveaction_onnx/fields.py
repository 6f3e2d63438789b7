"""What the rows of a video are: of one moment or of two, and whether half of them are copies.

Two measurements on a few seconds from several places of a file. ffmpeg's `idet` says which field of
a frame comes first, and our own search for combs in moving blocks whether there are two at all:
`idet` alone calls some line-doubled or standing footage interlaced. Doubled rows are found by
comparing the even rows of a picture with the odd ones, which soft or noisy pictures hold alike.

The figures at the constants were measured in November 2026 on 15 clips from Debian and PyPI
packages and on 900 made from 12 of them by ffmpeg (interlaced, telecined, doubled, blurred,
enlarged, dark, letterboxed, standing), coded as MPEG-2 at q 5 and as H.264 at crf 23 and 29.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from liveaction_onnx import ffmpeg, rows
from liveaction_onnx.errors import FfmpegError
from liveaction_onnx.rows import Sides, Truth

Order = Literal["progressive", "tff", "bff", "telecine", "unclear"]
Doubled = Literal["no", "repeated", "interpolated"]

PLACES, FRAMES, SHORT_S = 4, 60, 12
"""Places that are looked at and frames of each. Shorter files are read from their start instead."""

WINDOW = (768, 576)
"""Width and height in pixels of the middle of the picture that is looked at, at most."""

FEW, MOST = 0.05, 0.5
"""Combed shares of the moving frames: accidents up to the first, interlaced all through from the
second. Interlaced clips had 0.5 to 1; small, slow or hardly moving ones 0 to 0.4."""

ENOUGH = 15
"""Moving frames that a certain answer needs."""

ONE_ORDER = 0.9
"""Share of the frames to which `idet` gives an order that must have the same one."""

CADENCE_IN, CADENCE_OUT = (0.35, 0.7), 0.15
"""Combed share of the two frames in five that 3:2 pulldown mixes (likely, certain), and the most
that the other three may have."""

STRIDE = 9
"""Every so manieth frame is searched for doubled rows: odd, as bobbed video alternates."""

REPEATED = (1.25, 1.6)
"""Leanings (log2) from which rows are called repeated, and certainly so. Repeated rows gave 1.2 to
8.5, at crf 29 0.3 to 6.7; others up to 1.0, and up to 1.2 where the height alone had been doubled
in another way."""

INTERPOLATED = (0.95, 1.25)
"""The same of interpolated rows. Bobbed rows gave 1.2 to 4.3 where the source was sharp, and 0.2 to
0.9 where it had no fine detail to lose; what yadif or bwdif had deinterlaced, up to 0.9; others up
to 0.5."""

CONTESTED = 3.0
"""Leaning that repeated rows need, not to be certain even then, where `idet` sees fields: if an
interlaced camera tilts by about a row a field, both fields see the same rows. It gave up to 2.0."""

AGREED, QUIET = 0.85, 0.125
"""Share of the blocks, and of the frames, that must lean to one side for a certain answer, and the
part of what is likely that leanings must stay below for a certain "no"."""

_IDET = "lavfi.idet.single.current_frame"


@dataclass(frozen=True)
class Lines:
    """What the rows of a video are.

    Attributes
    ----------
    order
        Whether a frame holds two moments, and the rows of which came first.
    order_certain
        Whether the measurement of it is clear.
    combed
        Share of the moving frames that show combs, in [0, 1].
    doubled
        Whether every second row repeats its neighbour, or lies between its two neighbours.
    doubled_certain
        Whether the measurement of it is clear, also where it is "no".
    first_row
        0 or 1: the first of the rows that are originals, where pairs begin.
    advice
        What was found and what mends it, in a sentence; empty where nothing is amiss.
    """

    order: Order
    order_certain: bool
    combed: float
    doubled: Doubled
    doubled_certain: bool
    first_row: int
    advice: str

    def __str__(self) -> str:
        """What was found, in a line."""
        sure = "" if self.order_certain else ", not certain"
        doubled = "" if self.doubled == "no" else f"; lines doubled, {self.doubled}"
        if doubled and not self.doubled_certain:
            doubled += ", not certain"
        return f"{self.order}{sure}, {100 * self.combed:.0f} % of frames combed{doubled}"


def examine(
    path: Path,
    *,
    flags: str,
    duration_s: Fraction | None,
    width: int,
    height: int,
    stream: str = "0:V:0",
    as_shown: bool = False,
) -> Lines:
    """Look at a few seconds of a video's rows as they are coded; no rotation is applied.

    A place that cannot be read is left out; where all are, nothing is certain.

    Parameters
    ----------
    flags
        What its frames say of themselves: "T", "B" or "P"; "" where that is not known.
    duration_s
        Its length in seconds; where that is None, only its start is looked at.
    width, height
        Of the coded picture, in pixels.
    as_shown
        Whether the rotation is applied all the same: of one upside down, the other field is first.
    """
    heard, windows, leanings = [0, 0, 0], [], []
    for frames, votes in _samples(path, duration_s, (width, height), stream, as_shown):
        heard = [a + b for a, b in zip(heard, votes, strict=True)]
        seen = rows.combs(frames)
        windows += [seen[start : start + FRAMES] for start in range(0, len(seen), FRAMES)]
        leanings += [rows.leanings(frame) for frame in frames[STRIDE // 2 :: STRIDE]]
    moving, combed = sum((window.sum(0) for window in windows), np.zeros(2, np.int64)).tolist()
    share = combed / max(moving, 1)
    doubled, doubled_certain, first_row = _doubled(leanings, share > FEW or _orderly(heard))
    if doubled != "no" and doubled_certain:
        heard = [0, 0, 0]  # such rows deceive `idet`
    order, certain = _order(heard, windows, moving, share, flags)
    if moving < ENOUGH and order == "progressive" and flags in ("T", "B"):
        order = "unclear"
    said = {"T": ("tff", "telecine"), "B": ("bff", "telecine"), "P": ("progressive",)}
    agree = order in (*said.get(flags, (order,)), "unclear")
    advice = [_of_order(order, certain, share, agree), _of_rows(doubled, doubled_certain)]
    return Lines(
        order=order,
        order_certain=certain,
        combed=share,
        doubled=doubled,
        doubled_certain=doubled_certain,
        first_row=first_row,
        advice="; ".join(filter(None, advice)),
    )


def deinterlacing(mode: Literal["frame", "field"], lines: Lines) -> str:
    """The filter of ffmpeg that makes whole frames: one of each, or one of each of its fields."""
    parity = lines.order if lines.order in ("tff", "bff") else "auto"
    return f"bwdif=mode=send_{mode}:parity={parity}:deint=all"


def undoubling(lines: Lines) -> str:
    """The filter of ffmpeg that leaves the original rows; each pixel becomes twice as tall.

    Pairs that begin at the top are averaged, chroma with them; otherwise rows are picked. The last
    of an odd number of rows is left out. The aspect of a pixel is halved, and one that is not known
    is taken for 1.
    """
    even = "crop=iw:floor(ih/2)*2:0:0:exact=1"
    if lines.doubled == "repeated" and lines.first_row == 0:
        return f"{even},setsar=r=sar:max=10000,scale=w=iw:h=ih/2:flags=area+accurate_rnd"
    return f"{even},field=type={('top', 'bottom')[lines.first_row]},setsar=r=sar/2:max=10000"


def _samples(
    path: Path,
    duration_s: Fraction | None,
    size: tuple[int, int],
    stream: str,
    as_shown: bool,
) -> Iterator[tuple[NDArray[np.uint8], list[int]]]:
    """Gray frames (N, h, w), and how many of them `idet` calls tff, bff and progressive."""
    (width, height), (x, y) = _window(size)
    look = f"crop={width}:{height}:{x}:{y}:exact=1,format=gray,idet,metadata=mode=print:key={_IDET}"
    out = ["-map", stream, "-vf", look, "-fps_mode", "passthrough", "-f", "rawvideo", "pipe:1"]
    read = [*([] if as_shown else ["-noautorotate"]), *ffmpeg.reading(path)]
    runs = [[*read, "-frames:v", str(PLACES * FRAMES), *out]]
    if duration_s is not None and duration_s > SHORT_S:
        starts = [float(duration_s * (2 * place + 1) / (2 * PLACES)) for place in range(PLACES)]
        runs = [["-ss", f"{at:.3f}", *read, "-frames:v", str(FRAMES), *out] for at in starts]
    for arguments in runs:
        try:
            said, written = ffmpeg.run(arguments, stdout=True)
        except FfmpegError:
            continue
        count = len(written) // (width * height)
        frames = np.frombuffer(written, np.uint8, count * width * height)
        words = [line.rpartition("=")[2] for line in said if f"{_IDET}=" in line]
        votes = [words.count(word) for word in ("tff", "bff", "progressive")]
        yield frames.reshape(count, height, width), votes


def _window(size: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """The middle of a picture and where it begins, in pixels, on the grid of common codecs.

    >>> _window((1920, 1080)), _window((176, 144))
    (((768, 576), (576, 240)), ((176, 144), (0, 0)))
    """
    inside = (min(size[0], WINDOW[0]), min(size[1], WINDOW[1]))
    return inside, ((size[0] - inside[0]) // 32 * 16, (size[1] - inside[1]) // 32 * 16)


def _doubled(leanings: list[Sides], contested: bool) -> tuple[Doubled, bool, int]:
    """How rows are doubled, whether that is certain, and the first original one.

    Columns that lean a third as much say that the whole picture was enlarged, not its height alone.
    """
    sides = np.array(leanings).reshape(-1, 4, 2)
    quiet = not contested
    kinds: dict[Doubled, tuple[float, float]]
    kinds = {"repeated": REPEATED, "interpolated": INTERPOLATED}
    for at, kind in enumerate(kinds):
        likely, sure = kinds[kind]
        middle, size, agreed = rows.settle(sides[:, 2 * at])
        across, _, known = rows.settle(sides[:, 2 * at + 1])
        least = CONTESTED if contested and kind == "repeated" else likely
        if size >= least and abs(across) < size / 3:
            certain = size >= sure and agreed >= AGREED and known > 0 and not contested
            return kind, certain, int(middle < 0)
        quiet &= size < QUIET * likely and (agreed > 0 or kind == "interpolated")
    return "no", quiet, 0


def _orderly(heard: list[int]) -> bool:
    """Whether `idet` sees fields in more than an accident's share of frames, and in one order."""
    fields = heard[0] + heard[1]
    return fields >= 6 and 4 * fields >= heard[2] and max(heard[:2]) >= ONE_ORDER * fields


def _order(
    heard: list[int], windows: list[Truth], moving: int, share: float, flags: str
) -> tuple[Order, bool]:
    """The order of the fields and whether it is certain, from `idet`'s frames and combed ones."""
    first: Order = "tff" if heard[0] > heard[1] else "bff"
    fields, enough = heard[0] + heard[1], moving >= ENOUGH
    if share > FEW and fields >= 6:
        inside, outside = rows.cadence(windows)
        if inside >= CADENCE_IN[0] and outside <= CADENCE_OUT:
            return "telecine", inside >= CADENCE_IN[1] and enough
        return (first, share >= MOST and enough) if _orderly(heard) else ("unclear", False)
    if _orderly(heard) and fields >= ENOUGH and (share > 0 or flags == first[0].upper()):
        return first, False
    return "progressive", enough and share <= FEW and 4 * fields <= heard[2]


def _of_order(order: Order, certain: bool, share: float, agree: bool) -> str:
    """What a user should know of the order."""
    combed = f"{100 * share:.0f} % of the moving frames looked at are combed"
    perhaps = "" if certain else "perhaps "
    first = {"tff": "top", "bff": "bottom"}.get(order, "")
    if first:
        combed += "" if agree else ", though its flags say otherwise"
        found = f"{perhaps}interlaced, {first} field first ({combed})"
        return f"{found}: --deinterlace frame or field mends that"
    if order == "telecine":
        return (
            f"{perhaps}telecined film ({combed}, two in five): ffmpeg's "
            "fieldmatch,decimate brings back the film's own frames, fewer than now; --deinterlace "
            "frame keeps their number"
        )
    if order == "unclear":
        found = combed if share > FEW else "flagged as interlaced, but too little moves to tell"
        return f"{found}: if moving edges look like combs, --deinterlace frame mends that"
    return "" if agree else "flagged as interlaced, but not combed: taken as whole frames"


def _of_rows(doubled: Doubled, certain: bool) -> str:
    """What a user should know of doubled rows."""
    found = {
        "no": "",
        "repeated": "every row stands there twice",
        "interpolated": "every second row is only interpolated from its neighbours",
    }[doubled]
    mend = "--undouble upscales from the rows that are originals"
    return found and f"{found if certain else f'perhaps {found}'}: {mend}"
