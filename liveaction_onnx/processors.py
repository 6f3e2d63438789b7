"""How many processors this process may use."""

from __future__ import annotations

import math
import os
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")


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
    found = [quota for folder in _groups() if (quota := _quota_of(folder)) is not None]
    return min(found, default=None)


def _groups() -> list[Path]:
    """The folders of this process's groups, of either version, and of all that they lie in."""
    try:
        lines = _OWN.read_text().splitlines()
    except OSError:
        return []
    folders = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        base = _ROOT / "cpu" if "cpu" in controllers.split(",") else _ROOT
        if controllers and base == _ROOT:
            continue
        own = Path(path.lstrip("/"))
        # in a container the path may be the host's, and only the root, its last parent, be there
        folders += [base / own, *(base / parent for parent in own.parents)]
    return folders


def _quota_of(folder: Path) -> float | None:
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text().strip()
            period = (folder / "cpu.cfs_period_us").read_text().strip()
        return int(quota) / int(period) if int(quota) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):  # ValueError: "max"
        return None
