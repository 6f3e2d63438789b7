"""The ffmpeg binary of imageio-ffmpeg; the only room that starts a process."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from liveaction_onnx.errors import PictureError


def decode_deep(
    path: Path, demuxer: Literal["png_pipe", "tiff_pipe"], shape: tuple[int, int, int]
) -> NDArray[np.uint16]:
    """Decode one picture of 16 bits a channel to (H, W, 3) or (H, W, 4) uint16.

    The name is given as a `file:` address with its demuxer, so that nothing in it is parsed.

    Raises
    ------
    PictureError
        Where ffmpeg cannot decode it, or it is not of this shape.
    """
    import imageio_ffmpeg

    layout = "rgb48le" if shape[2] == 3 else "rgba64le"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-xerror"]
    command += ["-protocol_whitelist", "file,pipe", "-noautorotate"]
    command += ["-f", demuxer, "-i", f"file:{path.resolve()}"]
    command += ["-frames:v", "1", "-f", "rawvideo", "-pix_fmt", layout, "pipe:1"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    expected = 2 * shape[0] * shape[1] * shape[2]
    if done.returncode or len(done.stdout) != expected:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        why = said[-1] if said else f"{len(done.stdout)} bytes came, {expected} were expected"
        raise PictureError(f"{path}: ffmpeg cannot decode it: {why}")
    return np.frombuffer(done.stdout, "<u2").reshape(shape)
