"""What a command line names: each file once, and nothing written over another or over a source."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from clips import clip
from pictures import load, ramp, save

from liveaction_onnx import TargetError, TargetExistsError, inputs
from liveaction_onnx.cli import main
from liveaction_onnx.exits import FAILED, OK, USAGE
from liveaction_onnx.targets import Targets


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*words: str) -> int:
    return main([*words, "-d", "cpu"])


def test_a_file_of_several_names_is_one(tmp_path: Path) -> None:
    save(Path("a.png"))
    Path("b.png").symlink_to("a.png")
    named = ["a.png", "./a.png", str(tmp_path / "a.png"), "b.png", "*.png", "."]
    assert inputs.sources_of(named) == [Path("a.png")]


def test_a_folder_within_is_no_picture_by_its_name() -> None:
    save(Path("a.png"))
    Path("sub.png").mkdir()
    assert inputs.sources_of(["."]) == [Path("a.png")]


def test_what_was_made_of_another_in_a_folder_is_no_source_there(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Of a preview that is told: somebody's own trailer may have such a name."""
    kept = ["a.mkv", "a_preview.png", "b.png", "c_2x.mkv", "c_preview.mkv"]
    for name in [*kept, "a_2x.mkv", "a_preview.mkv", "b_4x.png"]:
        Path(name).touch()
    assert inputs.sources_of(["."]) == list(map(Path, kept))
    assert caplog.messages == [
        "a_preview.mkv is left out, as a preview of another; named, it is taken"
    ]


def test_a_pattern_that_matches_nothing_is_told_of_beside_others(
    capsys: pytest.CaptureFixture[str],
) -> None:
    save(Path("a.png"))
    assert run("zz*.png", "a.png") == FAILED
    assert "zz*.png: no such file" in capsys.readouterr().err
    assert Path("a_2x.png").exists()


