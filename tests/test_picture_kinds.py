"""Pictures as other programs write them: what is in them, and what becomes of it in each format."""

from __future__ import annotations

import logging
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import pytest
from pictures import load, ramp, ramp16, save, srgb_profile
from PIL import Image, PngImagePlugin
from PIL import TiffImagePlugin as Tiff

from liveaction_onnx import PictureError, TargetError, Upscaler, deep, upscale_image
from liveaction_onnx.chunks import colour_of_png
from liveaction_onnx.images import upscale_by
from liveaction_onnx.picture import open_picture

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


def raw_tiff(path: Path, *pages: tuple[dict[int, Any], bytes]) -> Path:
    """A TIFF of pages (tags, px), each of one strip that is not packed."""
    with path.open("w+b") as file, Tiff.AppendingTiffWriter(file) as whole:
        for tags, px in pages:
            directory = Tiff.ImageFileDirectory_v2()
            for tag, value in {**tags, 273: 0, 278: tags[257], 279: len(px)}.items():
                directory[tag] = value
            directory.save(whole)
            whole.write(px)
            whole.newFrame()
    return path


def page(
    size: tuple[int, int], bits: tuple[int, ...], photometric: int, **more: Any
) -> dict[int, Any]:
    """The tags that each page needs, and more of them as t270="text"."""
    needed = {256: size[0], 257: size[1], 258: bits, 259: 1, 262: photometric, 277: len(bits)}
    return needed | {int(tag.lstrip("t")): value for tag, value in more.items()}


def first_frame(path: Path) -> Any:
    with open_picture(path) as picture:
        return next(picture.frames)


def test_colours_that_were_multiplied_by_alpha_are_made_straight(tmp_path: Path) -> None:
    px = np.array([[[100, 200, 32768, 32768], [0, 0, 0, 0], [9, 8, 7, 65535]]], "<u2")
    tags = page((3, 1), (16,) * 4, 2, t338=1)
    source = raw_tiff(tmp_path / "a.tif", (tags, px.tobytes()))
    assert first_frame(source).tolist() == [
        [[200, 400, 65535, 32768], [0, 0, 0, 0], [9, 8, 7, 65535]]
    ]


def test_gray_whose_zero_is_white_is_no_negative(tmp_path: Path) -> None:
    px = np.array([[0, 1000, 65535]], "<u2")
    raw_tiff(tmp_path / "a.tif", (page((3, 1), (16,), 0), px.tobytes()))
    assert first_frame(tmp_path / "a.tif").tolist() == [[65535, 64535, 0]]


def test_twelve_bits_of_gray_reach_white(tmp_path: Path) -> None:
    px = bytes([0x00, 0x08, 0x00, 0xFF, 0xF0, 0x00])  # 000 800 FFF 000
    raw_tiff(tmp_path / "a.tif", (page((4, 1), (12,), 1), px))
    assert first_frame(tmp_path / "a.tif").tolist() == [[0, 32776, 65535, 0]]


def deep_png(path: Path, px: Any, colour_type: int, key: bytes) -> Path:
    """A PNG of 16 bits with one colour that is clear."""
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        head = struct.pack(">IIBBBBB", px.shape[1], px.shape[0], 16, colour_type, 0, 0, 0)
        PngImagePlugin.putchunk(file, b"IHDR", head)
        PngImagePlugin.putchunk(file, b"tRNS", key)
        rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in px)
        PngImagePlugin.putchunk(file, b"IDAT", zlib.compress(rows))
        PngImagePlugin.putchunk(file, b"IEND", b"")
    return path


def test_the_clear_colour_of_sixteen_bit_rgb_is_kept(tmp_path: Path, up: Upscaler) -> None:
    px = ramp16(8, 8)
    px[2, 3] = 0x1234, 0x5678, 0x9ABC
    source = deep_png(tmp_path / "a.png", px, 2, bytes.fromhex("123456789abc"))
    with open_picture(source) as picture:
        frame = next(picture.frames)
    assert np.array_equal(frame[..., :3], px)
    assert np.argwhere(frame[..., 3] != 65535).tolist() == [[2, 3]]
    result = first_frame(upscale_image(source, upscaler=up))
    assert (result.shape, result.dtype) == ((16, 16, 4), np.uint16)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
