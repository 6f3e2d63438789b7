"""Flicker on real clips: `python -m model.temporal CLIP ... --graph NAME=PATH`.

What stands still in the input should stand still in the output. In such areas the change of an
upscaler's luma from frame to frame is held against that of bicubic, which shows the flicker that
the input has: 1 is as much, less is calmer, more is made by the upscaler. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
from scipy import ndimage

from model import rivals
from model.evaluate import about, named, table
from model.metrics import Array, Picture, Upscale, luma
from model.rivals import Rival

FRAMES = 24
SIZE_PX = (320, 240)
STILL_LEVELS = 4.0
"""Greatest range of a px's blurred luma over the frames that counts as standing still."""

BLUR_PX = 2.0
"""Takes grain of 3 levels down to a range of some 2 over 24 frames."""

MARGIN_PX = 4
"""How far a still px has to be from one that moves, so that its motion does not reach it."""

LEAST_STILL = 0.02
"""Share of a frame below which nothing is said about a clip."""


@dataclass(frozen=True)
class Clip:
    """Frames of a clip and where they stand still."""

    name: str

    frames: list[Picture]
    """(h, w, 3) uint8 each."""

    still: Array
    """(h, w) bool."""


class ClipError(ValueError):
    """A clip of which no two frames can be read."""


def read_clip(path: Path, *, skip: int = 0, frames: int = FRAMES) -> Clip:
    """Read `frames` frames behind the first `skip`, the middle SIZE_PX of each.

    All that is before is decoded too, for some files cannot be sought in. Raises ClipError where
    ffmpeg gives fewer than two, with what it said.
    """
    width, height = SIZE_PX
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-i", str(path)]
    command += ["-an", "-sn", "-frames:v", str(frames), "-fps_mode", "passthrough"]
    chain = rf"trim=start_frame={skip},crop=min(iw\,{width}):min(ih\,{height})"
    command += ["-vf", chain, "-pix_fmt", "rgb24"]
    command += ["-f", "image2pipe", "-c:v", "ppm", "-"]
    done = subprocess.run(command, capture_output=True, check=False)
    pictures = list(_ppm(done.stdout))
    if len(pictures) < 2:
        said = done.stderr.decode(errors="replace").strip()
        raise ClipError(f"{path}: expected two frames or more, got {len(pictures)}. {said}")
    return Clip(path.name, pictures, still_area(pictures))


def _ppm(data: bytes) -> Iterator[Picture]:
    """Part PPM pictures that stand one behind the other."""
    while data:
        magic, size, _, _ = data.split(b"\n", 3)
        start = len(magic) + len(size) + len(b"\n\n255\n")
        width, height = (int(side) for side in size.split())
        end = start + 3 * width * height
        if len(data) < end:
            return
        yield np.frombuffer(data[start:end], np.uint8).reshape(height, width, 3)
        data = data[end:]


def still_area(frames: Sequence[Picture]) -> Array:
    """Where no frame differs from another but by grain: (h, w) bool."""
    blurred = [ndimage.gaussian_filter(luma(frame), BLUR_PX) for frame in frames]
    moving = np.ptp(blurred, axis=0) > STILL_LEVELS
    near: Array = ndimage.uniform_filter(moving.astype(np.float32), 2 * MARGIN_PX + 1) > 1e-3
    return ~near


def flicker(frames: Sequence[Picture], still: Array) -> float:
    """Mean change of luma from frame to frame, in levels, where `still` (h, w) says so.

    `frames` are of the size of `still` or twice that.
    """
    factor = frames[0].shape[0] // still.shape[0]
    area = still.repeat(factor, axis=0).repeat(factor, axis=1)
    lumas = [luma(frame)[area] for frame in frames]
    return float(np.mean([np.abs(b - a).mean() for a, b in pairwise(lumas)]))


def upscaled(clip: Clip, upscale: Upscale) -> float:
    """Give the flicker of what an upscaler makes of a clip."""
    return flicker([upscale(frame) for frame in clip.frames], clip.still)


def measure(clip: Clip, upscalers: Sequence[Rival]) -> dict[str, Any]:
    """Give the flicker of a clip: of bicubic in levels, and of upscalers in parts of it."""
    share = float(clip.still.mean())
    height, width = clip.frames[0].shape[:2]
    found: dict[str, Any] = {
        "clip": clip.name,
        "frames": len(clip.frames),
        "size": f"{width}x{height}",
        "still_share": round(share, 4),
        "bicubic_levels": None,
        "relative": {},
    }
    if share < LEAST_STILL:
        return found
    plain = upscaled(clip, rivals.bicubic)
    found["bicubic_levels"] = round(plain, 4)
    if plain:
        for rival in upscalers:
            with rival.open() as upscale:
                found["relative"][rival.name] = round(upscaled(clip, upscale) / plain, 4)
    return found


def report(rows: Sequence[dict[str, Any]]) -> str:
    """Give the table for reading."""
    names = list(dict.fromkeys(name for row in rows for name in row["relative"]))
    header = ["clip", "frames", "still, %", "bicubic, levels", *names]
    lines = []
    for row in rows:
        levels = row["bicubic_levels"]
        plain = "too little stands still" if levels is None else f"{levels:.2f}"
        relative = [f"{row['relative'][n]:.2f}" if n in row["relative"] else "" for n in names]
        lines.append(
            (row["clip"], row["frames"], f"{100 * row['still_share']:.0f}", plain, *relative)
        )
    return table(header, lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clips", nargs="+", type=Path, metavar="CLIP")
    parser.add_argument("--graph", type=named, action="append", metavar="NAME=PATH")
    parser.add_argument("--reference", type=Path, help="the reference graph")
    parser.add_argument("--skip", type=int, default=0, help="frames to leave out at the start")
    parser.add_argument("--frames", type=int, default=FRAMES)
    parser.add_argument("--json", type=Path, help="write the last line to this file too")
    options = parser.parse_args(arguments)
    upscalers = rivals.graphs(options.graph, options.reference)
    clips = (read_clip(path, skip=options.skip, frames=options.frames) for path in options.clips)
    rows = [measure(clip, [*upscalers, *rivals.resamplers()[1:]]) for clip in clips]
    print(report(rows))
    line = json.dumps({"clips": rows, "about": about()})
    if options.json:
        options.json.write_text(line + "\n")
    print(line)


if __name__ == "__main__":
    main()
