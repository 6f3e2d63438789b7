"""The parts of upscaling a video, each done alone, and what it takes."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import liveaction_onnx as la
from liveaction_onnx import ffmpeg
from liveaction_onnx.decoding import Decoder
from liveaction_onnx.segments import SegmentWriter
from liveaction_onnx.treatment import Treatment

RATE, PER_SECOND = 24, 24_000
PAN_PX, GRAIN = (1, 3), 3
"""How far down and across the picture moves from frame to frame, and the strength of the noise that
goes over it, in ffmpeg's measure: without it a pan is next to nothing to an encoder."""

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "bench" / "pictures" / "otters.jpg"

Array = NDArray[Any]


@dataclass(frozen=True)
class Cost:
    """What something takes."""

    wall_s: float
    cpu_s: float
    """User and system time of this process, and of those that it waited for, and so on."""

    def __sub__(self, other: Cost) -> Cost:
        return Cost(self.wall_s - other.wall_s, self.cpu_s - other.cpu_s)

    def __truediv__(self, count: float) -> Cost:
        return Cost(self.wall_s / count, self.cpu_s / count)


def cost(work: Callable[[], object]) -> Cost:
    """Do `work`, alone in this process, and see what it takes."""
    cpu_s, started = _cpu_s(), time.perf_counter()
    work()
    return Cost(time.perf_counter() - started, _cpu_s() - cpu_s)


def _cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def pan(size: tuple[int, int], frames: int) -> Iterator[Array]:
    """A photograph, mirrored on without end, seen through a window that moves: (H, W, 3) uint8."""
    width, height = size
    with Image.open(PICTURE) as picture:
        photo = np.asarray(picture.convert("RGB"))
    high, wide = photo.shape[:2]
    down, across = -(-height // (2 * high)) * 2 * high, -(-width // (2 * wide)) * 2 * wide
    endless = np.pad(photo, ((0, down - high), (0, across - wide), (0, 0)), "symmetric")
    for number in range(frames):
        moved = np.roll(endless, [-number * step for step in PAN_PX], (0, 1))
        yield np.ascontiguousarray(moved[:height, :width])


def make_clip(path: Path, size: tuple[int, int], frames: int) -> None:
    """Write the pan as H.264 of high quality, with sound."""
    given = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-video_size", f"{size[0]}x{size[1]}"]
    given += ["-framerate", str(RATE), "-i", "pipe:0"]
    given += ["-f", "lavfi", "-i", f"sine=duration={frames / RATE}"]
    shaped = "scale=out_color_matrix=smpte170m:out_range=tv,format=yuv420p,"
    shaped += f"noise=c0s={GRAIN}:c0f=t,setparams=range=tv:colorspace=smpte170m:"
    shaped += "color_primaries=smpte170m:color_trc=smpte170m"
    made = ["-vf", shaped, "-c:v", "libx264", "-crf", "14", "-c:a", "aac", ffmpeg.address(path)]
    process = ffmpeg.Process([*given, *made], stdin=True)
    for frame in pan(size, frames):
        process.send(frame)
    process.finish()


def decoder(work: Treatment) -> Decoder:
    """Decode a clip as a run does."""
    return work.decoder(work.filters_in())


def decode(work: Treatment) -> None:
    """Decode a clip and keep nothing."""
    for _ in decoder(work):
        pass


def encode(work: Treatment, frames: Sequence[Array], target: Path) -> None:
    """Encode upscaled frames as a run does."""
    writer = SegmentWriter(
        target,
        work.encoding,
        work.filters_out(),
        shape=frames[0].shape,
        dtype=frames[0].dtype,
        per_second=PER_SECOND,
        rate=Fraction(RATE),
    )
    for number, frame in enumerate(frames):
        writer.write(number * PER_SECOND // RATE, frame)
    writer.close_input()
    writer.finish()


def whole(clip: Path, target: Path, encoder: str) -> None:
    """Upscale a clip by the command line."""
    words = [str(clip), "-o", str(target), "-d", "cpu", "-c", encoder, "-q", "-y", "--restart"]
    subprocess.run([sys.executable, "-m", "liveaction_onnx", *words], cwd=ROOT, check=True)


def infer(given: Path, *, singly: bool, results: Path | None = None) -> tuple[Cost, Cost]:
    """Upscale frames in the memory of a new process: what one takes, and all besides.

    `given` is an .npy file of (N, H, W, 3); `results` is one that is made of all their results.
    They are a stream, as the command line has them, or run `singly`, each by all processors.
    """
    call = f"parts.infer_here({str(given)!r}, {singly}, {results and str(results)!r})"
    words = [sys.executable, "-c", f"from bench import parts; {call}"]
    said = ""

    def work() -> None:
        nonlocal said
        said = subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True).stdout

    total = cost(work)
    told = json.loads(said)
    spent = Cost(**told["cost"])
    return spent / told["frames"], total - spent


def infer_here(given: str, singly: bool, results: str | None) -> None:
    """Upscale frames, all but the first after a start that is not counted, and print the cost."""
    frames = np.load(given)
    with la.Upscaler(device="cpu") as upscaler:
        made = list(upscaler.stream(frames[:1]))
        rest = map(upscaler, frames[1:]) if singly else upscaler.stream(frames[1:])
        spent = cost(lambda: made.extend(rest))
    if results:
        np.save(results, np.stack(made))
    print(json.dumps({"cost": asdict(spent), "frames": len(frames) - 1}))
