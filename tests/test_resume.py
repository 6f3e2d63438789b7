"""A video run that was ended, in any way, goes on where it was, and ends as if nothing had been."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import clip, ffmpeg, frames, nearest, times
from processes import started

from liveaction_onnx import (
    CancelledError,
    PausedError,
    TargetExistsError,
    UnfinishedError,
    Upscaler,
    VideoOptions,
    upscale_video,
)
from liveaction_onnx.exits import INTERRUPTED, OK
from liveaction_onnx.journal import Journal, folder_of

LONG = "x" * 248 + ".mkv"

OPTIONS = VideoOptions(codec="x264", preset="ultrafast", segment_frames=8)
FRAMES = 75


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clip(tmp_path_factory.mktemp("source") / "a.mkv", seconds=3, sound=True)


@pytest.fixture(scope="module")
def whole(source: Path, up: Upscaler) -> Path:
    """What an uninterrupted run makes."""
    target = source.with_name("whole.mkv")
    upscale_video(source, target, OPTIONS, upscaler=up)
    return target


class After:
    """Set from the given number of questions on."""

    def __init__(self, count: int) -> None:
        self.left = count

    def is_set(self) -> bool:
        self.left -= 1
        return self.left < 0


def alike(one: Path, other: Path) -> bool:
    return (
        times(one) == times(other)
        and times(one, "a:0") == times(other, "a:0")
        and np.array_equal(frames(one), frames(other))
    )


def test_cancelled_and_taken_up(tmp_path: Path, up: Upscaler, source: Path, whole: Path) -> None:
    target, cancel = tmp_path / "b.mkv", threading.Event()

    def stop(at: int, total: int) -> None:
        if at == 24:  # the encoder is three behind at most, and has handed over the second segment
            cancel.set()

    with pytest.raises(CancelledError):
        upscale_video(source, target, OPTIONS, upscaler=up, progress=stop, cancel=cancel)
    assert not target.exists()
    assert folder_of(target).is_dir()
    report = upscale_video(source, target, OPTIONS, upscaler=up)
    assert 8 <= report.resumed_frames <= 24
    assert report.resumed_frames % 8 == 0
    assert report.frames == FRAMES
    assert alike(target, whole)
    assert os.listdir(tmp_path) == ["b.mkv"]


def test_a_pause_loses_nothing(tmp_path: Path, up: Upscaler, source: Path, whole: Path) -> None:
    target, done = tmp_path / "b.mkv", []
    with pytest.raises(PausedError, match="after 24 frames"):
        upscale_video(
            source,
            target,
            OPTIONS,
            upscaler=up,
            progress=lambda at, total: done.append(at),
            pause=After(17),
        )
    assert done == list(range(1, 25)), "asked for after the 18th frame, it ends with the segment"
    report = upscale_video(source, target, OPTIONS, upscaler=up)
    assert report.resumed_frames == 24
    assert alike(target, whole)


def test_all_done_but_the_joining(tmp_path: Path, up: Upscaler, source: Path, whole: Path) -> None:
    target = tmp_path / "b.mkv"

    def in_the_way(done: int, total: int) -> None:
        if done == total:
            target.write_text("came to exist meanwhile")

    with pytest.raises(TargetExistsError):
        upscale_video(source, target, OPTIONS, upscaler=up, progress=in_the_way)
    assert target.read_text() == "came to exist meanwhile"
    report = upscale_video(source, target, OPTIONS, upscaler=up, overwrite=True)
    assert report.resumed_frames == FRAMES
    assert alike(target, whole)


@pytest.mark.parametrize(
    "harm",
    ["cut short", "turned over", "gone", "journal cut short", "journal in no letters", "misspelt"],
)
def test_a_segment_that_is_not_whole_is_made_anew(
    tmp_path: Path, up: Upscaler, source: Path, whole: Path, harm: str
) -> None:
    target = tmp_path / "b.mkv"
    with pytest.raises(PausedError):
        upscale_video(source, target, OPTIONS, upscaler=up, pause=After(30))
    second = folder_of(target) / "segment-000001.mp4"
    data = bytearray(second.read_bytes())
    if harm == "cut short":
        second.write_bytes(data[:-100])
    elif harm == "turned over":
        data[len(data) // 2] ^= 1
        second.write_bytes(data)
    elif harm == "gone":
        second.unlink()
    else:
        journal = folder_of(target) / "journal.jsonl"
        head, first, line = journal.read_bytes().splitlines(keepends=True)[:3]
        torn = {
            "journal cut short": line[:50],
            "journal in no letters": line[:50] + bytes(range(128, 256)),
            "misspelt": line.replace(b"bytes", b"bytds"),
        }
        journal.write_bytes(head + first + torn[harm])
    report = upscale_video(source, target, OPTIONS, upscaler=up)
    assert report.resumed_frames == 8
    assert alike(target, whole)


def test_other_settings_do_not_go_on(tmp_path: Path, up: Upscaler, source: Path) -> None:
    target = tmp_path / "b.mkv"
    with pytest.raises(PausedError):
        upscale_video(source, target, OPTIONS, upscaler=up, pause=After(0))
    other = VideoOptions(codec="x264", preset="ultrafast", segment_frames=8, crf=30)
    with pytest.raises(UnfinishedError, match=r"encoding was .*crf 16.* and is .*crf 30") as told:
        upscale_video(source, target, other, upscaler=up)
    assert "zscale" not in str(told.value), "filters that are the same are not told"
    assert upscale_video(source, target, OPTIONS, upscaler=up).resumed_frames == 8, "nothing lost"


def test_another_graph_does_not_go_on(tmp_path: Path, up: Upscaler, source: Path) -> None:
    target = tmp_path / "b.mkv"
    with pytest.raises(PausedError):
        upscale_video(source, target, OPTIONS, upscaler=up, pause=After(0))
    with Upscaler(device="cpu") as ours, pytest.raises(UnfinishedError, match="graph was"):
        upscale_video(source, target, OPTIONS, upscaler=ours)


def test_other_tiles_do_not_go_on(tmp_path: Path, up: Upscaler, source: Path) -> None:
    target = tmp_path / "b.mkv"
    with pytest.raises(PausedError):
        upscale_video(source, target, OPTIONS, upscaler=up, pause=After(0))
    other = Upscaler(nearest(), device="cpu", halo=0, tile=16, overlap=3)
    with other, pytest.raises(UnfinishedError, match="tiles was"):
        upscale_video(source, target, OPTIONS, upscaler=other)


def test_a_changed_source_is_noticed(tmp_path: Path, up: Upscaler, source: Path) -> None:
    mine, target = tmp_path / "a.mkv", tmp_path / "b.mkv"
    mine.write_bytes(source.read_bytes())
    with pytest.raises(PausedError):
        upscale_video(mine, target, OPTIONS, upscaler=up, pause=After(0))
    clip(mine, seconds=2)
    with pytest.raises(UnfinishedError, match="the source is another file, or has changed"):
        upscale_video(mine, target, OPTIONS, upscaler=up)
    report = upscale_video(mine, target, OPTIONS, upscaler=up, restart=True)
    assert (report.resumed_frames, report.frames) == (0, 50)


def test_two_at_once_are_kept_apart(tmp_path: Path) -> None:
    first = Journal(tmp_path / "b.mkv", {"a": 1})
    with pytest.raises(UnfinishedError, match="another process"):
        Journal(tmp_path / "b.mkv", {"a": 1})
    first.close()
    Journal(tmp_path / "b.mkv", {"a": 1}).delete()
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="locks of another kind")
def test_a_file_system_without_locks_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacking(file: int, operation: int) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", lacking)
    Journal(tmp_path / "a.mkv", {}).close()
    Journal(tmp_path / "a.mkv", {}).delete()
    assert not folder_of(tmp_path / "a.mkv").exists()


def test_a_process_that_was_forked_meanwhile_holds_nothing_back(tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("nothing is forked there")
    lines = (
        "import os, pathlib",
        "from liveaction_onnx.journal import Journal",
        "first = Journal(pathlib.Path('b.mkv'), {})",
        "ours, theirs = os.pipe()",
        "if not os.fork():",
        "    os.close(theirs)",
        "    os._exit(len(os.read(ours, 1)))  # once its parent has ended",
        "first.close()",
        "Journal(pathlib.Path('b.mkv'), {}).delete()",
    )
    subprocess.run([sys.executable, "-c", "\n".join(lines)], cwd=tmp_path, check=True)
    assert not list(tmp_path.iterdir())


def test_variable_rates_go_on_in_time(tmp_path: Path, up: Upscaler) -> None:
    """The clock of a source with millisecond ticks begins at its first frame, in every run."""
    source = clip(tmp_path / "a.mkv", rate="24000/1001", seconds=2)
    whole, target = tmp_path / "whole.mp4", tmp_path / "b.mp4"
    upscale_video(source, whole, OPTIONS, upscaler=up)
    with pytest.raises(PausedError):
        upscale_video(source, target, OPTIONS, upscaler=up, pause=After(0))
    upscale_video(source, target, OPTIONS, upscaler=up)
    assert times(target) == times(whole)


def test_a_pixel_format_that_changes_midway(tmp_path: Path, up: Upscaler) -> None:
    """There ffmpeg builds its filters anew, and they count anew."""
    parts = [clip(tmp_path / "1.ts", seconds=0.6), tmp_path / "2.ts"]
    words = ["-i", str(clip(tmp_path / "2.mkv", seconds=0.6)), "-pix_fmt", "yuv422p"]
    ffmpeg(*words, "-c:v", "libx264", "-output_ts_offset", "0.6", str(parts[1]))
    source, target = tmp_path / "a.ts", tmp_path / "b.mkv"
    source.write_bytes(b"".join(part.read_bytes() for part in parts))
    options = VideoOptions(codec="x264", preset="ultrafast", segment_frames=4)
    whole = upscale_video(source, tmp_path / "whole.mkv", options, upscaler=up)
    assert whole.frames == 30
    for done in (3, 3, 8):  # paused in the first part twice, and in the second
        with pytest.raises(PausedError):
            upscale_video(source, target, options, upscaler=up, pause=After(done))
    report = upscale_video(source, target, options, upscaler=up)
    assert report.resumed_frames > 4
    assert times(target) == times(whole.target)
    assert np.array_equal(frames(target), frames(whole.target))


def test_a_clock_and_a_pixel_format_that_begin_anew(tmp_path: Path, up: Upscaler) -> None:
    parts = [clip(tmp_path / "1.ts", seconds=0.6), tmp_path / "2.ts"]
    words = ["-i", str(clip(tmp_path / "2.mkv", seconds=0.6)), "-pix_fmt", "yuv422p"]
    ffmpeg(*words, "-c:v", "libx264", str(parts[1]))
    source, target = tmp_path / "a.ts", tmp_path / "b.mkv"
    source.write_bytes(b"".join(part.read_bytes() for part in parts))
    options = VideoOptions("x264", preset="ultrafast", segment_frames=4, accept_damage=True)
    whole = upscale_video(source, tmp_path / "whole.mkv", options, upscaler=up)
    for done in (3, 3, 8):
        with pytest.raises(PausedError):
            upscale_video(source, target, options, upscaler=up, pause=After(done))
    assert upscale_video(source, target, options, upscaler=up).frames == whole.frames == 30
    assert times(target) == times(whole.target)
    assert np.array_equal(frames(target), frames(whole.target))


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.ts"])
def test_a_cut_goes_on(tmp_path: Path, up: Upscaler, name: str) -> None:
    source = clip(tmp_path / name, rate="24000/1001", seconds=3, sound=True)
    options = VideoOptions("x264", start_s=0.5003, duration_s=1.5, segment_frames=8)
    whole = upscale_video(source, tmp_path / "whole.mkv", options, upscaler=up)
    target = tmp_path / "b.mkv"
    with pytest.raises(PausedError):
        upscale_video(source, target, options, upscaler=up, pause=After(9))
    assert upscale_video(source, target, options, upscaler=up).resumed_frames == 16
    assert alike(target, whole.target)


def command(source: Path, target: Path, model: Path) -> list[str]:
    words = [sys.executable, "-m", "liveaction_onnx", str(source), "-o", str(target)]
    words += ["-d", "cpu", "--model", str(model), "-c", "x264", "--preset", "ultrafast"]
    return [*words, "--segment", "8", "--json"]


def children() -> list[int]:
    """Processes of ffmpeg on this machine that were started by nobody who still lives."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            name = (entry / "comm").read_text()
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if name.startswith("ffmpeg") and parent == 1:
            found.append(int(entry.name))
    return found


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "nearest.onnx"
    path.write_bytes(nearest())
    return path


