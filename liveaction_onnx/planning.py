"""The tiles of one picture on one device, planned and run: by the graph's needs, the caller's wish,
and memory.
"""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from numpy.typing import NDArray

from liveaction_onnx import devices, pixels, tiles
from liveaction_onnx.errors import CancelledError, DeviceMemoryError, OptionError
from liveaction_onnx.pixels import Kind
from liveaction_onnx.session import Session
from liveaction_onnx.streaming import Cancel
from liveaction_onnx.tiles import Box, Plan

Array = NDArray[Any]
Progress = Callable[[int, int], None]

RIM_PX = 8
"""Context mirrored in beyond the rim of a picture for a graph that does not state what it needs: it
takes flat fields to within 1 level there, and more does not help. It adds 2.3 % of computing to a
whole frame of 1920 x 1080."""

BLEND_OVERLAP_PX = 32
"""The overlap where the halo is not known and the caller names none."""

MIN_CORE_PX = 16
"""The smallest side of a core that is chosen for want of memory."""

GOOD_CORE_PX = 192
"""The side of a core beside which context is not the greater part: with 32 px of that, it is 1.8
times the work of a whole picture."""

logger = logging.getLogger("liveaction_onnx")

_most_px: dict[str, int] = {}
"""The most px that a window may have on a device that has run out of memory in this process."""


