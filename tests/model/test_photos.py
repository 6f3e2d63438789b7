"""The committed lists: every photograph may be used, is credited, and stands on one side."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from scenes import PHOTO

from model import crops, photos
from model.photos import ListError, read_packages, read_photos


def test_every_photograph_has_an_allowed_licence_and_a_name_to_credit() -> None:
    for photo in read_photos():
        assert photos.licence_is_allowed(photo.licence), photo
        assert photo.author.strip() or not photos.needs_attribution(photo.licence), photo
        assert photo.source, photo


def test_every_photograph_is_in_a_pinned_package_and_every_package_is_used() -> None:
    packages = read_packages()
    assert {photo.package for photo in read_photos()} == {package.key for package in packages}
    assert all(len(package.sha256) == 64 and package.bytes > 0 for package in packages)
    assert len({package.file_name for package in packages}) == len(packages)


def test_no_photograph_stands_on_both_sides_of_the_split() -> None:
    sides = {
        split: {(photo.package, photo.path) for photo in read_photos() if photo.split == split}
        for split in ("train", "valid")
    }
    assert not sides["train"] & sides["valid"]
    assert len(sides["train"]) + len(sides["valid"]) == len(read_photos())


def test_validation_is_large_detailed_and_of_many_packages() -> None:
    valid = [photo for photo in read_photos() if photo.split == "valid"]
    assert len(valid) >= 48
    assert sum(photo.detail_db < 38 for photo in valid) >= 24
    assert len({photo.package for photo in valid}) >= 12


def test_every_photograph_is_big_enough_for_a_crop() -> None:
    for photo in read_photos():
        assert min(photo.width, photo.height) >= crops.LEAST_CROP_PX * crops.SCALES[0], photo


@pytest.mark.parametrize(
    ("licence", "allowed"),
    [
        ("CC0-1.0", True),
        ("CC-BY-SA-2.5", True),
        ("Apache-2.0 AND BSD-3-Clause", True),
        ("public-domain", True),
        ("GPL-3+", False),
        ("LGPL-3", False),
        ("CC-BY-NC-4.0", False),
        ("CC-BY-ND-4.0", False),
        ("MIT AND GPL-2+", False),
        ("GFDL-NIV-1.2", False),
        ("", False),
    ],
)
def test_licence_policy(licence: str, allowed: bool) -> None:
    assert photos.licence_is_allowed(licence) == allowed


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"licence": "GPL-3+"}, "not one of those allowed"),
        ({"licence": "CC-BY-4.0", "author": ""}, "asks for the author"),
        ({"split": "test"}, "expected the split"),
        ({"name": "../x"}, "cannot be the name of a file"),
    ],
)
def test_list_that_breaks_a_rule_is_refused(
    change: dict[str, str], complaint: str, tmp_path: Path
) -> None:
    path = tmp_path / "photos.tsv"
    photos.write_photos(path, [replace(PHOTO, **change)])  # type: ignore[arg-type]
    with pytest.raises(ListError, match=complaint):
        read_photos(path)


def test_list_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "photos.tsv"
    photos.write_photos(path, read_photos())
    assert path.read_bytes() == photos.PHOTOS.read_bytes()


def test_two_photographs_of_one_name_are_refused(tmp_path: Path) -> None:
    photos.write_photos(tmp_path / "photos.tsv", [PHOTO, PHOTO])
    with pytest.raises(ListError, match="one name"):
        read_photos(tmp_path / "photos.tsv")
