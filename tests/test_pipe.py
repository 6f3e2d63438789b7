"""yuv4mpeg in, yuv4mpeg out: a link in a chain."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from clips import ffmpeg, nearest

from liveaction_onnx import Upscaler, VideoError
from liveaction_onnx.cli import FAILED, OK
from liveaction_onnx.pipe import parse_header, upscale_y4m


@pytest.fixture(scope="module")
def up() -> Iterator[Upscaler]:
    with Upscaler(nearest(), device="cpu", halo=0) as upscaler:
        yield upscaler


def stream(pix_fmt: str, *words: str, size: str = "64x48", rate: str = "24000/1001") -> bytes:
    """Five frames of soft colour as yuv4mpeg."""
    pattern = f"testsrc2=size={size}:rate={rate}:duration=1,hue=s=0.3,gblur=2"
    out = ["-frames:v", "5", "-pix_fmt", pix_fmt, *words, "-strict", "-1", "-f", "yuv4mpegpipe"]
    return ffmpeg("-f", "lavfi", "-i", pattern, *out, "-")


def through(folder: Path, data: bytes, up: Upscaler) -> bytes:
    (folder / "in.y4m").write_bytes(data)
    with (folder / "in.y4m").open("rb") as source, (folder / "out.y4m").open("wb") as target:
        assert upscale_y4m(source, target, upscaler=up) == 5
    return (folder / "out.y4m").read_bytes()


def header(data: bytes) -> dict[str, str]:
    words = data.partition(b"\n")[0].decode().split()[1:]
    return {word[0]: word[1:] for word in words if word[0] != "X"}


@pytest.mark.parametrize(
    "pix_fmt", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv444p10le", "gray"]
)
def test_format_rate_and_shape_are_carried(tmp_path: Path, up: Upscaler, pix_fmt: str) -> None:
    given = stream(pix_fmt, "-vf", "setsar=64/45")
    made = through(tmp_path, given, up)
    before, after = header(given), header(made)
    assert (after["W"], after["H"]) == ("128", "96")
    assert {k: after.get(k) for k in "FAC"} == {k: before.get(k) for k in "FAC"}
    depth = "10le" if "10" in pix_fmt else ""
    plain = f"gray{depth}"
    small, big = (luma(data, plain) for data in (given, made))
    assert len(big) == 5
    assert np.abs(big - small.repeat(2, 1).repeat(2, 2)).mean() < 1


def luma(data: bytes, pix_fmt: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """(N, H, W): the luma of a yuv4mpeg stream, in levels of 8 bits."""
    size = header(data)
    words = ["-f", "yuv4mpegpipe", "-i", "-", "-vf", "extractplanes=y", "-f", "rawvideo"]
    raw = ffmpeg(*words, "-pix_fmt", pix_fmt, "-", data=data)
    values = np.frombuffer(raw, "<u2" if "10" in pix_fmt else np.uint8)
    scale = 4 if "10" in pix_fmt else 1
    return values.reshape(-1, int(size["H"]), int(size["W"])).astype(np.float64) / scale


@pytest.mark.parametrize("chroma", ["420jpeg", "420mpeg2", "420paldv"])
def test_the_place_of_chroma_is_carried(tmp_path: Path, up: Upscaler, chroma: str) -> None:
    data = stream("yuv420p")
    head, _, rest = data.partition(b"\n")
    words = [w for w in head.decode().split() if not w.startswith(("C", "XYSCSS"))]
    given = " ".join([*words, f"C{chroma}"]).encode() + b"\n" + rest
    assert header(through(tmp_path, given, up))["C"] == chroma


@pytest.mark.parametrize("limits", ["tv", "pc"])
def test_the_range_is_carried(tmp_path: Path, up: Upscaler, limits: str) -> None:
    given = stream("yuv420p", "-vf", f"scale=out_range={limits},format=yuv420p")
    made = through(tmp_path, given, up)
    word = {"tv": b"XCOLORRANGE=LIMITED", "pc": b"XCOLORRANGE=FULL"}[limits]
    assert word in given.partition(b"\n")[0]
    assert word in made.partition(b"\n")[0]


def test_what_a_header_says() -> None:
    found = parse_header(b"YUV4MPEG2 W720 H576 F25:1 Ip A16:15 C422p10 XCOLORRANGE=FULL\n")
    assert (found.shown.width, found.shown.height) == (720, 576)
    assert (found.shown.format, found.range) == ("yuv422p10le", "pc")
    assert (found.rate, found.shown.sar) == (Fraction(25), Fraction(16, 15))


@pytest.mark.parametrize(
    "head", [b"YUV4MPEG2 W64 H48\n", b"YUV4MPEG2 W0 H48 F25:1\n", b"YUV4MPEG2 W64 H48 F25:1 C999\n"]
)
def test_a_header_that_lacks_something(head: bytes) -> None:
    with pytest.raises(VideoError, match="first line is not understood"):
        parse_header(head)


def command(folder: Path, *words: str) -> list[str]:
    (folder / "nearest.onnx").write_bytes(nearest())
    run = [sys.executable, "-m", "liveaction_onnx", "pipe", "-d", "cpu"]
    return [*run, "--model", str(folder / "nearest.onnx"), *words]


def test_in_a_chain_of_commands(tmp_path: Path) -> None:
    given = stream("yuv420p")
    done = subprocess.run(command(tmp_path), input=given, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (OK, b"")
    assert len(luma(done.stdout, "gray")) == 5


@pytest.mark.parametrize("given", [b"", b"RIFF....AVI ", b"YUV4MPEG2" * 1000, b"\0" * 9000])
def test_no_yuv4mpeg_in_a_chain(tmp_path: Path, given: bytes) -> None:
    done = subprocess.run(command(tmp_path), input=given, capture_output=True, check=False)
    assert done.returncode == FAILED
    assert b"yuv4mpeg" in done.stderr
    assert b"Traceback" not in done.stderr
    assert done.stdout == b""


def test_a_reader_that_goes_away(tmp_path: Path) -> None:
    words = " ".join(f'"{word}"' for word in command(tmp_path))
    source = f'"{imageio_ffmpeg.get_ffmpeg_exe()}" -v quiet -f lavfi -i testsrc2=duration=20'
    chain = f"{source} -f yuv4mpegpipe - | {words} | head -c 1000000 > /dev/null"
    done = subprocess.run(chain, shell=True, capture_output=True, timeout=60, check=False)
    assert b"Traceback" not in done.stderr
