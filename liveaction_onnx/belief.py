"""How a device shows that it runs a graph, and runs it right."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liveaction_onnx import catalog
from liveaction_onnx.catalog import Graph
from liveaction_onnx.errors import DeviceFailedError, DeviceUnavailableError
from liveaction_onnx.session import Session

Array = NDArray[Any]
Open = Callable[[Graph], Session]

_GOLDEN_LEVELS = {"fp32": 1.0, "fp16": 3.0}
"""How far, in levels of 255, a device may be from the CPU's fp32 result to be believed."""

logger = logging.getLogger("liveaction_onnx")


def check_golden(session: Session, graph: Graph, on_cpu: Open | None = None) -> float:
    """How far a device's result on the golden patch is from what is right, in levels of 255.

    `on_cpu` opens a graph that is not shipped, which has no golden result, to be compared with.
    """
    facts = session.facts
    patch, golden = catalog.golden()
    if facts.fixed_px:
        patch = np.resize(patch, (*facts.fixed_px, 3))
    dtype = np.dtype(facts.dtype)
    greatest = np.iinfo(dtype).max if dtype.kind == "u" else 1
    value: Array = (patch * np.float32(greatest / 255)).astype(dtype)
    axes = (2, 0, 1) if facts.channels_first else (0, 1, 2)
    value = np.ascontiguousarray(value.transpose(axes)[None])
    levels = np.float64(255 / greatest)
    got = session.run(value) * levels
    if graph.form or on_cpu is None:
        wanted = golden.transpose(axes)[None].astype(np.float64)
        rounding = 0.0 if dtype == np.uint8 else 0.5  # the golden result is in whole levels
    else:
        reference = on_cpu(graph)
        wanted, rounding = reference.run(value) * levels, 0.0
        reference.close()
    return float(np.abs(got - wanted).max()) - rounding


def believe(session: Session, graph: Graph, on_cpu: Open | None = None) -> None:
    """See that a device's result on the golden patch is right; `on_cpu` as in `check_golden`.

    Raises
    ------
    DeviceFailedError
        Where it is wrong, or there is none.
    """
    off = check_golden(session, graph, on_cpu)
    precision = session.facts.precision
    limit = _GOLDEN_LEVELS.get(precision, max(_GOLDEN_LEVELS.values()))
    if not off <= limit:  # true for NaN too
        raise DeviceFailedError(
            f"its result on a known patch is off by {off:.1f} levels of 255, where {limit:.0f} are "
            f"the most that {precision or 'rounding'} explains"
        )


def see_placement(session: Session, graph: Graph) -> None:
    """Say what ONNX Runtime left to the CPU of a graph that was opened elsewhere.

    Raises
    ------
    DeviceUnavailableError
        Where it left all of it there.
    """
    found = session.placement
    if not found.elsewhere:
        raise DeviceUnavailableError(
            f"{session.device}: ONNX Runtime runs {graph.label} on the CPU all the same: it has no "
            "kernels for it there"
        )
    if found.on_cpu:
        logger.warning(
            "%s on %s: the CPU computes %s, for which ONNX Runtime has no kernels there; that "
            "is slower",
            graph.label,
            session.device,
            ", ".join(found.on_cpu),
        )
