"""What `Upscaler` adds to the bare run of the graph, for programs that embed it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime

import liveaction_onnx as la
from bench.section import Section
from liveaction_onnx import catalog


@dataclass(frozen=True)
class Case:
    """What is called, and how often."""

    size: tuple[int, int]
    calls: int
    dtype: str = "uint8"
    form: str = "uint8"
    """The dtype of the graph: another than the array's is converted to in numpy."""

    @property
    def name(self) -> str:
        """For a table."""
        through = "" if self.form == self.dtype else f" through {self.form}"
        return f"{self.size[1]} x {self.size[0]}, {self.dtype}{through}"


CASES = (
    Case((64, 64), 200),
    Case((480, 720), 5),
    Case((1080, 1920), 3),
    Case((1080, 1920), 3, "uint16", "uint16"),
    Case((1080, 1920), 3, "uint16", "float32"),
)


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


def overheads(upscale: la.Upscaler, timed: Timed, case: Case) -> list[float]:
    """Seconds of each call that were not spent in the graph; the first call is not counted."""
    levels = np.iinfo(case.dtype).max + 1
    image = np.random.default_rng(0).integers(0, levels, (*case.size, 3), case.dtype)
    found = []
    for _ in range(case.calls + 1):
        began = time.perf_counter()
        upscale(image)
        found.append(time.perf_counter() - began - timed.seconds)
    return found[1:]


def measure(cases: Sequence[Case] = CASES) -> Section:
    """Measure each case."""
    rows: list[tuple[object, ...]] = []
    for case in cases:
        data = catalog.shipped_graph(case.form, "fp32").data
        timed = Timed(onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"]))
        with la.Upscaler(session=timed) as upscale:
            extra = statistics.median(overheads(upscale, timed, case))
        share = 100 * extra / timed.seconds
        rows.append((case.name, case.calls, f"{1000 * extra:.2f}", f"{share:.2f} %"))
    return Section(
        "Overhead of embedding",
        "`Upscaler(session=...)` of an RGB array, less what `session.run` took within the "
        "same call: planning, mirroring the rim, copying the result. Medians. The promise is less "
        "than 2 % at 720 x 480 and less than 1 ms at 64 x 64. The px that are mirrored in are run "
        "by the graph and count there. uint16 is what video of more than 8 bits comes in; through "
        "floats it is converted in numpy both ways.",
        ("array", "calls", "ms", "of the run"),
        rows,
        (
            "what `Upscaler` adds to the bare run: 64 x 64, and 720 x 480",
            f"{rows[0][2]} ms, and {rows[1][3]}",
        ),
    )
