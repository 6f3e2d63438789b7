"""What the encoders' defaults give and cost, on frames of the size that doubled films have."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from bench.footage import clip, ffmpeg
from bench.section import Section
from liveaction_onnx.encoders import ENCODERS, Encoding
from liveaction_onnx.layouts import layout_of

FRAMES = 40
CHOSEN = ("x265", "x264", "svtav1", "vp9", "ffv1")


def _cpu_seconds() -> float:
    """Processor time of all processes that have ended."""
    used = os.times()
    return used.children_user + used.children_system


def _quality(made: Path, wanted: Path, folder: Path) -> tuple[float, float]:
    """VMAF-NEG and PSNR of luma."""
    log = folder / "vmaf.json"
    options = f"model=version=vmaf_v0.6.1neg:feature=name=psnr:log_fmt=json:log_path={log}"
    both = f"[0:v]format=yuv420p10le[a];[1:v]format=yuv420p10le[b];[a][b]libvmaf={options}"
    ffmpeg("-i", str(made), "-i", str(wanted), "-lavfi", both, "-f", "null", "-")
    pooled = json.loads(log.read_text())["pooled_metrics"]
    return pooled["vmaf"]["mean"], pooled["psnr_y"]["mean"]


def measure() -> Section:
    """Encode the dog, 1920 x 1080 px, by each default, after one pass that only decodes."""
    rows: list[tuple[object, ...]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        given = folder / "given.mkv"
        words = ["-i", str(clip("dog.mp4")), "-frames:v", str(FRAMES), "-an"]
        ffmpeg(*words, "-pix_fmt", "yuv420p10le", "-c:v", "ffv1", str(given))
        started = _cpu_seconds()
        ffmpeg("-i", str(given), "-f", "null", "-")
        decoding = _cpu_seconds() - started
        for codec in CHOSEN:
            layouts = ENCODERS[codec].layouts
            layout = next(one for one in ("yuv420p10le", "yuv420p") if one in layouts)
            encoding = Encoding(codec, layout_of(layout), "matroska")
            target = folder / f"{codec}.mkv"
            started = _cpu_seconds()
            shaped = ("-pix_fmt", layout, *encoding.arguments())
            ffmpeg("-i", str(given), *shaped, str(target))
            seconds = (_cpu_seconds() - started - decoding) / FRAMES
            vmaf, psnr = _quality(target, given, folder)
            rate = 8 * target.stat().st_size * 30 / FRAMES / 1e6
            figures = (f"{rate:.1f}", f"{vmaf:.1f}", f"{psnr:.1f}", f"{seconds:.2f}")
            rows.append((f"`{encoding}`", *figures))
    return Section(
        "Encoders",
        f"{FRAMES} frames of a real clip of 1920 x 1080 px, as 10 bits, by each encoder's default: "
        "Mbit/s at 30 frames a second, VMAF-NEG and PSNR of luma against what went in, and "
        "processor seconds a frame, decoding left out; one run each. x265 in 10 bits is the "
        "default: nearest to transparent at its rate, in every container but WebM, and a frame "
        "costs a fraction of what upscaling it costs on a CPU.",
        ("encoder", "Mbit/s", "VMAF-NEG", "PSNR-Y, dB", "CPU s a frame"),
        rows,
    )
