"""Who takes part: ours, and every other way to run the same network on the same frames."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from bench.contenders.conventional import conventional
from bench.contenders.ncnn_model import ncnn_model
from bench.contenders.process import MissingError, Worker
from model.build import WEIGHTS
from model.span import SpanWeights, read_weights

OURS, PLAIN = "ours", "onnxruntime"

OTHER = "in a Python that --rivals-python names: pip install"
NEWER = (
    "in a Python of 3.12 or newer that --vapoursynth names: pip install numpy vapoursynth "
    "vapoursynth-mlrt-ort vapoursynth-mlrt-ov"
)


@dataclass(frozen=True)
class Opening:
    """Where contenders are opened."""

    device: str = "cpu"
    threads: int = 1

    all_threads: bool = False
    """Whether these are all that there are: what has a default of its own then keeps it."""


@dataclass(frozen=True)
class Contender:
    """One way to double a frame."""

    name: str

    kind: str
    """The function of runtimes.py that opens it."""

    note: str = ""
    """How it is run, for the reader of the table."""

    install: str = ""
    """How its runtime is installed."""

    settings: dict[str, Any] = field(default_factory=dict)
    """What that function takes besides the device and the threads."""

    model: bytes = b""

    python: tuple[str, ...] = (sys.executable,)
    """The command of the Python that runs it; () where none has been named."""

    def open(self, opening: Opening) -> Worker:
        """Start its process; raises what `Worker` raises."""
        if not self.python:
            raise MissingError("no Python is named for it")
        asked = {"kind": self.kind} | asdict(opening) | self.settings
        return Worker(self.python, asked, self.model)


def roster(device: str, rivals: Sequence[str], vapoursynth: Sequence[str]) -> list[Contender]:
    """Everyone, ours first. `rivals` and `vapoursynth` are commands of the Pythons for those."""
    weights = read_weights(WEIGHTS)
    graph = conventional(weights)
    ours = Contender(OURS, "ours", "`Upscaler(device=...)(frame)`, the rest by default")
    return [
        ours,
        *_onnxruntime(graph),
        *_vapoursynth(graph, tuple(vapoursynth)),
        *(_on_cuda(weights) if device == "cuda" else _on_cpu(weights, graph, tuple(rivals))),
    ]


def _onnxruntime(graph: bytes) -> list[Contender]:
    """ONNX Runtime as it is mostly called: whole, and by the tiles of two upscalers."""
    plain = Contender(
        PLAIN,
        "onnxruntime",
        "whole frame, session options by default, numpy before and after",
        "pip install onnxruntime",
        model=graph,
    )
    return [
        plain,
        replace(
            plain,
            name="onnxruntime, tiles as chaiNNer",
            note="the same session; tiles of at most 256 px, about alike, and 16 px around each",
            settings={"tiles": {"side": 256, "overlap": 16, "even": True}},
        ),
        replace(
            plain,
            name="onnxruntime, tiles as Real-ESRGAN",
            note="the same session; tiles of 256 px, tile_pad 10, pre_pad 0",
            settings={"tiles": {"side": 256, "overlap": 10, "even": False}},
        ),
    ]


def _vapoursynth(graph: bytes, python: tuple[str, ...]) -> list[Contender]:
    """The plugins of vs-mlrt, converted to and from float by VapourSynth."""
    note = "`core.{}.Model` on whole RGBS frames, num_streams 1, RGB24 by `core.resize`"
    return [
        Contender(
            f"vs-mlrt {plugin}",
            "vapoursynth",
            note.format(plugin) + (", f32" if plugin == "ov" else ""),
            NEWER,
            {"plugin": plugin},
            graph,
            python,
        )
        for plugin in ("ort", "ov")
    ]


def _on_cpu(weights: SpanWeights, graph: bytes, python: tuple[str, ...]) -> list[Contender]:
    """What there is besides on the CPU."""
    param, layers = ncnn_model(weights)
    ncnn = {"param": param, "mean": weights.mean.tolist()}
    note = "compiled for the frame's size, latency hint, "
    openvino = Contender(
        "openvino",
        "openvino",
        f"{note}f32",
        f"{OTHER} openvino",
        {"precision": "f32"},
        graph,
        python,
    )
    return [
        Contender("ncnn", "ncnn", "fp32, Winograd on", f"{OTHER} ncnn", ncnn, layers, python),
        openvino,
        replace(
            openvino,
            name="openvino, its default precision",
            note=f"{note}which is not f32 here: its pixels differ",
            settings={"precision": ""},
        ),
        _pytorch("pytorch", "eager, channels last", half=False),
    ]


def _on_cuda(weights: SpanWeights) -> list[Contender]:
    """What there is besides on CUDA, where ours computes in half precision."""
    half = replace(
        _onnxruntime(conventional(weights, "fp16"))[0],
        name="onnxruntime, fp16",
        note="the same in a float16 graph, converted by numpy",
    )
    return [
        half,
        _pytorch("pytorch", "eager, channels last, TF32 as it is by default", half=False),
        _pytorch("pytorch, half, compiled", "float16, `torch.compile`, channels last", half=True),
    ]


def _pytorch(name: str, note: str, *, half: bool) -> Contender:
    model = WEIGHTS.read_bytes()
    return Contender(name, "pytorch", note, "pip install torch", {"half": half}, model)