@dataclass(frozen=True)
class Tiling:
    """What a caller has asked of tiles."""

    core: tuple[int, int] | None
    """Greatest (height, width) of a tile in px, overlap not counted; None: as memory allows."""

    overlap: int | None
    """Context in px on every side of a tile; None: the halo of the graph."""

    mirror: bool
    """Whether pictures go on as their mirror image beyond their rim."""

    def plan(self, kind: Kind, session: Session, box: Box | None = None) -> Plan:
        """Plan the tiles of one picture, or of a box of it, as memory is now.

        Raises
        ------
        DeviceMemoryError
            Where not even the smallest tile fits.
        """
        overlap, blend = self.context(kind, session)
        facts = session.facts
        rim = (RIM_PX if facts.rim is None else facts.rim) if self.mirror else 0
        if facts.halo is not None:
            rim = min(rim, facts.halo)
        fixed = facts.fixed_px
        size = kind.height, kind.width
        spans = zip(box or ((0, side) for side in size), size, strict=True)
        whole = [tiles.with_context(span, side, overlap, rim) for span, side in spans]

        def planned(core: tuple[int, int] | None) -> Plan:
            if core is None:
                raise DeviceMemoryError(
                    f"{session.device} has no memory for the smallest tile; end what else uses it, "
                    "or choose another device"
                )
            return tiles.plan(
                *size, core=core, overlap=overlap, rim=rim, blend=blend, window=fixed, box=box
            )

        def that_fits() -> tuple[int, int] | None:
            tile = [min(side, GOOD_CORE_PX + 2 * overlap) for side in whole]
            most_px = _most_window_px(session, math.prod(whole), math.prod(tile))
            return choose_core(*size, overlap=overlap, rim=rim, max_window_px=most_px, box=box)

        wish = _core_of_fixed(fixed, overlap, whole) if fixed else self.core
        if wish is None:
            return planned(that_fits())
        plan = planned(wish)
        if plan.window_px[0] * plan.window_px[1] > _most_px.get(str(session.device), sys.maxsize):
            return planned(None if fixed else that_fits())
        return plan

    def context(self, kind: Kind, session: Session) -> tuple[int, bool]:
        """The context in px on every side of a tile, and whether it is too little for the graph, so
        that results have to be blended.
        """
        halo, fixed = session.facts.halo, session.facts.fixed_px
        overlap = halo if self.overlap is None else self.overlap
        if overlap is None:
            overlap = min(BLEND_OVERLAP_PX, min(fixed or (sys.maxsize,)) // 4)
        blend = halo is None or overlap < halo
        if kind.alpha:
            spare = (min(fixed) - 1) // 2 - overlap if fixed else pixels.FILL_PX
            overlap += max(0, min(pixels.FILL_PX, spare))
        return overlap, blend


@dataclass(frozen=True)
class Work:
    """What makes results of pictures of one kind, on one device."""

    kind: Kind
    session: Session
    tiling: Tiling
    through: Callable[[pixels.Run], pixels.Run]
    """What makes, of what runs the graph, a function from a window to its result."""

    @property
    def scale(self) -> int:
        """Output px per input px along each axis."""
        return self.session.facts.scale

    @property
    def reach(self) -> int | None:
        """How far in px the change of a px shows; None where a box of a picture may differ from the
        same box of the whole: where it is not known, tiles have less context than that, or a GPU
        computes, whose kernels may round otherwise in windows of another size.
        """
        halo = self.session.facts.halo
        if halo is None or self.session.device.kind != "cpu":
            return None
        reach = halo + (pixels.FILL_PX if self.kind.alpha else 0)
        overlap, _ = self.tiling.context(self.kind, self.session)
        return reach if overlap >= reach else None

    def plan(self, box: Box | None = None) -> Plan:
        """Plan the tiles of a picture, or of a box of it, as memory is now."""
        return self.tiling.plan(self.kind, self.session, box)

    def make(
        self,
        image: Array,
        out: Array | None = None,
        *,
        box: Box | None = None,
        progress: Progress | None = None,
        cancel: Cancel | None = None,
        aside: bool = False,
    ) -> Array:
        """Give the result of a picture or a batch, in `out` where that is given; of `box` alone,
        the rest is yet to be written. Starts again with smaller tiles where memory runs out.

        `aside`: others are made at the same time, which may share the processors with this one.
        """
        out = pixels.prepare_out(image, out, self.kind, self.scale)
        with self.session.options(cancel) as options:
            while True:
                plan = self.plan(box)
                lane = aside and plan.tiles == 1 and self.session.has_lanes(plan.computed_px)
                run = self.session.run_in_lane if lane else self.session.run
                function = self.through(partial(run, options=options))
                try:
                    self._run(image, out, plan, function, progress, cancel)
                except DeviceMemoryError as error:
                    plan_smaller(self.session, plan, error)
                else:
                    return out

    def _run(
        self,
        image: Array,
        out: Array,
        plan: Plan,
        function: pixels.Run,
        progress: Progress | None,
        cancel: Cancel | None,
    ) -> None:
        """Run every tile of every picture."""
        total, done = plan.tiles * (self.kind.frames or 1), 0

        def step() -> None:
            nonlocal done
            done += 1
            if progress:
                progress(done, total)

        def checked(window: Array) -> Array:
            if cancel is not None and cancel.is_set():
                raise CancelledError(f"cancelled after {done} of {total} tiles")
            return function(window)

        pairs = [(image, out)] if self.kind.frames is None else zip(image, out, strict=True)
        for source, target in pairs:
            tiles.run(source, plan, checked, target, scale=self.scale, done=step)


def choose_core(
    height: int,
    width: int,
    *,
    overlap: int,
    rim: int,
    max_window_px: int,
    box: Box | None = None,
) -> tuple[int, int] | None:
    """The core (height, width) that computes the fewest px in windows of at most `max_window_px` px
    each.

    The whole picture, or `box`, where it fits; None where not even the smallest core does.

    >>> choose_core(1080, 1920, overlap=21, rim=8, max_window_px=10**9)
    (1080, 1920)
    """
    down, across = box or ((0, height), (0, width))
    tall = tiles.with_context(down, height, overlap, rim)
    wide = tiles.with_context(across, width, overlap, rim)
    height, width = down[1] - down[0], across[1] - across[0]
    best: tuple[int, tuple[int, int]] | None = None
    for columns in range(1, math.ceil(width / MIN_CORE_PX) + 1):
        core_width = math.ceil(width / columns)
        window_width = min(core_width + 2 * overlap, wide)
        tallest = max_window_px // window_width
        core_height = height if tallest >= tall else min(height, tallest - 2 * overlap)
        if core_height < min(MIN_CORE_PX, height):
            continue
        rows = math.ceil(height / core_height)
        core_height = math.ceil(height / rows)
        cost = rows * columns * window_width * min(core_height + 2 * overlap, tall)
        if best is None or cost < best[0]:
            best = cost, (core_height, core_width)
    return best and best[1]


def _core_of_fixed(window: tuple[int, int], overlap: int, whole: list[int]) -> tuple[int, int]:
    """What of the one window that a graph takes is placed: all, where what is `whole` with its
    context goes into it.
    """
    core = window[0] - 2 * overlap, window[1] - 2 * overlap
    if min(core) < 1:
        raise OptionError(
            f"overlap: the graph takes {window[0]} x {window[1]} px and nothing else, "
            f"of which an overlap of {overlap} px leaves nothing"
        )
    tall, wide = (
        side if needed <= side else px for px, side, needed in zip(core, window, whole, strict=True)
    )
    return tall, wide


def _most_window_px(session: Session, whole_px: int, tile_px: int) -> int:
    """The most px that a window may have, as memory is now; `whole_px` are wanted at most, and
    `tile_px` for tiles that are worth it. What has been run once may be run again: its memory is
    still held for it.
    """
    most_px = session.held_px
    if whole_px > most_px:
        per_px = session.facts.workspace_bytes_per_px
        budget = devices.budget_bytes(session.device, whole_px * per_px, tile_px * per_px)
        most_px = max(most_px, budget // per_px)
    return min(most_px, _most_px.get(str(session.device), most_px))


def plan_smaller(session: Session, plan: Plan, error: DeviceMemoryError) -> None:
    """Halve what windows may have on this device for the rest of the process."""
    name = str(session.device)
    half = plan.window_px[0] * plan.window_px[1] // 2
    _most_px[name] = min(half, _most_px.get(name, half))
    logger.warning("%s: smaller tiles from here on, %d px at most", error, _most_px[name])
