"""The contrast at which the SPAN authors' weights are run: quality and stability of each choice."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

import liveaction_onnx as la
from bench.section import Section
from model.build import CONTRAST, WEIGHTS, Form, build
from model.span import read_ncnn

CONTRASTS = (1.0, 0.5, 0.3, 0.2, 0.15, 0.1)
PICTURE = Path(__file__).parent / "pictures" / "otters.jpg"

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


def _pairs() -> tuple[tuple[Array, Array], Array]:
    """Half-size versions of the picture, clean and as JPEG, and the picture itself."""
    original = Image.open(PICTURE)
    clean = original.resize((original.width // 2, original.height // 2), Image.Resampling.BICUBIC)
    packed = io.BytesIO()
    clean.save(packed, "JPEG", quality=75)
    clean_unit, jpeg_unit, whole = (
        np.asarray(image) / np.float32(255) for image in (clean, Image.open(packed), original)
    )
    return (clean_unit, jpeg_unit), whole


def measure() -> Section:
    """Build the network at each contrast and run it."""
    weights, (lows, high) = read_ncnn(WEIGHTS), _pairs()
    rng = np.random.default_rng(1)
    rows: list[tuple[object, ...]] = []
    for contrast in CONTRASTS:
        up, half = (
            la.Upscaler(
                build(weights, Form("float32", precision), "", contrast).SerializeToString(),
                device="cpu",
            )
            for precision in ("fp32", "fp16")
        )
        stable, same = [], []
        for pattern in patterns():
            nudged = np.clip(pattern + rng.normal(0, 1e-3, pattern.shape), 0, 1)
            result = up(pattern)
            stable.append(psnr(up(nudged.astype(np.float32)), result))
            same.append(psnr(half(pattern), result))
        quality = [f"{psnr(up(low), high):.2f}" for low in lows]
        rows.append((contrast, *quality, f"{min(stable):.0f}", f"{min(same):.0f}"))
    shipped = next(row for row in rows if row[0] == CONTRAST)
    return Section(
        "Contrast",
        "The SPAN authors' weights with the contrast of the input lowered before the network and "
        "raised after it. PSNR over all channels of `otters.jpg` at half size, clean and as JPEG "
        "of quality 75, against itself; then, the worst of nine fine patterns of full contrast "
        "(small text, lines, chequerboards, noise): how near the result stays to itself when the "
        "pattern is changed by noise of a thousandth, and fp16 to fp32. Below some 30 dB the "
        "result is noise of the network's own making. 0.15 is what ships.",
        ("contrast", "clean, dB", "JPEG, dB", "stability, dB", "fp16 to fp32, dB"),
        rows,
        (
            "JPEG at half size against its original, at the contrast that ships and at full",
            f"{shipped[2]} and {rows[0][2]} dB",
        ),
    )
