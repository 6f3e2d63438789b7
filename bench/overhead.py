"""What `Upscaler` adds to the bare run of the graph, for programs that embed it."""

from __future__ import annotations

import statistics
import time
from typing import Any

import numpy as np
import onnxruntime

import liveaction_onnx as la
from bench.section import Section
from liveaction_onnx import catalog

RUNS = {(64, 64): 200, (480, 720): 5, (1080, 1920): 3}


class Timed:
    """An `InferenceSession` that remembers how long its last run took."""

    def __init__(self, inference: Any) -> None:
        self._inference = inference
        self.seconds = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inference, name)

    def run(self, *given: Any) -> Any:
        """Run it and look at the clock."""
        began = time.perf_counter()
        made = self._inference.run(*given)
        self.seconds = time.perf_counter() - began
        return made


def overheads(upscale: la.Upscaler, timed: Timed, size: tuple[int, int], runs: int) -> list[float]:
    """Seconds of each call that were not spent in the graph; the first call is not counted."""
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    found = []
    for _ in range(runs + 1):
        began = time.perf_counter()
        upscale(image)
        found.append(time.perf_counter() - began - timed.seconds)
    return found[1:]


def measure(runs: dict[tuple[int, int], int] = RUNS) -> Section:
    """Measure each size."""
    timed = Timed(
        onnxruntime.InferenceSession(
            catalog.shipped_graph("uint8", "fp32").data, providers=["CPUExecutionProvider"]
        )
    )
    rows: list[tuple[object, ...]] = []
    with la.Upscaler(session=timed) as upscale:
        for size, count in runs.items():
            extra = statistics.median(overheads(upscale, timed, size, count))
            share = 100 * extra / timed.seconds
            name = f"{size[1]} x {size[0]}"
            rows.append((name, count, f"{1000 * extra:.2f}", f"{share:.2f} %"))
    return Section(
        "Overhead of embedding",
        "`Upscaler(session=...)` of a uint8 RGB array, less what `session.run` took within the "
        "same call: planning, mirroring the rim, copying the result. Medians. The promise is less "
        "than 2 % at 720 x 480 and less than 1 ms at 64 x 64. The px that are mirrored in are run "
        "by the graph and count there.",
        ("px", "calls", "ms", "of the run"),
        rows,
        (
            "what `Upscaler` adds to the bare run: 64 x 64, and 720 x 480",
            f"{rows[0][2]} ms, and {rows[1][3]}",
        ),
    )
