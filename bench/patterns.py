"""Fine patterns of full contrast, on which weights of this network can make noise of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

import liveaction_onnx as la
from bench.section import Section
from model.build import WEIGHTS, Form, build
from model.span import AUTHORS, read_weights

FILES = {"ours": WEIGHTS, "the SPAN authors'": AUTHORS}

Array = NDArray[Any]


def patterns() -> Iterator[Array]:
    """Make fine patterns of full contrast, (96, 96, 3) float32."""
    text = Image.new("RGB", (96, 96))
    draw = ImageDraw.Draw(text)
    draw.fontmode = "1"
    for line in range(6):
        draw.text((2, 16 * line), "Subtitle 123", fill="white", font=ImageFont.load_default(10))
    yield np.asarray(text) / np.float32(255)
    rows, columns = np.mgrid[0:96, 0:96]
    for plane in (
        (rows + columns) % 2,
        (rows // 2 + columns // 2) % 2,
        (rows // 4 + columns // 4) % 2,
        columns % 2,
        columns % 4 == 0,
        (rows % 8 == 0) | (columns % 8 == 0),
    ):
        yield np.repeat(plane.astype(np.float32)[..., None], 3, axis=2)
    rng = np.random.default_rng(0)
    yield rng.random((96, 96, 3), dtype=np.float32)
    yield rng.integers(0, 2, (96, 96, 3)).astype(np.float32)


def psnr(a: Array, b: Array) -> float:
    """Peak signal-to-noise ratio of pictures in [0, 1], in dB."""
    return float(-10 * np.log10(max(((a.astype(np.float64) - b) ** 2).mean(), 1e-12)))


def measure() -> Section:
    """Run both weights, in full and half precision, on each pattern and on its like."""
    rows = [(name, *_worst(file)) for name, file in FILES.items()]
    return Section(
        "Patterns",
        "The worst of nine fine patterns of full contrast (small text, lines, chequerboards, "
        "noise): how near the result stays to itself when the pattern is changed by noise of a "
        "thousandth, and fp16 to fp32. Below some 30 dB the result is noise of the network's own "
        "making.",
        ("weights", "stability, dB", "fp16 to fp32, dB"),
        [*rows],
    )


def _worst(file: Path) -> tuple[str, str]:
    weights = read_weights(file)
    up, half = (
        la.Upscaler(build(weights, Form("float32", form), "").SerializeToString(), device="cpu")
        for form in ("fp32", "fp16")
    )
    rng = np.random.default_rng(1)
    stable, same = [], []
    for pattern in patterns():
        nudged = np.clip(pattern + rng.normal(0, 1e-3, pattern.shape), 0, 1)
        result = up(pattern)
        stable.append(psnr(up(nudged.astype(np.float32)), result))
        same.append(psnr(half(pattern), result))
    return f"{min(stable):.0f}", f"{min(same):.0f}"
