"""What to show a graph beyond the rim of a picture: the choice between kinds of context, measured.

A frame is cut into quarters; each quarter, with context of each kind around it, is upscaled and
compared along its rim with the original of twice the size.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import liveaction_onnx as la
from bench.section import Section
from liveaction_onnx.planning import RIM_PX

KINDS = (
    ("none", 0),
    ("edge", 8),
    ("reflect", 8),
    ("symmetric", 2),
    ("symmetric", 4),
    ("symmetric", 5),
    ("symmetric", 8),
    ("symmetric", 21),
)
LEVELS = (0, 16, 64, 128, 200, 235, 255)
BAND_PX = 8
PICTURE = Path(__file__).parent / "pictures" / "otters.jpg"
REFERENCE = Path(__file__).parents[2] / "shared" / "reference" / "2xLiveActionV1_SPAN.onnx"

Array = NDArray[Any]


def _padded(up: la.Upscaler, image: Array, kind: str, px: int) -> Array:
    """Upscale with `px` of context and cut it off again."""
    if px == 0:
        return up(image)
    big = up(np.pad(image, ((px, px), (px, px), (0, 0)), mode=kind))  # type: ignore[call-overload]
    return big[2 * px : -2 * px, 2 * px : -2 * px]


def _quarters() -> list[tuple[Array, Array]]:
    """Pairs of a low-resolution quarter and its original."""
    original = Image.open(PICTURE)
    small = original.resize((original.width // 2, original.height // 2), Image.Resampling.BICUBIC)
    high, low = np.asarray(original), np.asarray(small)
    tall, wide = low.shape[0] // 2, low.shape[1] // 2
    return [
        (low[y : y + tall, x : x + wide], high[2 * y : 2 * (y + tall), 2 * x : 2 * (x + wide)])
        for y in (0, tall)
        for x in (0, wide)
    ]


def measure() -> Section:
    """Measure every kind on every graph that is at hand."""
    graphs: dict[str, Any] = {"liveaction-2x": la.DEFAULT_MODEL}
    if REFERENCE.exists():
        graphs["2xLiveActionV1_SPAN"] = REFERENCE
    rows: list[tuple[object, ...]] = []
    stated: list[str] = []
    for name, model in graphs.items():
        up = la.Upscaler(model, device="cpu", rim="none")
        used = RIM_PX if up.facts.rim is None else up.facts.rim
        for kind, px in KINDS:
            errors = []
            for low, high in _quarters():
                band = np.ones(high.shape[:2], bool)
                band[BAND_PX:-BAND_PX, BAND_PX:-BAND_PX] = False
                difference = _padded(up, low, kind, px)[band].astype(np.float64) - high[band]
                errors.append((difference**2).mean())
            psnr = 10 * np.log10(255**2 / np.mean(errors))
            flat = 0.0
            for level in LEVELS:
                field = np.full((40, 40, 3), level / 255, np.float32)
                result = _padded(up, field, kind, px).astype(np.float64) * 255
                flat = max(flat, float(np.abs(result - level).max()))
            cost = (1920 + 2 * px) * (1080 + 2 * px) / (1920 * 1080) - 1
            rows.append((name, kind, px, f"{psnr:.2f}", f"{flat:.2f}", f"{100 * cost:.1f} %"))
        stated.append(f"{used} px for {name}")
    return Section(
        "Rims",
        "Context beyond the rim: none (the graph's own zero padding), the outermost px repeated "
        "(`edge`), mirrored without it (`reflect`) and with it (`symmetric`), so many px wide. "
        f"PSNR over all channels in the outermost {BAND_PX} px of the result, four quarters of "
        "`otters.jpg` at half size against the original; greatest error of flat fields of levels "
        f"{', '.join(map(str, LEVELS))}; what it adds to a whole frame of 1920 x 1080. `symmetric` "
        f"is what the package does, with {' and '.join(stated)}: as many as keep flat fields, of "
        "strong colours too where the graph is ours, within 1 level. Real rims may come out a "
        "little better with the graph's own padding, but that is many levels wrong on flat fields; "
        "of the others `symmetric` loses least.",
        ("graph", "context", "px", "PSNR at the rim, dB", "flat fields, levels", "added work"),
        rows,
    )
