"""ONNX Runtime itself: which wheel of it is installed, and its import at first use."""

from __future__ import annotations

import atexit
import contextlib
import io
import os
import re
import threading
import time
import warnings
from collections.abc import Iterator
from functools import cache
from typing import Any

from liveaction_onnx.errors import (
    ClosedError,
    DeviceMemoryError,
    LiveactionError,
    RuntimeMissingError,
)

EXTRAS = {"cuda": "cuda", "dml": "directml", "cpu": "cpu"}
INSTALL = {kind: f'pip install "liveaction-onnx[{extra}]"' for kind, extra in EXTRAS.items()}
"""The command that installs the wheel for a kind of device."""

_WHEEL = re.compile(
    r"onnxruntime(-(gpu|directml|windowsml|openvino|rocm|migraphx|qnn))?|ort-nightly.*"
)

_OUT_OF_MEMORY = re.compile(
    r"out of memory|failed to allocate|bad[ _]alloc|cudaMalloc|ALLOC_FAILED|E_OUTOFMEMORY|8007000E",
    re.IGNORECASE,
)

_DUMP = "with the cudnn frontend json"
"""What follows in a message are kilobytes of a plan that cuDNN refused."""

LEAVE_S = 10.0
"""The longest that Python's end waits for a daemon thread to leave ONNX Runtime."""

_within: set[threading.Thread] = set()
_over = threading.Event()


@contextlib.contextmanager
def within_runtime() -> Iterator[None]:
    """Have Python's end wait for what a daemon thread does in ONNX Runtime: before 3.14 it would
    cut the thread off there, and that aborts the whole process.

    Raises
    ------
    ClosedError
        Where Python is about to end, to a daemon thread.
    """
    thread = threading.current_thread()
    if not thread.daemon:  # Python waits for it anyway
        yield
        return
    _within.add(thread)
    try:
        if _over.is_set():
            raise ClosedError("Python is about to end")
        yield
    finally:
        _within.discard(thread)


@atexit.register
def _wait_for_daemons() -> None:
    _over.set()
    until = time.monotonic() + LEAVE_S
    # in a forked process none of its parent's is there
    while _within.intersection(threading.enumerate()) and time.monotonic() < until:
        time.sleep(0.01)


def as_ours(error: Exception, where: str, fault: type[LiveactionError]) -> LiveactionError:
    """What ONNX Runtime raised, as one of our errors: a `fault` where it is not memory."""
    said = str(error)
    kind = DeviceMemoryError if _OUT_OF_MEMORY.search(said) else fault
    return kind(f"{where}: {said.partition(_DUMP)[0].strip()}")


def installed_wheels() -> dict[str, str]:
    """The wheels in this environment that claim to be ONNX Runtime, with their versions."""
    import importlib.metadata

    found = {}
    for distribution in importlib.metadata.distributions():
        name = (distribution.metadata["Name"] or "").lower().replace("_", "-")
        if _WHEEL.fullmatch(name):
            found[name] = distribution.version
    return dict(sorted(found.items()))


def clash_advice(wheels: dict[str, str]) -> str:
    """What to do where more than one wheel of ONNX Runtime is installed."""
    return (
        f"{' and '.join(wheels)} are installed together and overwrite each other's files; run: "
        f"pip uninstall -y {' '.join(wheels)}, then one of: {'; '.join(INSTALL.values())}"
    )


@cache
def onnxruntime() -> Any:
    """The module `onnxruntime`.

    Raises
    ------
    RuntimeMissingError
        Where it is not installed or does not import.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    wheels = installed_wheels()
    if len(wheels) > 1:
        warnings.warn(clash_advice(wheels), RuntimeWarning, stacklevel=2)
    try:
        import onnxruntime as ort

        _ = ort.InferenceSession, ort.get_available_providers  # absent where a wheel was gutted
    except (ImportError, AttributeError) as error:
        commands = "\n".join(f"  {command}" for command in INSTALL.values())
        if len(wheels) > 1:
            advice = clash_advice(wheels)
        elif wheels:
            advice = f"reinstall it: pip install --force-reinstall {' '.join(wheels)}"
        else:
            advice = f"run one of:\n{commands}"
        what = f"cannot be imported ({error})" if wheels else "is not installed"
        raise RuntimeMissingError(f"ONNX Runtime {what}; {advice}") from error
    return ort


@contextlib.contextmanager
def quiet_runtime(ort: Any) -> Iterator[None]:
    """Keep ONNX Runtime from writing to stderr why a provider does not load; we say it."""
    set_severity = getattr(ort, "set_default_logger_severity", lambda level: None)
    set_severity(4)  # fatal
    try:
        yield
    finally:
        set_severity(2)  # warning, as it is by default


@cache
def preload_cuda(ort: Any) -> str:
    """Load the CUDA libraries of the nvidia-* wheels; what ONNX Runtime prints comes back. Once:
    meanwhile what other threads print is lost.
    """
    said = io.StringIO()
    if hasattr(ort, "preload_dlls"):
        with contextlib.redirect_stdout(said):
            ort.preload_dlls()
    return said.getvalue()
