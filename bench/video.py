"""Whether decoding, inference and encoding of a video wait for each other: `python -m bench.video`.

They do not where a file takes as long as the three have to compute together, shared out over all
cores. Each is measured alone, in turn with the command line that does all of them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

import liveaction_onnx as la
from bench import parts, vspipe
from bench.parts import Cost, cost
from bench.section import Section
from bench.speed import SIZES, size_of
from bench.vspipe import Vspipe
from liveaction_onnx import processors, treatment
from liveaction_onnx.encoders import ENCODERS
from liveaction_onnx.videos import CPU_SEGMENT_FRAMES

FRAMES = 2 * CPU_SEGMENT_FRAMES + 1
"""Of a clip: two segments and one more. An encoder that looks ahead does most of its work once a
segment ends, which in a clip of one segment is after the last frame, beside nothing; a film has
that once in hours."""

INFERRED = 4
"""Frames of the clip that each round infers alone, two at a time, after one that is not counted."""

ROUNDS = 5


@dataclass(frozen=True)
class Setting:
    """What is measured."""

    size: tuple[int, int] = SIZES["480p"]
    """Width and height in px."""

    frames: int = FRAMES
    rounds: int = ROUNDS
    encoder: str = "x264"


@dataclass(frozen=True)
class Round:
    """What one round found; `..._one` are of the clip's first frame alone, as a clip of its own."""

    frames: int
    whole: Cost
    """From file to file by the command line."""

    whole_one: Cost
    decode: Cost
    decode_one: Cost
    encode: Cost
    encode_one: Cost
    infer: Cost
    """Of one frame of a stream, two at a time."""

    opening: Cost
    """What the process for inference took besides: its start, the graph, its first frame."""

    vspipe: Cost | None = None

    def bound_s(self, cores: int) -> float:
        """Seconds in which `cores` can do what decoding, inference and encoding compute."""
        cpu_s = self.decode.cpu_s + self.frames * self.infer.cpu_s + self.encode.cpu_s
        return cpu_s / cores

    def bound_one_s(self, cores: int) -> float:
        """The same of the first frame alone."""
        return (self.decode_one.cpu_s + self.infer.cpu_s + self.encode_one.cpu_s) / cores

    def to_bound(self, cores: int) -> float:
        """How many times the bound the whole file takes."""
        return self.whole.wall_s / self.bound_s(cores)

    def further_to_bound(self, cores: int) -> float:
        """The same of all frames but the first: of a long video, where the start is nothing."""
        further_s = self.bound_s(cores) - self.bound_one_s(cores)
        return (self.whole.wall_s - self.whole_one.wall_s) / further_s


class Stage:
    """A folder with a clip, and all that its parts are measured on."""

    def __init__(self, folder: Path, setting: Setting, tool: Vspipe | None) -> None:
        self.setting, self.tool, self._folder = setting, tool, folder
        self._clips = [folder / "clip.mkv", folder / "one.mkv"]
        options = la.VideoOptions(codec=setting.encoder)
        for clip, count in zip(self._clips, (setting.frames, 1), strict=True):
            parts.make_clip(clip, setting.size, count)
        self._works = [treatment.plan(clip, None, options, scale=2) for clip in self._clips]
        given, self._few, results = (folder / f"{name}.npy" for name in ("all", "few", "results"))
        frames = np.stack([frame.pixels for frame in parts.decoder(self._works[0])])
        np.save(given, frames)
        np.save(self._few, frames[: INFERRED + 1])
        self.singly, _ = parts.infer(given, singly=True, results=results)
        """Of one frame, each run by all processors."""
        self._results = np.load(results)
        if tool:
            pixels = self._works[0].encoding.layout.name
            tool.write(folder / "clip.vpy", self._clips[0], pixels)

    def round(self, number: int) -> Round:
        """Measure each part once; every round begins with another."""
        every = [self._whole, self._decode, self._encode, self._infer]
        every += [self._vspipe] if self.tool else []
        first = number % len(every)
        found: dict[str, Cost] = {}
        for part in every[first:] + every[:first]:
            found |= part()
        return Round(self.setting.frames, **found)

    def _whole(self) -> dict[str, Cost]:
        target, encoder = self._folder / "out.mkv", self.setting.encoder
        long, one = (cost(partial(parts.whole, clip, target, encoder)) for clip in self._clips)
        return {"whole": long, "whole_one": one}

    def _decode(self) -> dict[str, Cost]:
        long, one = (cost(partial(parts.decode, work)) for work in self._works)
        return {"decode": long, "decode_one": one}

    def _encode(self) -> dict[str, Cost]:
        work, frames = self._works[0], self._results
        target = self._folder / f"part.{work.encoding.encoder.segment}"
        long, one = (
            cost(partial(parts.encode, work, some, target)) for some in (frames, frames[:1])
        )
        return {"encode": long, "encode_one": one}

    def _infer(self) -> dict[str, Cost]:
        frame, opening = parts.infer(self._few, singly=False)
        return {"infer": frame, "opening": opening}

    def _vspipe(self) -> dict[str, Cost]:
        assert self.tool is not None
        script, target = self._folder / "clip.vpy", self._folder / "vspipe.mkv"
        encoding = self._works[0].encoding
        return {"vspipe": cost(partial(self.tool.run, script, self._clips[0], target, encoding))}


def rounds(setting: Setting, tool: Vspipe | None) -> tuple[list[Round], Cost]:
    """All rounds; and what a frame takes of inference by all processors, measured once."""
    place = None if tool is None else tool.root / "tmp"
    with tempfile.TemporaryDirectory(dir=place) as folder:
        stage = Stage(Path(folder), setting, tool)
        return [stage.round(number) for number in range(setting.rounds)], stage.singly


