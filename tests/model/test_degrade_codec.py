"""Every encoder gives the frame it was asked for, in its place and in its colours."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from imageio_ffmpeg import get_ffmpeg_exe
from PIL import Image

from model.degrade import FfmpegError, codec, ffmpeg
from model.degrade.codec import Encoder, compress
from model.degrade.settings import Pixels, Stages

PHOTO = Path(__file__).parents[2] / "bench" / "pictures" / "otters.jpg"
VIDEO = ("mpeg4", "mpeg2", "h264", "vp9", "h265")
LOSSLESS = Encoder(("-c:v", "ffv1"))
LOSSLESS_10 = Encoder(("-c:v", "ffv1"), pixel_format="yuv420p10le")


@pytest.fixture(name="photo", scope="module")
def _photo() -> Pixels:
    with Image.open(PHOTO) as image:
        return np.asarray(image.convert("RGB"))[100:260, 200:440]


def error(a: Pixels, b: Pixels) -> float:
    return float(np.sqrt(np.mean((a.astype(float) - b) ** 2)))


@pytest.mark.parametrize("name", VIDEO)
def test_the_kept_frame_comes_back(photo: Pixels, name: str) -> None:
    """Of five quite different frames, number 3; damaged, but not moved."""
    frames = [np.ascontiguousarray(np.roll(photo, 31 * (n - 3), axis=1)) for n in range(5)]
    stages: Stages = {}
    result = compress(frames, 3, name, np.random.default_rng(1), stages)
    assert result.dtype == np.uint8
    assert result.shape == photo.shape
    distances = [error(result, frame) for frame in frames]
    assert int(np.argmin(distances)) == 3
    assert 0.3 < distances[3] < 12
    assert any(key.startswith(name) for key in stages)
    for axis in (0, 1):
        nearer = [error(np.roll(photo, step, axis), result) for step in (-1, 0, 1)]
        assert int(np.argmin(nearer)) == 1
        assert max(nearer[0], nearer[2]) / min(nearer[0], nearer[2]) < 1.1


@pytest.mark.parametrize("name", VIDEO)
def test_only_the_first_frame_is_a_key_frame(
    photo: Pixels, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the damage that prediction does would not be learnt."""
    streams = []

    def spy(arguments: Sequence[str], data: bytes) -> bytes:
        streams.append(plain(arguments, data))
        return streams[-1]

    plain = ffmpeg.run
    monkeypatch.setattr(ffmpeg, "run", spy)
    frames = [np.ascontiguousarray(np.roll(photo, 2 * n, axis=1)) for n in range(16)]
    compress(frames, 3, name, np.random.default_rng(2), {})
    command = [get_ffmpeg_exe(), "-i", "pipe:0", "-vf", "showinfo", "-f", "null", "-"]
    told = subprocess.run(command, input=streams[0], capture_output=True, check=True).stderr
    types = re.findall(r" type:(\w)", told.decode())
    assert len(types) == 16
    assert types.index("I") == 0
    assert types.count("I") == 1


def test_jpeg_and_none(photo: Pixels) -> None:
    stages: Stages = {}
    assert compress([photo], 0, "none", np.random.default_rng(), stages) is photo
    qualities = []
    for seed in range(60):
        result = compress([photo], 0, "jpeg", np.random.default_rng(seed), stages)
        assert 1 < error(result, photo) < 12
        qualities.append(int(stages["jpeg.quality"]))
    assert min(qualities) >= 50
    assert max(qualities) <= 89
    assert np.median(qualities) > 72


@pytest.mark.parametrize("matrix", ["bt601", "bt709"])
@pytest.mark.parametrize("encoder", [LOSSLESS, LOSSLESS_10], ids=["8 bit", "10 bit"])
def test_colours_are_not_moved(photo: Pixels, matrix: str, encoder: Encoder) -> None:
    """A wrong matrix moves a photograph by levels, wrong range by tens of them."""
    result = codec._through_video([photo], encoder, matrix)[0]
    moved = result.mean((0, 1), dtype=float) - photo.mean((0, 1), dtype=float)
    assert np.abs(moved).max() < 0.1
    for colour in ((200, 60, 40), (40, 60, 200), (128, 128, 128), (16, 240, 16)):
        flat = np.full((32, 32, 3), colour, dtype=np.uint8)
        back = codec._through_video([flat], encoder, matrix)[0]
        assert np.abs(back.astype(int) - flat).max() <= 2


@pytest.mark.parametrize("axis", [0, 1])
def test_chroma_stays_in_its_place(axis: int) -> None:
    """Colour waves come back in phase; a mistake of siting moves them by half a px."""
    place = np.indices((96, 96))[axis]
    wave = 60 * np.sin(2 * np.pi * place / 16)
    picture = np.rint(np.stack([128 + wave, 0 * wave + 128, 128 - wave], -1)).astype(np.uint8)
    result = codec._through_video([picture], LOSSLESS, "bt709")[0].astype(float)
    angles = []
    for p in (picture.astype(float), result):
        colour = (p[..., 0] - p[..., 2])[16:80, 16:80]
        turned = colour * np.exp(-2j * np.pi * place[16:80, 16:80] / 16)
        angles.append(np.angle(turned.sum()))
    assert abs(angles[1] - angles[0]) * 16 / (2 * np.pi) < 0.02


@pytest.mark.parametrize("name", VIDEO)
def test_the_smallest_pictures_are_encoded(name: str) -> None:
    small = np.random.default_rng(3).integers(0, 256, (32, 34, 3), dtype=np.uint8)
    result = compress([small] * 3, 2, name, np.random.default_rng(4), {})
    assert result.shape == small.shape


def test_failure_quotes_ffmpeg(photo: Pixels) -> None:
    with pytest.raises(FfmpegError, match=r"(?s)returned.*nonesuch.*Unknown encoder"):
        codec._through_video([photo], Encoder(("-c:v", "nonesuch")), "bt709")


def test_frames_are_counted() -> None:
    with pytest.raises(FfmpegError, match=r"expected 2 frames of 4x2 .* got 1\.5"):
        ffmpeg.frames_of(bytes(36), 2, 2, 4)
    first, second = ffmpeg.frames_of(bytes(range(48)), 2, 2, 4)
    assert (first.shape, first[0, 0].tolist(), second[0, 0].tolist()) == (
        (2, 4, 3),
        [0, 1, 2],
        [24, 25, 26],
    )
