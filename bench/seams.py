"""Seams: what is left of tile borders when there is less overlap than the graph needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import liveaction_onnx as la
from bench.section import Section
from liveaction_onnx import tiles
from liveaction_onnx.planning import RIM_PX

OVERLAPS = (0, 4, 8, 16, 20, 21)
CORE_PX = 48
PICTURE = Path(__file__).parent / "pictures" / "otters.jpg"


def seam_energy(difference: NDArray[np.float64], plan: tiles.Plan) -> float:
    """Give the mean squared step in `difference` across the borders of cores, in levels squared."""
    downward, across = np.diff(difference, axis=0), np.diff(difference, axis=1)
    steps = [downward[2 * row.start - 1].ravel() for row in plan.rows[1:]]
    steps += [across[:, 2 * column.start - 1].ravel() for column in plan.columns[1:]]
    return float((np.concatenate(steps) ** 2).mean())


def measure() -> Section:
    """Compare cropping and blending with the whole picture."""
    image = np.asarray(Image.open(PICTURE))[60:220, 160:400].astype(np.float32) / 255
    height, width = image.shape[:2]
    rows: list[tuple[object, ...]] = []
    with la.Upscaler(device="cpu") as up, la.Upscaler(device="cpu", rim="none") as bare:
        whole = up(image)
        rim = RIM_PX if up.facts.rim is None else up.facts.rim

        def tiled(overlap: int, blend: bool) -> tuple[Any, tiles.Plan]:
            plan = tiles.plan(
                height, width, core=(CORE_PX, CORE_PX), overlap=overlap, rim=rim, blend=blend
            )
            out = np.empty_like(whole)
            tiles.run(image, plan, bare, out, scale=2)
            return out, plan

        for overlap in OVERLAPS:
            row: list[object] = [overlap]
            for blend in (False, True):
                out, plan = tiled(overlap, blend)
                difference = (out.astype(np.float64) - whole) * 255
                row += [f"{np.abs(difference).max():.3f}", f"{seam_energy(difference, plan):.5f}"]
            rows.append(tuple(row))
    return Section(
        "Seams",
        f"A detail of `otters.jpg` of {width} x {height} px in tiles of {CORE_PX} px with less and "
        "less overlap, cropped and blended, against the whole picture, float32, "
        f"{rim} px of mirrored rim: the greatest difference in levels of 255, and the mean squared "
        "step of the difference across tile borders (seam energy). The package crops from 21 px "
        "on, the halo of the graph, and blends below.",
        ("overlap, px", "cropped: worst", "cropped: seam", "blended: worst", "blended: seam"),
        rows,
    )