def test_the_clear_level_of_sixteen_bit_gray_is_kept(
    tmp_path: Path, up: Upscaler, suffix: str
) -> None:
    px = ramp16(8, 8)[..., 0]
    px[2:6, 3:7] = 0x1234
    source = deep_png(tmp_path / "a.png", px, 0, bytes.fromhex("1234"))
    with Image.open(upscale_image(source, tmp_path / f"b{suffix}", upscaler=up)) as result:
        assert result.mode == "RGBA", "which Pillow makes of gray with alpha of 16 bits too"
        assert np.asarray(result)[8, 10, -1] < 10
        assert np.asarray(result)[0, 0, -1] > 245


@pytest.mark.parametrize("exif", [b"Exif\0\0MM\0*" + bytes(4), b"MM\0*\0\0\0\x08\0\x09", b"none"])
def test_sixteen_bits_are_read_whatever_the_exif_is(tmp_path: Path, exif: bytes) -> None:
    """Where it cannot read the EXIF, ffmpeg gives no px."""
    with (tmp_path / "a.png").open("w+b") as file:
        deep.write_png(file, ramp16(), icc=None, exif=exif)
    assert np.array_equal(first_frame(tmp_path / "a.png"), ramp16())


def test_gray_with_alpha_stays_gray_at_eight_and_sixteen_bits(tmp_path: Path, up: Upscaler) -> None:
    image = Image.fromarray(ramp()[..., 0])
    image.save(tmp_path / "a.png", transparency=40)
    with (tmp_path / "b.png").open("w+b") as file:
        deep.write_png(file, ramp16()[..., :2], icc=None, exif=None)
    assert np.array_equal(first_frame(tmp_path / "b.png")[..., 2:], ramp16()[..., :2])
    for name in ("a.png", "b.png"):
        assert upscale_image(tmp_path / name, upscaler=up).read_bytes()[25] == 4, "gray with alpha"


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_the_clear_level_is_found_at_any_bits(tmp_path: Path, bits: int) -> None:
    """Eight px of levels that count up, of which 1 is clear."""
    levels = [k % 2**bits for k in range(8)]
    px = sum(level << bits * (7 - k) for k, level in enumerate(levels)).to_bytes(bits, "big")
    with (tmp_path / "a.png").open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        PngImagePlugin.putchunk(file, b"IHDR", struct.pack(">IIBBBBB", 8, 1, bits, 0, 0, 0, 0))
        PngImagePlugin.putchunk(file, b"tRNS", b"\0\1")
        PngImagePlugin.putchunk(file, b"IDAT", zlib.compress(b"\0" + px))
        PngImagePlugin.putchunk(file, b"IEND", b"")
    alpha = first_frame(tmp_path / "a.png")[0, :, 3]
    assert alpha.tolist() == [0 if level == 1 else 255 for level in levels]


def test_gray_that_was_multiplied_by_alpha_is_read(tmp_path: Path) -> None:
    tags = page((2, 1), (8, 8), 1, t338=1)
    raw_tiff(tmp_path / "a.tif", (tags, bytes([20, 51, 9, 255])))
    if int(PIL.__version__.partition(".")[0]) < 13:  # which does not know it
        with pytest.raises(PictureError, match="not a picture we can read"):
            first_frame(tmp_path / "a.tif")
        return
    assert first_frame(tmp_path / "a.tif").tolist() == [[[100, 100, 100, 51], [9, 9, 9, 255]]]


@pytest.mark.parametrize("icc", [b"no profile", bytes(300)])
def test_cmyk_with_a_profile_that_is_none_is_read_as_without(tmp_path: Path, icc: bytes) -> None:
    image = Image.fromarray(ramp()).convert("CMYK")
    image.save(tmp_path / "a.tif")
    image.save(tmp_path / "b.tif", icc_profile=icc)
    assert np.array_equal(first_frame(tmp_path / "a.tif"), first_frame(tmp_path / "b.tif"))


