"""How much memory a device has free."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from pathlib import Path
from typing import Any

from liveaction_onnx import cgroups

_NO_LIMIT = 1 << 60
"""Version 1 of control groups has no word for none: it gives the greatest number of whole pages."""


def available_bytes() -> int | None:
    """Main memory in bytes that this process may still take without swapping; None where it cannot
    be told.
    """
    if sys.platform == "win32":
        return _windows_available()
    found = [value for value in (_meminfo_available(), _cgroup_available()) if value is not None]
    if found:
        return min(found)
    try:
        # macOS: half of what is built in
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (ValueError, OSError):
        return None


def cuda_free_bytes(device: int) -> int | None:
    """Free memory in bytes of a CUDA device, asked of the driver itself; None where it cannot be
    told.
    """
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        handle, context = ctypes.c_int(), ctypes.c_void_p()
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        calls: tuple[tuple[Any, ...], ...] = (
            (driver.cuInit, 0),
            (driver.cuDeviceGet, ctypes.byref(handle), device),
            (driver.cuDevicePrimaryCtxRetain, ctypes.byref(context), handle),
            (driver.cuCtxPushCurrent_v2, context),
            (driver.cuMemGetInfo_v2, ctypes.byref(free), ctypes.byref(total)),
        )
        failed = any(call(*arguments) for call, *arguments in calls)  # stops at the first error
        if context.value:
            driver.cuCtxPopCurrent_v2(ctypes.byref(ctypes.c_void_p()))
            driver.cuDevicePrimaryCtxRelease_v2(handle)
    except (OSError, AttributeError):
        return None
    return None if failed else free.value


def _meminfo_available() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _cgroup_available() -> int | None:
    """What the limits of this process's control groups leave; None without limits."""
    found = [_left_of_limit(folder) for folder in cgroups.folders("memory")]
    return min((value for value in found if value is not None), default=None)


def _left_of_limit(folder: Path) -> int | None:
    """What one control group may still take; file caches that can be dropped count as free."""
    names = ("memory.max", "memory.current", "inactive_file")
    if not (folder / names[0]).exists():  # version 1
        names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    limit = cgroups.number(folder, names[0])
    if limit is None or limit >= _NO_LIMIT:
        return None  # without a look at the rest, which takes the kernel its time
    used = cgroups.number(folder, names[1])
    if used is None:
        return None
    with contextlib.suppress(OSError, ValueError):
        stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        used -= int(stat.get(names[2], 0))
    return max(0, limit - used)


def _windows_available() -> int | None:
    class Status(ctypes.Structure):
        _fields_ = [
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            ("total", ctypes.c_ulonglong),
            ("available", ctypes.c_ulonglong),
            ("others", ctypes.c_ulonglong * 5),
        ]

    status = Status()
    status.length = ctypes.sizeof(Status)
    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009 (the attribute exists on Windows alone)
    return int(status.available) if kernel.GlobalMemoryStatusEx(ctypes.byref(status)) else None