@pytest.mark.skipif(sys.platform != "linux", reason="counts processes in /proc")
@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_kill_9(tmp_path: Path, source: Path, model: Path, kills: int) -> None:
    whole, target = tmp_path / "whole.mkv", tmp_path / "b.mkv"
    began = time.monotonic()
    subprocess.run(command(source, whole, model), check=True, capture_output=True)
    length = time.monotonic() - began
    before = children()
    rng = np.random.default_rng(kills)
    for _ in range(kills):
        with started(command(source, target, model), stdout=subprocess.DEVNULL) as process:
            try:
                process.wait(rng.uniform(0, 1.1 * length))
            except subprocess.TimeoutExpired:
                process.kill()
        if target.exists():
            assert alike(target, whole)
            target.unlink()
    assert subprocess.run(command(source, target, model), check=False).returncode == OK
    assert alike(target, whole)
    assert sorted(os.listdir(tmp_path)) == ["b.mkv", "nearest.onnx", "whole.mkv"]
    deadline = time.monotonic() + 10
    while set(children()) - set(before) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not set(children()) - set(before), "no process outlives its parent"


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT as a terminal does")
@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c(tmp_path: Path, source: Path, model: Path, presses: int) -> None:
    target = tmp_path / "b.mkv"
    words = command(source, target, model)
    with started(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()  # some frame is done
        assert "progress" in json.loads(line)
        for _ in range(presses):
            os.killpg(process.pid, signal.SIGINT)
            time.sleep(0.05)
        _, said = process.communicate()
    if process.returncode == OK:  # it was faster than we were
        assert target.exists()
        return
    assert process.returncode == INTERRUPTED
    assert "Traceback" not in said
    assert "goes on" in said
    assert not target.exists()
    again = subprocess.run(words, capture_output=True, text=True, check=True)
    assert json.loads(again.stdout.splitlines()[-1])["frames"] == FRAMES


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT as a terminal does")
def test_in_the_background_of_a_shell_ctrl_c_is_ignored(
    tmp_path: Path, source: Path, model: Path
) -> None:
    target = tmp_path / "b.mkv"
    words = command(source, target, model)
    with ExitStack() as stack:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # as the shell does, for what it starts then
        try:
            running = started(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            process = stack.enter_context(running)
        finally:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        assert process.stdout is not None
        process.stdout.readline()  # some frame is done
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()
    assert process.returncode == OK, said
    assert target.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGTERM")
def test_an_end_from_outside_keeps_what_is_whole(tmp_path: Path, source: Path, model: Path) -> None:
    words = command(source, tmp_path / "b.mkv", model)
    with started(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.terminate()
        _, said = process.communicate()
    assert process.returncode in (INTERRUPTED, OK)
    assert "Traceback" not in said
    assert process.returncode == OK or "the same command goes on" in said


def test_threads_and_files_are_given_back(tmp_path: Path, up: Upscaler) -> None:
    def held() -> tuple[Any, ...]:
        return threading.active_count(), len(os.listdir("/proc/self/fd"))

    if sys.platform != "linux":
        pytest.skip("counts descriptors in /proc")
    source = clip(tmp_path / "source.mkv", seconds=1)
    upscale_video(source, tmp_path / "a.mkv", OPTIONS, upscaler=up)
    before = held()
    for number in range(3):
        upscale_video(source, tmp_path / f"b{number}.mkv", OPTIONS, upscaler=up)
        with pytest.raises(CancelledError):
            upscale_video(
                source, tmp_path / f"c{number}.mkv", OPTIONS, upscaler=up, cancel=After(5)
            )
    assert held() == before


def test_a_name_that_the_folder_would_make_too_long_will_do(
    tmp_path: Path, up: Upscaler, source: Path, whole: Path
) -> None:
    target = tmp_path / LONG
    with pytest.raises(CancelledError):
        upscale_video(source, target, OPTIONS, upscaler=up, pause=After(12))
    report = upscale_video(source, target, OPTIONS, upscaler=up)
    assert report.resumed_frames
    assert alike(target, whole)
    assert folder_of(target) != folder_of(tmp_path / LONG.replace("x", "y"))
    assert os.listdir(tmp_path) == [LONG]
