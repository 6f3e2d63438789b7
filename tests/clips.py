"""Small video files for tests, made, not stored; and what lies in a video file, independently."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper

Array = NDArray[Any]

PATTERN = "testsrc2=size={width}x{height}:rate={rate}:duration={seconds},hue=s=0.3,gblur=sigma=1"
"""Moving shapes, soft and pale, so that 4:2:0 keeps them nearly as they are."""


def ffmpeg(*words: str, data: bytes | None = None) -> bytes:
    """What ffmpeg writes to its output; it must succeed."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *words]
    done = subprocess.run(command, input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def listing(path: Path) -> list[str]:
    """What ffmpeg tells of a file, line by line."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-i", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stderr.splitlines()


def clip(
    path: Path,
    *words: str,
    width: int = 64,
    height: int = 48,
    rate: str = "25",
    seconds: float = 1,
    sound: bool = False,
    codec: Sequence[str] = ("libx264", "-preset", "ultrafast", "-bf", "2"),
) -> Path:
    """A moving test pattern; `words` are options of its output."""
    pattern = PATTERN.format(width=width, height=height, rate=rate, seconds=seconds)
    inputs = ["-f", "lavfi", "-i", pattern]
    if sound:
        inputs += ["-f", "lavfi", "-i", f"sine=frequency=440:duration={seconds}", "-c:a", "aac"]
    ffmpeg(*inputs, "-pix_fmt", "yuv420p", "-c:v", *codec, *words, str(path))
    return path


def times(path: Path, stream: str = "v:0") -> list[Fraction]:
    """When each packet of a stream is shown, in seconds, sorted."""
    words = ["-copyts", "-i", str(path), "-map", f"0:{stream}", "-c", "copy"]
    listed = ffmpeg(*words, "-f", "framecrc", "-").decode().splitlines()
    base = next(Fraction(line.split()[-1]) for line in listed if line.startswith("#tb"))
    shown = [int(line.split(",")[2]) for line in listed if not line.startswith("#")]
    return [time * base for time in sorted(shown)]


def frames(path: Path, pix_fmt: str = "rgb24") -> Array:
    """All frames of a file, (N, H, W, 3) uint8, or uint16 for rgb48le; by ffmpeg's own choice."""
    shape = frame_size(path)
    words = ["-i", str(path), "-map", "0:v:0", "-fps_mode", "passthrough", "-f", "rawvideo"]
    raw = ffmpeg(*words, "-pix_fmt", pix_fmt, "-")
    dtype = np.uint16 if pix_fmt.startswith("rgb48") else np.uint8
    return np.frombuffer(raw, dtype).reshape(-1, *shape, 3)


def frame_size(path: Path) -> tuple[int, int]:
    """Height and width of the frames of a file, upright."""
    words = ["-i", str(path), "-map", "0:v:0", "-frames:v", "1", "-f", "image2pipe"]
    head = ffmpeg(*words, "-c:v", "ppm", "-").split(maxsplit=3)
    return int(head[2]), int(head[1])


@cache
def nearest() -> bytes:
    """A graph that repeats each px twice along each axis, so that results can be known."""
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w"])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3, "H", "W"])]
    scales = helper.make_tensor("s", TensorProto.FLOAT, [4], [1.0, 1.0, 2.0, 2.0])
    options = {"nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"}
    resize = helper.make_node("Resize", ["x", "", "s"], ["y"], mode="nearest", **options)
    graph = helper.make_graph([resize], "nearest", inputs, outputs, [scales])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    data: bytes = model.SerializeToString()
    return data
