"""yuv4mpeg in, yuv4mpeg out: a link in a chain."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
import pytest
from clips import ffmpeg, nearest
from processes import started

from liveaction_onnx import CancelledError, FfmpegError, Upscaler, VideoError
from liveaction_onnx.decoding import Decoder
from liveaction_onnx.exits import FAILED, INTERRUPTED, OK
from liveaction_onnx.ffmpeg import Process
from liveaction_onnx.pipe import WAITING, parse_header, upscale_y4m
from liveaction_onnx.pixels import Kind
from liveaction_onnx.planning import Work
from liveaction_onnx.streaming import THREADS

IN_FLIGHT = THREADS + 1
PIPES = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)


def stream(
    pix_fmt: str, *words: str, size: str = "64x48", rate: str = "24000/1001", count: int = 5
) -> bytes:
    """Frames of soft colour as yuv4mpeg."""
    whole = "format=yuv444p"  # else testsrc2 makes even sides of odd ones
    pattern = f"testsrc2=size={size}:rate={rate}:duration=1,{whole},hue=s=0.3,gblur=2"
    out = [
        "-frames:v",
        str(count),
        "-pix_fmt",
        pix_fmt,
        *words,
        "-strict",
        "-1",
        "-f",
        "yuv4mpegpipe",
    ]
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


@pytest.mark.parametrize("order", ["p", "t", "b", "?"])
def test_a_stream_that_says_it_is_interlaced_is_told(
    tmp_path: Path, up: Upscaler, caplog: pytest.LogCaptureFixture, order: str
) -> None:
    given = stream("yuv420p").replace(b" Ip ", f" I{order} ".encode(), 1)
    through(tmp_path, given, up)
    assert ("interlaced" in caplog.text) == (order in "tb")


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


class Watched(Upscaler):
    """Calls a function with the number of each frame before it is computed."""

    def __init__(self, before: Callable[[int], None]) -> None:
        super().__init__(nearest(), device="cpu", halo=0)
        self.begun = 0
        self._before, self._lock = before, threading.Lock()

    def work(self, kind: Kind) -> Work:
        with self._lock:
            number, self.begun = self.begun, self.begun + 1
        self._before(number)
        return super().work(kind)


def sending(monkeypatch: pytest.MonkeyPatch, before: Callable[[int], None]) -> None:
    """Have a function called with the number of each frame before it is sent."""
    send, numbers = Process.send, iter(range(1000))

    def watched(self: Process, data: Any) -> None:
        if isinstance(data, np.ndarray):
            before(next(numbers))
        send(self, data)

    monkeypatch.setattr(Process, "send", watched)


def test_the_next_is_computed_while_one_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = threading.Event()

    def before(number: int) -> None:
        if number == IN_FLIGHT + 1:  # these may have been begun before
            later.set()

    def wait(number: int) -> None:
        assert number or later.wait(30), "nothing is computed while the first is sent"

    sending(monkeypatch, wait)
    with Watched(before) as watched:
        upscaled(tmp_path, stream("yuv420p", count=8), watched)


def test_the_next_are_decoded_while_one_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded, frame_of = threading.Semaphore(0), Decoder._frame

    def counted(self: Decoder, *given: Any) -> Any:
        decoded.release()
        return frame_of(self, *given)

    def wait(number: int) -> None:
        for _ in range(0 if number else 3):
            assert decoded.acquire(timeout=30), "nothing is decoded while the first is computed"

    monkeypatch.setattr(Decoder, "_frame", counted)
    with Watched(wait) as watched:
        upscaled(tmp_path, stream("yuv420p"), watched)


def test_only_a_few_are_on_their_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ahead: list[int] = []
    with Watched(lambda number: None) as watched:
        sending(monkeypatch, lambda number: ahead.append(watched.begun - number))
        upscaled(tmp_path, stream("yuv420p", count=20), watched)
    assert len(ahead) == 20
    assert max(ahead) <= IN_FLIGHT + WAITING + 1, "those, and the one that is sent"


def upscaled(
    folder: Path, data: bytes, upscaler: Upscaler, target: Path | None = None, **words: Any
) -> None:
    """Send through a stream, and see that neither a thread nor a process is left."""
    (folder / "in.y4m").write_bytes(data)
    threads = set(threading.enumerate())
    try:
        with (
            (folder / "in.y4m").open("rb") as source,
            (target or folder / "out.y4m").open("wb") as sink,
        ):
            upscale_y4m(source, sink, upscaler=upscaler, reuse=False, **words)
    finally:
        left = set(threading.enumerate()) - threads
        for thread in left:
            if thread.name == "feeder":  # it ends by itself where nobody reads
                thread.join(30)
        assert [thread.name for thread in left if thread.is_alive()] == []
        assert running() == []


def running() -> list[int]:
    """The ffmpeg processes that this one has started."""
    found = []
    for entry in Path("/proc").glob("[0-9]*") if sys.platform == "linux" else ():
        try:
            name, _, rest = (entry / "stat").read_text().partition("(")[2].rpartition(")")
        except OSError:
            continue
        if name.startswith("ffmpeg") and int(rest.split()[1]) == os.getpid():
            found.append(int(entry.name))
    return found


def test_a_source_that_ends_within_a_frame(tmp_path: Path, up: Upscaler) -> None:
    given = stream("yuv420p", count=20)
    with pytest.raises(VideoError, match="ends within a frame: 9 whole ones were passed on"):
        upscaled(tmp_path, given[: len(given) // 2], up)
    made = (tmp_path / "out.y4m").read_bytes()
    assert len(luma(made, "gray")) == 9, "the frames that are whole"


@pytest.mark.parametrize("less", [1, 3000, 4600, 4608, 4612, 4613])
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "gray"])
def test_a_last_frame_that_is_cut_short_is_told(
    tmp_path: Path, up: Upscaler, pix_fmt: str, less: int
) -> None:
    """Of 4608 bytes of 4:2:0, or 3072 of grey, and a line of six before them."""
    given = stream(pix_fmt, count=3)
    lost = 1 + (pix_fmt == "gray" and less >= 3072 + 6)
    with pytest.raises(VideoError, match=f"ends within a frame: {3 - lost} whole ones"):
        upscaled(tmp_path, given[:-less], up)
    assert len(luma((tmp_path / "out.y4m").read_bytes(), "gray")) == 3 - lost


def test_a_stream_without_frames(tmp_path: Path, up: Upscaler) -> None:
    given = stream("yuv420p", count=1)
    head = given[: given.index(b"\n") + 1]
    with pytest.raises(VideoError, match="holds no frame: 0 whole ones"):
        upscaled(tmp_path, head, up)
    with pytest.raises(VideoError, match="ends within a frame: 0 whole ones"):
        upscaled(tmp_path, given[:-1], up)
    assert (tmp_path / "out.y4m").read_bytes() == b""


def test_something_else_between_frames(tmp_path: Path, up: Upscaler) -> None:
    given = stream("yuv420p", count=3)
    with pytest.raises(VideoError, match=r"something else .*: 3 whole ones were passed on"):
        upscaled(tmp_path, given + b"garbage" * 2000, up)
    assert len(luma((tmp_path / "out.y4m").read_bytes(), "gray")) == 3


@pytest.mark.parametrize(
    "pix_fmt", ["yuv411p", "yuv422p", "yuv422p10le", "yuv420p12le", "gray10le", "gray16le"]
)
@pytest.mark.parametrize("size", ["64x48", "67x51"])
def test_bytes_of_a_frame_are_counted_as_ffmpeg_does(
    tmp_path: Path, up: Upscaler, pix_fmt: str, size: str
) -> None:
    upscaled(tmp_path, stream(pix_fmt, size=size, count=2), up)
    width, height = (2 * int(side) for side in size.split("x"))
    made = header((tmp_path / "out.y4m").read_bytes())
    assert (made["W"], made["H"]) == (str(width), str(height))


def test_a_cut_stream_fails_in_a_chain_of_commands(tmp_path: Path) -> None:
    given = stream("yuv420p")[:-100]
    done = subprocess.run(command(tmp_path), input=given, capture_output=True, check=False)
    assert done.returncode == FAILED
    assert b"ends within a frame" in done.stderr
    assert len(luma(done.stdout, "gray")) == 4


def test_an_error_of_computing_ends_all(tmp_path: Path) -> None:
    def fail(number: int) -> None:
        if number == 4:
            raise KeyError("the graph broke")

    with Watched(fail) as watched, pytest.raises(KeyError, match="the graph broke"):
        upscaled(tmp_path, stream("yuv420p", count=20), watched)


def test_cancel_ends_all(tmp_path: Path) -> None:
    cancel = threading.Event()

    def at(number: int) -> None:
        if number == 4:
            cancel.set()

    with Watched(at) as watched, pytest.raises(CancelledError):
        upscaled(tmp_path, stream("yuv420p", count=20), watched, cancel=cancel)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_an_error_of_writing_ends_all(tmp_path: Path, up: Upscaler) -> None:
    with pytest.raises(FfmpegError, match="No space left on device"):
        upscaled(tmp_path, stream("yuv420p", count=20), up, target=Path("/dev/full"))


@pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("waits", ["for the source", "for a reader"])
def test_ended_from_outside(tmp_path: Path, number: signal.Signals, waits: str) -> None:
    """Where it waits for a source that stays open, or for a reader that takes no more."""
    data = stream("yuv420p", size="640x480", count=20)
    with started(command(tmp_path), text=False, **PIPES) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        feeding = threading.Thread(target=fed, args=(process.stdin, data), daemon=True)
        feeding.start()
        assert process.stdout.read(1), "some frame is done"
        if waits == "for the source":
            threading.Thread(target=process.stdout.read, daemon=True).start()
            feeding.join()
        process.send_signal(number)
        assert process.wait() == INTERRUPTED
        assert process.stderr.read().count(b"\n") == 1, "one line says why"


def fed(pipe: Any, data: bytes) -> None:
    """Write to a pipe, which stays open, while somebody reads."""
    try:
        pipe.write(data)
        pipe.flush()
    except OSError:
        return
