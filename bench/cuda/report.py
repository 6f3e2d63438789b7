"""What came out of the levers, as a table with its notes, and as JSON."""

from __future__ import annotations

import datetime
from dataclasses import asdict, dataclass
from typing import Any

import liveaction_onnx as la
from bench.contenders import roofline
from bench.cuda import gpu
from bench.cuda.lever import Lever
from bench.cuda.roster import BASELINE
from bench.cuda.rounds import Sized, Times
from bench.section import Section
from liveaction_onnx.devices import Device
from liveaction_onnx.runtime import onnxruntime
from model.machine import commit

HOW = """\
Frames doubled in a second, (H, W, 3) uint8 RGB in and (2H, 2W, 3) out, both in numpy's memory: \
the median over {rounds} rounds; and the time of a frame to the baseline's within each round, the \
median and in brackets the least and the greatest: less than 1 is faster than what the library \
does. The difference from the baseline's result is the greatest of any value and size, in levels \
of 255. Device: {device}; ONNX Runtime {ort}, liveaction-onnx {ours}; {date}, commit {commit}."""


@dataclass(frozen=True)
class Found:
    """What came out."""

    levers: list[Lever]
    sized: dict[str, Sized]
    rounds: int
    device: Device

    card: str
    """The device's own name; "" where it is not known."""

    best: gpu.Best | str
    """What the GPU does at best, or why that is not known."""


def section(found: Found) -> Section:
    """Give it as a table."""
    header = ["lever"]
    for size in found.sized:
        header += [f"{size}, fps", "its time / the baseline's"]
    notes, rows = [], []
    for lever in found.levers:
        notes.append(f"- {lever.name}: {lever.note}")
        reasons: dict[str, list[str]] = {}
        for size, each in found.sized.items():
            if lever.name in each.left_out:
                reasons.setdefault(each.left_out[lever.name], []).append(size)
        notes += [f"- {lever.name}: not at {', '.join(s)}: {why}" for why, s in reasons.items()]
        if any(lever.name in each.medians() for each in found.sized.values()):
            rows.append(_row(lever.name, found))
    how = HOW.format(
        rounds=found.rounds,
        device=", ".join(filter(None, [str(found.device), found.card])),
        ort=onnxruntime().__version__,
        ours=la.__version__,
        date=datetime.date.today(),
        commit=commit(),
    )
    text = "\n\n".join([how, "\n".join(notes), roof(found)])
    return Section("Levers", text, (*header, "differs by, levels"), rows, ("", ""))


def _row(name: str, found: Found) -> tuple[object, ...]:
    cells: list[object] = [name]
    differs = []
    for each in found.sized.values():
        seconds, times = each.medians().get(name), each.times.get(name, Times())
        alone = "1" if name == BASELINE and seconds else "-"
        cells += [f"{1 / seconds:.1f}" if seconds else "-", times.ratio() or alone]
        differs += [] if times.differs is None else [times.differs]
    return (*cells, max(differs, default="-"))


def flop_s(found: Found) -> dict[str, dict[str, float]]:
    """The rate of every lever at every size."""
    return {
        size: {
            name: roofline.flop_s(each.width * each.height, seconds)
            for name, seconds in each.medians().items()
        }
        for size, each in found.sized.items()
    }


def roof(found: Found) -> str:
    """How near the baseline and the fastest lever come to what the GPU does at best."""
    flop = roofline.FLOP_PER_MULTIPLY_ADD * roofline.multiply_adds()
    network = f"The graph takes {flop:,} flop for an input px, counted as direct convolutions"
    if isinstance(found.best, str):
        return f"{network}. No roofline of a GPU: {found.best}."
    best, parts = found.best, []
    for size, rates in flop_s(found).items():
        fastest = max(rates, key=lambda name: rates[name], default="")
        for name in dict.fromkeys([BASELINE, fastest]):
            if name in rates:
                share = 100 * rates[name] / best.fp16_flop_s
                parts.append(f"{name} {rates[name] / 1e12:.1f} TFLOP/s at {size} ({share:.0f} %)")
    return (
        f"{best.name} at best: products of matrices {best.fp16_flop_s / 1e12:.1f} TFLOP/s in fp16 "
        f"and {best.fp32_flop_s / 1e12:.1f} in fp32, copies {best.copy_bytes_s / 1e9:.0f} GB/s "
        f"read and written. {network}. What is reached, and its share of fp16: "
        f"{', '.join(parts) or 'nothing'}."
    )


def raw(found: Found) -> dict[str, Any]:
    """Everything, to be kept."""
    sized = {}
    for size, each in found.sized.items():
        ratios = {name: times.ratio() for name, times in each.times.items()}
        sized[size] = asdict(each) | {
            "fps": {name: 1 / seconds for name, seconds in each.medians().items()},
            "ratios": {name: asdict(ratio) for name, ratio in ratios.items() if ratio},
        }
    best = {"missing": found.best} if isinstance(found.best, str) else asdict(found.best)
    return {
        "levers": sized,
        "roofline": best | {"flop_s": flop_s(found)},
        "rounds": found.rounds,
        "device": str(found.device),
        "card": found.card,
        "versions": {"onnxruntime": onnxruntime().__version__, "liveaction-onnx": la.__version__},
        "date": str(datetime.date.today()),
    }