@pytest.mark.parametrize("word", ["x" * 300, "x" * 300 + ".png", "x" * 300 + ".mkv"])
def test_too_long_a_name_stops_no_other(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    save(Path("a.png"))
    assert run(word, "a.png") == FAILED
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    assert said.err.count("liveaction-onnx: ") == 1
    assert Path("a_2x.png").exists()


@pytest.mark.parametrize("suffix", [".png", ".mkv"])
def test_too_long_a_name_of_a_result_is_told_before_it_is_computed(
    suffix: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "x" * 250 + suffix
    if suffix == ".png":
        save(Path(name))
    else:
        clip(Path("a.mkv"), seconds=0.1).rename(name)
    monkeypatch.setattr("liveaction_onnx.session.Session.run", None)
    assert run(name) == FAILED
    assert "File name too long" in capsys.readouterr().err
    assert os.listdir() == [name]


def test_what_cannot_be_looked_into_is_told_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def closed(folder: Path) -> None:
        raise PermissionError(13, "Permission denied")

    Path("closed").mkdir()
    monkeypatch.setattr(Path, "iterdir", closed)
    assert run("closed") == USAGE
    assert "closed: cannot be looked into: Permission denied" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["1e999999999", "1e9", "1/3", "-1", "", "1:2:3:4", "x", "9" * 13])
def test_what_is_no_time_is_wrong_usage(word: str) -> None:
    """A fraction of so many digits would never be made."""
    with pytest.raises(SystemExit) as caught:
        run("a.mkv", f"--start={word}")
    assert caught.value.code == USAGE


def test_previews_are_of_videos(capsys: pytest.CaptureFixture[str]) -> None:
    save(Path("a.png"))
    assert run("a.png", "--preview", "1") == USAGE
    assert "a.png is no video" in capsys.readouterr().err
    assert os.listdir() == ["a.png"]


def test_a_dry_run_of_pictures_tells_and_does_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a.png", "b.jpg"):
        save(Path(name))
    before = Path("b.jpg").read_bytes()
    assert run("a.png", "b.jpg", "c.png", "--dry-run", "-y", "-o", "new") == FAILED
    said = capsys.readouterr()
    assert "c.png: no such file" in said.err
    assert said.out.splitlines()[:4] == [
        "source           a.png",
        f"target           new{os.sep}a_2x.png",
        "picture          PNG, 32 x 24 px",
        "written          PNG, 64 x 48 px",
    ]
    assert run("a.png", "--dry-run", "--json", "-o", "b.jpg", "-y") == OK
    [row] = map(json.loads, capsys.readouterr().out.splitlines())
    assert row["plan"]["target"] == "b.jpg"
    assert sorted(os.listdir()) == ["a.png", "b.jpg"]
    assert Path("b.jpg").read_bytes() == before


@pytest.mark.skipif(sys.platform == "win32", reason="no such pipes there")
def test_a_pipe_is_no_picture(capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo("p.png")
    assert run("p.png") == FAILED
    assert "p.png: expected a picture, but it is no plain file" in capsys.readouterr().err


def test_previews_in_a_folder_have_names_of_their_own() -> None:
    for folder in ("x", "y"):
        Path(folder).mkdir()
        clip(Path(folder, "v.mkv"), seconds=0.4)
    words = ["-o", "out", "--preview", "0.1", "-c", "x264", "--preset", "ultrafast"]
    assert run("x", *words) == OK
    assert os.listdir("out") == ["v_preview.mkv"]
    assert run("x/v.mkv", "y/v.mkv", "-y", *words) == FAILED
    assert os.listdir("out") == ["v_preview.mkv"]


def test_a_dry_run_of_a_video_makes_neither_a_preview_nor_a_folder() -> None:
    clip(Path("a.mkv"), seconds=0.2)
    assert run("a.mkv", "--dry-run", "--preview", "0.1") == OK
    assert run("a.mkv", "--dry-run", "-o", "new") == OK
    assert os.listdir() == ["a.mkv"]


def test_a_source_is_not_written_over_by_the_result_of_another(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("a.png", "a_2x.png"):
        save(Path(name))
    before = Path("a_2x.png").read_bytes()
    assert run("a.png", "a_2x.png", "-y") == FAILED
    assert "a_2x.png: is itself a source here" in capsys.readouterr().err
    assert Path("a_2x.png").read_bytes() == before
    assert load(Path("a_2x_2x.png")).shape == (48, 64, 3)


def test_results_of_one_name_are_told_apart_across_pictures_and_videos(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for folder, side in (("x", 24), ("y", 30)):
        Path(folder).mkdir()
        save(Path(folder, "n.png"), ramp(side, 32))
        clip(Path(folder, "v.mkv"), seconds=0.1)
    words = ["x/n.png", "x/v.mkv", "y/n.png", "y/v.mkv", "-y", "-o", "out"]
    assert run(*words, "-c", "x264", "--preset", "ultrafast") == FAILED
    said = capsys.readouterr().err
    assert f"out{os.sep}n_2x.png: is where the result of x{os.sep}n.png goes, too" in said
    assert f"out{os.sep}v_2x.mkv: is where the result of x{os.sep}v.mkv goes, too" in said
    assert load(Path("out/n_2x.png")).shape == (48, 64, 3)


def test_a_target_is_claimed_once_by_any_name(tmp_path: Path) -> None:
    targets = Targets([Path("a.png"), Path("b.png")])
    targets.take(Path("a.png"), Path("c.png"))
    targets.take(Path("a.png"), tmp_path / "c.png")
    with pytest.raises(TargetExistsError, match=r"the result of a\.png goes, too"):
        targets.take(Path("b.png"), Path("./c.png"))
    with pytest.raises(TargetError, match="a source"):
        targets.take(Path("a.png"), tmp_path / "b.png")


def test_a_file_of_no_known_ending_is_looked_into_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[Path] = []

    def look(path: Path) -> bool:
        looked.append(path)
        return False

    monkeypatch.setattr(inputs, "holds_video", look)
    for name in ("a.txt", "b", "c.png", "d.mkv"):
        Path(name).write_text("nothing", encoding="ascii")
    assert run("a.txt", "b", "c.png", "d.mkv", "e.txt", "-q") == FAILED
    assert sorted(path.name for path in looked) == ["a.txt", "b"]
    Path("b").write_text("something else", encoding="ascii")
    assert not inputs.is_video(Path("b"))
    assert len(looked) == 3
