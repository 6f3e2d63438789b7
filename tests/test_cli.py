"""The command line as a user meets it."""

from __future__ import annotations

import _thread
import argparse
import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pictures import load, ramp, save
from processes import interrupt_until
from terminal import said_on_a_terminal

from liveaction_onnx import CancelledError, arguments, catalog, cli, fetching, publish, videos
from liveaction_onnx.cli import main
from liveaction_onnx.encoders import ENCODERS
from liveaction_onnx.exits import FAILED, INTERRUPTED, NO_DEVICE, OK, USAGE

pytestmark = pytest.mark.usefixtures("on_the_cpu")


@pytest.fixture
def on_the_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test works in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LIVEACTION_ONNX_HOME", str(tmp_path / "fetched"))


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """The installed command in a process of its own."""
    command = [sys.executable, "-m", "liveaction_onnx", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_one_picture_goes_beside_its_source(capsys: pytest.CaptureFixture[str]) -> None:
    save(Path("a.png"))
    assert main(["a.png", "-d", "cpu"]) == OK
    said = capsys.readouterr()
    assert said.out.startswith("a_2x.png  ")
    assert said.out.endswith("s on cpu\n")
    assert said.err == ""
    assert load(Path("a_2x.png")).shape == (48, 64, 3)


def test_the_output_may_be_a_file_of_another_format() -> None:
    save(Path("a.png"))
    assert main(["a.png", "-o", "b.webp", "-d", "cpu"]) == OK
    assert load(Path("b.webp"), "RGB").shape == (48, 64, 3)


def test_several_pictures_go_into_a_folder_that_is_made() -> None:
    for name in ("a.png", "b.jpg"):
        save(Path(name))
    assert main(["a.png", "b.jpg", "-o", "new/out", "-d", "cpu"]) == OK
    assert sorted(os.listdir("new/out")) == ["a_2x.png", "b_2x.jpg"]


def test_an_interrupt_reaches_a_picture_in_the_midst_of_a_tile(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def upscale(double: partial[Any], *given: object, **named: object) -> None:
        interrupt_until(double.keywords["cancel"].is_set)
        raise CancelledError("cancelled in the midst of a tile")

    monkeypatch.setattr(cli, "upscale_by", upscale)
    save(Path("a.png"))
    assert main(["a.png", "-d", "cpu"]) == INTERRUPTED
    assert "interrupted" in capsys.readouterr().err


def test_an_interrupt_while_a_picture_is_finished_begins_no_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def upscale(double: partial[Any], *given: object, **named: object) -> Path:
        interrupt_until(double.keywords["cancel"].is_set)
        return Path("a_2x.png")

    monkeypatch.setattr(cli, "upscale_by", upscale)
    save(Path("a.png"))
    assert main(["a.png", "b.mkv", "-o", "out", "-d", "cpu"]) == INTERRUPTED
    said = capsys.readouterr()
    assert said.out.startswith("a_2x.png  ")
    assert "b.mkv" not in said.err


def test_an_interrupt_reaches_several_pictures(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = publish.put_in_place

    def interrupting(*given: Any, **named: Any) -> None:
        real(*given, **named)
        _thread.interrupt_main()

    monkeypatch.setattr(publish, "put_in_place", interrupting)
    names = [f"{number}.png" for number in range(30)]
    for name in names:
        save(Path(name), ramp(60, 80))
    assert main([*names, "-o", "out", "-d", "cpu"]) == INTERRUPTED
    assert "interrupted" in capsys.readouterr().err
    left = os.listdir("out")
    assert 1 <= len(left) < len(names)
    assert not [name for name in left if name.startswith(".")]


LOADED_AND_INTERRUPTED = """
import sys
class Interrupting:
    def find_spec(self, name, *more):
        if name == "tqdm":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupting())
from liveaction_onnx.__main__ import main
sys.exit(main())
"""


def test_an_interrupt_while_it_is_loaded_is_no_traceback() -> None:
    command = [sys.executable, "-c", LOADED_AND_INTERRUPTED]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (INTERRUPTED, "", "")


def test_a_wrong_ending_is_put_right_in_a_folder_too() -> None:
    save(Path("a.png")).rename("a.jpg")
    assert main(["a.jpg", "-o", "out", "-d", "cpu"]) == OK
    assert os.listdir("out") == ["a_2x.png"]


def test_a_folder_stands_for_its_pictures() -> None:
    Path("in").mkdir()
    for name in ("in/a.png", "in/b.JPG"):
        save(Path(name))
    Path("in/notes.txt").write_text("no picture")
    assert main(["in", "-d", "cpu"]) == OK
    assert sorted(os.listdir("in")) == ["a.png", "a_2x.png", "b.JPG", "b_2x.JPG", "notes.txt"]


def test_a_folder_run_twice_does_not_double_its_results() -> None:
    Path("in").mkdir()
    save(Path("in/a.png"))
    assert main(["in", "-d", "cpu"]) == OK
    assert main(["in", "-y", "-d", "cpu"]) == OK
    assert sorted(os.listdir("in")) == ["a.png", "a_2x.png"]


def test_a_pattern_is_matched_where_the_shell_has_not() -> None:
    for name in ("a1.png", "a2.png", "b.png"):
        save(Path(name))
    assert main(["a*.png", "-o", "out", "-d", "cpu"]) == OK
    assert sorted(os.listdir("out")) == ["a1_2x.png", "a2_2x.png"]


def test_a_pattern_that_matches_nothing_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["*.png", "-d", "cpu"]) == FAILED
    assert "no pictures or videos found: *.png; expected" in capsys.readouterr().err


def test_a_picture_named_twice_is_done_once() -> None:
    save(Path("a.png"))
    assert main(["a.png", "a.png", "a.*", "-o", "out", "-d", "cpu"]) == OK


def test_tile_and_overlap_reach_the_engine() -> None:
    save(Path("a.png"), ramp(60, 80))
    assert main(["a.png", "-o", "whole.png", "-d", "cpu"]) == OK
    assert main(["a.png", "-o", "tiled.png", "-d", "cpu", "-t", "20"]) == OK
    assert main(["a.png", "-o", "cut.png", "-d", "cpu", "-t", "20", "--overlap", "1"]) == OK
    assert (load(Path("tiled.png")) == load(Path("whole.png"))).all()
    assert (load(Path("cut.png")) != load(Path("whole.png"))).any()


def test_another_model_by_path(reference_graph: Path) -> None:
    save(Path("a.png"))
    assert main(["a.png", "--model", str(reference_graph), "-d", "cpu"]) == OK
    assert load(Path("a_2x.png")).shape == (48, 64, 3)


def test_a_target_without_its_o_is_refused_before_anything_is_done(
    capsys: pytest.CaptureFixture[str],
) -> None:
    save(Path("a.png"))
    assert main(["a.png", "b.png", "-d", "cpu"]) == USAGE
    assert "b.png: no such file; to write it, say: a.png -o b.png" in capsys.readouterr().err
    assert [path.name for path in Path().iterdir()] == ["a.png"]


@pytest.mark.parametrize(
    "words", [["a.png", "b.png", "c.png"], ["b.png", "a.png"], ["a.png", "b.txt"]]
)
def test_what_does_not_look_like_one_stops_nobody(words: list[str]) -> None:
    save(Path("a.png"))
    assert main([*words, "-d", "cpu"]) == FAILED
    assert Path("a_2x.png").is_file()


def test_json_is_one_object_a_picture(capsys: pytest.CaptureFixture[str]) -> None:
    save(Path("a.png"))
    assert main(["a.png", "none.png", "-o", "out", "--json", "-d", "cpu"]) == FAILED
    good, bad = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert good["source"] == "a.png"
    assert good["target"] == os.path.join("out", "a_2x.png")
    assert good["device"] == "cpu"
    assert good["seconds"] >= 0
    assert bad["target"] is None
    assert "no such file" in bad["error"]


NAMES = ["\u65e5\u672c", os.fsdecode(b"\xff\xe9")]


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "ascii"])
def test_names_are_printed_in_every_encoding(encoding: str) -> None:
    for name in NAMES:
        save(Path(f"{name}.png"))
    command = [sys.executable, "-m", "liveaction_onnx", ".", "-d", "cpu"]
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    done = subprocess.run(command, capture_output=True, env=environment, check=True)
    escaped = {name: f"{name}_2x".encode(encoding, "backslashreplace") for name in NAMES}
    exact = {name: os.fsencode(f"{name}_2x") for name in NAMES}
    said = sorted(line.partition(b".png")[0] for line in done.stdout.splitlines())
    assert said == sorted((exact if encoding == "utf-8" else escaped).values())
    assert done.stderr == b""
    for name in NAMES:
        assert Path(f"{name}_2x.png").exists()


