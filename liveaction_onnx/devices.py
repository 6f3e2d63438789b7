"""A device by its short name: its execution provider, its options, and why it may not be there."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from liveaction_onnx import memory, processors
from liveaction_onnx.errors import OptionError
from liveaction_onnx.runtime import INSTALL, installed_wheels

PROVIDERS = {
    "cuda": "CUDAExecutionProvider",
    "dml": "DmlExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
"""Kinds of device to ONNX Runtime's names, in the order in which "auto" tries them."""

ON_CUDA = {PROVIDERS["cuda"], "TensorrtExecutionProvider", "NvTensorRTRTXExecutionProvider"}
"""Execution providers that load CUDA's libraries."""

CPU_BUDGET_BYTES = 512 << 20
"""What the tiles of a picture may take on the CPU, but for graphs of many channels."""

CPU_WHOLE_BYTES = 5 << 29
"""The most that a picture may take there that is run whole, which needs no context around tiles: at
1280 x 720 and 1920 x 1080 (2.2 GB) it takes 0.92 of the time of tiles of half a GiB."""

GPU_BUDGET_BYTES = 2 << 30
"""What a run may take on a GPU whose free memory cannot be told."""

_LEAST_BUDGET_BYTES = 64 << 20
"""What is taken however little is free. Who needs no more does not ask how much is: asking takes
longer than all else that a picture of 64 x 64 px needs beside its run."""

FASTEST = -1
"""In place of an adapter's number, for DirectML: 0 is what drives the screen, which on many laptops
is the slower of two."""

TELL_PLACEMENT = "session.record_ep_graph_assignment_info"
"""The session's option by which ONNX Runtime (1.24 and newer) can tell what is computed where."""

SPIN_US = "200"
"""How long threads of the CPU wait awake. With ONNX Runtime's own second or so, a run takes 4 %
more of the processors' time and is not faster."""


@dataclass(frozen=True)
class Device:
    """A kind of device and its number."""

    kind: str
    """"cuda", "dml", "cpu", or the name of another execution provider."""

    index: int = 0
    """Its number; FASTEST for the fastest adapter that DirectML finds."""

    def __str__(self) -> str:
        numbered = self.kind in ("cuda", "dml") and self.index != FASTEST
        return f"{self.kind}:{self.index}" if numbered else self.kind

    @property
    def provider(self) -> str:
        """ONNX Runtime's name for it."""
        return PROVIDERS.get(self.kind, self.kind)


def parse_device(text: str) -> Device | None:
    """A device by its name; None for "auto".

    >>> parse_device("cuda:1")
    Device(kind='cuda', index=1)
    """
    if text == "auto":
        return None
    kind, colon, index = text.partition(":") if isinstance(text, str) else ("", "", "")
    if kind not in PROVIDERS or (colon and (not index.isdecimal() or kind == "cpu")):
        raise OptionError(f"device: expected auto, cpu, cuda, cuda:N, dml or dml:N, got {text!r}")
    return Device(kind, int(index)) if colon else unnumbered(kind)


def unnumbered(kind: str) -> Device:
    """The device of a kind that is meant where no number is given."""
    return Device(kind, FASTEST if kind == "dml" else 0)


def of_provider(name: str, index: int = 0) -> Device:
    """The device behind an execution provider's name."""
    kinds = (kind for kind, provider in PROVIDERS.items() if provider == name)
    return Device(next(kinds, name), index)


def index_of(entry: str | tuple[str, dict[str, Any]], more: Sequence[dict[str, Any]] | None) -> int:
    """The number of the device that the first provider is told to use."""
    options = dict(more[0]) if more else {}
    if not isinstance(entry, str):
        options |= entry[1]
    text = str(options.get("device_id", 0))
    return int(text) if text.isdecimal() else 0


def candidates() -> list[Device]:
    """What "auto" tries on this machine, best first."""
    return [unnumbered(kind) for kind in PROVIDERS if kind != "dml" or sys.platform == "win32"]


def has_gpu() -> bool:
    """Whether this machine seems to have a GPU that a device could be: on Windows any may be."""
    return sys.platform == "win32" or memory.cuda_free_bytes(0) is not None


def precisions(kind: str) -> tuple[str, ...]:
    """What precision "auto" tries on a kind of device; fp16 on DirectML has given black
    pictures.
    """
    return ("fp16", "fp32") if kind == "cuda" else ("fp32",)


