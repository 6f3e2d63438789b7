"""Compression of a short clip by a real encoder, of which one frame is kept."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from model.degrade import ffmpeg
from model.degrade.settings import Pixels, Stages, choose, happens, whole

_KEYFRAMES = ("-g", "250")
_NO_SCENE_CUTS = ("-sc_threshold", "1000000000")


@dataclass(frozen=True)
class Encoder:
    """How ffmpeg is asked to encode."""

    arguments: tuple[str, ...]
    pixel_format: str = "yuv420p"


def compress(
    frames: list[Pixels], kept: int, codec: str, rng: np.random.Generator, stages: Stages
) -> Pixels:
    """Encode and decode the frames, (h, w, 3) with even sides; give the one numbered `kept`.

    Raises
    ------
    FfmpegError
        If the encoder or the decoder fails; with the tail of what ffmpeg said.
    """
    if codec == "none":
        return frames[kept]
    if codec == "jpeg":
        return _jpeg(frames[kept], rng, stages)
    encoder = _ENCODERS[codec](rng, stages, frames[0].shape[:2])
    matrix = choose(rng, {"bt709": 1, "bt601": 1})
    stages["matrix"] = matrix
    return _through_video(frames, encoder, matrix)[kept]


def _jpeg(pixels: Pixels, rng: np.random.Generator, stages: Stages) -> Pixels:
    bounds = (50, 69) if happens(rng, 0.08) else (70, 89)
    quality = whole(rng, bounds)
    stages["jpeg.quality"] = quality
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="JPEG", quality=quality, subsampling="4:2:0")
    return np.asarray(Image.open(buffer).convert("RGB"))


def _scale(side: str, matrix: str, bits: str) -> str:
    """Conversion by swscale with what it would guess written out: matrix, range, siting (left)."""
    return (
        f"scale={side}_color_matrix={matrix}:{side}_range=tv"
        f":{side}_h_chr_pos=0:{side}_v_chr_pos=128:flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp,format={bits}"
    )


def _through_video(frames: list[Pixels], encoder: Encoder, matrix: str) -> list[Pixels]:
    height, width = frames[0].shape[:2]
    stream = ffmpeg.run(
        [
            *ffmpeg.raw_input(height, width),
            *("-vf", _scale("out", matrix, encoder.pixel_format)),
            *("-threads", "1", *encoder.arguments, "-f", "nut", "pipe:1"),
        ],
        b"".join(np.ascontiguousarray(f).tobytes() for f in frames),
    )
    raw = ffmpeg.run(
        [
            *("-threads", "1", "-f", "nut", "-i", "pipe:0"),
            *("-vf", _scale("in", matrix, "rgb24"), *ffmpeg.RAW_OUTPUT),
        ],
        stream,
    )
    return ffmpeg.frames_of(raw, len(frames), height, width)


def _mpeg4(rng: np.random.Generator, stages: Stages, size: tuple[int, ...]) -> Encoder:
    q, b = whole(rng, (1, 6)), 2 * whole(rng, (0, 1))
    vectors = choose(rng, {"plain": 2, "+mv4": 1, "+mv4+qpel": 1})
    stages |= {"mpeg4.q": q, "mpeg4.b_frames": b, "mpeg4.vectors": vectors}
    quality = ("-q:v", str(q), "-qmin", "1", "-bf", str(b))
    flags = () if vectors == "plain" else ("-flags", vectors)
    return Encoder(("-c:v", "mpeg4", *quality, *flags, *_KEYFRAMES, *_NO_SCENE_CUTS))


def _mpeg2(rng: np.random.Generator, stages: Stages, size: tuple[int, ...]) -> Encoder:
    q, b = whole(rng, (1, 6)), 2 * whole(rng, (0, 1))
    stages |= {"mpeg2.q": q, "mpeg2.b_frames": b}
    quality = ("-q:v", str(q), "-qmin", "1", "-bf", str(b))
    return Encoder(("-c:v", "mpeg2video", *quality, *_KEYFRAMES, *_NO_SCENE_CUTS))


def _h264(rng: np.random.Generator, stages: Stages, size: tuple[int, ...]) -> Encoder:
    crf = whole(rng, (23, 28) if happens(rng, 0.1) else (16, 22))
    preset = choose(rng, {"veryfast": 1, "faster": 1, "fast": 1, "medium": 2})
    stages |= {"h264.crf": crf, "h264.preset": preset}
    rest = ("-x264-params", "scenecut=0:threads=1:lookahead-threads=1", *_KEYFRAMES)
    return Encoder(("-c:v", "libx264", "-preset", preset, "-crf", str(crf), *rest))


def _h265(rng: np.random.Generator, stages: Stages, size: tuple[int, ...]) -> Encoder:
    crf = whole(rng, (19, 25))
    preset = choose(rng, {"veryfast": 1, "fast": 2, "medium": 1})
    sao, psy = whole(rng, (0, 1)), 5 if happens(rng, 0.4) else 2  # x265's own psy-rd is 2
    stages |= {"h265.crf": crf, "h265.preset": preset, "h265.sao": bool(sao), "h265.psy_rd": psy}
    rest = f"log-level=error:pools=none:frame-threads=1:wpp=0:scenecut=0:keyint=250:sao={sao}"
    rest += f":psy-rd={psy}" + (":ctu=16" if min(size) < 64 else "")
    return Encoder(
        ("-c:v", "libx265", "-preset", preset, "-crf", str(crf), "-x265-params", rest),
        pixel_format="yuv420p10le",
    )


def _vp9(rng: np.random.Generator, stages: Stages, size: tuple[int, ...]) -> Encoder:
    crf = whole(rng, (30, 44))
    deadline = choose(rng, {"good": 2, "realtime": 1})
    speed = whole(rng, (4, 5) if deadline == "good" else (5, 8))
    stages |= {"vp9.crf": crf, "vp9.deadline": deadline, "vp9.cpu_used": speed}
    rest = ("-deadline", deadline, "-cpu-used", str(speed), "-row-mt", "0", *_KEYFRAMES)
    return Encoder(("-c:v", "libvpx-vp9", "-crf", str(crf), "-b:v", "0", *rest))


_ENCODERS: dict[str, Callable[[np.random.Generator, Stages, tuple[int, ...]], Encoder]] = {
    "mpeg4": _mpeg4,
    "mpeg2": _mpeg2,
    "h264": _h264,
    "h265": _h265,
    "vp9": _vp9,
}