def test_each_page_is_read_for_itself(tmp_path: Path, up: Upscaler) -> None:
    """Of 8 bits, of 16, gray with alpha, and colour with alpha behind it."""
    deep_px = ramp16(4, 6)
    pages = [
        (page((5, 4), (8,) * 3, 2), ramp(4, 5).tobytes()),
        (page((6, 4), (16,) * 3, 2), deep_px.tobytes()),
        (page((2, 2), (8, 8), 1, t338=2), bytes(range(8))),
        (page((2, 2), (8,) * 4, 2, t338=2), bytes(range(16))),
    ]
    raw_tiff(tmp_path / "a.tif", *pages)
    target = upscale_image(tmp_path / "a.tif", upscaler=up)
    with open_picture(target) as picture:
        results = list(picture.frames)
    assert [(frame.shape, str(frame.dtype)) for frame in results] == [
        ((8, 10, 3), "uint8"),
        ((8, 12, 3), "uint16"),
        ((4, 4, 4), "uint8"),
        ((4, 4, 4), "uint8"),
    ]
    assert np.array_equal(results[1], up(deep_px))
    with Image.open(target) as image:
        image.seek(2)
        assert image.mode == "LA"


def test_each_page_keeps_what_is_said_of_it(tmp_path: Path, up: Upscaler) -> None:
    icc = srgb_profile()
    pages = [
        (page((5, 4), (8,) * 3, 2, t270="first", t282=300.0, t34675=icc), ramp(4, 5).tobytes()),
        (page((5, 4), (8,) * 3, 2), ramp(4, 5).tobytes()),
        (page((5, 4), (8,) * 3, 2, t270="third", t282=72.0), ramp(4, 5).tobytes()),
    ]
    raw_tiff(tmp_path / "a.tif", *pages)
    with Image.open(upscale_image(tmp_path / "a.tif", upscaler=up)) as image:
        said = []
        for index in range(3):
            image.seek(index)
            tags = image.tag_v2  # type: ignore[attr-defined]
            said.append((tags.get(270), tags.get(282), tags.get(34675) == icc))
    assert said == [("first", 300.0, True), (None, None, False), ("third", 72.0, False)]


def test_tiles_of_sixteen_bits_are_put_in_their_places(tmp_path: Path) -> None:
    """Two of 16 x 16 px, of the second of which the picture has half."""
    px = ramp16(16, 32)
    directory = Tiff.ImageFileDirectory_v2()
    tags = page((24, 16), (16,) * 3, 2, t322=16, t323=16, t325=(1536, 1536))
    for tag, value in tags.items():
        directory[tag] = value
    directory.tagtype[324] = 4
    directory[324] = (0, 1536)
    begin = 8 + len(directory.tobytes(8))
    directory[324] = (begin, begin + 1536)
    with (tmp_path / "a.tif").open("w+b") as file:
        directory.save(file)
        file.write(px[:, :16].tobytes() + px[:, 16:].tobytes())
    assert np.array_equal(first_frame(tmp_path / "a.tif"), px[:, :24])


@pytest.mark.parametrize("suffix", [".tif", ".png"])
def test_a_preview_is_no_page(tmp_path: Path, up: Upscaler, suffix: str) -> None:
    source = raw_tiff(
        tmp_path / "a.tif",
        (page((5, 4), (8,) * 3, 2), ramp(4, 5).tobytes()),
        (page((3, 2), (8,) * 3, 2, t254=1), ramp(2, 3).tobytes()),
    )
    with open_picture(upscale_image(source, tmp_path / f"b{suffix}", upscaler=up)) as picture:
        assert [frame.shape for frame in picture.frames] == [(8, 10, 3)]


@pytest.mark.parametrize("suffix", [".jpg", ".bmp", ".png", ".webp", ".gif"])
def test_pages_are_no_animation(tmp_path: Path, up: Upscaler, suffix: str) -> None:
    pages = [Image.fromarray(ramp()), Image.fromarray(ramp(10, 12))]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(TargetError, match=r"holds no pages, and there are 2; choose \.tif"):
        upscale_image(tmp_path / "a.tif", tmp_path / f"b{suffix}", upscaler=up)
    pages[0].save(tmp_path / "c.tif")
    assert upscale_image(tmp_path / "c.tif", tmp_path / f"d{suffix}", upscaler=up).exists()


def test_transparency_is_not_written_into_bmp(tmp_path: Path, up: Upscaler) -> None:
    Image.fromarray(ramp()).convert("RGBA").save(tmp_path / "a.png")
    with pytest.raises(TargetError, match=r"BMP holds no transparency; choose \.png"):
        upscale_image(tmp_path / "a.png", tmp_path / "b.bmp", upscaler=up)


