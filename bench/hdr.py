"""Whether the graph does harm to HDR: the same frames by the ordinary curve, by PQ and by HLG."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import liveaction_onnx as la
from bench.footage import clip, ffmpeg
from bench.section import Section

Array = NDArray[np.float64]

SIDES = (360, 640)
FRAMES = {"dog.mp4": ("00:00:00.2", "00:00:01.0"), "cityCC0.mpg": ("00:00:02", "00:00:05")}
WHITE_NITS = 203.0
"""Of diffuse white in HDR, by ITU-R BT.2408."""


def sdr(light: Array) -> Array:
    """Code values of light in parts of diffuse white, by ITU-R BT.1886's power of 2.4."""
    return np.asarray(np.clip(light, 0, 1) ** (1 / 2.4))


def pq(light: Array) -> Array:
    """The same by SMPTE ST 2084."""
    power = np.clip(light * WHITE_NITS / 10000, 0, 1) ** (2610 / 16384)
    above = 3424 / 4096 + 2413 / 128 * power
    return np.asarray((above / (1 + 2392 / 128 * power)) ** (2523 / 32))


def hlg(light: Array) -> Array:
    """The same by ITU-R BT.2100's hybrid log-gamma; diffuse white is 3/4 of the signal."""
    scene = np.clip(light, 0, 3.77) * 0.265
    low = np.sqrt(3 * scene)
    high = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.asarray(np.where(scene <= 1 / 12, low, high))


CURVES: dict[str, Callable[[Array], Array]] = {"ordinary": sdr, "PQ": pq, "HLG": hlg}


def frames() -> list[Array]:
    """Linear light of real frames, (H, W, 3), in parts of diffuse white; highlights up to 3."""
    height, width = SIDES
    found = []
    for name, starts in FRAMES.items():
        for start in starts:
            words = ["-ss", start, "-i", str(clip(name)), "-frames:v", "1"]
            scaled = f"scale={width}:{height}:flags=area,format=rgb24"
            raw = ffmpeg(*words, "-vf", scaled, "-f", "rawvideo", "-")
            light = (np.frombuffer(raw, np.uint8).reshape(height, width, 3) / 255) ** 2.4
            found.append(light * (1 + 2 * np.clip((light - 0.7) / 0.3, 0, 1)))
    return found


def halved(light: Array) -> Array:
    """The mean of each 2 x 2 px."""
    height, width = light.shape[:2]
    mean: Array = light.reshape(height // 2, 2, width // 2, 2, 3).mean(axis=(1, 3))
    return mean


def compressed(codes: Array) -> Array:
    """Code values in [0, 1] through H.265 of 10 bits, crf 24."""
    height, width = codes.shape[:2]
    deep = np.rint(codes * 65535).astype("<u2").tobytes()
    size = f"{width}x{height}"
    path = str(clip("dog.mp4").with_name("hdr.mkv"))
    given = ["-f", "rawvideo", "-pix_fmt", "rgb48le", "-s", size, "-i"]
    source = clip("dog.mp4").with_name("hdr.rgb")
    source.write_bytes(deep)
    coded = ["-pix_fmt", "yuv420p10le", "-c:v", "libx265", "-crf", "24"]
    ffmpeg(*given, str(source), *coded, "-x265-params", "log-level=error", path)
    raw = ffmpeg("-i", path, "-f", "rawvideo", "-pix_fmt", "rgb48le", "-")
    return np.frombuffer(raw, "<u2").reshape(height, width, 3) / 65535


def bicubic(codes: Array) -> Array:
    """Code values enlarged by Pillow's bicubic."""
    size = (2 * codes.shape[1], 2 * codes.shape[0])
    planes = [Image.fromarray(plane.astype(np.float32)) for plane in np.moveaxis(codes, 2, 0)]
    wide = [np.asarray(plane.resize(size, Image.Resampling.BICUBIC)) for plane in planes]
    return np.clip(np.stack(wide, -1).astype(np.float64), 0, 1)


def psnr(made: Array, wanted: Array) -> float:
    return float(-10 * np.log10(np.mean((made - wanted) ** 2)))


def measure() -> Section:
    """Enlarge each frame, coded by each curve and compressed, and compare in code values."""
    rows: list[tuple[object, ...]] = []
    with la.Upscaler(device="cpu") as upscaler:
        for name, curve in CURVES.items():
            ours, plain, shifts = [], [], []
            for light in frames():
                wanted, given = curve(light), compressed(curve(halved(light)))
                deep = upscaler(np.rint(given * 65535).astype(np.uint16)) / 65535
                ours.append(psnr(deep, wanted))
                plain.append(psnr(bicubic(given), wanted))
                shifts.append(255 * np.abs(deep.mean((0, 1)) - given.mean((0, 1))).max())
            gain = float(np.mean(ours) - np.mean(plain))
            means = (f"{np.mean(values):.2f}" for values in (ours, plain))
            rows.append((name, *means, f"{gain:+.2f}", f"{max(shifts):.2f}"))
    return Section(
        "HDR",
        f"{len(frames())} real frames of {SIDES[1]} x {SIDES[0]} px with highlights of three times "
        "diffuse white, halved in linear light, coded by each curve, through H.265 of 10 bits (crf "
        "24), and enlarged: PSNR in code values against the coded original; the greatest shift of "
        "a channel's mean, in levels of 255.",
        ("curve", "ours, dB", "bicubic, dB", "gain, dB", "colour, levels"),
        rows,
    )
