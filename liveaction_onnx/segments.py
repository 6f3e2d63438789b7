"""Frames into an encoded segment: a file that begins with a keyframe and stands alone."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liveaction_onnx import carrier, ffmpeg
from liveaction_onnx.encoders import Encoding
from liveaction_onnx.errors import FfmpegError, TargetError


class SegmentWriter:
    """Encodes frames into one segment, whose times begin at 0."""

    def __init__(
        self,
        path: Path,
        encoding: Encoding,
        filters: str,
        *,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        per_second: int,
        rate: Fraction,
    ) -> None:
        """Start the encoder.

        `filters` lead from RGB to what is encoded; `shape` (H, W, 3) and `dtype` are those of the
        frames, `per_second` the ticks of their times, and `rate` the nominal frames a second.
        """
        self.path = path
        self.times: list[int] = []
        """Ticks of the frames so far, as they were given."""
        self._per_second = per_second
        self._process = ffmpeg.Process(
            [
                *["-f", "matroska", "-i", "pipe:0", "-fps_mode", "passthrough"],
                *["-enc_time_base", f"1/{per_second}", "-vf", filters, *encoding.arguments()],
                *["-video_track_timescale", str(per_second)],
                *["-f", encoding.encoder.segment, ffmpeg.address(path)],
            ],
            stdin=True,
        )
        self._send(carrier.head(shape, dtype, rate))

    def write(self, ticks: int, pixels: NDArray[Any]) -> None:
        """Encode one frame (H, W, 3), to be shown at `ticks`.

        Raises
        ------
        FfmpegError, TargetError
            Where the encoder has failed, or the disk is full.
        """
        first = self.times[0] if self.times else ticks
        time_ns = round(Fraction((ticks - first) * 10**9, self._per_second))
        self._send(carrier.before_frame(time_ns, pixels.nbytes))
        self._send(np.ascontiguousarray(pixels))
        self.times.append(ticks)

    def close_input(self) -> None:
        """Tell the encoder that no frame will follow; it works on what it has."""
        self._process.stdin.close()

    def finish(self) -> None:
        """Wait until the segment is whole and on the disk.

        Raises
        ------
        FfmpegError, TargetError
            Where the encoder has failed, or the disk is full.
        """
        try:
            self._process.finish()
            with self.path.open("rb+") as file:
                os.fsync(file.fileno())
        except FfmpegError as error:
            raise ffmpeg.of_target(error, self.path.parent) from error
        except OSError as error:
            raise TargetError(f"{self.path}: {error}") from error

    def kill(self) -> None:
        """End the encoder from another thread; whoever uses it will see it fail."""
        self._process.kill()

    def stop(self) -> None:
        """End the encoder at once, whatever becomes of the segment."""
        self._process.stop()

    def _send(self, data: bytes | NDArray[Any]) -> None:
        try:
            self._process.send(data)
        except FfmpegError as error:
            raise ffmpeg.of_target(error, self.path.parent) from error