def test_a_bmp_with_transparency_becomes_a_png(tmp_path: Path, up: Upscaler) -> None:
    """Masks of colour and alpha stand behind the head of 40 bytes that Pillow writes."""
    pixels = np.dstack([ramp(), np.full((24, 32), 7, np.uint8)])
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    head = struct.pack("<IiiHHIIiiII", 56, 32, 24, 1, 32, 3, pixels.size, 0, 0, 0, 0) + masks
    px = pixels[::-1, :, [2, 1, 0, 3]].tobytes()
    whole = b"BM" + struct.pack("<IHHI", 14 + 56 + len(px), 0, 0, 14 + 56) + head + px
    (tmp_path / "a.bmp").write_bytes(whole)
    target = upscale_image(tmp_path / "a.bmp", upscaler=up)
    assert target.name == "a_2x.png"
    assert np.abs(load(target)[..., 3].astype(int) - 7).max() <= 1


@pytest.mark.parametrize(
    ("suffix", "width", "limit"),
    [(".webp", 8192, "16,383"), (".jpg", 32_751, "65,500"), (".gif", 32_768, "65,535")],
)
def test_a_side_that_a_format_does_not_hold_is_refused_before_it_is_computed(
    tmp_path: Path, suffix: str, width: int, limit: str
) -> None:
    source = save(tmp_path / "a.png", np.zeros((1, width, 3), np.uint8))

    def never(frame: Any) -> Any:
        raise AssertionError("it was computed")

    with pytest.raises(TargetError, match=rf"no more than {limit} px a side.*choose \.png"):
        upscale_by(
            never, source, tmp_path / f"b{suffix}", scale=2, overwrite=False, max_pixels=10**6
        )


def test_the_longest_side_is_held(tmp_path: Path) -> None:
    for suffix, side in ((".webp", 16_383), (".jpg", 65_500), (".gif", 65_535)):
        source = save(tmp_path / "a.png", np.zeros((side, 1, 3), np.uint8))
        target = tmp_path / f"b{suffix}"
        upscale_by(lambda px: px, source, target, scale=1, overwrite=False, max_pixels=10**6)
        assert load(target).shape[0] == side


def test_whatever_an_encoder_raises_is_told_of_the_target(
    tmp_path: Path, up: Upscaler, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: Any) -> None:
        raise ValueError("something of its own")

    monkeypatch.setitem(Image.SAVE, "JPEG", broken)
    with pytest.raises(TargetError, match=r"b\.jpg: cannot be written as JPEG: something") as told:
        upscale_image(save(tmp_path / "a.png"), tmp_path / "b.jpg", upscaler=up)
    assert isinstance(told.value.__cause__, ValueError)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def other_profile(space: bytes) -> bytes:
    """A profile whose head says that it is of that space of colours."""
    whole = srgb_profile()
    return whole[:16] + space + whole[20:]


def profile_of(path: Path) -> bytes | None:
    with Image.open(path) as image:
        icc: bytes | None = image.info.get("icc_profile")
    return icc


@pytest.mark.parametrize(
    ("suffix", "kept"), [(".png", True), (".jpg", True), (".tif", True), (".webp", False)]
)
def test_a_profile_of_gray_goes_where_gray_is_written(
    tmp_path: Path, up: Upscaler, suffix: str, kept: bool, caplog: pytest.LogCaptureFixture
) -> None:
    gray = other_profile(b"GRAY")
    source = save(tmp_path / "a.png", ramp()[..., 0], icc_profile=gray)
    with caplog.at_level(logging.WARNING):
        target = upscale_image(source, tmp_path / f"b{suffix}", upscaler=up)
    assert profile_of(target) == (gray if kept else None)
    assert ("its colour profile is left out, which is of 'GRAY'" in caplog.text) != kept
    assert len(caplog.records) == (0 if kept else 1)


@pytest.mark.parametrize("clear", [False, True])
def test_a_profile_of_gray_stays_with_gray_and_alpha(
    tmp_path: Path, up: Upscaler, clear: bool
) -> None:
    gray = other_profile(b"GRAY")
    if clear:
        save(tmp_path / "a.png", ramp()[..., 0], icc_profile=gray, transparency=40)
    else:
        with (tmp_path / "a.png").open("w+b") as file:
            deep.write_png(file, ramp16()[..., :2], icc=gray, exif=None)
    target = upscale_image(tmp_path / "a.png", upscaler=up)
    assert (target.read_bytes()[25], profile_of(target)) == (4, gray)


