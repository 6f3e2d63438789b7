"""Interlaced, telecined and line-doubled videos are told from others, also after compression."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from liveaction_onnx import fields, rows
from liveaction_onnx.fields import Lines

Frames = NDArray[np.uint8]
Frames64 = NDArray[np.float64]

HEIGHT, WIDTH, COUNT = 192, 256, 48
MPEG2 = ("mpeg2video", "-q:v", "4")
H264 = ("libx264", "-crf", "20", "-preset", "veryfast")
LOSSLESS = ("ffv1",)
CODECS = pytest.mark.parametrize("codec", [MPEG2, H264], ids=["mpeg2", "h264"])


def texture(height: int, width: int) -> Frames64:
    """Noise whose amplitude falls with frequency, as that of pictures does."""
    rough = np.fft.rfft2(np.random.default_rng(7).normal(size=(height, width)))
    down, across = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)
    smooth = np.fft.irfft2(rough / np.maximum(np.hypot(down, across), 0.01), (height, width))
    return np.asarray(128 + 45 * smooth / smooth.std())


def moments(count: int, height: int = HEIGHT, *, right: int = 3, down: int = 0) -> Frames64:
    """(count, height, WIDTH) of a texture that a camera moves over so many px a moment; noisy."""
    wide = texture(height + down * count, WIDTH + right * count)
    at = [(down * n, right * n) for n in range(count)]
    seen = np.array([wide[y : y + height, x : x + WIDTH] for y, x in at])
    return seen + np.random.default_rng(8).normal(0, 1, seen.shape)


def whole(frames: Frames64) -> Frames:
    return np.clip(np.rint(frames), 0, 255).astype(np.uint8)


def woven(first: list[int], second: list[int], top: int, down: int = 0) -> Frames:
    """Frames whose rows `top`, `top` + 2 ... are of the first moments, the others of the second."""
    film = moments(max(first + second) + 1, down=down, right=1 if down else 3)
    frames = film[first]
    frames[:, 1 - top :: 2] = film[second][:, 1 - top :: 2]
    return whole(frames)


def interlaced(top: int, down: int = 0) -> Frames:
    return woven(list(range(0, 2 * COUNT, 2)), list(range(1, 2 * COUNT, 2)), top, down)


def telecined(top: int) -> Frames:
    """Film frames A B C D as AA BB BC CD DD."""
    first = [4 * n + k for n in range(COUNT // 4) for k in (0, 1, 1, 2, 3)]
    second = [4 * n + k for n in range(COUNT // 4) for k in (0, 1, 2, 3, 3)]
    return woven(first, second, top)


def repeated(first_row: int) -> Frames:
    """Each row twice; pairs begin at `first_row`."""
    twice = np.repeat(moments(COUNT, HEIGHT // 2 + 1), 2, axis=1)
    return whole(twice[:, first_row : first_row + HEIGHT])


def bobbed(frames: Frames64, first_row: int, weight: float = 0.0) -> Frames:
    """Each second row from `first_row` on, the others made of the two or four around them."""
    kept = frames[:, first_row::2]
    at = np.arange(frames.shape[1] // 2) + (1 - first_row)
    near = [np.take(kept, np.clip(at + k, 0, kept.shape[1] - 1), 1) for k in (-2, -1, 0, 1)]
    made = frames.copy()
    made[:, 1 - first_row :: 2] = (0.5 + weight) * (near[1] + near[2]) - weight * (
        near[0] + near[3]
    )
    return whole(made)


def resized(frames: Frames, width: int, height: int, method: Image.Resampling) -> Frames:
    return np.array([Image.fromarray(f).resize((width, height), method) for f in frames])


def write(
    path: Path, frames: Frames, codec: tuple[str, ...] = MPEG2, rate: int = 25, to: str = "yuv420p"
) -> Path:
    """A video of gray frames (N, h, w)."""
    height, width = frames.shape[1:]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-f", "rawvideo"]
    command += ["-pix_fmt", "gray", "-s", f"{width}x{height}", "-r", str(rate), "-i", "-"]
    command += ["-pix_fmt", to, "-c:v", *codec, str(path)]
    subprocess.run(command, input=frames.tobytes(), check=True)
    return path


def look(
    path: Path,
    flags: str = "P",
    duration_s: Fraction | None = Fraction(2),
    size: tuple[int, int] = (WIDTH, HEIGHT),
) -> Lines:
    return fields.examine(path, flags=flags, duration_s=duration_s, width=size[0], height=size[1])


@CODECS
@pytest.mark.parametrize(("top", "order"), [(0, "tff"), (1, "bff")])
def test_interlaced_video_is_found_and_its_order(
    tmp_path: Path, codec: tuple[str, ...], top: int, order: str
) -> None:
    lines = look(write(tmp_path / "a.mkv", interlaced(top), codec))
    assert (lines.order, lines.order_certain, lines.doubled) == (order, True, "no"), lines
    assert lines.combed > 0.9
    assert "--deinterlace" in lines.advice
    assert f"parity={order}" in fields.deinterlacing("field", lines)


@CODECS
@pytest.mark.parametrize("top", [0, 1])
def test_telecined_film_is_not_called_interlaced(
    tmp_path: Path, codec: tuple[str, ...], top: int
) -> None:
    lines = look(write(tmp_path / "a.mkv", telecined(top), codec))
    assert (lines.order, lines.order_certain) == ("telecine", True), lines
    assert 0.3 < lines.combed < 0.5
    assert "fieldmatch,decimate" in lines.advice
    assert "parity=auto" in fields.deinterlacing("frame", lines)


@CODECS
def test_of_whole_frames_there_is_nothing_to_say(tmp_path: Path, codec: tuple[str, ...]) -> None:
    lines = look(write(tmp_path / "a.mkv", whole(moments(COUNT)), codec))
    assert lines == Lines("progressive", True, 0.0, "no", True, 0, "")


def test_flags_that_say_otherwise_are_told_of(tmp_path: Path) -> None:
    interlaced_path = write(tmp_path / "a.mkv", interlaced(0))
    whole_path = write(tmp_path / "b.mkv", whole(moments(COUNT)))
    right, wrong, flagged = (
        look(interlaced_path, "T"),
        look(interlaced_path, "P"),
        look(whole_path, "B"),
    )
    assert "flags" not in right.advice
    assert "its flags say otherwise" in wrong.advice
    assert flagged.order == "progressive"
    assert "flagged as interlaced" in flagged.advice


@CODECS
@pytest.mark.parametrize("first_row", [0, 1])
def test_repeated_rows_are_found_and_where_pairs_begin(
    tmp_path: Path, codec: tuple[str, ...], first_row: int
) -> None:
    lines = look(write(tmp_path / "a.mkv", repeated(first_row), codec))
    found = (lines.doubled, lines.first_row, lines.doubled_certain, lines.order)
    assert found == ("repeated", first_row, True, "progressive"), lines
    assert "--undouble" in lines.advice


@CODECS
@pytest.mark.parametrize("first_row", [0, 1])
@pytest.mark.parametrize("weight", [0.0, 1 / 16], ids=["linear", "cubic"])
def test_interpolated_rows_are_found_and_the_originals(
    tmp_path: Path, codec: tuple[str, ...], first_row: int, weight: float
) -> None:
    lines = look(write(tmp_path / "a.mkv", bobbed(moments(COUNT), first_row, weight), codec))
    found = (lines.doubled, lines.first_row, lines.doubled_certain, lines.order)
    assert found == ("interpolated", first_row, True, "progressive"), lines
    assert "--undouble" in lines.advice


def test_rows_that_alternate_are_not_certain(tmp_path: Path) -> None:
    frames = bobbed(moments(COUNT), 0)
    frames[1::2] = bobbed(moments(COUNT), 1)[1::2]
    lines = look(write(tmp_path / "a.mkv", frames))
    assert (lines.doubled, lines.doubled_certain) == ("interpolated", False), lines
    assert lines.advice.startswith("perhaps")


def ordinary(kind: str) -> Frames:
    """Frames whose rows are no copies, though something in them might look like it."""
    frames = whole(moments(COUNT))
    half = frames[:, : HEIGHT // 2, : WIDTH // 2]
    if kind == "soft in height":
        return whole(np.mean([np.roll(frames, k, 1) for k in range(-2, 3)], 0, np.float64))
    if kind == "letterboxed":
        frames[:, :37], frames[:, -42:] = 16, 16
    if kind == "dark":
        frames = whole(16 + frames * np.float64(0.1))
    if kind == "flat":
        frames[:] = 90
    if kind == "standing":
        frames[:] = frames[0]
    if kind == "lines of text":
        frames[:] = np.where(np.arange(HEIGHT) % 13 < 3, 235, 40).astype(np.uint8)[:, None]
        frames[:, 60:72] = whole(moments(COUNT))[:, 60:72]
    if kind == "fine stripes":
        frames[:, ::2, :64], frames[:, 1::2, :64] = 235, 40
    if kind == "enlarged":
        return resized(half, WIDTH, HEIGHT, Image.Resampling.BICUBIC)
    if kind == "enlarged without interpolation":
        return resized(half, WIDTH, HEIGHT, Image.Resampling.NEAREST)
    return frames


@pytest.mark.parametrize(
    "kind",
    [
        "soft in height",
        "letterboxed",
        "dark",
        "flat",
        "standing",
        "lines of text",
        "fine stripes",
        "enlarged",
        "enlarged without interpolation",
    ],
)
def test_ordinary_video_is_called_neither(tmp_path: Path, kind: str) -> None:
    lines = look(write(tmp_path / "a.mkv", ordinary(kind), H264))
    assert (lines.doubled, lines.order, lines.advice) == ("no", "progressive", ""), lines
    assert lines.combed == 0
    if kind in ("flat", "standing"):
        assert not lines.order_certain


@pytest.mark.parametrize("noise", [0, 15])
def test_a_camera_that_tilts_does_not_certainly_double_rows(tmp_path: Path, noise: float) -> None:
    """At one row a field, both fields of a frame see the same rows, but for their noise."""
    film = moments(2 * COUNT, right=0, down=1)
    frames = film[0::2]
    frames[:, 1::2] = film[1::2, 1::2]
    frames += np.random.default_rng(9).normal(0, noise, frames.shape)
    lines = look(write(tmp_path / "a.mkv", whole(frames)), "T")
    assert (lines.order, lines.doubled_certain) == ("tff", False), lines
    assert lines.doubled == ("no" if noise else "repeated")


def test_the_blocks_of_a_codec_are_no_pairs_of_rows() -> None:
    rng = np.random.default_rng(10)
    blocks = np.kron(rng.normal(128, 20, (HEIGHT // 8, WIDTH // 8)), np.ones((8, 8)))
    leaning = rows.leanings(whole(blocks + rng.normal(0, 2, blocks.shape)))[0, 0]
    assert abs(leaning) < 0.5


def test_cubic_rows_are_foretold_as_well_as_linear_ones() -> None:
    sharp = np.random.default_rng(11).normal(128, 30, (1, HEIGHT, WIDTH))
    linear, cubic = (rows.leanings(bobbed(sharp, 0, w)[0])[2, 0] for w in (0.0, 3 / 32))
    assert min(linear, cubic) > 8


def test_a_long_file_is_looked_at_in_several_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fields, "FRAMES", 11)
    path = write(tmp_path / "a.mkv", np.concatenate([ordinary("flat"), interlaced(0)]), rate=6)
    start, everywhere = look(path, duration_s=None), look(path, duration_s=Fraction(16))
    assert (start.order, start.order_certain) == ("progressive", False)
    assert (everywhere.order, everywhere.order_certain) == ("tff", True), everywhere


def test_rows_are_judged_as_they_are_coded(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", bobbed(moments(COUNT), 1), H264)
    turned = tmp_path / "turned.mp4"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-display_rotation", "90"]
    subprocess.run([*command, "-i", path, "-c", "copy", turned], check=True)
    lines = look(turned)
    assert (lines.doubled, lines.first_row) == ("interpolated", 1), lines


def test_of_what_cannot_be_read_nothing_is_certain(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    path.write_bytes(b"no video" * 100)
    lines = look(path, "T")
    assert (lines.order, lines.order_certain) == ("unclear", False)
    assert (lines.doubled, lines.doubled_certain) == ("no", False)


def test_of_a_damaged_file_what_came_is_used(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mpg", interlaced(1))
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 3 : len(damaged) // 3 + 3000] = bytes(3000)
    path.write_bytes(damaged[: 4 * len(damaged) // 5])
    assert look(path).order == "bff"


@pytest.mark.parametrize("to", ["yuv420p", "yuv410p", "yuv422p"])
@pytest.mark.parametrize(("less", "lower"), [(1, 0), (0, 1), (1, 1), (3, 3)])
def test_rows_are_found_and_undoubled_at_odd_sizes(
    tmp_path: Path, to: str, less: int, lower: int
) -> None:
    """Where the last samples of chroma have not all of their pixels."""
    frames = repeated(0)[:, : HEIGHT - lower, : WIDTH - less]
    path = write(tmp_path / "a.mkv", frames, LOSSLESS, to=to)
    height, width = frames.shape[1:]
    lines = look(path, size=(width, height))
    assert (lines.doubled, lines.first_row, lines.doubled_certain) == ("repeated", 0, True), lines
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", path, "-vf"]
    command += [f"{fields.undoubling(lines)},format={to},extractplanes=y", "-f", "rawvideo", "-"]
    raw = subprocess.run(command, check=True, capture_output=True).stdout
    left = np.frombuffer(raw, np.uint8).reshape(-1, height // 2, width).astype(float)
    kept = frames[:, : height // 2 * 2 : 2]
    assert np.corrcoef(left.ravel(), kept.ravel())[0, 1] > 0.999


@pytest.mark.parametrize("doubled", ["repeated", "interpolated"])
@pytest.mark.parametrize("first_row", [0, 1])
@pytest.mark.parametrize("odd", [0, 1])
def test_undoubling_leaves_the_original_rows(
    tmp_path: Path, doubled: fields.Doubled, first_row: int, odd: int
) -> None:
    numbers = np.arange(HEIGHT + odd, dtype=np.uint8)[:, None]
    frame = np.broadcast_to(
        (numbers + first_row) // 2 if doubled == "repeated" else numbers, (1, HEIGHT + odd, WIDTH)
    )
    path = write(tmp_path / "a.mkv", frame, LOSSLESS, to="gray")
    lines = Lines("progressive", True, 0.0, doubled, True, first_row, "")
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "info", "-i", path, "-vf"]
    command += [fields.undoubling(lines), "-f", "rawvideo", "-pix_fmt", "gray", "-"]
    done = subprocess.run(command, check=True, capture_output=True)
    left = np.frombuffer(done.stdout, np.uint8).reshape(HEIGHT // 2, WIDTH)
    assert left[:, 0].tolist() == frame[0, first_row:HEIGHT:2, 0].tolist()
    assert b"SAR 1:2" in done.stderr
