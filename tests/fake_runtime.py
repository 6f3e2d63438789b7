"""A stand-in for the module `onnxruntime`, with devices that this machine does not have."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from liveaction_onnx import catalog, devices

Array = NDArray[Any]
Fault = Callable[[Array, str], Array]
"""(what is right, the graph's precision) to what the device gives instead; may raise."""

CPU, CUDA, DML = "CPUExecutionProvider", "CUDAExecutionProvider", "DmlExecutionProvider"

_opened: dict[str, Any] = {}


@cache
def _fp32_bytes(dtype: str) -> bytes:
    return catalog.shipped_graph(dtype, "fp32").data


def _real_session(data: bytes) -> Any:
    """A real session on the CPU; each graph is opened once."""
    digest = hashlib.sha256(data).hexdigest()
    if digest not in _opened:
        _opened[digest] = onnxruntime.InferenceSession(data, providers=[CPU])
    return _opened[digest]


class FakeOptions:
    """Session options that remember what was set."""

    def __init__(self) -> None:
        self.enable_mem_pattern = True
        self.intra_op_num_threads = 0
        self.entries: dict[str, str] = {}
        self.execution_mode = "parallel"
        self.free_dimensions: dict[str, int] = {}

    def add_session_config_entry(self, key: str, value: str) -> None:
        self.entries[key] = value

    def add_free_dimension_override_by_name(self, name: str, size: int) -> None:
        self.free_dimensions[name] = size


class FakeExecutionMode:
    """The names of ONNX Runtime's ways to run a graph."""

    ORT_SEQUENTIAL = "sequential"
    ORT_PARALLEL = "parallel"


class FakeEPFailError(RuntimeError):
    """What a device raises that fails at a node, onnxruntime's `EPFail`."""


class FakePart:
    """Operators of a graph that a provider computes, onnxruntime's `OrtEpAssignedSubgraph`."""

    def __init__(self, provider: str, *operators: str) -> None:
        self.ep_name = provider
        self.get_nodes = lambda: [SimpleNamespace(op_type=name) for name in operators]


class FakeInference:
    """A session on a device of the fake runtime; computes on the CPU, fp16 forms as fp32."""

    def __init__(
        self, runtime: FakeRuntime, data: bytes, options: Any, first: str, fallback: int = 1
    ) -> None:
        self.runtime, self.options, self.fallback = runtime, options, fallback
        self.provider = CPU if first in runtime.falls_back else first
        real = _real_session(data)
        self.get_inputs, self.get_outputs = real.get_inputs, real.get_outputs
        self.get_modelmeta = real.get_modelmeta
        facts = real.get_modelmeta().custom_metadata_map
        self.precision = facts.get("precision", "")
        self._real = _real_session(_fp32_bytes(facts["dtype"])) if self.precision else real

    def get_providers(self) -> list[str]:
        return list(dict.fromkeys([self.provider, CPU]))

    def get_provider_graph_assignment_info(self) -> list[FakePart]:
        if not self.runtime.tells_parts or devices.TELL_PLACEMENT not in self.options.entries:
            raise FakeEPFailError("must be set to retrieve EP graph assignment information")
        return self.runtime.parts or [FakePart(self.provider, "Conv")]

    def run(self, names: None, feeds: dict[str, Array], options: Any = None) -> list[Array]:
        self.runtime.shapes.append(next(iter(feeds.values())).shape)
        on_device = self.provider != CPU
        with self.runtime.busy:
            self.runtime.running += on_device
            self.runtime.most_running = max(self.runtime.most_running, self.runtime.running)
        try:
            if on_device:
                self.runtime.pause()
            [result] = self._real.run(names, feeds, options)
            fault = self.runtime.faults.get(self.provider)
            try:
                return [fault(result, self.precision) if fault else result]
            except FakeEPFailError as error:
                if not self.fallback:
                    raise
                print(f"EP Error: {error}\nFalling back to {CPU} and retrying.")
                self.provider = CPU
                return [result]
        finally:
            with self.runtime.busy:
                self.runtime.running -= on_device


class FakeRuntime:
    """The module, as far as the package uses it."""

    SessionOptions = FakeOptions
    ExecutionMode = FakeExecutionMode

    def __init__(self, *providers: str) -> None:
        self.providers = [*providers, CPU]

        self.falls_back: set[str] = set()
        """Providers that are offered, but in whose place the CPU is taken."""

        self.faults: dict[str, Fault] = {}
        """Provider to what is wrong with its results."""

        self.parts: list[FakePart] = []
        """Which provider computes what, where it is not all by the first."""

        self.tells_parts = True
        """ONNX Runtime before 1.24 does not."""

        self.preload_says = ""
        self.pause: Callable[[], object] = lambda: None

        self.events: list[str] = []
        """What was called, in order."""

        self.opened: list[dict[str, Any]] = []
        """The arguments with which sessions were opened."""

        self.shapes: list[tuple[int, ...]] = []
        """The shapes of what was run."""

        self.running = self.most_running = 0
        self.busy = threading.Lock()
        self.severities: list[int] = []

    def get_available_providers(self) -> list[str]:
        return self.providers

    def set_default_logger_severity(self, level: int) -> None:
        self.severities.append(level)

    def preload_dlls(self) -> None:
        self.events.append("preload")
        if self.preload_says:
            print(self.preload_says)

    def InferenceSession(  # noqa: N802
        self,
        source: str | bytes,
        sess_options: Any = None,
        providers: Any = None,
        provider_options: Any = None,
        enable_fallback: int = 1,
    ) -> FakeInference:
        first = providers[0] if isinstance(providers[0], str) else providers[0][0]
        self.events.append(f"open {first}")
        self.opened.append(
            {"options": sess_options, "providers": providers, "provider_options": provider_options}
        )
        assert isinstance(source, bytes)
        return FakeInference(self, source, sess_options, first, enable_fallback)

    def opened_on(self, provider: str) -> list[dict[str, Any]]:
        """The arguments of the sessions that were asked of one provider."""
        return [
            call
            for call in self.opened
            if provider
            in (entry if isinstance(entry, str) else entry[0] for entry in call["providers"][:1])
        ]


def off_by(levels: float, *precisions: str) -> Fault:
    """One px is wrong by so many levels of 255; in all precisions where none is named."""

    def fault(result: Array, precision: str) -> Array:
        wrong = result.copy()
        if not precisions or precision in precisions:
            px = wrong.reshape(-1)
            middle = int(
                np.argmin(np.abs(px.astype(float) - (128 if px.dtype == np.uint8 else 0.5)))
            )
            px[middle] += px.dtype.type(levels if px.dtype == np.uint8 else levels / 255)
        return wrong

    return fault


def failing(message: str) -> Fault:
    """Every run raises."""

    def fault(result: Array, precision: str) -> Array:
        raise RuntimeError(message)

    return fault


def not_a_number(result: Array, precision: str) -> Array:
    """A fault that shows in floats alone."""
    return result if result.dtype.kind == "u" else np.full_like(result, np.nan)
