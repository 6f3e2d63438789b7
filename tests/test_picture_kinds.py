"""Pictures as other programs write them: what is in them, and what becomes of it in each format."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from pictures import save
from PIL import Image

from liveaction_onnx import Upscaler, upscale_image

HOLD_EXIF = [".png", ".jpg", ".webp", ".tif"]


@pytest.fixture(scope="module")
def up() -> Iterator[Upscaler]:
    with Upscaler(device="cpu") as upscaler:
        yield upscaler


@pytest.mark.parametrize("suffix", HOLD_EXIF)
def test_exif_without_a_descriptive_tag_goes_along(
    tmp_path: Path, up: Upscaler, suffix: str
) -> None:
    """Its first directory is empty but for the orientation, and then Pillow's Exif is false."""
    exif = Image.Exif()
    exif[0x0112] = 1
    exif.get_ifd(0x8769)[0x9003] = "2020:01:01 00:00:00"
    exif.get_ifd(0x8825)[1] = "N"
    source = save(tmp_path / "a.jpg", exif=exif.tobytes())
    with Image.open(upscale_image(source, tmp_path / f"b{suffix}", upscaler=up)) as result:
        assert result.getexif().get_ifd(0x8769)[0x9003] == "2020:01:01 00:00:00"
        assert result.getexif().get_ifd(0x8825)[1] == "N"


def little_exif(
    first: list[tuple[int, int, int, bytes]], gps: list[tuple[int, int, int, bytes]]
) -> bytes:
    """EXIF of tags (tag, kind, count, data of up to 8 bytes), also of kinds that are wrong."""

    def directory(entries: list[tuple[int, int, int, bytes]], offset: int) -> bytes:
        head, tail = len(entries).to_bytes(2, "little"), b""
        behind = offset + 2 + 12 * len(entries) + 4
        for tag, kind, count, data in entries:
            if len(data) > 4:
                place = (behind + len(tail)).to_bytes(4, "little")
                tail += data
            else:
                place = data.ljust(4, b"\0")
            head += tag.to_bytes(2, "little") + kind.to_bytes(2, "little")
            head += count.to_bytes(4, "little") + place
        return head + bytes(4) + tail

    entries = sorted([*first, (0x8825, 4, 1, bytes(4))])
    place = 8 + len(directory(entries, 8))
    entries = sorted([*first, (0x8825, 4, 1, place.to_bytes(4, "little"))])
    body = directory(entries, 8) + directory(gps, place)
    return b"Exif\0\0II*\0\x08\0\0\0" + body


ODD_EXIF = {
    "altitude's sign as text": little_exif([], [(1, 2, 2, b"N\0"), (5, 2, 2, b"0\0")]),
    "altitude below zero": little_exif(
        [], [(1, 2, 2, b"N\0"), (6, 10, 1, (-7).to_bytes(4, "little", signed=True) + b"\1\0\0\0")]
    ),
    "resolution as text": little_exif([(282, 2, 3, b"72\0")], [(1, 2, 2, b"N\0")]),
    "unit as text": little_exif([(296, 2, 2, b"2\0")], [(1, 2, 2, b"N\0")]),
    "unit as float": little_exif([(296, 11, 1, b"\0\0\0\x40")], [(1, 2, 2, b"N\0")]),
}


@pytest.mark.parametrize("suffix", HOLD_EXIF)
@pytest.mark.parametrize("odd", ODD_EXIF)
def test_exif_of_an_odd_kind_costs_a_tag_and_not_the_picture(
    tmp_path: Path, up: Upscaler, suffix: str, odd: str, caplog: pytest.LogCaptureFixture
) -> None:
    source = save(tmp_path / "a.png", exif=ODD_EXIF[odd])
    with (
        caplog.at_level(logging.WARNING),
        Image.open(upscale_image(source, tmp_path / f"b{suffix}", upscaler=up)) as result,
    ):
        assert dict(result.getexif().get_ifd(0x8825)) == {1: "N"}, "the rest goes along"
    assert len(caplog.records) == 1, "and it is told once"


def test_exif_that_is_none_costs_no_picture(
    tmp_path: Path, up: Upscaler, caplog: pytest.LogCaptureFixture
) -> None:
    source = save(tmp_path / "a.png", exif=b"Exif\0\0this is none at all")
    with caplog.at_level(logging.WARNING):
        upscale_image(source, upscaler=up)
    assert "EXIF cannot be read" in caplog.text


def test_exif_that_is_too_long_for_jpeg_loses_its_longest_tag(
    tmp_path: Path, up: Upscaler, caplog: pytest.LogCaptureFixture
) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Camera"
    exif.get_ifd(0x8769)[0x927C] = bytes(70_000)
    source = save(tmp_path / "a.png", exif=exif.tobytes())
    with (
        caplog.at_level(logging.WARNING),
        Image.open(upscale_image(source, tmp_path / "b.jpg", upscaler=up)) as result,
    ):
        assert result.getexif()[0x010F] == "Camera"
    assert "MakerNote" in caplog.text