def middle(values: Iterable[float]) -> str:
    """The median, with the least and the greatest.

    >>> middle([1.5, 1.25, 1.0])
    '1.25 (1.00 to 1.50)'
    """
    seen = sorted(values)
    return f"{statistics.median(seen):.2f} ({seen[0]:.2f} to {seen[-1]:.2f})"


def typical(costs: Iterable[Cost]) -> tuple[str, str]:
    """The medians of wall and CPU seconds."""
    seen = [(one.wall_s, one.cpu_s) for one in costs]
    wall_s, cpu_s = (statistics.median(side) for side in zip(*seen, strict=True))
    return f"{wall_s:.3f}", f"{cpu_s:.3f}"


WITH_VSPIPE = (
    "vspipe and ffmpeg: VapourSynth with BestSource, zimg and vs-mlrt's ONNX Runtime, by a script "
    "such as is usual, on our weights exported as is usual, into the same encoder with the sound."
)
WITHOUT_VSPIPE = (
    f"vspipe is left out, for none was found: `{vspipe.INSTALL}` installs it for Python 3.12 or "
    "newer, and --vspipe or VSPIPE names it."
)


def beside_vspipe(found: Sequence[Round], cores: int) -> list[tuple[object, ...]]:
    """Rows of the rounds that vspipe took part in."""
    theirs = [(one, one.vspipe) for one in found if one.vspipe]
    if not theirs:
        return []
    count = theirs[0][0].frames
    costs = typical(cost / count for _, cost in theirs)
    times = middle(cost.wall_s / one.bound_s(cores) for one, cost in theirs)
    ours = middle(one.whole.wall_s / cost.wall_s for one, cost in theirs)
    return [
        (f"vspipe and ffmpeg, a frame of {count}", *costs, times),
        ("file to file, ours / vspipe and ffmpeg", ours, "", ""),
    ]


def section(setting: Setting, found: Sequence[Round], singly: Cost, cores: int) -> Section:
    """Tell what was found."""
    count = setting.frames
    to_bound = middle(one.to_bound(cores) for one in found)
    further = middle(one.further_to_bound(cores) for one in found)
    bound_s = statistics.median(one.bound_s(cores) for one in found) / count
    rest = [(one.whole - one.whole_one) / (count - 1) for one in found]
    rows: list[tuple[object, ...]] = [
        ("decoding, a frame", *typical(one.decode / count for one in found), ""),
        ("inference, a frame", *typical(one.infer for one in found), ""),
        ("the same, each by all processors", *typical([singly]), ""),
        ("encoding, a frame", *typical(one.encode / count for one in found), ""),
        (f"bound: their CPU on {cores} cores, a frame", f"{bound_s:.3f}", "", "1"),
        (f"file to file, a frame of {count}", *typical(o.whole / count for o in found), to_bound),
        ("file to file, each frame but the first", *typical(rest), further),
        ("file to file, a clip of one frame", *typical(one.whole_one for one in found), ""),
        ("start of inference: process, graph, a frame", *typical(o.opening for o in found), ""),
    ]
    theirs = beside_vspipe(found, cores)
    told = WITH_VSPIPE if theirs else WITHOUT_VSPIPE
    width, height = setting.size
    return Section(
        "Video from file to file",
        f"{count} frames of {width} x {height} px, H.264 with sound, a pan over a photograph under "
        f"light grain, doubled by the command line into {setting.encoder} on the CPU; and decoding "
        "to arrays, inference from array to array and encoding from arrays, each alone by what the "
        f"command line uses. In turn, {setting.rounds} rounds; medians, of ratios with the least "
        "and the greatest. The bound is what the three compute, shared out over the cores, with "
        "inference as the command line has it, two frames at a time, its start left out: were it "
        f"reached, none would wait for another. {told}",
        ("what", "wall, s", "CPU, s", "wall / bound"),
        rows + theirs,
        (
            f"{width} x {height} px from file to file, times the computing of decoding, inference "
            f"and encoding on all cores: {count} frames, each but the first",
            ", ".join(text.partition(" ")[0] for text in (to_bound, further)),
        ),
    )


def measure() -> Section:
    """Measure with the vspipe that is here."""
    setting = Setting()
    return section(setting, *rounds(setting, vspipe.find()), processors.usable())


def main() -> None:
    """Measure what is asked for and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--size", type=size_of, default=Setting.size, help=f"WxH, {', '.join(SIZES)}")
    add("--frames", type=int, default=FRAMES, help="of the clip, 2 at least")
    add("--rounds", type=int, default=ROUNDS)
    add("--encoder", choices=tuple(ENCODERS), default=Setting.encoder)
    add("--vspipe", metavar="COMMAND", help="how vspipe is run (default: VSPIPE, or on the path)")
    add("--vspipe-root", metavar="DIR", help="what it sees as / (default: VSPIPE_ROOT, or /)")
    told = parser.parse_args()
    if told.frames < 2 or told.rounds < 1:
        parser.error("expected 2 frames and a round at least")
    setting = Setting(told.size, told.frames, told.rounds, told.encoder)
    found, singly = rounds(setting, vspipe.find(told.vspipe, told.vspipe_root))
    made = section(setting, found, singly, processors.usable())
    print(made.markdown(), flush=True)
    raw = {"singly": asdict(singly), "rounds": [asdict(one) for one in found]}
    print(json.dumps({"video": [made.header, *made.rows]} | raw))


if __name__ == "__main__":
    main()
