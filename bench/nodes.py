"""Where the time of a run goes, and how near the machine's limits: `python -m bench.nodes`.

The shipped graph as the library runs it, one frame at a time, under ONNX Runtime's profiler. Prints
a table, and as its last line JSON. On a GPU (`--device cuda`) each kernel is waited for, or a node
would seem to take no longer than its launch: so the sum is more than a frame takes by itself.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import Any, TypeVar

from bench.contenders import roofline
from bench.contenders.roofline import FLOP_PER_MULTIPLY_ADD, Rates
from bench.cuda import gpu
from bench.section import Section
from bench.speed import SIZES, frame_of, size_of
from liveaction_onnx import catalog, devices, processors
from liveaction_onnx.devices import Device, parse_device
from liveaction_onnx.errors import OptionError
from liveaction_onnx.opening import open_on_device
from liveaction_onnx.runtime import onnxruntime

T = TypeVar("T")

RUNS = 7
"""Runs of a frame after one that is not counted."""

LEAST = 0.001
"""The share of a run that nodes of a kind take together, to be told of."""


@dataclass(frozen=True)
class Node:
    """One node of the graph in a run of the frame."""

    kind: str
    """What it does, such as `Conv 48 to 48, 3x3`."""

    seconds: float
    """The median over the runs."""

    flop: int
    """Of a convolution, direct and padded as it is computed; 0 for other nodes."""

    moved: int
    """Bytes that it reads and writes, each once."""


def nodes_of(device: Device, size: tuple[int, int], runs: int = RUNS) -> list[Node]:
    """Run a photograph of that width and height; the nodes that ran, in their order."""
    ort = onnxruntime()
    options = devices.session_options(ort, device.kind, {})
    options.enable_profiling = True
    frame = frame_of(*size)[None]
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = str(Path(folder) / "profile")
        graph = catalog.shipped_graph("uint8", devices.precisions(device.kind)[0])
        session = open_on_device(graph, device, options=options)
        for _ in range(runs + 1):
            session.run(frame)
        session.close()  # which writes the profile; a form that was tried in vain left one, too
        profiles = [json.loads(path.read_text()) for path in Path(folder).iterdir()]
    events = max((_of_nodes(profile) for profile in profiles), key=len)
    return [_node(each[-runs:]) for each in _grouped(events, itemgetter("name")).values()]


def _of_nodes(profile: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [e for e in profile if e.get("cat") == "Node" and e["name"].endswith("_kernel_time")]


def _grouped(items: Iterable[T], key: Callable[[T], str]) -> dict[str, list[T]]:
    """The items of each key, in the order in which they come."""
    found: dict[str, list[T]] = {}
    for item in items:
        found.setdefault(key(item), []).append(item)
    return found


def _node(events: Sequence[dict[str, Any]]) -> Node:
    """A node, of what the profiler tells of it in each run."""
    told = events[-1]["args"]
    kind, flop = told["op_name"], 0
    if kind == "Conv":
        _, weight, *_ = _shapes(told["input_type_shape"])
        made = _shapes(told["output_type_shape"])[0]
        outs, ins, high, wide = weight
        alone = "each by itself, " if ins == 1 else ""
        kind = f"Conv {outs if alone else ins} to {outs}, {alone}{high}x{wide}"
        flop = FLOP_PER_MULTIPLY_ADD * ins * high * wide * math.prod(made)
    return Node(
        kind,
        statistics.median(event["dur"] for event in events) / 1e6,
        flop,
        sum(int(told[key]) for key in ("activation_size", "parameter_size", "output_size")),
    )


def _shapes(told: Iterable[dict[str, list[int]]]) -> list[list[int]]:
    return [shape for each in told for shape in each.values()]


def section(nodes: Sequence[Node], device: Device, size: str, best: Rates | str) -> Section:
    """The table, by what nodes do, the longest first."""
    total = sum(node.seconds for node in nodes)
    kinds = _grouped(nodes, attrgetter("kind"))
    rows = [
        _row(kind, each, total, best)
        for kind, each in sorted(kinds.items(), key=lambda item: -_seconds(item[1]))
        if _seconds(each) >= LEAST * total
    ]
    convolutions = [node for node in nodes if node.flop]
    at_best = (
        f"No limits of the machine are known: {best}."
        if isinstance(best, str)
        else f"The machine at best: products of matrices {best.sgemm_flop_s / 1e9:,.0f} GFLOP/s, "
        f"copies {best.copy_bytes_s / 1e9:,.1f} GB/s read and written."
    )
    waited = ", each kernel waited for" if device.kind == "cuda" else ""
    return Section(
        "Nodes" if device.kind == "cpu" else f"Nodes on {device}",
        f"What the nodes of the shipped graph take in a run of a photograph at {size} on "
        f"{device}{waited}, by ONNX Runtime's profiler: medians of {RUNS} runs, summed by what "
        f"nodes do; together {1e3 * total:,.0f} ms. Convolutions are counted as direct ones, with "
        "the channels that fill up a block; bytes as each input and output passing once. Kinds "
        f"that take less than a thousandth together are left out. {at_best}",
        ("nodes", "how many", "ms", "of the run", "GFLOP/s", "of the best", "GB/s", "of copies"),
        rows,
        (
            f"convolutions at {size} on {device}: of the run, and of the machine's best GFLOP/s",
            f"{_percent(_seconds(convolutions) / total)} and {_of_best(convolutions, best)}",
        ),
    )


def _row(kind: str, nodes: Sequence[Node], total: float, best: Rates | str) -> tuple[object, ...]:
    seconds, flop_s = _seconds(nodes), _flop_s(nodes)
    bytes_s = sum(node.moved for node in nodes) / seconds
    return (
        kind,
        len(nodes),
        f"{1e3 * seconds:,.1f}",
        f"{100 * seconds / total:.1f} %",
        f"{flop_s / 1e9:,.0f}" if flop_s else "-",
        _of_best(nodes, best),
        f"{bytes_s / 1e9:,.1f}",
        "-" if isinstance(best, str) else _percent(bytes_s / best.copy_bytes_s),
    )


def _of_best(nodes: Sequence[Node], best: Rates | str) -> str:
    """The rate of convolutions, of the machine's best."""
    flop_s = _flop_s(nodes)
    return _percent(flop_s / best.sgemm_flop_s) if flop_s and not isinstance(best, str) else "-"


