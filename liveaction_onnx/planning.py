"""The tiles of one picture on one device: by the graph's needs, the caller's wish, and memory."""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass

from liveaction_onnx import devices, pixels, tiles
from liveaction_onnx.errors import DeviceMemoryError, OptionError
from liveaction_onnx.pixels import Kind
from liveaction_onnx.session import Session
from liveaction_onnx.tiles import Plan

RIM_PX = 8
"""Context mirrored in beyond the rim of a picture: it takes flat fields to within 1 level there,
and more does not help. It adds 2.3 % of computing to a whole frame of 1920 x 1080."""

BLEND_OVERLAP_PX = 32
"""The overlap where the halo is not known and the caller names none."""

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

    def plan(self, kind: Kind, session: Session) -> Plan:
        """Plan the tiles of one picture, as memory is now.

        Raises
        ------
        DeviceMemoryError
            Where not even the smallest tile fits.
        """
        facts = session.facts
        overlap = self.overlap
        if overlap is None:
            overlap = facts.halo
            if overlap is None:
                overlap = min(BLEND_OVERLAP_PX, min(facts.fixed_px or (sys.maxsize,)) // 4)
        exact = facts.halo is not None and overlap >= facts.halo
        rim = RIM_PX if self.mirror else 0
        if facts.halo is not None:
            rim = min(rim, facts.halo)
        if kind.alpha:
            spare = (min(facts.fixed_px) - 1) // 2 - overlap if facts.fixed_px else pixels.FILL_PX
            overlap += max(0, min(pixels.FILL_PX, spare))
        fixed = facts.fixed_px

        def planned(core: tuple[int, int] | None) -> Plan:
            if core is None:
                raise DeviceMemoryError(f"{session.device} has no memory for the smallest tile")
            size = kind.height, kind.width
            return tiles.plan(
                *size, core=core, overlap=overlap, rim=rim, blend=not exact, window=fixed
            )

        wish = _core_of_fixed(fixed, overlap) if fixed else self.core
        if wish is None:
            return planned(_core_that_fits(kind, session, overlap, rim))
        plan = planned(wish)
        if plan.window_px[0] * plan.window_px[1] > _most_px.get(str(session.device), sys.maxsize):
            return planned(None if fixed else _core_that_fits(kind, session, overlap, rim))
        return plan


def _core_of_fixed(window: tuple[int, int], overlap: int) -> tuple[int, int]:
    core = window[0] - 2 * overlap, window[1] - 2 * overlap
    if min(core) < 1:
        raise OptionError(
            f"overlap: the graph takes {window[0]} x {window[1]} px and nothing else, "
            f"of which an overlap of {overlap} px leaves nothing"
        )
    return core


def _core_that_fits(kind: Kind, session: Session, overlap: int, rim: int) -> tuple[int, int] | None:
    most_px = devices.budget_bytes(session.device) // session.facts.workspace_bytes_per_px
    return tiles.choose_core(
        kind.height,
        kind.width,
        overlap=overlap,
        rim=rim,
        max_window_px=min(most_px, _most_px.get(str(session.device), most_px)),
    )


def plan_smaller(session: Session, plan: Plan, error: DeviceMemoryError) -> None:
    """Halve what windows may have on this device for the rest of the process."""
    name = str(session.device)
    half = plan.window_px[0] * plan.window_px[1] // 2
    _most_px[name] = min(half, _most_px.get(name, half))
    logger.warning("%s: smaller tiles from here on, %d px at most", error, _most_px[name])
