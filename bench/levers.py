"""What each lever of CUDA is worth, alone: `python -m bench.levers`.

A lever is one way to call ONNX Runtime otherwise than the library does; `bench/cuda/roster.py` has
them all. Each is opened beside the library's way, takes turns with it in an order that moves on
from round to round, and is closed before the next: with many open, little memory would be left, and
cuDNN takes other algorithms then. Prints a table, and as its last line JSON with all timings, those
so far after each size. What cannot be had is named with the reason.

On a machine with an NVIDIA GPU, in a clone, this measures it:

    python3 -m venv .venv && .venv/bin/pip install ".[cuda,build]" torch
    .venv/bin/python -m bench.levers | tee levers.txt       # 480p, 720p and 1080p
    .venv/bin/python -m bench.results levers levers.txt     # into bench/RESULTS.md
    .venv/bin/python -m bench.speed --device cuda           # the library beside its rivals
    .venv/bin/python -m bench.nodes --device cuda --size 1080p | tee nodes.txt
    .venv/bin/python -m bench.results nodes-cuda nodes.txt  # where the time of a run goes
    .venv/bin/pip install "tensorrt-cu13<11"                # for the lever tensorrt
    .venv/bin/python -m bench.levers --only tensorrt

TensorRT for RTX wants an environment of its own, with `.[cpu,build]` and
`onnxruntime-ep-nv-tensorrt-rtx`: no baseline is there, but times are.

On `--device cpu` the levers that exist there run too, so that their code can be tested; the library
itself has a faster form of the graph for the CPU than they take.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench.cuda import gpu
from bench.cuda.lever import Lever
from bench.cuda.place import Place
from bench.cuda.report import Found, raw, section
from bench.cuda.roster import AGAIN, BASELINE, levers
from bench.cuda.rounds import compare
from bench.speed import ROUNDS, frame_of, size_of
from liveaction_onnx.devices import Device, parse_device
from liveaction_onnx.errors import OptionError
from liveaction_onnx.runtime import onnxruntime, preload_cuda
from model.machine import processor

SIZES = ("480p", "720p", "1080p")


@dataclass(frozen=True)
class Setting:
    """What is measured."""

    sizes: tuple[str, ...] = SIZES
    """Names of `bench.speed.SIZES`, or "WxH"."""

    rounds: int = ROUNDS
    device: Device = field(default_factory=lambda: Device("cuda"))

    only: tuple[str, ...] = ()
    """Names of levers besides the baseline and its double; () for all."""

    def levers(self) -> list[Lever]:
        """Who takes part, the baseline first; ValueError where a name is nobody's."""
        names = [lever.name for lever in levers()]
        if unknown := set(self.only) - set(names):
            raise ValueError(f"expected names among {names}, got {sorted(unknown)}")
        wanted = {BASELINE, AGAIN, *(self.only or names)}
        return [lever for lever in levers() if lever.name in wanted]


def find(setting: Setting, told: Callable[[Found], object] | None = None) -> Found:
    """Measure; `told` gets what there is after each size."""
    cuda = setting.device.kind == "cuda"
    best = gpu.best(setting.device.index) if cuda else "the processor computes here"
    card = gpu.card(setting.device.index) if cuda else processor()
    ort = onnxruntime()
    said = preload_cuda(ort) if cuda else ""
    print(said, end="", file=sys.stderr, flush=True)
    found = Found(setting.levers(), {}, setting.rounds, setting.device, card, best)
    for size in setting.sizes:
        width, height = size_of(size)
        place = Place(ort, setting.device, width, height)
        frame = frame_of(width, height)
        found.sized[size] = compare(place, found.levers, frame, setting.rounds)
        if told:
            told(found)
    return found


def parse(arguments: Sequence[str] | None) -> Setting:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--size", nargs="+", default=list(SIZES), help="480p, 720p, 1080p or WxH (default: those)")
    add("--rounds", type=int, default=ROUNDS)
    add("--device", default="cuda:0", help="cuda, cuda:N or cpu (default: cuda:0)")
    add("--only", nargs="+", default=[], metavar="NAME", help="levers besides the baseline")
    told = parser.parse_args(arguments)
    try:
        device = parse_device(told.device)
        if device is None or device.kind == "dml" or told.rounds < 1:
            raise ValueError("expected cuda, cuda:N or cpu, and a round at least")
        setting = Setting(tuple(told.size), told.rounds, device, tuple(told.only))
        setting.levers()
        for size in setting.sizes:
            size_of(size)
    except (OptionError, ValueError) as error:
        parser.error(str(error))
    return setting


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is asked for and print it."""
    found = find(parse(arguments), lambda found: print(json.dumps(raw(found)), flush=True))
    print(section(found).markdown(), flush=True)
    print(json.dumps(raw(found)), flush=True)


if __name__ == "__main__":
    main()
