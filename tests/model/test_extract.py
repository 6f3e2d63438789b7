"""Taking photographs out of packages: only what is wanted, upright, in sRGB; the rest refused."""

from __future__ import annotations

import io
import struct
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms
from scenes import PHOTO, jpeg, make_deb, make_rcc, png, scene

from model.deb import DebError, read_members
from model.extract import PhotoError, decode, extract_package, largest_jpeg
from model.rcc import ResourceError, read_resources


@pytest.mark.parametrize("suffix", [".xz", ".gz", ".bz2"])
def test_deb_gives_the_wanted_files_only(tmp_path: Path, suffix: str) -> None:
    package = make_deb(tmp_path / "a.deb", {"usr/a": b"one", "usr/b": b"22", "etc/c": b"3"}, suffix)
    assert dict(read_members(package, {"usr/b", "etc/c", "usr/z"})) == {
        "usr/b": b"22",
        "etc/c": b"3",
    }


def test_link_in_a_deb_is_never_followed(tmp_path: Path) -> None:
    package = make_deb(tmp_path / "a.deb", {"usr/a": b"one"})
    assert list(read_members(package, {"usr/link.jpg"})) == []


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda data: b"PK" + data, "no Debian package"),
        (lambda data: data[: len(data) - 200], "cannot be unpacked"),
        (lambda data: data.replace(b"data.tar", b"dota.tar"), "no data.tar"),
        (lambda data: data.replace(b"data.tar.xz", b"data.tar.br"), r"none of \.xz"),
        (lambda data: data[:100], "damaged"),
    ],
)
def test_damaged_deb_is_refused(
    tmp_path: Path, spoil: Callable[[bytes], bytes], complaint: str
) -> None:
    package = make_deb(tmp_path / "a.deb", {"usr/a": np.random.default_rng(1).bytes(5000)})
    package.write_bytes(spoil(package.read_bytes()))
    with pytest.raises(DebError, match=complaint):
        list(read_members(package, {"usr/a"}))


def test_zst_without_a_tool_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = make_deb(tmp_path / "a.deb", {"usr/a": b"one"})
    package.write_bytes(package.read_bytes().replace(b"data.tar.xz ", b"data.tar.zst"))
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(DebError, match="install dpkg, or the Python package zstandard"):
        list(read_members(package, {"usr/a"}))


@pytest.mark.parametrize("version", [1, 2, 3])
def test_resources_are_read_by_name(version: int) -> None:
    files = {"a.webp": b"first", "b.webp": b"second" * 100, "c.webp": b"", "ä.webp": b"4"}
    data = make_rcc(files, version)
    read = dict(read_resources(data, lambda path: True))
    assert read == {f"pics/{name}": content for name, content in files.items()}
    assert dict(read_resources(data, "pics/b.webp".__eq__)) == {"pics/b.webp": b"second" * 100}


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"no resource", "'qres'"),
        (
            make_rcc({"a": b"12345"}, 3).replace(b"qres\0\0\0\3", b"qres\0\0\0\x09"),
            "version 1 to 3",
        ),
        (make_rcc({"a": b"12345"})[:60], "cut short"),
        (b"qres" + struct.pack(">4I", 1, 20, 20, 20) + struct.pack(">IH2I", 0, 2, 1, 0), "circle"),
    ],
)
def test_damaged_resources_are_refused(data: bytes, complaint: str) -> None:
    with pytest.raises(ResourceError, match=complaint):
        list(read_resources(data, lambda path: True))


def test_largest_jpeg_of_a_container_is_cut_out() -> None:
    small, big = jpeg(scene(40, 40)), jpeg(scene(80, 120), 70)
    data = b"EET\xff\xd8\xff" + small + b"between" + big + b"behind" + small
    assert largest_jpeg(data) == big


def test_container_without_a_jpeg_is_refused() -> None:
    with pytest.raises(PhotoError, match="no JPEG"):
        largest_jpeg(b"EET" + bytes(100))


def test_turned_picture_is_set_upright() -> None:
    picture = scene(40, 60)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees to the right
    np.testing.assert_array_equal(decode(png(picture, exif=exif)), np.rot90(picture, -1))


def test_grey_and_transparent_pictures_become_rgb() -> None:
    out = io.BytesIO()
    Image.new("LA", (5, 4), (90, 255)).save(out, "PNG")
    np.testing.assert_array_equal(decode(out.getvalue()), np.full((4, 5, 3), 90))


def test_profile_other_than_srgb_is_converted_and_srgb_is_not() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[..., 0], picture[..., 1] = 200, 50
    np.testing.assert_array_equal(decode(png(picture, icc_profile=srgb)), picture)
    swapped = srgb.replace(b"rXYZ", b"tmp ").replace(b"gXYZ", b"rXYZ").replace(b"tmp ", b"gXYZ")
    swapped = swapped.replace("sRGB".encode("utf-16-be"), "GBRs".encode("utf-16-be"))
    converted = decode(png(picture, icc_profile=swapped)).astype(int)
    expected = picture[..., [1, 0, 2]].astype(int)  # its red is sRGB's green
    assert np.abs(converted - expected).max() <= 2


@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff\xe0 no picture", jpeg(scene(64, 64))[:600]])
def test_unreadable_picture_is_refused(data: bytes) -> None:
    with pytest.raises(PhotoError, match="cannot be read"):
        decode(data)


def test_package_gives_its_photographs_and_complains_of_the_others(tmp_path: Path) -> None:
    picture = scene(48, 64)
    webp = io.BytesIO()
    Image.fromarray(picture).save(webp, "WEBP", lossless=True)
    package = make_deb(
        tmp_path / "p.deb",
        {
            "usr/x.jpg": jpeg(picture),
            "usr/y.edj": b"EET" + jpeg(picture),
            "usr/r.rcc": make_rcc({"z.webp": webp.getvalue()}),
            "usr/small.jpg": jpeg(picture[:32]),
            "usr/broken.jpg": b"no picture",
        },
    )
    listed = [
        replace(PHOTO, name="p.x"),
        replace(PHOTO, name="p.y", path="usr/y.edj"),
        replace(PHOTO, name="p.z", path="usr/r.rcc!pics/z.webp"),
        replace(PHOTO, name="p.small", path="usr/small.jpg"),
        replace(PHOTO, name="p.broken", path="usr/broken.jpg"),
        replace(PHOTO, name="p.gone", path="usr/gone.jpg"),
    ]
    folder = tmp_path / "photos"
    folder.mkdir()
    complaints = extract_package(package, listed, folder)
    assert sorted(path.name for path in folder.iterdir()) == ["p.x", "p.y", "p.z"]
    np.testing.assert_array_equal(decode((folder / "p.z").read_bytes()), picture)
    assert decode((folder / "p.y").read_bytes()).shape == (48, 64, 3)
    assert sorted(line.split(":")[0] for line in complaints) == ["p.broken", "p.gone", "p.small"]
    assert "expected 64x48 px as listed, found 64x32" in "".join(complaints)
