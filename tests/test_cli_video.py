"""Videos on the command line, as a user meets them."""

from __future__ import annotations

import _thread
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import clip, ffmpeg, frames, listing, nearest, times
from numpy.typing import NDArray
from pictures import save
from terminal import said_on_a_terminal

from liveaction_onnx import preview
from liveaction_onnx.cli import main
from liveaction_onnx.exits import FAILED, INTERRUPTED, OK, USAGE

WORDS = ["-d", "cpu", "--model", "nearest.onnx", "-c", "x264", "--preset", "ultrafast"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test works in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    Path("nearest.onnx").write_bytes(nearest())


def test_one_video_goes_beside_its_source(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    clip(Path("a.mkv"), "-colorspace", "bt709")
    assert main(["a.mkv", *WORDS]) == OK
    said = capsys.readouterr()
    assert re.fullmatch(r"a_2x\.mkv  [\d.]+ s on cpu, 25 frames, [\d.]+ % reused\n", said.out)
    told = "the source does not say its primaries, transfer: taken for bt709, bt709\n"
    assert told in caplog.text, "nothing of what it says"
    assert len(times(Path("a_2x.mkv"))) == 25


def test_the_graph_that_ships_works_on_video() -> None:
    clip(Path("a.mkv"), seconds=0.2)
    assert main(["a.mkv", "-o", "b.mp4", "-d", "cpu", "-q"]) == OK
    made = frames(Path("b.mp4")).astype(int)
    given = frames(Path("a.mkv")).astype(int)
    assert np.abs(made.reshape(-1, 48, 2, 64, 2, 3).mean((2, 4)) - given).mean() < 5
    assert any("hevc (Main 10)" in line for line in listing(Path("b.mp4")))


def test_a_folder_holds_pictures_and_videos() -> None:
    Path("in").mkdir()
    save(Path("in/a.png"))
    clip(Path("in/b.mkv"), seconds=0.2)
    assert main(["in", "-o", "out", "-q", *WORDS]) == OK
    assert sorted(os.listdir("out")) == ["a_2x.png", "b_2x.mkv"]


MUXERS = {".3g2": "3g2", ".3gp": "3gp", ".divx": "avi", ".m2t": "mpegts", ".mod": "vob"}
MUXERS |= {".mpe": "mpeg", ".m2p": "vob", ".tod": "mpegts", ".qt": "mov", ".mk3d": "matroska"}
MUXERS |= {".obu": "obu", ".vvc": "vvc", ".dv": "dv", ".gxf": "gxf", ".mpv": "mpeg2video"}
MUXERS |= {"": "matroska", ".film": "mp4", ".part": "mpegts", ".avc": "h264"}
CODES = {".obu": "libsvtav1", ".vvc": "libvvenc", ".dv": "dvvideo", ".3gp": "mpeg4"}
CODES |= dict.fromkeys((".divx", ".3g2"), "mpeg4")
CODES |= dict.fromkeys((".mod", ".mpe", ".m2p", ".mpv", ".gxf"), "mpeg2video")


@pytest.mark.parametrize("suffix", MUXERS)
def test_videos_are_known_by_their_endings_or_by_what_is_in_them(
    suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    width, height = (720, 576) if suffix in (".dv", ".gxf") else (64, 48)
    codec = [CODES.get(suffix, "libx264")]
    words = ["-f", MUXERS[suffix]]
    clip(Path(f"a{suffix}"), *words, width=width, height=height, seconds=0.2, codec=codec)
    assert main([f"a{suffix}", "--dry-run", "--json", *WORDS]) == OK
    plan = json.loads(capsys.readouterr().out)["plan"]
    assert plan["target"] == "a_2x.mkv"


def test_pictures_without_a_known_ending_are_no_videos(
    capsys: pytest.CaptureFixture[str],
) -> None:
    save(Path("a.png"))
    Path("a.png").rename("a")
    assert main(["a", "-o", "b.png", "-q", *WORDS]) == OK
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48", "-frames:v", "1", "b.avif")
    Path("c.txt").write_text("no picture")
    assert main(["b.avif", "c.txt", "d", "-q", *WORDS]) == FAILED
    assert "video" not in capsys.readouterr().err
    assert not list(Path().glob("*_2x*"))


def test_dry_run_tells_and_does_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    clip(Path("a.mkv"), "-vf", "setsar=64/45", rate="24000/1001", sound=True)
    assert main(["a.mkv", "--dry-run", *WORDS]) == OK
    said = capsys.readouterr().out
    for text in (
        "h264, yuv420p, 64 x 48 px",
        "24000/1001 frames a second",
        "64/45",
        "assumed: matrix",
        "128 x 96 px, libx264 crf 16 preset ultrafast",
        "stream 1 (audio, aac)",
    ):
        assert text in said
    assert sorted(os.listdir()) == ["a.mkv", "nearest.onnx"]


def test_dry_run_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    clip(Path("a.mkv"), seconds=0.2)
    assert main(["a.mkv", "--dry-run", "--json", *WORDS]) == OK
    plan = json.loads(capsys.readouterr().out)["plan"]
    assert plan["target"] == "a_2x.mkv"
    assert plan["deinterlace"] == "no"


def test_json_lines_of_progress_and_an_end(capsys: pytest.CaptureFixture[str]) -> None:
    clip(Path("a.mkv"))
    assert main(["a.mkv", "--json", *WORDS]) == OK
    *moving, last = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert moving
    for row in moving:
        assert 1 <= row["progress"]["done"] <= row["progress"]["total"]
    assert last["target"] == "a_2x.mkv"
    assert last["frames"] == 25
    assert last["resumed_frames"] == 0
    assert any("does not say" in note for note in last["notes"])


def test_lines_are_mended_before_the_names_of_files(capsys: pytest.CaptureFixture[str]) -> None:
    clip(Path("a.mkv"), seconds=0.2)
    assert main(["--auto", "a.mkv", "--dry-run", "--json", *WORDS]) == OK
    assert json.loads(capsys.readouterr().out)["plan"]["undouble"] == "no"
    assert main(["--undouble", "a.mkv", "--json", *WORDS]) == FAILED
    assert "were not found to be doubled" in capsys.readouterr().err


def test_times_are_given_as_people_write_them() -> None:
    clip(Path("a.mkv"), seconds=2)
    assert main(["a.mkv", "--start", "0:00:01", "--duration", "0.4", "-q", *WORDS]) == OK
    assert len(times(Path("a_2x.mkv"))) == 10


def test_an_interrupted_preview_does_not_say_that_it_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    halved = preview.plain

    def interrupted(pixels: NDArray[Any], scale: int) -> NDArray[Any]:
        _thread.interrupt_main()
        return halved(pixels, scale)

    clip(Path("a.mkv"), seconds=4)
    monkeypatch.setattr(preview, "plain", interrupted)
    assert main(["a.mkv", "--preview", "3", "-q", *WORDS]) == INTERRUPTED
    assert "nothing is kept of a preview" in capsys.readouterr().err
    assert sorted(os.listdir()) == ["a.mkv", "nearest.onnx"]


def test_a_preview() -> None:
    clip(Path("a.mkv"), seconds=0.4)
    assert main(["a.mkv", "--preview", "0.2", "-q", *WORDS]) == OK
    assert sorted(os.listdir()) == ["a.mkv", "a_preview.mkv", "nearest.onnx"]


@pytest.mark.parametrize(
    "words",
    [["--start", "x"], ["--duration", "1:2:3:4"], ["-e", "novalue"], ["--codec", "divx"]],
)
def test_wrong_words(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["a.mkv", *words])
    assert stop.value.code == USAGE
    assert "expected" in capsys.readouterr().err or words[0] == "--codec"


def test_an_existing_target_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    clip(Path("a.mkv"), seconds=2)
    Path("a_2x.mkv").touch()
    assert main(["a.mkv", *WORDS, "-q"]) == FAILED, "it exists already"
    assert "exists already" in capsys.readouterr().err
    assert not Path(".a_2x.mkv.liveaction-onnx").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")
def test_a_bar_on_a_terminal() -> None:
    clip(Path("a.mkv"), seconds=2)
    code, said = said_on_a_terminal("a.mkv", *WORDS, columns=100)
    assert code == OK
    assert b"a.mkv" in said
    assert b"frame/s" in said
    assert b"% reused" in said
