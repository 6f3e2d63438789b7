"""That bench/overhead.py measures what is not the run, at a size that is next to nothing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import onnxruntime
import pytest

from bench import overhead
from bench.overhead import Case, Timed, overheads
from liveaction_onnx import Upscaler, catalog


class Clock:
    """Time that passes by 1 s with each look, and by what else is told."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        self.now += 1
        return self.now


class Slow:
    """A session whose runs take 100 s of a clock."""

    def __init__(self, clock: Clock) -> None:
        data = catalog.shipped_graph("uint8", "fp32").data
        self._real = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
        self._clock = clock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def run(self, *given: Any) -> Any:
        self._clock.now += 100
        return self._real.run(*given)


def test_the_run_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(overhead, "time", SimpleNamespace(perf_counter=clock.perf_counter))
    timed = Timed(Slow(clock))
    with Upscaler(session=timed) as upscale:
        assert overheads(upscale, timed, Case((8, 8), 3)) == [2, 2, 2]
    assert timed.seconds == 101


def test_the_section_has_a_row_for_each_case() -> None:
    section = overhead.measure([Case((8, 8), 2), Case((16, 24), 1, "uint16", "float32")])
    assert [row[0] for row in section.rows] == ["8 x 8, uint8", "24 x 16, uint16 through float32"]
