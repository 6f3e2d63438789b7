"""A lever: one way to have ONNX Runtime double a frame by a shipped graph.

A frame is (H, W, 3) uint8 RGB, its double (2H, 2W, 3) uint8.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bench.contenders.process import Frame
from bench.contenders.runtimes import levels, planes
from bench.cuda.place import Place, Providers, UnavailableError
from liveaction_onnx import devices
from model.span import SCALE

EVERYWHERE = ("cuda", "cpu")

IN_A_ROW = 4
"""Frames that a thread computes before its turn ends, so that threads overlap as in a video."""


@dataclass
class Lever:
    """The library's present way with what the fields change: numpy in and out by `session.run`.

    `open` comes before `run`, and `close` may come at any time. Nothing that ONNX Runtime raises is
    held back, and its own fallback to another provider is off.
    """

    name: str

    note: str
    """What it does, for the reader of the table."""

    kinds: tuple[str, ...] = ("cuda",)
    """Kinds of devices that have it."""

    precision: str = ""
    """Of the graph; "" for what the library takes there."""

    changed: Mapping[str, str] = field(default_factory=dict)
    """Provider options, over those of the library."""

    frames: int = 1
    """How many frames one `run` computes."""

    _sessions: list[Any] = field(default_factory=list, init=False, repr=False)

    def open(self, place: Place) -> None:
        """Open what `run` needs; `UnavailableError` where that is not to be had."""
        if place.device.kind not in self.kinds:
            raise UnavailableError(f"it is for {' and '.join(self.kinds)} only")
        self.start(place)

    def start(self, place: Place) -> None:
        """Open it, where the kind of device is right."""
        self._sessions = [self.session(place)]

    def run(self, frame: Frame) -> list[Frame]:
        """Double the frame as often as `frames` says."""
        return [_run(self._sessions[0], frame[None])[0]]

    def close(self) -> None:
        """Give back all memory."""
        self._sessions = []

    def providers(self, place: Place) -> Providers:
        """ONNX Runtime's providers with their options, the wanted one first."""
        precision = self.precision or place.precision
        options = {**devices.provider_options(place.device, precision), **self.changed}
        return [(place.device.provider, options)]

    def session(self, place: Place, dtype: str = "uint8", options: Any = None) -> Any:
        """Open the graph that takes that dtype; by default with the library's session options."""
        providers = self.providers(place)
        wanted = providers[0][0]
        place.refuse_missing(wanted)
        form = dtype, self.precision or place.precision
        return place.session(form, wanted, options or place.options(), providers)


class Floats(Lever):
    """The graph of floats in planes, to and from which numpy converts."""

    def start(self, place: Place) -> None:
        self._sessions = [self.session(place, "float32")]

    def run(self, frame: Frame) -> list[Frame]:
        return [levels(_run(self._sessions[0], planes(frame)))]


@dataclass
class Bound(Lever):
    """Input and output stay where they are on the device from run to run."""

    fixed: bool = False
    """Whether the graph is told that it sees no other size."""

    _bound: tuple[Any, ...] = field(default=(), init=False, repr=False)

    def start(self, place: Place) -> None:
        options = place.options()
        sizes = {"batch": 1, "height": place.height, "width": place.width} if self.fixed else {}
        for name, size in sizes.items():
            options.add_free_dimension_override_by_name(name, size)
        self._sessions = [session] = [self.session(place, options=options)]
        where = place.device.kind, place.device.index
        value = place.ort.OrtValue.ortvalue_from_shape_and_type
        given = value((1, place.height, place.width, 3), np.uint8, *where)
        made = value((1, SCALE * place.height, SCALE * place.width, 3), np.uint8, *where)
        binding = session.io_binding()
        binding.bind_ortvalue_input(session.get_inputs()[0].name, given)
        binding.bind_ortvalue_output(session.get_outputs()[0].name, made)
        self._bound = binding, given, made

    def run(self, frame: Frame) -> list[Frame]:
        binding, given, made = self._bound
        given.update_inplace(frame[None])
        self._sessions[0].run_with_iobinding(binding)
        result: Frame = made.numpy()[0]
        # On the CPU that is the bound memory itself, which the next run overwrites.
        return [result.copy() if made.device_name() == "cpu" else result]

    def close(self) -> None:
        self._bound = ()
        super().close()


class Batch(Lever):
    """Several frames, or tiles of one size, in one run."""

    def run(self, frame: Frame) -> list[Frame]:
        return list(_run(self._sessions[0], np.stack([frame] * self.frames)))


@dataclass
class Threads(Lever):
    """Sessions at work at once, each in a thread of its own, as vs-mlrt's num_streams."""

    threads: int = 2

    _pool: ThreadPoolExecutor | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self.frames = self.threads * IN_A_ROW

    def start(self, place: Place) -> None:
        self._sessions = [self.session(place) for _ in range(self.threads)]
        self._pool = ThreadPoolExecutor(self.threads)

    def run(self, frame: Frame) -> list[Frame]:
        assert self._pool

        def several(session: Any) -> list[Frame]:
            return [_run(session, frame[None])[0] for _ in range(IN_A_ROW)]

        return [made for part in self._pool.map(several, self._sessions) for made in part]

    def close(self) -> None:
        if self._pool:
            self._pool.shutdown()
        self._pool = None
        super().close()


def _run(session: Any, value: Any) -> Any:
    return session.run(None, {session.get_inputs()[0].name: value})[0]
