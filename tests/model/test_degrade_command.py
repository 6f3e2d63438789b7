"""`python -m model.degrade` on a folder: repeatable, careful, and clear about bad files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.degrade.__main__ import main


@pytest.fixture(name="pictures")
def _pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    values = np.random.default_rng(0).integers(0, 256, (3, 20, 24, 3), dtype=np.uint8)
    for name, small in zip("abc", values, strict=True):
        picture = Image.fromarray(small).resize((96, 80), Image.Resampling.BICUBIC)
        picture.save(folder / f"{name}.png")
    (folder / "notes.txt").write_text("no picture")
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_results_do_not_depend_on_the_number_of_jobs(pictures: Path, tmp_path: Path) -> None:
    for jobs in ("1", "2"):
        out = str(tmp_path / jobs)
        assert main([str(pictures), out, "--seed", "5", "--jobs", jobs, "--draws", "2"]) == 0
    one, two = files(tmp_path / "1"), files(tmp_path / "2")
    assert one == two
    assert sorted(one) == sorted(
        [f"{side}/{name}_{n}.png" for side in ("input", "target") for name in "abc" for n in (0, 1)]
        + ["stages.jsonl"]
    )
    lines = [json.loads(line) for line in one["stages.jsonl"].splitlines()]
    assert [line["name"] for line in lines] == ["a_0", "a_1", "b_0", "b_1", "c_0", "c_1"]
    assert lines[0]["stages"] != lines[1]["stages"]
    with Image.open(tmp_path / "1" / "input" / "a_0.png") as image:
        assert image.size == (48, 40)


def test_the_command_itself_works_with_several_jobs(pictures: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "model.degrade", str(pictures), str(tmp_path / "out")]
    done = subprocess.run(
        [*command, "--seed", "5", "--jobs", "2"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "3 pairs" in done.stdout


def test_equal_pictures_of_other_names_have_other_draws(pictures: Path, tmp_path: Path) -> None:
    for name in "bc":
        (pictures / f"{name}.png").write_bytes((pictures / "a.png").read_bytes())
    assert main([str(pictures), str(tmp_path / "out"), "--seed", "5", "--jobs", "1"]) == 0
    results = files(tmp_path / "out")
    assert len({results[f"input/{name}.png"] for name in "abc"}) == 3


def test_a_file_has_its_draw_whatever_is_beside_it(pictures: Path, tmp_path: Path) -> None:
    main([str(pictures), str(tmp_path / "all"), "--seed", "5", "--jobs", "1"])
    (pictures / "a.png").unlink()
    main([str(pictures), str(tmp_path / "fewer"), "--seed", "5", "--jobs", "1"])
    main([str(pictures), str(tmp_path / "other"), "--seed", "6", "--jobs", "1"])
    whole, fewer, other = (files(tmp_path / name) for name in ("all", "fewer", "other"))
    assert fewer["input/b.png"] == whole["input/b.png"]
    assert any(other[name] != fewer[name] for name in ("input/b.png", "input/c.png"))


def test_bad_files_are_told_and_left_out(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (pictures / "broken.jpg").write_bytes(b"\xff\xd8 nothing")
    Image.new("RGB", (40, 300)).save(pictures / "thin.png")
    out = tmp_path / "out"
    assert main([str(pictures), str(out), "--seed", "5", "--jobs", "1"]) == 1
    told = capsys.readouterr()
    assert "broken.jpg: UnidentifiedImageError" in told.err
    assert "thin.png: ValueError: expected a picture of at least 64x64" in told.err
    assert "3 pairs" in told.out
    assert sorted(p.name for p in (out / "target").iterdir()) == ["a.png", "b.png", "c.png"]


def test_nothing_is_overwritten_unless_asked(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(pictures), str(tmp_path / "out"), "--seed", "5", "--jobs", "1"]
    (tmp_path / "out" / "target").mkdir(parents=True)
    precious = tmp_path / "out" / "target" / "b.png"
    precious.write_bytes(b"precious")
    assert main(arguments) == 2
    assert "b.png is there already" in capsys.readouterr().err
    assert files(tmp_path / "out") == {"target/b.png": b"precious"}
    assert main([*arguments, "--overwrite"]) == 0
    assert precious.read_bytes() != b"precious"


def test_two_files_of_one_name_and_empty_folders_are_refused(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (64, 64)).save(pictures / "a.jpg")
    assert main([str(pictures), str(tmp_path / "out"), "--seed", "5"]) == 2
    assert "a.jpg and a.png would have one name" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert main([str(tmp_path / "empty"), str(tmp_path / "out"), "--seed", "5"]) == 2
    assert main([str(tmp_path / "none"), str(tmp_path / "out"), "--seed", "5"]) == 2
    assert not (tmp_path / "out").exists()


def test_grey_and_turned_pictures_are_read_as_seen(pictures: Path, tmp_path: Path) -> None:
    for file in pictures.iterdir():
        file.unlink()
    turned = Image.new("L", (120, 80))
    exif = turned.getexif()
    exif[0x0112] = 6  # to be turned by a quarter
    turned.save(pictures / "turned.jpg", exif=exif)
    assert main([str(pictures), str(tmp_path / "out"), "--seed", "1"]) == 0
    with Image.open(tmp_path / "out" / "target" / "turned.png") as image:
        assert image.size == (80, 120)


def test_greys_of_16_bits_keep_their_levels_and_those_of_32_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ramp = np.tile(np.arange(96) * 600, (80, 1))
    Image.fromarray(ramp.astype(np.uint16)).save(tmp_path / "deep.png")
    Image.fromarray(ramp.astype(np.int32)).save(tmp_path / "deeper.tif")
    assert main([str(tmp_path), str(tmp_path / "out"), "--seed", "1", "--jobs", "1"]) == 1
    assert "deeper.tif: ValueError: expected 8 or 16 bits" in capsys.readouterr().err
    with Image.open(tmp_path / "out" / "target" / "deep.png") as image:
        off = np.asarray(image).mean(axis=(0, 2)) - ramp[0] / 257
    assert np.abs(off).max() < 16