@pytest.mark.parametrize(
    "icc",
    [other_profile(b"Lab "), other_profile(b"CMYK"), b"none at all"],
    ids=["Lab", "CMYK", "none"],  # a profile has the second of its making: no name in two workers
)
@pytest.mark.parametrize("suffix", HOLD_EXIF)
def test_a_profile_of_other_colours_is_left_out(
    tmp_path: Path, up: Upscaler, suffix: str, icc: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    source = save(tmp_path / f"a{suffix}", icc_profile=icc)
    with caplog.at_level(logging.WARNING):
        assert profile_of(upscale_image(source, upscaler=up)) is None
    assert len(caplog.records) == 1


def test_a_lossless_webp_with_a_long_profile_stays_lossless(tmp_path: Path, up: Upscaler) -> None:
    icc = srgb_profile() + bytes(5000)
    source = save(tmp_path / "a.webp", lossless=True, icc_profile=icc)
    assert np.array_equal(load(upscale_image(source, upscaler=up)), up(ramp()))


@pytest.mark.parametrize("lossless", [False, True])
def test_frames_of_webp_say_whether_they_are_lossless(tmp_path: Path, lossless: bool) -> None:
    frames = [Image.fromarray(ramp()[..., ::step]) for step in (1, -1)]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:], lossless=lossless)
    with open_picture(tmp_path / "a.webp") as picture:
        assert picture.lossless == lossless


@pytest.mark.parametrize("source", [".png", ".jpg", ".tif", ".bmp"])
@pytest.mark.parametrize("target", [".png", ".jpg", ".tif", ".bmp"])
def test_dots_per_inch_go_along(tmp_path: Path, up: Upscaler, source: str, target: str) -> None:
    made = save(tmp_path / f"a{source}", dpi=(300, 150))
    with Image.open(upscale_image(made, tmp_path / f"b{target}", upscaler=up)) as result:
        assert [float(value) for value in result.info["dpi"]] == pytest.approx([300, 150], abs=0.02)


def test_dots_per_inch_go_along_with_sixteen_bits(tmp_path: Path, up: Upscaler) -> None:
    with (tmp_path / "a.png").open("w+b") as file:
        deep.write_png(file, ramp16(), icc=None, exif=None, dpi=(300, 150))
    for name in ("b.png", "c.tif"):
        with Image.open(upscale_image(tmp_path / "a.png", tmp_path / name, upscaler=up)) as result:
            assert [float(v) for v in result.info["dpi"]] == pytest.approx([300, 150], abs=0.02)


def test_no_dots_per_inch_are_made_up(tmp_path: Path, up: Upscaler) -> None:
    """Pillow says 72 of a JPEG with EXIF that says nothing of them, and 1 of such a TIFF."""
    exif = Image.Exif()
    exif[0x010F] = "Camera"
    for suffix in (".jpg", ".tif"):
        source = save(tmp_path / f"a{suffix}", exif=exif)
        target = upscale_image(source, tmp_path / f"b{suffix}.png", upscaler=up)
        assert b"pHYs" not in target.read_bytes()


COLOUR = {
    b"cICP": bytes((9, 16, 0, 1)),
    b"gAMA": struct.pack(">I", 100_000),
    b"cHRM": struct.pack(">8I", *[30_000] * 8),
}


def coloured_png(path: Path, pixels: Any, colour: dict[bytes, bytes], **options: Any) -> Path:
    said = PngImagePlugin.PngInfo()
    for name, data in colour.items():
        said.add(name, data)
    return save(path, pixels, pnginfo=said, **options)


@pytest.mark.parametrize("bits", [8, 16])
def test_what_a_png_says_of_its_colours_stays_in_png(
    tmp_path: Path, up: Upscaler, bits: int
) -> None:
    if bits == 8:
        coloured_png(tmp_path / "a.png", ramp(), COLOUR)
    else:
        with (tmp_path / "a.png").open("w+b") as file:
            deep.write_png(file, ramp16(), icc=None, exif=None, colour=COLOUR)
    assert colour_of_png(upscale_image(tmp_path / "a.png", upscaler=up)) == COLOUR


