"""Real footage through `liveaction-onnx`: frames, times, streams and colour, in and out."""

from __future__ import annotations

import re
import subprocess
import tempfile
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

import liveaction_onnx as la
from bench.footage import ffmpeg, variants
from bench.section import Section
from liveaction_onnx.colour import colour_of, to_rgb
from liveaction_onnx.footage import examine
from liveaction_onnx.layouts import layout_of

EACH_FRAME = ("-fps_mode", "passthrough", "-f", "rawvideo")
FREE_CLOCKS = (".ts", ".mpg")
"""Containers whose clock begins anywhere; what is made of them begins at 0."""

_VARYING = r", start [\d.]+|\[0x\w+\]| \(\S+ / 0x\w+\)|, \d+ kb/s"
"""What a container says of a stream that another need not."""

SETTINGS = {"interlaced": la.VideoOptions(deinterlace="frame")}
"""Where a variant is not taken as it is."""


def times(path: Path, stream: str) -> list[Fraction]:
    """When each packet of a stream is shown, in seconds; [] where there is no such stream."""
    words = ["-copyts", "-i", str(path), "-map", f"0:{stream}?", "-c", "copy", "-f", "framecrc"]
    try:
        listed = ffmpeg(*words, "-").decode().splitlines()
    except subprocess.CalledProcessError:
        return []
    base = next(Fraction(line.split()[-1]) for line in listed if line.startswith("#tb"))
    return sorted(int(row.split(",")[2]) * base for row in listed if not row.startswith("#"))


def streams(path: Path) -> list[str]:
    """What ffmpeg lists of a file, but for what a new picture changes."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-i", str(path)]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stderr
    found = [line.strip() for line in said.splitlines()]
    lines = [re.sub(_VARYING, "", line) for line in found]
    kept = [x for x in lines if re.match(r"Stream|Chapter|title|filename|mimetype|language", x)]
    return [x for x in kept if "Video:" not in x]


def mean_colour(path: Path, before: str = "null") -> NDArray[np.float64]:
    """The mean of R, G and B over all frames, in levels, by the file's tags, after a filter."""
    seen = examine(path)
    layout = layout_of(seen.shown.format)
    scaled = f"{before},{to_rgb(colour_of(seen), layout)}"
    raw = ffmpeg("-i", str(path), "-map", "0:v:0", "-vf", scaled, *EACH_FRAME, "-")
    dtype, unit = ("<u2", 257) if layout.depth > 8 else ("u1", 1)
    means: NDArray[np.float64] = np.frombuffer(raw, dtype).reshape(-1, 3).mean(axis=0) / unit
    return means


def measure() -> Section:
    """Upscale each variant with the graph that ships and compare both files."""
    rows: list[tuple[object, ...]] = []
    worst_ms, worst_shift = 0.0, 0.0
    with tempfile.TemporaryDirectory() as name, la.Upscaler(device="cpu") as upscaler:
        folder = Path(name)
        for title, source in variants(folder).items():
            options = SETTINGS.get(title, la.VideoOptions())
            suffix = source.suffix if source.suffix in (".mkv", ".mp4") else ".mkv"
            target = folder / f"out{suffix}"
            report = la.upscale_video(source, target, options, upscaler=upscaler, overwrite=True)
            given, made = times(source, "v:0"), times(target, "v:0")
            first = given[0] - made[0] if source.suffix in FREE_CLOCKS else Fraction(0)
            off = max(abs(a - b - first) for a, b in zip(given, made, strict=True))
            before = "bwdif=parity=tff" if options.deinterlace != "no" else "null"
            shift = float(np.abs(mean_colour(target) - mean_colour(source, before)).max())
            same = "all" if streams(source) == streams(target) else "differ"
            worst_ms, worst_shift = max(worst_ms, 1000 * float(off)), max(worst_shift, shift)
            frames = f"{len(given)} / {report.frames}"
            rows.append((title, frames, f"{1000 * float(off):.2f}", same, f"{shift:.2f}"))
    return Section(
        "Real footage",
        "A second or so of real clips in the shapes that films come in, about 320 px wide, through "
        "`upscale_video` with the graph that ships, x265, on the CPU. Frames in and out; the "
        "greatest difference of a frame's time (transport and program streams begin at 0 in the "
        "target); whether the listings of the other streams, chapters and tags are equal; the "
        "greatest shift of a channel's mean, in levels of 255, read by each file's tags.",
        ("variant", "frames", "time, ms", "streams", "colour, levels"),
        rows,
        (
            "real footage in twelve shapes: greatest error of time, and shift of a mean colour",
            f"{worst_ms:.1f} ms and {worst_shift:.1f} levels",
        ),
    )
