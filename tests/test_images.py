"""A picture file to a picture file: formats, depth, and what goes along."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
from pictures import camera_exif, halved, load, ramp, ramp16, save, srgb_profile
from PIL import Image

from liveaction_onnx import TargetError, Upscaler, deep, tiff, upscale_image
from liveaction_onnx.picture import open_picture, upright


def write_tiff(file: BinaryIO, pixels: Any, *, icc: bytes | None, exif: Any) -> None:
    with tiff.Writer(file) as writer:
        writer.write(pixels, icc=icc, exif=exif)


@pytest.fixture(scope="module")
def up() -> Iterator[Upscaler]:
    with Upscaler(device="cpu") as upscaler:
        yield upscaler


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"])
def test_a_colour_picture_comes_back_doubled_in_its_format(
    tmp_path: Path, up: Upscaler, suffix: str
) -> None:
    source = save(tmp_path / f"a{suffix}")
    target = upscale_image(source, upscaler=up)
    assert target == tmp_path / f"a_2x{suffix}"
    with Image.open(source) as before, Image.open(target) as after:
        assert after.format == before.format
        assert after.size == (64, 48)
    assert np.abs(halved(load(target, "RGB")) - ramp()).mean() < 3


@pytest.mark.parametrize("mode", ["L", "1", "LA", "P", "RGBA", "I;16"])
def test_a_png_of_each_mode_keeps_its_kind(tmp_path: Path, up: Upscaler, mode: str) -> None:
    if mode == "I;16":
        save(tmp_path / "a.png", ramp16()[..., 0])
    else:
        Image.fromarray(ramp()).convert(mode).save(tmp_path / "a.png")
    with Image.open(upscale_image(tmp_path / "a.png", upscaler=up)) as result:
        assert result.mode == {"1": "L", "P": "RGB"}.get(mode, mode)
        assert result.size == (64, 48)


def test_a_palette_with_a_transparent_entry_becomes_rgba(tmp_path: Path, up: Upscaler) -> None:
    image = Image.fromarray(ramp()).quantize(16)
    image.putpixel((0, 0), 3)
    image.save(tmp_path / "a.png", transparency=3)
    result = load(upscale_image(tmp_path / "a.png", upscaler=up))
    assert result.shape == (48, 64, 4)
    assert result[..., 3].min() == 0 or (load(tmp_path / "a.png", "RGBA")[..., 3] == 0).sum() == 1


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [3, 4])
def test_sixteen_bits_of_colour_survive(
    tmp_path: Path, up: Upscaler, suffix: str, channels: int
) -> None:
    pixels = ramp16()
    if channels == 4:
        pixels = np.dstack([pixels, np.full(pixels.shape[:2], 65535, np.uint16)])
    source = tmp_path / f"a{suffix}"
    with source.open("w+b") as file:
        if suffix == ".png":
            deep.write_png(file, pixels, icc=None, exif=None)
        else:
            write_tiff(file, pixels, icc=None, exif=None)
    with open_picture(source) as picture:
        assert np.array_equal(next(picture.frames), pixels), "reading keeps every bit"
    target = upscale_image(source, upscaler=up)
    with open_picture(target) as picture:
        result = next(picture.frames)
    assert result.dtype == np.uint16
    assert np.array_equal(result, up(pixels)), "and so does writing"
    assert np.unique(result & 255).size > 100, "the lower eight bits are in use"


def test_the_deep_writer_agrees_with_an_independent_reader(tmp_path: Path) -> None:
    """Pillow reads the upper eight bits of the same files."""
    for suffix in (".png", ".tif"):
        path = tmp_path / f"a{suffix}"
        with path.open("w+b") as file:
            if suffix == ".png":
                deep.write_png(file, ramp16(), icc=None, exif=None)
            else:
                write_tiff(file, ramp16(), icc=None, exif=None)
        assert np.array_equal(load(path), ramp16() >> 8)


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_tiff_compressions_are_read(tmp_path: Path, up: Upscaler, compression: str) -> None:
    source = save(tmp_path / "a.tif", compression=compression)
    result = load(upscale_image(source, upscaler=up))
    assert np.array_equal(result, up(ramp()))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_orientation_is_applied_once(
    tmp_path: Path, up: Upscaler, suffix: str, orientation: int
) -> None:
    source = save(tmp_path / f"a{suffix}", exif=camera_exif(orientation).tobytes())
    target = upscale_image(source, upscaler=up)
    with Image.open(target) as result:
        assert result.getexif().get(0x0112, 1) == 1
    difference = halved(load(target, "RGB")) - upright(ramp(), orientation)
    assert np.abs(difference).mean() < 3


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_orientation_of_sixteen_bits_is_applied_once(
    tmp_path: Path, up: Upscaler, suffix: str
) -> None:
    source, exif = tmp_path / f"a{suffix}", camera_exif(6)
    with source.open("w+b") as file:
        if suffix == ".png":
            deep.write_png(file, ramp16(), icc=None, exif=exif.tobytes())
        else:
            write_tiff(file, ramp16(), icc=None, exif=exif)
    with open_picture(upscale_image(source, upscaler=up)) as picture:
        result = next(picture.frames)
    assert np.array_equal(result, up(upright(ramp16(), 6)))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright_is_what_pillow_makes_of_it(orientation: int) -> None:
    from PIL import ImageOps

    image = Image.fromarray(ramp())
    image.getexif()[0x0112] = orientation
    turned = ImageOps.exif_transpose(image)
    assert np.array_equal(upright(ramp(), orientation), np.asarray(turned))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_profile_and_exif_go_along(tmp_path: Path, up: Upscaler, suffix: str) -> None:
    profile = srgb_profile()
    source = save(tmp_path / f"a{suffix}", exif=camera_exif(1).tobytes(), icc_profile=profile)
    with Image.open(upscale_image(source, upscaler=up)) as result:
        exif = result.getexif()
        assert result.info["icc_profile"] == profile
        assert exif[0x010F] == "Camera"
        assert float(exif.get_ifd(0x8769)[0x829A]) == pytest.approx(0.01)
        assert exif.get_ifd(0x8769)[0xA002] == 64, "the size it states is the size it has"
        assert exif.get_ifd(0x8825)[1] == "N"


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_profile_and_exif_go_along_with_sixteen_bits(
    tmp_path: Path, up: Upscaler, suffix: str
) -> None:
    source, profile = tmp_path / f"a{suffix}", srgb_profile()
    with source.open("w+b") as file:
        if suffix == ".png":
            deep.write_png(file, ramp16(), icc=profile, exif=camera_exif(1).tobytes())
        else:
            write_tiff(file, ramp16(), icc=profile, exif=camera_exif(1))
    with Image.open(upscale_image(source, upscaler=up)) as result:
        assert result.info["icc_profile"] == profile
        assert result.getexif()[0x010F] == "Camera"
        assert result.getexif().get_ifd(0x8769)[0xA002] == 64
        assert result.getexif().get_ifd(0x8825)[1] == "N"


def test_cmyk_becomes_rgb(tmp_path: Path, up: Upscaler) -> None:
    Image.fromarray(ramp()).convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    with Image.open(upscale_image(tmp_path / "a.jpg", upscaler=up)) as result:
        assert result.mode == "RGB"
        assert np.abs(halved(np.asarray(result)) - ramp()).mean() < 4


def test_a_jpeg_with_a_preview_behind_it_is_one_picture(tmp_path: Path, up: Upscaler) -> None:
    first, second = Image.fromarray(ramp()), Image.fromarray(ramp(12, 16))
    first.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[second])
    with Image.open(upscale_image(tmp_path / "a.jpg", upscaler=up)) as result:
        assert (result.format, result.size) == ("JPEG", (64, 48))


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
def test_an_animation_keeps_frames_delays_and_loops(
    tmp_path: Path, up: Upscaler, suffix: str
) -> None:
    frames = [Image.fromarray(np.roll(ramp(), 8 * k, axis=1)) for k in range(3)]
    source = tmp_path / f"a{suffix}"
    frames[0].save(source, save_all=True, append_images=frames[1:], duration=[50, 100, 150], loop=2)
    with Image.open(upscale_image(source, upscaler=up)) as result:
        assert (result.n_frames, result.size) == (3, (64, 48))  # type: ignore[attr-defined]
        delays = []
        for index, frame in enumerate(frames):
            result.seek(index)
            result.load()
            delays.append(result.info["duration"])
            difference = halved(np.asarray(result.convert("RGB"))) - np.asarray(frame)
            assert np.abs(difference).mean() < 8, "256 colours are not many"
        assert delays == [50, 100, 150]
        assert result.info["loop"] == 2


def test_every_page_of_a_tiff_is_kept(tmp_path: Path, up: Upscaler) -> None:
    pages = [Image.fromarray(ramp()), Image.fromarray(ramp(10, 12))]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    with Image.open(upscale_image(tmp_path / "a.tif", upscaler=up)) as result:
        sizes = []
        for index in range(result.n_frames):  # type: ignore[attr-defined]
            result.seek(index)
            sizes.append(result.size)
    assert sizes == [(64, 48), (24, 20)]


@pytest.mark.parametrize(("gray", "level"), [(False, 1), (True, 2)])
def test_colour_is_packed_with_less_effort(
    tmp_path: Path, up: Upscaler, gray: bool, level: int
) -> None:
    """A stream of zlib says how hard it tried: 0 to 3 for its levels up to 1, 5, 6 and 9."""
    save(tmp_path / "a.png", ramp()[..., 0] if gray else ramp())
    packed = upscale_image(tmp_path / "a.png", upscaler=up).read_bytes().partition(b"IDAT")[2]
    assert packed[1] >> 6 == level


def test_lossless_webp_stays_lossless(tmp_path: Path, up: Upscaler) -> None:
    source = save(tmp_path / "a.webp", lossless=True)
    assert np.array_equal(load(upscale_image(source, upscaler=up)), up(ramp()))


def test_another_format_is_written_where_the_target_names_it(tmp_path: Path, up: Upscaler) -> None:
    target = upscale_image(save(tmp_path / "a.jpg"), tmp_path / "b.png", upscaler=up)
    with Image.open(target) as result:
        assert result.format == "PNG"


def test_a_wrong_ending_is_read_by_content_and_named_right(tmp_path: Path, up: Upscaler) -> None:
    source = save(tmp_path / "a.png").rename(tmp_path / "a.jpg")
    assert upscale_image(source, upscaler=up).name == "a_2x.png"


def test_sixteen_bits_to_jpeg_are_rounded_not_cut(tmp_path: Path, up: Upscaler) -> None:
    source = save(tmp_path / "a.png", np.full((8, 8), 128 * 257 + 128, np.uint16))
    result = load(upscale_image(source, tmp_path / "a.jpg", upscaler=up))
    assert abs(int(result[4, 4]) - 128.5) <= 1


@pytest.mark.parametrize(
    ("name", "what"), [("b.jpg", "transparency"), ("b.xyz", "ends in"), ("b", "ends in")]
)
def test_a_target_that_cannot_hold_it_is_refused(
    tmp_path: Path, up: Upscaler, name: str, what: str
) -> None:
    Image.fromarray(ramp()).convert("RGBA").save(tmp_path / "a.png")
    with pytest.raises(TargetError, match=what):
        upscale_image(tmp_path / "a.png", tmp_path / name, upscaler=up)
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_an_animation_into_a_still_is_refused(tmp_path: Path, up: Upscaler) -> None:
    frames = [Image.fromarray(np.roll(ramp(), 8 * k, axis=1)) for k in range(2)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=50)
    with pytest.raises(TargetError, match="animation"):
        upscale_image(tmp_path / "a.gif", tmp_path / "a.jpg", upscaler=up)
    assert [p.name for p in tmp_path.iterdir()] == ["a.gif"]
