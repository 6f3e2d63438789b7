"""How many processors this process may use."""

from __future__ import annotations

import math
import os
from pathlib import Path

from liveaction_onnx import cgroups


def usable() -> int:
    """How many of the processors are ours, by affinity and by the quota of a container."""
    count = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    quota = _quota()
    return count if quota is None else max(1, min(count, math.ceil(quota)))


def threads() -> int | None:
    """How many threads to compute with; None where all processors are ours, and ONNX Runtime knows
    better which of them are whole cores.
    """
    ours = usable()
    return ours if ours < (os.cpu_count() or 1) else None


def _quota() -> float | None:
    """Processors' worth of time that the container may have, by the tightest of its groups."""
    found = [quota for folder in cgroups.folders("cpu") if (quota := _quota_of(folder)) is not None]
    return min(found, default=None)


def _quota_of(folder: Path) -> float | None:
    found = cgroups.numbers(folder, "cpu.max") or cgroups.numbers(
        folder, "cpu.cfs_quota_us", "cpu.cfs_period_us"
    )
    match found:
        case quota, period if quota > 0 and period > 0:  # version 1 has -1 for no limit
            return quota / period
    return None
