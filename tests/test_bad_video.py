"""Bad video input of every kind: our error, nothing written, nothing lost, nothing left running."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from clips import clip, ffmpeg, frames, nearest, times
from processes import started

import liveaction_onnx as la
from liveaction_onnx import (
    Upscaler,
    VideoDamagedError,
    VideoError,
    VideoOptions,
    muxing,
    upscale_video,
)
from liveaction_onnx.cli import main
from liveaction_onnx.exits import FAILED, OK, USAGE
from liveaction_onnx.journal import folder_of

FAST = VideoOptions(codec="x264", preset="ultrafast", segment_frames=8)


def refused(source: Path, up: Upscaler, match: str, options: VideoOptions = FAST) -> None:
    """See that a source is refused, and that its folder stays as it is."""
    before = sorted(os.listdir(source.parent))
    with pytest.raises(VideoError, match=match):
        upscale_video(source, source.with_name("b.mkv"), options, upscaler=up)
    assert sorted(os.listdir(source.parent)) == before


def test_no_file(tmp_path: Path, up: Upscaler) -> None:
    refused(tmp_path / "a.mkv", up, "no such file")


def test_a_folder(tmp_path: Path, up: Upscaler) -> None:
    (tmp_path / "a.mkv").mkdir()
    refused(tmp_path / "a.mkv", up, "expected a file")


def test_an_empty_file(tmp_path: Path, up: Upscaler) -> None:
    (tmp_path / "a.mkv").touch()
    refused(tmp_path / "a.mkv", up, "is empty")


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".avi", ".ts", ".mpg", ".h264"])
def test_garbage(tmp_path: Path, up: Upscaler, suffix: str) -> None:
    source = tmp_path / f"a{suffix}"
    source.write_bytes(np.random.default_rng(3).bytes(50_000))
    refused(source, up, "is no video|not one frame|holds no video")


def test_sound_alone(tmp_path: Path, up: Upscaler) -> None:
    source = tmp_path / "a.mp4"
    ffmpeg("-f", "lavfi", "-i", "sine=duration=0.5", "-c:a", "aac", str(source))
    refused(source, up, r"holds no video, only stream 0 \(audio, aac\)")


def test_sound_with_a_cover(tmp_path: Path, up: Upscaler) -> None:
    source, cover = tmp_path / "a.mp4", tmp_path / "c.png"
    ffmpeg("-f", "lavfi", "-i", "color=size=32x32", "-frames:v", "1", str(cover))
    words = ["-f", "lavfi", "-i", "sine=duration=0.5", "-i", str(cover), "-map", "0", "-map", "1"]
    ffmpeg(*words, "-c:a", "aac", "-c:v", "copy", "-disposition:v", "attached_pic", str(source))
    refused(source, up, "holds no video")


def test_no_frame(tmp_path: Path, up: Upscaler) -> None:
    whole = clip(tmp_path / "whole.mp4")
    source = tmp_path / "a.mkv"
    ffmpeg("-i", str(whole), "-map", "0:v", "-frames:v", "0", "-c", "copy", str(source))
    refused(source, up, "is no video|not one frame|holds no video")


@pytest.mark.parametrize("kept", [0.05, 0.4])
def test_a_film_without_its_index(tmp_path: Path, up: Upscaler, kept: float) -> None:
    """An .mp4 whose end is missing cannot be read at all."""
    source = clip(tmp_path / "a.mp4", seconds=2)
    source.write_bytes(source.read_bytes()[: int(kept * source.stat().st_size)])
    refused(source, up, "moov atom not found|is no video")


@pytest.mark.parametrize("words", [("a.mkv",), ("a.mp4", "-movflags", "faststart")])
def test_a_film_cut_short(tmp_path: Path, up: Upscaler, words: tuple[str, ...]) -> None:
    source = clip(tmp_path / words[0], *words[1:], "-g", "10", seconds=6)
    source.write_bytes(source.read_bytes()[: int(0.6 * source.stat().st_size)])
    target = tmp_path / "b.mkv"
    with pytest.raises(VideoDamagedError, match=r"where it states 6\.00 s .*accept the damage"):
        upscale_video(source, target, FAST, upscaler=up)
    assert not target.exists()
    accepting = VideoOptions(codec="x264", preset="ultrafast", segment_frames=8, accept_damage=True)
    report = upscale_video(source, target, accepting, upscaler=up)
    assert report.resumed_frames == report.frames >= 50, "nothing is made twice"
    assert any("errors in reading it" in note for note in report.notes)
    assert len(times(target)) == report.frames


@pytest.mark.parametrize("part", [(None, 3.5), (0.5, None), (1, 2)])
def test_a_part_of_a_film_cut_short(
    tmp_path: Path, up: Upscaler, part: tuple[float | None, float | None]
) -> None:
    source = clip(tmp_path / "a.mp4", "-movflags", "faststart", "-g", "10", seconds=4)
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    start_s, duration_s = part
    options = VideoOptions("x264", start_s=start_s, duration_s=duration_s, segment_frames=8)
    with pytest.raises(VideoDamagedError, match=r"where it states 4\.00 s"):
        upscale_video(source, tmp_path / "b.mkv", options, upscaler=up)
    report = upscale_video(
        source, tmp_path / "b.mkv", replace(options, accept_damage=True), upscaler=up
    )
    assert report.resumed_frames == report.frames >= 15


def test_a_part_that_lies_before_the_damage(tmp_path: Path, up: Upscaler) -> None:
    source = clip(tmp_path / "a.mp4", "-movflags", "faststart", "-g", "10", seconds=4)
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    options = VideoOptions("x264", start_s=0.2, duration_s=1)
    assert upscale_video(source, tmp_path / "b.mkv", options, upscaler=up).frames == 25
    (tmp_path / "b.mkv").unlink()
    late = VideoOptions("x264", start_s=3.5)
    refused(source, up, r"not one frame came of it \(.+\)", late)


def test_a_film_with_a_hole(tmp_path: Path, up: Upscaler) -> None:
    """Damage in the middle is told, and what could be decoded is taken."""
    source = clip(tmp_path / "a.mkv", "-g", "10", seconds=4)
    data = bytearray(source.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 300] = np.random.default_rng(1).bytes(300)
    source.write_bytes(data)
    report = upscale_video(source, tmp_path / "b.mkv", FAST, upscaler=up)
    assert any("errors in reading it" in note for note in report.notes)
    assert report.frames > 60


def test_a_size_that_changes_midway(tmp_path: Path, up: Upscaler) -> None:
    parts = [clip(tmp_path / "1.h264"), clip(tmp_path / "2.h264", width=96, height=64)]
    source = tmp_path / "a.h264"
    source.write_bytes(b"".join(part.read_bytes() for part in parts))
    refused(source, up, "its size changes from 64 x 48 to 96 x 64")


def says_dolby_vision(path: Path, profile: int, compatible: int) -> Path:
    """Put into a film of one stream, whose index is at its end, what says that it is."""
    said = ((profile << 9) | 0b110101).to_bytes(2, "big") + bytes([compatible << 4]) + bytes(19)
    box = (8 + 24).to_bytes(4, "big") + b"dvcC" + b"\1\0" + said
    data = bytearray(path.read_bytes())
    at = data.rindex(b"moov")
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"hvc1"):
        at = data.index(name, at)
        size = int.from_bytes(data[at - 4 : at], "big")
        data[at - 4 : at] = (size + len(box)).to_bytes(4, "big")
    data[at - 4 + size : at - 4 + size] = box
    path.write_bytes(data)
    return path


def test_dolby_vision_that_has_no_other_colours(tmp_path: Path, up: Upscaler) -> None:
    """Profile 5 read as any other film is green and purple; profile 8 is a film like any other."""
    codec = ("libx265", "-x265-params", "log-level=error", "-tag:v", "hvc1")
    film = says_dolby_vision(clip(tmp_path / "a.mp4", codec=codec, seconds=0.2), 5, 0)
    refused(film, up, "its colour matrix, Dolby Vision's own, is none that we can read")
    report = upscale_video(film, options=replace(FAST, matrix="bt2020"), upscaler=up)
    assert report.frames == 5
    film = says_dolby_vision(clip(tmp_path / "c.mp4", codec=codec, seconds=0.2), 8, 4)
    assert upscale_video(film, options=FAST, upscaler=up).frames == 5


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi"])
@pytest.mark.parametrize(
    "script",
    [
        "ffconcat version 1.0\nfile secret.mp4\n",
        "#EXTM3U\n#EXTINF:1,\nsecret.mp4\n#EXT-X-ENDLIST\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsecret.ts\n#EXT-X-ENDLIST\n",
    ],
)
def test_a_script_in_disguise_is_not_followed(
    tmp_path: Path, up: Upscaler, name: str, script: str
) -> None:
    for secret in ("secret.mp4", "secret.ts"):
        clip(tmp_path / secret, seconds=0.2)
    (tmp_path / name).write_text(script)
    refused(tmp_path / name, up, "refers to others|is no video")


@pytest.mark.parametrize("code", ["png", "mjpeg", "gif", "bmp", "tiff", "webp"])
def test_a_picture_named_as_a_video_is_told_to_be_none(
    tmp_path: Path, up: Upscaler, code: str
) -> None:
    picture = tmp_path / f"a.{'jpg' if code == 'mjpeg' else code}"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=size=64x48", "-frames:v", "1", str(picture))
    refused(picture.rename(tmp_path / "a.mp4"), up, "is no video that we read, but a picture")


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/a.mp4", "concat:a.mp4|b.mp4", "lavfi:x"])
def test_addresses_are_names_of_files(tmp_path: Path, up: Upscaler, address: str) -> None:
    with pytest.raises(VideoError, match="no such file"):
        upscale_video(address, tmp_path / "b.mkv", FAST, upscaler=up)


NAMES = ["-i", "a b'c", "a:b", "%d", "ä€", "a;b|c&d", "[x]*?#", "a\nb", os.fsdecode(b"\xff\xe9")]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.skipif(sys.platform == "win32", reason="no such names there")
def test_any_name_will_do(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    up: Upscaler,
    name: str,
) -> None:
    """Of a file, and of its folder, which is named from where one is."""
    monkeypatch.chdir(tmp_path)
    caplog.set_level("ERROR", "liveaction_onnx")  # pytest cannot hand on such names
    folder = Path(name)
    folder.mkdir()
    cover = ffmpeg("-f", "lavfi", "-i", "testsrc=size=32x32", "-frames:v", "1", "-f", "mjpeg", "-")
    (tmp_path / "cover.jpg").write_bytes(cover)
    attach = ("-attach", "cover.jpg", "-metadata:s:t", "mimetype=image/jpeg")
    plain = clip(Path("plain.mkv"), *attach, seconds=0.2, sound=True)
    source = plain.rename(folder / f"{name}.mkv")
    report = upscale_video(source, options=FAST, upscaler=up)
    assert report.target == folder / f"{name}_2x.mkv"
    assert len(times_of(report.target, tmp_path)) == 5
    assert os.listdir(folder) == [source.name]


def times_of(path: Path, folder: Path) -> list[object]:
    plain = folder / "moved.mkv"
    path.rename(plain)
    return list(times(plain))


def test_lying_counts_of_frames(tmp_path: Path, up: Upscaler) -> None:
    """A header that states ten times the length does not matter where nothing else is wrong."""
    source = clip(tmp_path / "a.mkv", seconds=1)
    data = bytearray(source.read_bytes())
    at = data.index(b"\x44\x89\x88") + 3  # Duration, a double
    data[at : at + 8] = np.array([10_000.0], ">f8").tobytes()
    source.write_bytes(data)
    report = upscale_video(source, tmp_path / "b.mkv", FAST, upscaler=up)
    assert report.frames == 25


def test_negative_times(tmp_path: Path, up: Upscaler) -> None:
    """What an edit list puts before 0 is not shown, and is no part of the result."""
    whole = clip(tmp_path / "whole.mp4", sound=True)
    source, target = tmp_path / "a.mov", tmp_path / "b.mkv"
    words = ["-copyts", "-itsoffset", "-0.4", "-i", str(whole), "-map", "0", "-c", "copy"]
    ffmpeg(*words, "-avoid_negative_ts", "disabled", str(source))
    assert times(source)[0] < 0
    report = upscale_video(source, target, FAST, upscaler=up)
    assert report.frames == len(frames(source)) == 15
    assert 0 <= times(target)[0] <= 0.04
    assert abs(times(target, "a:0")[-1] - times(source, "a:0")[-1]) <= 0.002, "in step"


@pytest.mark.parametrize("suffix", [".asf", ".avi"])
def test_missing_times(tmp_path: Path, up: Upscaler, suffix: str) -> None:
    """Containers that time packets when they are decoded, not when they are shown."""
    source = clip(tmp_path / f"a{suffix}", codec=("mpeg4", "-bf", "2"), sound=True)
    report = upscale_video(source, tmp_path / "b.mkv", FAST, upscaler=up)
    shown = times(tmp_path / "b.mkv")
    assert report.frames == len(shown) == 25
    steps = [b - a for a, b in pairwise(shown)]
    assert max(steps) - min(steps) <= 0.002


@pytest.mark.parametrize("suffix", [".avi", ".png", "", ".txt"])
def test_a_target_that_is_no_container(tmp_path: Path, up: Upscaler, suffix: str) -> None:
    source = clip(tmp_path / "a.mkv", seconds=0.2)
    with pytest.raises(la.TargetError, match=r"expected a name that ends in \.mkv"):
        upscale_video(source, tmp_path / f"b{suffix}", FAST, upscaler=up)
    assert os.listdir(tmp_path) == ["a.mkv"]


def test_targets_that_must_not_be_written(tmp_path: Path, up: Upscaler) -> None:
    source = clip(tmp_path / "a.mkv", seconds=0.2)
    data = source.read_bytes()
    with pytest.raises(la.TargetError, match="the target is the source"):
        upscale_video(source, source, FAST, upscaler=up, overwrite=True)
    (tmp_path / "b.mkv").write_text("mine")
    with pytest.raises(la.TargetExistsError):
        upscale_video(source, tmp_path / "b.mkv", FAST, upscaler=up)
    with pytest.raises(la.TargetError, match="does not exist"):
        upscale_video(source, tmp_path / "none" / "b.mkv", FAST, upscaler=up)
    assert sorted(os.listdir(tmp_path)) == ["a.mkv", "b.mkv"]
    assert (tmp_path / "b.mkv").read_text() == "mine"
    assert source.read_bytes() == data


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"codec": "x999"}, "codec: expected one of x265"),
        ({"codec": "vp9", "target": "b.mov"}, "vp9 does not go into .mov"),
        ({"codec": "ffv1", "crf": 3}, "without loss"),
        ({"codec": "ffv1", "preset": "fast"}, "preset: ffv1 has none"),
        ({"codec": "x264", "preset": "warp"}, "cannot encode here"),
        ({"codec": "x265", "crf": 99}, "cannot encode here: .* told libx265 .*crf 99 preset"),
        ({"codec": "x264", "encoder_options": {"nonsense": "1"}}, "cannot encode here"),
        ({"codec": "x264", "pix_fmt": "rgb565"}, "pix_fmt: x264 holds"),
        ({"matrix": "bt999"}, "matrix: expected one of"),
        ({"range": "half"}, "range: expected one of"),
        ({"deinterlace": "maybe"}, "deinterlace: expected one of"),
        ({"undouble": "yes"}, "were not found to be doubled"),
        ({"segment_frames": 0}, "segment_frames: expected at least 1"),
        ({"start_s": -1}, "start: expected seconds"),
        ({"duration_s": 0}, "duration: expected seconds"),
        ({"duration_s": 1e-9}, "duration: expected seconds, a millionth at least"),
        ({"duration_s": float("inf")}, "duration: expected seconds"),
        ({"duration_s": float("nan")}, "duration: expected seconds"),
        ({"duration_s": Fraction("1e400")}, "duration: expected seconds, fewer than 1,000,000,000"),
        ({"start_s": Fraction("1e5000")}, "start: expected seconds, fewer than 1,000,000,000"),
        ({"start_s": 100}, r"is 0\.200 s long: expected less, got 100\.000 s"),
    ],
)
def test_options_that_cannot_be_followed(
    tmp_path: Path, up: Upscaler, options: dict[str, object], match: str
) -> None:
    source = clip(tmp_path / "a.mkv", seconds=0.2)
    target = tmp_path / str(options.pop("target", "b.mkv"))
    with pytest.raises(la.OptionError, match=match):
        upscale_video(source, target, VideoOptions(**options), upscaler=up)  # type: ignore[arg-type]
    assert os.listdir(tmp_path) == ["a.mkv"]


def test_what_cannot_be_joined_is_told_how_to_go_on(
    tmp_path: Path, up: Upscaler, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = clip(tmp_path / "a.mkv", seconds=0.2)
    fails = la.FfmpegError("4 frames came out, 5 went in")
    monkeypatch.setattr(muxing, "check", lambda *given, **named: (_ for _ in ()).throw(fails))
    for _ in range(2):
        with pytest.raises(la.FfmpegError, match=r"kept in .*the same call .* restart drops it"):
            upscale_video(source, tmp_path / "b.mkv", FAST, upscaler=up)
    monkeypatch.undo()
    assert upscale_video(source, tmp_path / "b.mkv", FAST, upscaler=up).resumed_frames == 5


def test_chroma_is_not_lowered_unasked(tmp_path: Path, up: Upscaler) -> None:
    source = tmp_path / "a.mkv"
    pattern = "testsrc2=size=64x48:rate=25:duration=0.2"
    ffmpeg("-f", "lavfi", "-i", pattern, "-pix_fmt", "yuv422p", "-c:v", "ffv1", str(source))
    with pytest.raises(la.OptionError, match="would lose some of yuv422p"):
        upscale_video(source, tmp_path / "b.mkv", VideoOptions(codec="svtav1"), upscaler=up)
    knowingly = VideoOptions(codec="svtav1", pix_fmt="yuv420p10le")
    assert upscale_video(source, tmp_path / "b.mkv", knowingly, upscaler=up).frames == 5


def processes_of(parent: int) -> list[int]:
    """The ffmpeg processes that a process has started."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            stat = (entry / "stat").read_text()
        except OSError:
            continue
        name, _, rest = stat.partition("(")[2].rpartition(")")
        if name.startswith("ffmpeg") and int(rest.split()[1]) == parent:
            found.append(int(entry.name))
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")
def test_an_ffmpeg_that_is_killed_midway(tmp_path: Path, up: Upscaler) -> None:
    source, target = clip(tmp_path / "a.mkv", seconds=3), tmp_path / "b.mkv"

    def kill(done: int, total: int) -> None:
        if done == 20:
            for process in processes_of(os.getpid()):
                with contextlib.suppress(ProcessLookupError):  # that of a segment may have ended
                    os.kill(process, signal.SIGKILL)

    with pytest.raises(la.FfmpegError, match="ended with -9"):
        upscale_video(source, target, FAST, upscaler=up, progress=kill)
    assert not target.exists()
    assert processes_of(os.getpid()) == []
    report = upscale_video(source, target, FAST, upscaler=up)
    assert report.resumed_frames >= 8
    assert report.frames == 75
    whole = upscale_video(source, tmp_path / "c.mkv", FAST, upscaler=up).target
    assert np.array_equal(frames(target), frames(whole))


