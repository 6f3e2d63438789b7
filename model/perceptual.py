"""Measures that follow the eye: SSIMULACRA 2 and VMAF-NEG of (H, W, 3) uint8 RGB arrays."""

from __future__ import annotations

import json
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from scipy import ndimage

from model.metrics import Array, Picture, luma, same_shape


def ssimulacra2(picture: Picture, target: Picture) -> float:
    """SSIMULACRA 2.1 (Sneyers, github.com/cloudinary/ssimulacra2): at most 100, may be negative.

    Colours, weights and maps are those of the package `ssimulacra2` 0.3.0; its blur and its loop
    are not. It mirrors two of the four rims, where the authors' tool has zeros beyond all of them,
    and leaves out one scale of small pictures: it came out up to 8 points off. What is here was
    held against `ssimulacra2` of libjxl 0.11.2 (Debian trixie) on 24 pictures: within 0.05 on 20 of
    them, and within 0.4 on the four that differed in nothing but brightness.
    """
    from ssimulacra2 import ssimulacra2 as parts  # kept out of the import: --fast needs none of it

    same_shape(picture, target)
    score = parts.Msssim()
    linear = [parts.srgb_to_linear(each) for each in (target, picture)]
    for number in range(parts.kNumScales):
        if min(linear[0].shape[:2]) < 8:
            break
        if number:
            linear = [parts.downsample(each, 2, 2) for each in linear]
        a, b = (parts.make_positive_xyb(parts.linear_rgb_to_xyb(each)) for each in linear)
        mean_a, mean_b = _blur(a), _blur(b)
        scale = parts.MsssimScale()
        scale.avg_ssim = parts.ssim_map(mean_a, mean_b, _blur(a * a), _blur(b * b), _blur(a * b))
        scale.avg_edgediff = parts.edge_diff_map(a, mean_a, b, mean_b)
        score.scales.append(scale)
    return float(score.score())


def _blur(x: Array) -> Array:
    """Blur (H, W, C) by 1.5 px as libjxl does, with zeros beyond the rims."""
    for axis in (0, 1):
        x = ndimage.correlate1d(x, _truncated_cosines(1.5), axis=axis, mode="constant")
    return x


@cache
def _truncated_cosines(sigma: float) -> Array:
    """Taps of a nearly Gaussian blur: the sum of three cosines, cut off where all of them are zero.

    Charalampidis, "Recursive implementation of the Gaussian filter using truncated cosine
    functions", IEEE TSP 64(14), 2016: equations 37, 44, 50, 52 and 57.
    """
    radius = round(3.2795 * sigma + 0.2546)
    omega = np.array([1, 3, 5]) * np.pi / (2 * radius)
    p = np.array([1, -1, 1]) / np.tan(omega / 2)
    r = np.array([1, -1, 1]) * p**2 / np.sin(omega)
    rho = np.exp(-0.5 * (sigma * omega) ** 2) / radius
    d13, d35, d51 = (p[i] * r[j] - r[i] * p[j] for i, j in ((0, 1), (1, 2), (2, 0)))
    zeta = np.array([d35 / d13, d51 / d13, 1])
    wanted = np.array([1, radius**2 - sigma**2, zeta @ rho])
    beta = np.linalg.solve(np.stack([p, r, zeta]), wanted)
    taps: Array = beta @ np.cos(np.outer(omega, np.arange(-radius, radius + 1)))
    return taps


def vmaf_neg(picture: Picture, target: Picture) -> float:
    """VMAF without gain from enhancement (`vmaf_v0.6.1neg`), 0 to 100, of the luma of a still.

    Li, Krasula, Baveye, Guo, Norkin, "Toward a better quality metric for the video community",
    Netflix 2020. Run by ffmpeg's libvmaf on one frame, so that there is no motion. Both frames are
    declared as studio swing, so that ffmpeg converts nothing. An odd last row or column is left
    out.

    Raises
    ------
    RuntimeError
        Where ffmpeg fails, with what it said.
    """
    same_shape(picture, target)
    height, width = picture.shape[0] // 2 * 2, picture.shape[1] // 2 * 2
    head = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-color_range", "tv"]
    head += ["-video_size", f"{width}x{height}", "-i"]
    with tempfile.TemporaryDirectory() as folder:
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin"]
        for name, each in (("picture", picture), ("target", target)):
            levels = np.rint(luma(each[:height, :width])).astype(np.uint8)
            (Path(folder) / name).write_bytes(levels.tobytes() + b"\x80" * (levels.size // 2))
            command += [*head, name]
        chain = "[0:v][1:v]libvmaf=model=version=vmaf_v0.6.1neg:log_fmt=json:log_path=log"
        command += ["-lavfi", chain, "-f", "null", "-"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"ffmpeg's libvmaf failed: {done.stderr.strip()}")
        frames = json.loads((Path(folder) / "log").read_text())["frames"]
    return float(frames[0]["metrics"]["vmaf"])
