"""Every matrix, range, set of primaries and curve that a source may state, by this ffmpeg."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
import pytest
from clips import ffmpeg
from numpy.typing import NDArray

from liveaction_onnx.colour import MATRICES, READABLE, Colour, from_rgb, tagging, to_rgb
from liveaction_onnx.footage import examine
from liveaction_onnx.layouts import layout_of

Array = NDArray[Any]

LUMA = {
    "bt709": (0.2126, 0.0722),
    "smpte170m": (0.299, 0.114),
    "bt470bg": (0.299, 0.114),
    "bt2020nc": (0.2627, 0.0593),
    "fcc": (0.30, 0.11),
    "smpte240m": (0.212, 0.087),
}
"""Weights of red and blue in luma: ITU-T H.273, table 4."""

PLAIN = Colour("bt709", "tv", "bt709", "bt709", "left", ())
SIZE = 32


def coefficients(matrix: str) -> Array:
    """(3, 3): from R, G, B in [0, 1] to luma in [0, 1] and two of chroma in [-0.5, 0.5]."""
    if matrix == "ycgco":
        return np.array([[1, 2, 1], [-1, 2, -1], [2, 0, -2]]) / 4
    red, blue = LUMA[matrix]
    luma = np.array([red, 1 - red - blue, blue])
    of_blue, of_red = np.array([0, 0, 1]) - luma, np.array([1, 0, 0]) - luma
    return np.array([luma, of_blue / (2 - 2 * blue), of_red / (2 - 2 * red)])


def planes(rgb: Array, matrix: str, limits: str) -> Array:
    """(3, H, W) of 16 bits: what `rgb` (H, W, 3) in [0, 1] is by definition.

    YCgCo is made of numbers that are limited already, so its chroma is as narrow as its luma.
    """
    made = np.moveaxis(rgb @ coefficients(matrix).T, -1, 0)
    scales, offsets = np.array([65535, 65535, 65535]), np.array([0, 32768, 32768])
    if limits == "tv":
        chroma = 219 if matrix == "ycgco" else 224
        scales, offsets = np.array([219, chroma, chroma]) * 256, np.array([4096, 32768, 32768])
    scaled = made * scales[:, None, None] + offsets[:, None, None]
    rounded: Array = np.clip(np.rint(scaled), 0, 65535)
    return rounded


def filtered(data: Array, given: str, filters: str, taken: str) -> Array:
    """What ffmpeg's filters make of one frame, in the shape that it had."""
    words = ["-f", "rawvideo", "-pix_fmt", given, "-s", f"{SIZE}x{SIZE}", "-i", "-", "-vf", filters]
    raw = ffmpeg(*words, "-f", "rawvideo", "-pix_fmt", taken, "-", data=data.tobytes())
    return np.frombuffer(raw, "<u2").astype(float)


@pytest.mark.parametrize("limits", ["tv", "pc"])
@pytest.mark.parametrize("matrix", READABLE)
def test_numbers_are_those_of_the_matrix(matrix: str, limits: str) -> None:
    rgb = np.random.default_rng(2).uniform(0.02, 0.98, (SIZE, SIZE, 3))
    colour = replace(PLAIN, matrix=matrix, range=limits)
    layout = layout_of("yuv444p16le")
    wanted = planes(rgb, matrix, limits)
    seen = filtered(wanted.astype("<u2"), layout.name, to_rgb(colour, layout), "rgb48le")
    assert np.abs(seen.reshape(SIZE, SIZE, 3) - rgb * 65535).max() <= 4
    out = from_rgb(colour, layout, deep=True, sar=Fraction(1), unsaid=False)
    made = filtered(np.rint(rgb * 65535).astype("<u2"), "rgb48le", out, layout.name)
    assert np.abs(made.reshape(3, SIZE, SIZE) - wanted).max() <= 4


def test_what_a_caller_may_name_is_readable() -> None:
    assert set(MATRICES.values()) <= set(READABLE)


def words_of(option: str) -> list[str]:
    """What ffmpeg's setparams takes for an option, but for what says nothing."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-h", "filter=setparams"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    section = re.search(rf"^ {{3}}{option} .*\n((?: {{5}}\S.*\n)+)", listed, re.MULTILINE)
    assert section is not None, listed
    words = re.findall(r"^ {5}(\S+)", section[1], re.MULTILINE)
    return [word for word in words if word not in ("auto", "unknown")]


@pytest.mark.parametrize(
    ("option", "field"), [("color_primaries", "primaries"), ("color_trc", "transfer")]
)
def test_every_word_of_a_source_is_written_again(tmp_path: Path, option: str, field: str) -> None:
    """As filters tag the frames of a segment, and as options tag the stream that is joined."""
    words = words_of(option)
    assert len(words) > 10
    for word in words:
        source, target, copied = (tmp_path / name for name in ("a.nut", "b.mkv", "c.mkv"))
        told = f"color=size=64x48:rate=25:duration=0.04,format=yuv420p,setparams={option}={word}"
        ffmpeg("-f", "lavfi", "-i", told, "-c:v", "libx264", str(source))
        said = getattr(examine(source), field)
        if not said:
            continue  # what H.264 has no number for
        colour = replace(PLAIN, **{field: said})
        layout = layout_of("yuv420p")
        chain = [to_rgb(colour, layout)]
        chain.append(from_rgb(colour, layout, deep=False, sar=Fraction(1), unsaid=False))
        ffmpeg("-i", str(source), "-vf", ",".join(chain), "-c:v", "libx264", str(target))
        assert getattr(examine(target), field) == said
        ffmpeg("-i", str(source), "-c", "copy", *tagging(colour, 0), str(copied))
        assert getattr(examine(copied), field) == said