def test_a_disk_that_is_full_once_all_is_computed(
    tmp_path: Path, up: Upscaler, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = clip(tmp_path / "a.mkv", seconds=0.2), tmp_path / "b.mkv"

    def full(*given: object, **named: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        with pytest.raises(la.TargetError, match=r"b\.mkv: cannot be written: No space left"):
            upscale_video(source, target, FAST, upscaler=up)
    assert upscale_video(source, target, FAST, upscaler=up).resumed_frames == 5


def test_a_full_disk(tmp_path: Path, up: Upscaler) -> None:
    """On a file system of its own that is smaller than the result; root alone can make one."""
    source, small = clip(tmp_path / "a.mkv", seconds=3, width=320, height=240), tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(small)]
    if sys.platform != "linux" or subprocess.run(mount, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        options = VideoOptions(codec="ffv1", segment_frames=4)
        with pytest.raises(la.TargetError, match="disk is full"):
            upscale_video(source, small / "b.mkv", options, upscaler=up)
        assert not (small / "b.mkv").exists()
        assert (
            subprocess.run(["mount", "-o", "remount,size=200m", str(small)], check=False).returncode
            == 0
        )
        report = upscale_video(source, small / "b.mkv", options, upscaler=up)
        assert report.frames == 75
        assert os.listdir(small) == ["b.mkv"]
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_an_ffmpeg_that_is_not_there(
    tmp_path: Path, up: Upscaler, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = clip(tmp_path / "a.mkv")
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(tmp_path / "none"))
    with pytest.raises(la.FfmpegError, match="none cannot be started: No such file"):
        upscale_video(source, upscaler=up)
    assert os.listdir(tmp_path) == ["a.mkv"]


OLD = """#!/bin/sh
cat >&2 <<'end'
[info] Input #0, matroska,webm, from 'file:a.mkv':
[info]     Stream #0:0: Video: h264 (High), yuv420p, 64x36 [SAR 1:1 DAR 16:9], 25 fps
[info] Stream mapping:
[info]   Stream #0:0 -> #0:0 (h264 (native) -> wrapped_avframe (native))
[Parsed_showinfo_0 @ 0x2e] [info] config in time_base: 1/1000, frame_rate: 25/1
[Parsed_showinfo_0 @ 0x2e] [info] n: 0 pts: 0 pts_time:0 pos: 48 fmt:yuv420p sar:1/1 s:64x36 i:P
end
"""
"""What ffmpeg 4.2 says of a film."""


@pytest.mark.skipif(sys.platform == "win32", reason="a script in place of a program")
def test_an_ffmpeg_that_is_too_old_is_blamed_and_not_the_file(
    tmp_path: Path, up: Upscaler, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.mkv").write_bytes(b"a film")
    old = tmp_path / "ffmpeg"
    old.write_text(OLD)
    old.chmod(0o755)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(old))
    refused(tmp_path / "a.mkv", up, "words that are not known here: use a newer one")


def test_nothing_is_left_running(tmp_path: Path, up: Upscaler) -> None:
    if sys.platform != "linux":
        pytest.skip("finds processes in /proc")
    source = clip(tmp_path / "a.mkv", seconds=2)
    gone = threading.Event()

    def stop(done: int, total: int) -> None:
        if done == 10:
            gone.set()

    with pytest.raises(la.CancelledError):
        upscale_video(source, tmp_path / "b.mkv", FAST, upscaler=up, progress=stop, cancel=gone)
    time.sleep(0.1)
    assert processes_of(os.getpid()) == []


def test_ffmpeg_ends_though_a_process_was_forked_meanwhile() -> None:
    """Which would keep copies of its pipes open."""
    if sys.platform == "win32":
        pytest.skip("nothing is forked there")
    lines = (
        "import os",
        "from liveaction_onnx import ffmpeg",
        "raw = ['-f', 'rawvideo', '-pix_fmt', 'gray', '-s', '16x16', '-i', 'pipe:0']",
        "encoder = ffmpeg.Process([*raw, '-f', 'null', ffmpeg.NOWHERE], stdin=True)",
        "ours, theirs = os.pipe()",
        "if not os.fork():",
        "    os.close(theirs)",
        "    os._exit(len(os.read(ours, 1)))  # once its parent has ended",
        "encoder.send(bytes(256))",
        "encoder.finish()",
    )
    command = [sys.executable, "-c", "\n".join(lines)]
    with started(command) as process:  # and kills it where it hangs
        assert process.wait() == 0


def test_the_command_line_goes_on_after_a_bad_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nearest.onnx").write_bytes(nearest())
    (tmp_path / "a.mkv").write_bytes(b"no video")
    clip(tmp_path / "b.mkv", seconds=0.2)
    words = ["-d", "cpu", "--model", "nearest.onnx", "-c", "x264"]
    assert main(["a.mkv", "b.mkv", *words]) == FAILED
    said = capsys.readouterr()
    assert "is no video" in said.err
    assert said.out.startswith("b_2x.mkv  ")
    assert main(["b.mkv", "-y", *words]) == OK
    assert main(["b.mkv", "-y", *words, "--preset", "warp"]) == USAGE
    assert sorted(os.listdir()) == ["a.mkv", "b.mkv", "b_2x.mkv", "nearest.onnx"]
    assert not folder_of(Path("b_2x.mkv")).exists()
