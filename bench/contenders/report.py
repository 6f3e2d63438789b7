"""What came out of a comparison, as a table with its notes, and as JSON."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from bench.contenders import roofline
from bench.contenders.roofline import Rates
from bench.contenders.roster import OURS, PLAIN, Contender
from bench.contenders.rounds import Sized
from bench.section import Section
from model.machine import commit, processor

HOW = """\
Seconds for one frame, (H, W, 3) uint8 RGB to (2H, 2W, 3), a photograph scaled to the size: the \
median over {rounds} rounds; and ours to theirs within each round, the median and in brackets the \
least and the greatest. All run the same weights as ours, rivals by the network as it is usually \
exported. Each works in a process of its own, one at a time, in an order that is rotated from \
round to round, after a run that does not count. The difference from ours is the greatest, and in \
brackets the mean, further than 24 px of the frame from its rims, at the size where it is \
greatest; the peak is of the whole process. Threads: {threads}; device: {device}; {processor}, \
{system}; {date}, commit {commit}."""


@dataclass(frozen=True)
class Found:
    """What came out."""

    contenders: list[Contender]
    sized: dict[str, Sized]
    rounds: int
    threads: int
    device: str

    rates: Rates | None
    """What the machine does at best; None where it is not the processor that computes."""

    def medians(self) -> dict[str, dict[str, float]]:
        """Ours to theirs, the median over rounds, by size and contender."""
        return {
            size: {name: ratio.median for name, ratio in each.ratios().items()}
            for size, each in self.sized.items()
        }

    def flop_s(self) -> dict[str, float]:
        """Our rate at each size."""
        return {
            size: roofline.flop_s(each.width * each.height, each.medians()[OURS])
            for size, each in self.sized.items()
        }


def section(found: Found) -> Section:
    """Give it as a table."""
    sizes = list(found.sized)
    header = ["contender"]
    for size in sizes:
        header += [f"{size}, s", "ours / it"]
    header += ["differs by, levels", f"peak at {sizes[-1]}, MB"]
    rows = [_row(contender.name, found) for contender in found.contenders]
    how = HOW.format(
        rounds=found.rounds,
        threads=found.threads,
        device=found.device,
        processor=processor(),
        system=platform.system(),
        date=datetime.date.today(),
        commit=commit(),
    )
    parts = [how, "\n".join(f"- {line}" for line in _notes(found)), _roof(found)]
    there = [row for row in rows if row]
    return Section(
        "Speed", "\n\n".join(filter(None, parts)), tuple(header), there, _headline(found)
    )


def _row(name: str, found: Found) -> tuple[object, ...]:
    """A contender's line; () where it took part at no size."""
    cells: list[object] = [name]
    there = [each.times[name] for each in found.sized.values() if name in each.times]
    if not there:
        return ()
    for each in found.sized.values():
        if name in each.times:
            ratio = "1" if name == OURS else str(each.ratios()[name])
            cells += [f"{each.medians()[name]:.3f}", ratio]
        else:
            cells += ["-", "-"]
    differs = max((times.differs for times in there), key=lambda d: (d.greatest, d.mean))
    last = list(found.sized.values())[-1].times.get(name)
    peak = f"{last.peak_bytes / 1e6:,.0f}" if last and last.peak_bytes else "-"
    return (*cells, "-" if name == OURS else str(differs), peak)


def _notes(found: Found) -> Iterator[str]:
    """How each is run, in which versions, or why it is not there."""
    for contender in found.contenders:
        name = contender.name
        for times in [each.times[name] for each in found.sized.values() if name in each.times][:1]:
            versions = ", ".join(f"{key} {value}" for key, value in times.about["versions"].items())
            yield f"{name}: {contender.note} ({versions}; {times.about['provider']})"
        reasons: dict[str, list[str]] = {}
        for size, each in found.sized.items():
            if name in each.left_out:
                reasons.setdefault(each.left_out[name], []).append(size)
        for reason, sizes in reasons.items():
            yield f"{name}: left out at {', '.join(sizes)}: {reason}"


def _roof(found: Found) -> str:
    """How near ours comes to what the machine does at best."""
    if found.rates is None:
        return ""
    best = found.rates
    ours = ", ".join(
        f"{rate / 1e9:.0f} GFLOP/s at {size} ({100 * rate / best.sgemm_flop_s:.0f} % of sgemm)"
        for size, rate in found.flop_s().items()
    )
    return (
        f"The machine at best, on as many threads: sgemm {best.sgemm_flop_s / 1e9:.0f} GFLOP/s, "
        f"copies {best.copy_bytes_s / 1e9:.1f} GB/s read and written. The graph that ships takes "
        f"{roofline.multiply_adds():,} multiply-adds for an input px, for it joins convolutions "
        f"with nothing between them ({roofline.usual_multiply_adds():,} as usually exported), "
        f"counted as direct convolutions; ours makes {ours}."
    )


def _headline(found: Found) -> tuple[str, str]:
    ratios = {size: each[PLAIN] for size, each in found.medians().items() if PLAIN in each}
    return (
        f"time of a frame at {', '.join(ratios)}, ours / ONNX Runtime as it is usually called",
        ", ".join(f"{ratio:.2f}" for ratio in ratios.values()),
    )


def raw(found: Found) -> dict[str, Any]:
    """Everything, to be kept."""
    sized = {
        size: {
            "width": each.width,
            "height": each.height,
            "contenders": {name: asdict(times) for name, times in each.times.items()},
            "medians": each.medians(),
            "ratios": {name: asdict(ratio) for name, ratio in each.ratios().items()},
            "left_out": each.left_out,
        }
        for size, each in found.sized.items()
    }
    roof = {"multiply_adds_per_px": roofline.multiply_adds(), "ours_flop_s": found.flop_s()}
    return {
        "speed": sized,
        "roofline": roof | (asdict(found.rates) if found.rates else {}),
        "rounds": found.rounds,
        "threads": found.threads,
        "device": found.device,
        "machine": {"cpu": processor(), "cores": os.cpu_count(), "system": platform.system()},
        "date": str(datetime.date.today()),
        "commit": commit(),
    }
