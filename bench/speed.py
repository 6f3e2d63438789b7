"""How fast a frame is doubled, beside other ways to run the same network: `python -m bench.speed`.

Prints a table, and as its last line JSON with all timings, those so far after each size. OpenVINO,
ncnn and the plugins of vs-mlrt may live in Pythons of their own: `--rivals-python` (or
RIVALS_PYTHON) is the command of one that has the first two, `--vapoursynth` (or VAPOURSYNTH_PYTHON)
of one that has the last, such as `/srv/rivals/bin/python`. A root of its own needs /proc and /sys,
without which OpenVINO never answers. Who is not installed is left out, with a line that says how to
install it.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from bench.contenders import report, roofline
from bench.contenders.process import Frame
from bench.contenders.report import Found
from bench.contenders.roster import OURS, PLAIN, Contender, Opening, roster
from bench.contenders.rounds import compare
from bench.section import Section
from liveaction_onnx import processors

SIZES = {"360p": (640, 360), "480p": (720, 480), "720p": (1280, 720), "1080p": (1920, 1080)}
"""Width and height in px."""

ROUNDS = 5

LEFT_OUT = {"1080p": ("ncnn", "pytorch", "openvino, its default precision")}
"""Who `measure` leaves out where: a frame takes them half a minute, and small ones tell as much."""

GUARDED, BOUND = ("480p", "1080p"), 0.95
"""Where, and to how much of plain ONNX Runtime's time, ours is held."""

PICTURE = Path(__file__).parent / "pictures" / "otters.jpg"


def _command(variable: str) -> tuple[str, ...]:
    return tuple(shlex.split(os.environ.get(variable, "")))


@dataclass(frozen=True)
class Setting:
    """What is measured."""

    sizes: tuple[str, ...] = tuple(SIZES)
    """Names of `SIZES`, or "WxH"."""

    rounds: int = ROUNDS

    only: tuple[str, ...] = ()
    """Names of contenders besides ours; () for all."""

    threads: int = field(default_factory=processors.usable)
    device: str = "cpu"

    rivals_python: tuple[str, ...] = field(
        default_factory=lambda: _command("RIVALS_PYTHON") or (sys.executable,)
    )
    vapoursynth: tuple[str, ...] = field(default_factory=lambda: _command("VAPOURSYNTH_PYTHON"))

    left_out: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Names of contenders who do not take part at a size."""

    def contenders(self) -> list[Contender]:
        """Who takes part; ValueError where a name is nobody's."""
        everyone = roster(self.device, self.rivals_python, self.vapoursynth)
        names = [contender.name for contender in everyone]
        if unknown := set(self.only) - set(names):
            raise ValueError(f"expected names among {names}, got {sorted(unknown)}")
        wanted = {OURS, *(self.only or names)}
        return [contender for contender in everyone if contender.name in wanted]


def size_of(text: str) -> tuple[int, int]:
    """Width and height in px.

    >>> size_of("480p"), size_of("96x64")
    ((720, 480), (96, 64))
    """
    if text in SIZES:
        return SIZES[text]
    width, height = map(int, text.split("x"))
    return width, height


def frame_of(width: int, height: int) -> Frame:
    """A photograph of that size, (height, width, 3)."""
    with Image.open(PICTURE) as picture:
        return np.asarray(picture.convert("RGB").resize((width, height), Image.Resampling.BICUBIC))


def find(setting: Setting, told: Callable[[Found], object] | None = None) -> Found:
    """Measure: at every size each contender once a round, one at a time.

    `told` gets what there is after each size, so that what ends it early costs one size.
    """
    contenders, threads = setting.contenders(), setting.threads
    rates = roofline.rates(threads) if setting.device == "cpu" else None
    opening = Opening(setting.device, threads, all_threads=threads == processors.usable())
    found = Found(contenders, {}, setting.rounds, threads, setting.device, rates)
    for size in setting.sizes:
        found.sized[size] = compare(
            [one for one in contenders if one.name not in setting.left_out.get(size, ())],
            frame_of(*size_of(size)),
            rounds=setting.rounds,
            opening=opening,
        )
        if told:
            told(found)
    return found


def guard(ratios: Mapping[str, Mapping[str, float]]) -> str | None:
    """What of the promise does not hold; None where it does.

    `ratios` has ours to theirs by size and contender. The promise: at 480p and at 1080p ours takes
    at most 0.95 of the time that ONNX Runtime takes for the same network as it is usually called.
    """
    broken = []
    for size in GUARDED:
        found = ratios.get(size, {}).get(PLAIN)
        if found is None:
            broken.append(f"{size}: not measured beside {PLAIN}")
        elif not found <= BOUND:  # true for NaN too
            broken.append(f"{size}: {found:.3f} of the time of {PLAIN}, promised is {BOUND}")
    return "; ".join(broken) or None


def measure(setting: Setting | None = None) -> Section:
    """Measure what `bench.run` shows: half an hour where everyone is there."""
    return report.section(find(setting or Setting(left_out=LEFT_OUT)))


def parse(arguments: Sequence[str] | None) -> tuple[Setting, bool]:
    """What the command line asks for, and whether to hold it to the promise."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    given = Setting()
    add = parser.add_argument
    add("--sizes", nargs="+", default=given.sizes, help=f"{', '.join(SIZES)} or WxH (default: all)")
    add("--rounds", type=int, default=given.rounds)
    add("--only", nargs="+", default=[], metavar="NAME", help="contenders besides ours")
    add("--threads", type=int, default=given.threads, help="of each (default: all there are)")
    add("--device", choices=("cpu", "cuda"), default=given.device)
    add("--rivals-python", metavar="COMMAND", type=shlex.split, default=given.rivals_python)
    add("--vapoursynth", metavar="COMMAND", type=shlex.split, default=given.vapoursynth)
    add("--guard", action="store_true", help="fail where ours is slower than promised")
    told = parser.parse_args(arguments)
    setting = Setting(
        tuple(told.sizes),
        told.rounds,
        tuple(told.only),
        told.threads,
        told.device,
        tuple(told.rivals_python),
        tuple(told.vapoursynth),
    )
    if told.rounds < 1 or not 1 <= told.threads <= given.threads:
        parser.error(f"expected a round at least, and 1 to {given.threads} threads")
    try:
        for size in setting.sizes:
            size_of(size)
        setting.contenders()
    except ValueError as error:
        parser.error(str(error))
    return setting, told.guard


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is asked for and print it."""
    setting, held = parse(arguments)
    found = find(setting, lambda found: print(json.dumps(report.raw(found)), flush=True))
    print(report.section(found).markdown(), flush=True)
    print(json.dumps(report.raw(found)), flush=True)
    broken = guard(found.medians())
    if held and broken:
        raise SystemExit(broken)


if __name__ == "__main__":
    main()