def session_options(
    ort: Any, kind: str, free_dimensions: dict[str, int], *, threads: int | None = None
) -> Any:
    """ONNX Runtime's session options for a kind of device; `threads` says how many compute on the
    CPU.

    Memory patterns are off: DirectML demands it, and on the CPU they double the memory of a run
    and save no time. DirectML also runs in order, and is told the sizes of free dimensions. Unless
    it is told how many, the CPU gets as many threads as processors are ours, where these are not
    all of the machine's: ONNX Runtime counts them all. They wait for work awake only for as long as
    it takes to come while a graph runs: after that they would keep a decoder or an encoder from
    working. Other devices are to tell what they leave to the CPU.
    """
    options = ort.SessionOptions()
    options.enable_mem_pattern = False
    if kind != "cpu":
        options.add_session_config_entry(TELL_PLACEMENT, "1")
    if kind == "cpu":
        options.intra_op_num_threads = threads or processors.threads() or 0
        options.add_session_config_entry("session.intra_op.spin_duration_us", SPIN_US)
    if kind == "dml":
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        for name, size in free_dimensions.items():
            options.add_free_dimension_override_by_name(name, size)
    return options


def provider_options(device: Device, precision: str) -> dict[str, str]:
    """ONNX Runtime's provider options for a device, and a graph that computes in "fp32" or "fp16".

    CUDA takes the convolution algorithms that cuDNN guesses to be best: the "exhaustive" search is
    another guess since ONNX Runtime 1.20 (microsoft/onnxruntime#22705), 2.3 times slower on an H200
    (bench/RESULTS.md). TF32 is off for "fp32", so that it is what it says. Not for "fp16", which it
    says nothing of: there ONNX Runtime takes it for leave to use tensor cores at all (`if
    (!use_tf32)` in its conv.cc deselects every plan of cuDNN that has them).

    DirectML is told the number of an adapter or a preference; of both it takes the number alone.
    """
    if device.kind == "cuda":
        return {
            "device_id": str(device.index),
            "arena_extend_strategy": "kSameAsRequested",
            "cudnn_conv_algo_search": "HEURISTIC",
            "cudnn_conv_use_max_workspace": "1",
            "use_tf32": "1" if precision == "fp16" else "0",
        }
    if device.kind == "dml":
        if device.index == FASTEST:
            return {"performance_preference": "high_performance"}
        return {"device_id": str(device.index)}
    return {}


def budget_bytes(device: Device, whole_bytes: int, tile_bytes: int) -> int:
    """How much memory a run may take on a device, as things are now.

    `whole_bytes` is what a picture would take in one tile: where that is granted, it is enough.
    `tile_bytes` is what a tile takes that is not context for the most part: the CPU grants that to
    graphs of many channels, too.
    """
    if whole_bytes <= _LEAST_BUDGET_BYTES:
        return _LEAST_BUDGET_BYTES
    if device.kind == "cpu":
        free = memory.available_bytes()
        half = CPU_BUDGET_BYTES if free is None else free // 2
        most = min(half, CPU_WHOLE_BYTES)
        budget = most if whole_bytes <= most else min(most, max(CPU_BUDGET_BYTES, tile_bytes))
    else:
        free = memory.cuda_free_bytes(device.index) if device.kind == "cuda" else None
        # half: convolutions take a work space of their own beside their feature maps
        budget = GPU_BUDGET_BYTES if free is None else free // 2
    return max(_LEAST_BUDGET_BYTES, budget)


def why_no_provider(kind: str) -> str:
    """Why ONNX Runtime does not offer the provider of a kind of device, and what mends it."""
    if kind == "dml" and sys.platform != "win32":
        return "DirectML exists on Windows only; use cuda or cpu"
    wheels = installed_wheels()
    have = ", ".join(f"{name} {version}" for name, version in wheels.items())
    remove = f"pip uninstall -y {' '.join(wheels)} && " if wheels else ""
    return (
        f"the installed {have or 'ONNX Runtime'} has no {PROVIDERS[kind]}; "
        f"run: {remove}{INSTALL[kind]}"
    )


def how_to_mend(kind: str) -> str:
    """What to try where ONNX Runtime offers a provider that then does not work."""
    if kind == "cuda":
        return (
            "see that nvidia-smi lists a GPU and a driver for CUDA 13, and that the CUDA and cuDNN "
            f"libraries are there: {INSTALL['cuda']}; or use device='cpu'"
        )
    return "see that the adapter's number and driver are right, or use device='cpu'"