def test_quiet_prints_errors_only(capsys: pytest.CaptureFixture[str]) -> None:
    save(Path("a.png"))
    assert main(["a.png", "-q", "-d", "cpu"]) == OK
    assert capsys.readouterr() == ("", "")
    assert main(["a.png", "-q", "-d", "cpu"]) == FAILED
    said = capsys.readouterr().err
    assert "exists already; choose another name, or overwrite it (-y" in said


def test_what_pillow_warns_of_is_told_without_lines_of_code() -> None:
    """A JPEG whose EXIF ends amid its first directory."""
    save(Path("a.jpg"), exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x09")
    for words in ([], ["-q"]):
        done = run("a.jpg", "-y", "-d", "cpu", *words)
        assert done.returncode == OK
        told = [line[:32] for line in done.stderr.splitlines()]
        assert told == ([] if words else ["liveaction-onnx: Corrupt EXIF da"])


def test_no_bar_in_a_pipe() -> None:
    save(Path("a.png"))
    done = run("a.png", "-d", "cpu")
    assert (done.returncode, done.stderr) == (OK, "")


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")
def test_a_bar_on_a_terminal() -> None:
    save(Path("a.png"), ramp(60, 80))
    code, said = said_on_a_terminal("a.png", "-d", "cpu", "-t", "20", columns=80)
    assert code == OK
    assert b"a.png" in said
    assert b"tile" in said


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")
def test_a_bar_of_several_pictures() -> None:
    for name in ("a.png", "b.png"):
        save(Path(name), ramp(60, 80))
    code, said = said_on_a_terminal("a.png", "b.png", "-d", "cpu", columns=80)
    assert code == OK
    assert b"0/2" in said
    assert b"picture" in said


def test_several_pictures_and_videos_come_in_their_order(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("a.png", "b.jpg", "d.png"):
        save(Path(name))
    words = ["a.png", "b.jpg", "c.mkv", "d.png", "-o", "out", "--json", "-d", "cpu"]
    assert main(words) == FAILED
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["source"] for row in rows] == ["a.png", "b.jpg", "c.mkv", "d.png"]
    assert [bool(row["target"]) for row in rows] == [True, True, False, True]


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    for name in ("a.png", "b.png", "c.png"):
        save(Path(name))
    command = f'"{sys.executable}" -m liveaction_onnx a.png b.png c.png -o out -d cpu | true'
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_nowhere_to_tell_of_errors() -> None:
    save(Path("a.png"))
    program = "import sys; sys.stderr = None; from liveaction_onnx.__main__ import main; sys.exit"
    command = [sys.executable, "-c", f"{program}(main())", "a.png", "-d", "cpu"]
    first, second = (subprocess.run(command, capture_output=True, check=False) for _ in range(2))
    assert (first.returncode, second.returncode) == (OK, FAILED)
    assert b"a_2x.png" in first.stdout
    assert second.stdout == b""  # it exists already


def test_doctor_tells_of_wheels_providers_and_devices(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == OK
    report = json.loads(capsys.readouterr().out)
    assert any(name.startswith("onnxruntime") for name in report["wheels"])
    assert "CPUExecutionProvider" in report["providers"]
    devices = {finding["device"]: finding for finding in report["findings"]}
    assert set(devices) == {"cuda:0", "dml", "cpu"}
    assert devices["cpu"]["usable"]
    assert devices["cpu"]["detail"] == "golden patch within 0 levels of 255 (fp32)"
    assert report["healthy"]


def test_doctor_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == OK
    said = capsys.readouterr().out
    assert "ONNX Runtime wheels: onnxruntime" in said
    assert "cpu     works" in said


def test_doctor_finds_a_clash(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from liveaction_onnx import doctor

    both = {"onnxruntime": "1.2", "onnxruntime-gpu": "1.3"}
    monkeypatch.setattr(doctor, "installed_wheels", lambda: both)
    assert main(["doctor"]) == FAILED
    assert "pip uninstall -y onnxruntime onnxruntime-gpu" in capsys.readouterr().out


def test_doctor_without_onnx_runtime(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from liveaction_onnx import RuntimeMissingError, doctor

    def missing() -> None:
        raise RuntimeMissingError("ONNX Runtime is not installed; run one of: ...")

    monkeypatch.setattr(doctor, "onnxruntime", missing)
    assert main(["doctor"]) == FAILED
    assert "is not installed" in capsys.readouterr().out


def test_no_onnx_runtime_is_no_device(monkeypatch: pytest.MonkeyPatch) -> None:
    from liveaction_onnx import RuntimeMissingError, opening

    def missing() -> None:
        raise RuntimeMissingError("ONNX Runtime is not installed; run one of: ...")

    monkeypatch.setattr(opening, "onnxruntime", missing)
    save(Path("a.png"))
    assert main(["a.png"]) == NO_DEVICE
    assert os.listdir() == ["a.png"]


def test_models_are_listed_with_licence_and_hash(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == OK
    said = capsys.readouterr().out
    for model in catalog.models():
        assert model.name in said
        assert model.licence in said
        assert model.sha256 in said
    assert "to get" in said


def test_models_get_says_where_it_went(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "fetch", lambda name, **options: Path("there") / name)
    assert main(["models", "get", "2xLiveActionV1_SPAN"]) == OK
    assert capsys.readouterr().out.strip() == str(Path("there") / "2xLiveActionV1_SPAN")


def test_models_get_of_an_unknown_name_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "get", "nothing"]) == FAILED
    assert "2xLiveActionV1_SPAN" in capsys.readouterr().err


def test_a_model_that_was_not_fetched_names_the_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    save(Path("a.png"))
    assert main(["a.png", "--model", "2xLiveActionV1_SPAN", "-d", "cpu"]) == FAILED
    assert "liveaction-onnx models get 2xLiveActionV1_SPAN" in capsys.readouterr().err


@pytest.mark.parametrize("parser", [arguments.upscale_parser(), arguments.pipe_parser()])
def test_every_option_says_what_it_does(parser: argparse.ArgumentParser) -> None:
    assert not [action.dest for action in parser._actions if not action.help]


def test_help_has_the_default_of_each_codec(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    told = " ".join(capsys.readouterr().out.split())
    for codec, encoder in ENCODERS.items():
        assert not encoder.quality or f"{codec} {encoder.default}" in told
        assert not encoder.preset or f"{codec} {encoder.default_preset}" in told
    assert f"{videos.CPU_SEGMENT_FRAMES} on cpu, else {videos.GPU_SEGMENT_FRAMES}" in told
