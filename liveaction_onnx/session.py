"""A graph that is open on a device."""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liveaction_onnx.devices import Device
from liveaction_onnx.errors import (
    CancelledError,
    ClosedError,
    DeviceFailedError,
    GraphError,
    LiveactionError,
)
from liveaction_onnx.graph import GraphFacts, read_facts
from liveaction_onnx.lanes import Lanes
from liveaction_onnx.placement import Placement, placement
from liveaction_onnx.runtime import as_ours, onnxruntime, within_runtime
from liveaction_onnx.streaming import Cancel, watched

Array = NDArray[Any]
Make = Callable[[dict[str, int]], Any]

_FATAL = 4

_DML_LOCK = threading.Lock()
"""DirectML crashes where two sessions run at once (microsoft/onnxruntime#22147, #20713)."""


class Session:
    """An open graph on one device. Safe to call from several threads; runs go one at a time, but
    for those in lanes.
    """

    def __init__(
        self,
        make: Make,
        device: Device,
        *,
        data: bytes | None,
        halo: int | None,
        lanes: Lanes | None = None,
        told_sizes: bool = False,
    ) -> None:
        """Open by `make`, which is given sizes for free dimensions and gives an InferenceSession.

        `data` are the graph's bytes where they are at hand, `halo` the caller's word on it. With
        `told_sizes` it is opened anew for each size that comes.
        """
        self.device = device
        self._make = make
        self._lanes = lanes
        self._told_sizes = told_sizes
        self._inference: Any = make({})
        self._providers: list[str] = self._inference.get_providers()
        self._sizes: dict[str, int] = {}
        self._closed = False
        self.held_px = 0
        """The px of the greatest window that was run: ONNX Runtime keeps the memory that it took,
        which the system counts as gone."""

        self._lock = _DML_LOCK if device.kind == "dml" else threading.Lock()
        self._fault: type[LiveactionError] = GraphError
        quiet = onnxruntime().RunOptions()
        quiet.log_severity_level = _FATAL  # what a graph does not take is found by trial
        with self._lock:
            probe = partial(self._run, options=quiet)
            self.facts: GraphFacts = read_facts(self._inference, probe, data, halo)
        if device.kind != "cpu":
            self._fault = DeviceFailedError  # the graph has run there by now

    @property
    def providers(self) -> list[str]:
        """ONNX Runtime's execution providers behind it, first choice first."""
        self._refuse_closed()
        return self._providers

    @property
    def placement(self) -> Placement:
        """Where its operators are computed."""
        self._refuse_closed()
        return placement(self._inference)

    @contextlib.contextmanager
    def options(self, cancel: Cancel | None) -> Iterator[Any]:
        """Give `RunOptions` with which a run leaves the graph between two of its operators once
        `cancel` is set; None where nothing can be set.
        """
        if cancel is None:
            yield None
            return
        options = onnxruntime().RunOptions()
        with watched(cancel, partial(setattr, options, "terminate", True)):
            yield options

    def run(self, value: Array, options: Any = None) -> Array:
        """Make the graph's output of one input, with `RunOptions` or none.

        Raises
        ------
        DeviceMemoryError
            Where the device has no memory left for it.
        DeviceFailedError
            Where a GPU that ran the graph before fails at this input.
        CancelledError
            Where the options were told to end it.
        """
        window = self._filled_up(value)
        with self._lock:
            self._refuse_closed()
            if self._told_sizes:
                self._keep_sizes(window)
            try:
                result = self._run(window, options)
            except DeviceFailedError:
                if self._told_sizes:  # a device that was lost comes back for a new session alone
                    self._inference = None
                raise
            self.held_px = max(self.held_px, math.prod(window.shape[axis] for axis in self._sides))
        return self._cut_to(value, result)

    def has_lanes(self, px: int) -> bool:
        """Whether windows of so many px can be run beside each other."""
        return self._lanes is not None and self._lanes.fit(px * self.facts.workspace_bytes_per_px)

    def run_in_lane(self, value: Array, options: Any = None) -> Array:
        """As `run`, where it `has_lanes`, beside another run."""
        assert self._lanes
        with self._lanes.turn() as inference:
            return self._cut_to(value, self._run(self._filled_up(value), options, inference))

    def close(self) -> None:
        """Give back its memory."""
        if self._lanes:
            self._lanes.close()
        with self._lock:
            self._closed = True
            self._inference = None

    def _refuse_closed(self) -> None:
        if self._closed:
            raise ClosedError("the Upscaler has been closed")

    def _keep_sizes(self, value: Array) -> None:
        """DirectML is fast for fixed shapes only: open it anew where another shape comes."""
        named = zip(self.facts.free_dimensions, (0, *self._sides), strict=True)
        sizes = {name: value.shape[axis] for name, axis in named if name}
        if sizes != self._sizes or self._inference is None:
            self._inference = None  # first let go of the old one's memory
            self.held_px = 0
            try:
                self._inference, self._sizes = self._make(sizes), sizes
            except GraphError as error:
                raise self._fault(str(error)) from error

    @property
    def _sides(self) -> tuple[int, int]:
        """The axes of height and width."""
        return (2, 3) if self.facts.channels_first else (1, 2)

    def _filled_up(self, value: Array) -> Array:
        """A window that goes on as its mirror image, to sides that the graph takes."""
        if self.facts.multiple == 1:
            return value
        more = [(0, 0)] * value.ndim
        for axis in self._sides:
            more[axis] = 0, -value.shape[axis] % self.facts.multiple
        return np.pad(value, more, mode="symmetric")

    def _cut_to(self, value: Array, result: Array) -> Array:
        """What of a result is of the window that was asked for."""
        if self.facts.multiple == 1:
            return result
        part = [slice(None)] * result.ndim
        for axis in self._sides:
            part[axis] = slice(self.facts.scale * value.shape[axis])
        return result[tuple(part)]

    @within_runtime()
    def _run(self, value: Array, options: Any = None, inference: Any = None) -> Array:
        inference = inference or self._inference
        more = [] if options is None else [options]
        try:
            result: Array = inference.run(None, {inference.get_inputs()[0].name: value}, *more)[0]
        except Exception as error:  # ONNX Runtime's own classes differ from build to build
            if options is not None and options.terminate:
                raise CancelledError("cancelled in the midst of a tile") from None
            raise as_ours(error, f"{self.device}, input {value.shape}", self._fault) from error
        return result