@pytest.mark.parametrize(
    ("colour", "told"),
    [
        (COLOUR, "which cICP, gAMA, cHRM of PNG say"),
        ({b"gAMA": struct.pack(">I", 45_455)}, ""),
        ({b"sRGB": b"\0", b"gAMA": struct.pack(">I", 45_000)}, ""),
    ],
)
def test_what_a_png_says_of_its_colours_is_told_where_it_is_lost(
    tmp_path: Path,
    up: Upscaler,
    colour: dict[bytes, bytes],
    told: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    source = coloured_png(tmp_path / "a.png", ramp(), colour)
    with caplog.at_level(logging.WARNING):
        upscale_image(source, tmp_path / "b.jpg", upscaler=up)
    assert told in caplog.text
    assert len(caplog.records) == bool(told)


def test_a_profile_counts_for_more_than_gamma(tmp_path: Path, up: Upscaler) -> None:
    source = coloured_png(tmp_path / "a.png", ramp(), COLOUR, icc_profile=srgb_profile())
    assert colour_of_png(upscale_image(source, upscaler=up)) == {b"cICP": COLOUR[b"cICP"]}


@pytest.mark.parametrize("kind", ["zTXt", "iTXt"])
@pytest.mark.parametrize("bits", [8, 16])
def test_a_png_with_a_long_text_is_read(tmp_path: Path, up: Upscaler, kind: str, bits: int) -> None:
    """More than Pillow unpacks; the text is not ours to keep, the other things are."""
    texts, icc = PngImagePlugin.PngInfo(), srgb_profile()  # in which lies the time it is made
    add = texts.add_text if kind == "zTXt" else texts.add_itxt
    add("Comment", "x" * (3 << 20), zip=True)
    save(tmp_path / "a.png", pnginfo=texts, icc_profile=icc)
    if bits == 16:
        whole = (tmp_path / "a.png").read_bytes()
        begin = whole.index(kind.encode()) - 4
        length = int.from_bytes(whole[begin : begin + 4], "big") + 12
        with (tmp_path / "b.png").open("w+b") as file:
            deep.write_png(file, ramp16(), icc=icc, exif=None)
        deep_png = (tmp_path / "b.png").read_bytes()
        long = deep_png[:33] + whole[begin : begin + length] + deep_png[33:]
        (tmp_path / "a.png").write_bytes(long)
    with Image.open(upscale_image(tmp_path / "a.png", upscaler=up)) as result:
        assert result.info["icc_profile"] == icc
    expected = ramp() if bits == 8 else ramp16()
    assert np.array_equal(first_frame(tmp_path / "a.png"), expected)


def test_a_long_profile_goes_from_jpeg_to_png_and_on(tmp_path: Path, up: Upscaler) -> None:
    icc = srgb_profile() + np.random.default_rng(1).bytes(1_100_000)
    source = save(tmp_path / "a.jpg", icc_profile=icc)
    middle = upscale_image(source, tmp_path / "b.png", upscaler=up)
    assert profile_of(upscale_image(middle, tmp_path / "c.jpg", upscaler=up)) == icc
    with (tmp_path / "d.png").open("w+b") as file:
        deep.write_png(file, ramp16(), icc=icc, exif=None)
    assert profile_of(upscale_image(tmp_path / "d.png", tmp_path / "e.jpg", upscaler=up)) == icc


def test_a_profile_that_unpacks_without_end_is_left_out(
    tmp_path: Path, up: Upscaler, caplog: pytest.LogCaptureFixture
) -> None:
    source = save(tmp_path / "a.png", icc_profile=bytes(65 << 20))
    with caplog.at_level(logging.WARNING):
        assert profile_of(upscale_image(source, upscaler=up)) is None
    assert "more than 64 MB" in caplog.text


def test_many_texts_are_no_damage(tmp_path: Path, up: Upscaler) -> None:
    """Pillow takes 64 MB of them in all."""
    texts = PngImagePlugin.PngInfo()
    for number in range(70):
        texts.add_text(f"Comment {number}", "x" * (1 << 20), zip=True)
    assert upscale_image(save(tmp_path / "a.png", pnginfo=texts), upscaler=up).exists()
