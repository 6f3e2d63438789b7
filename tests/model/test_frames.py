"""Packing depends on its seed only and goes on where it stopped; the command says what is amiss."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scenes import PHOTO, png, scene

from model import crops, frames, pack, targets
from model.extract import decode
from model.packed import read_set
from model.photos import Photo, read_photos


@pytest.fixture
def pictures(tmp_path: Path) -> list[tuple[int, Photo]]:
    """Three photographs in tmp_path/photos, with their lines in a list."""
    (tmp_path / "photos").mkdir()
    listed = []
    for number in range(3):
        name = f"p.{number}"
        (tmp_path / "photos" / name).write_bytes(png(scene(520, 600, number)))
        listed.append((10 + number, replace(PHOTO, name=name)))
    return listed


def pack_train(
    folder: Path, pictures: Sequence[tuple[int, Photo]], source: Path, jobs: int
) -> None:
    pack.make_train(folder, pictures, source, targets=6, draws=1, seed=4, jobs=jobs, first_part=0)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        record.name: record.target.tobytes()
        + b"".join(draw.input.tobytes() for draw in record.draws)
        for record in read_set(folder)
    }


def test_packing_does_not_depend_on_the_jobs(
    tmp_path: Path, pictures: list[tuple[int, Photo]]
) -> None:
    for jobs in (1, 2):
        pack_train(tmp_path / str(jobs), pictures, tmp_path / "photos", jobs)
    parts = [(tmp_path / jobs / "part-000.zip").read_bytes() for jobs in ("1", "2")]
    assert parts[0] == parts[1]


def test_packing_does_not_depend_on_other_photographs(
    tmp_path: Path, pictures: list[tuple[int, Photo]]
) -> None:
    for name, some in (("all", pictures), ("one", pictures[1:2])):
        pack_train(tmp_path / name, some, tmp_path / "photos", 1)
    whole, one = contents(tmp_path / "all"), contents(tmp_path / "one")
    assert one.items() <= whole.items()


def test_packing_again_makes_only_what_is_missing(
    tmp_path: Path, pictures: list[tuple[int, Photo]], capsys: pytest.CaptureFixture[str]
) -> None:
    pack_train(tmp_path / "train", pictures[:2], tmp_path / "photos", 1)
    capsys.readouterr()
    pack_train(tmp_path / "train", pictures, tmp_path / "photos", 1)
    assert "1 records to make, 2 there already" in capsys.readouterr().out
    names = [record.name for record in read_set(tmp_path / "train")]
    assert sorted(names) == [f"p.{number}.s4-00" for number in range(3)]


def test_unreadable_photograph_is_left_out(
    tmp_path: Path, pictures: list[tuple[int, Photo]], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "photos" / "p.1").write_bytes(b"no picture")
    pack_train(tmp_path / "train", pictures, tmp_path / "photos", 1)
    assert "p.1 is left out: the picture cannot be read" in capsys.readouterr().out
    assert len(list(read_set(tmp_path / "train"))) == 2


def test_validation_is_lossless_in_its_own_colours(
    tmp_path: Path, pictures: list[tuple[int, Photo]]
) -> None:
    folder, source = tmp_path / "valid", tmp_path / "photos"
    pack.make_valid(folder, pictures, source, draws=2, jobs=1)
    forced = []
    for (_, photo), record in zip(pictures, read_set(folder), strict=True):
        picture = decode((source / photo.name).read_bytes())
        crop = crops.choose_valid_crop(crops.survey(picture))
        assert record.name == photo.name
        assert ["forced" in draw.stages for draw in record.draws] == [False, False, True]
        forced.append(record.draws[-1].stages["deinterlacing"])
        np.testing.assert_array_equal(record.target, targets.cut(picture, crop, targets.Tone()))
    kinds = pack.DEINTERLACINGS
    assert forced == [kinds[index % len(kinds)] for index, _ in pictures]
    assert len(set(forced)) == len(forced), "each picture another kind"


def test_results_come_in_order_and_only_few_wait() -> None:
    taken = []

    def items() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    results = pack.run_in_order(operator.neg, items(), 2)
    first = next(results)
    assert first == 0
    assert len(taken) < 20
    assert list(results) == [-number for number in range(1, 100)]


def test_unknown_package_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no package nonsense in the list"):
        frames.main(["--out", str(tmp_path), "--packages", "nonsense"])


def test_extraction_goes_on_without_a_package(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames.main(["--out", str(tmp_path), "--packages", "wf-shell", "--stage", "extract"])
    assert "wf-shell_0.9.0+ds-2_amd64.deb is not there" in capsys.readouterr().out
    assert read_photos(tmp_path / "photos" / "photos.tsv") == []