def _flop_s(nodes: Sequence[Node]) -> float:
    return sum(node.flop for node in nodes) / _seconds(nodes)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _seconds(nodes: Iterable[Node]) -> float:
    return sum(node.seconds for node in nodes)


def limits(device: Device) -> Rates | str:
    """What the machine does at best in what the library computes in there; or why that is not
    known.
    """
    if device.kind == "cpu":
        return roofline.rates(processors.threads() or processors.usable())
    best = gpu.best(device.index)
    return best if isinstance(best, str) else Rates(best.fp16_flop_s, best.copy_bytes_s)


def measured(device: Device, size: str) -> Section:
    """Measure, and give the table."""
    best = limits(device)
    return section(nodes_of(device, size_of(size)), device, size, best)


def measure() -> Section:
    """Measure the CPU."""
    return measured(Device("cpu"), "480p")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is asked for and print it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--size", default="480p", help=f"{', '.join(SIZES)} or WxH (default: 480p)")
    add("--device", default="cpu", help="cpu, cuda or cuda:N (default: cpu)")
    told = parser.parse_args(arguments)
    try:
        device = parse_device(told.device)
        if device is None or device.kind == "dml":
            raise ValueError("expected cpu, cuda or cuda:N")
        size_of(told.size)
    except (OptionError, ValueError) as error:
        parser.error(str(error))
    if device.kind == "cuda":
        os.environ["CUDA_LAUNCH_BLOCKING"] = "1"  # before anything of CUDA is loaded
    found = measured(device, told.size)
    print(found.markdown(), flush=True)
    print(json.dumps([found.header, *found.rows]), flush=True)


if __name__ == "__main__":
    main()
