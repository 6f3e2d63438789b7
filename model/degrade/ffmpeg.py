"""Running the ffmpeg of imageio-ffmpeg over raw frames in memory."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

import imageio_ffmpeg
import numpy as np

from model.degrade.settings import Pixels

_TAIL = 1500
_TIMEOUT_S = 120
_RAW = ("-f", "rawvideo", "-pix_fmt", "rgb24")


class FfmpegError(RuntimeError):
    """ffmpeg failed, or gave other frames than asked; the message ends with its own words."""


def run(arguments: Sequence[str], data: bytes) -> bytes:
    """Run ffmpeg with `data` on its standard input, and give its standard output."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-hide_banner", "-nostats"]
    command += ["-loglevel", "error", *arguments]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FfmpegError(f"ffmpeg did not run: {error}; arguments: {arguments}") from error
    if done.returncode != 0:
        raise FfmpegError(_message(f"returned {done.returncode}", arguments, done.stderr))
    if not done.stdout:
        raise FfmpegError(_message("wrote nothing", arguments, done.stderr))
    return done.stdout


def _message(what: str, arguments: Sequence[str], stderr: bytes) -> str:
    tail = stderr.decode(errors="replace").strip()[-_TAIL:]
    return f"ffmpeg {what}; arguments: {' '.join(arguments)}\n{tail}"


def raw_input(height: int, width: int) -> list[str]:
    """The arguments that make ffmpeg read RGB frames of that size from its standard input."""
    size = f"{width}x{height}"
    return ["-threads", "1", *_RAW, "-s", size, "-r", "25", "-i", "pipe:0"]


RAW_OUTPUT = ("-threads", "1", "-fps_mode", "passthrough", *_RAW, "pipe:1")


def frames_of(data: bytes, count: int, height: int, width: int) -> list[Pixels]:
    """Cut raw RGB bytes into `count` frames; FfmpegError if they are not as many."""
    size = height * width * 3
    if len(data) != count * size:
        raise FfmpegError(
            f"expected {count} frames of {width}x{height} from ffmpeg, got {len(data) / size:g}"
        )
    whole = np.frombuffer(data, dtype=np.uint8).reshape(count, height, width, 3)
    return list(whole)
