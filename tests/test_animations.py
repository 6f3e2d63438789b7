"""Animations: frames, delays and loops, from each format that has them into each other."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures import halved, ramp, save
from PIL import Image

from liveaction_onnx import TargetError, Upscaler, upscale_image
from liveaction_onnx.picture import open_picture, upright

ANIMATED = [".gif", ".webp", ".png"]


@pytest.fixture(scope="module")
def up() -> Iterator[Upscaler]:
    with Upscaler(device="cpu") as upscaler:
        yield upscaler


def animate(path: Path, frames: Sequence[Any], **options: Any) -> Path:
    images = [Image.fromarray(frame) for frame in frames]
    images[0].save(path, save_all=True, append_images=images[1:], **options)
    return path


def rolled(count: int = 3) -> list[Any]:
    return [np.roll(ramp(), 8 * k, axis=1) for k in range(count)]


def shown(path: Path) -> tuple[list[Any], list[Any], int | None]:
    """Frames as RGBA, how long each is shown, and what is said of loops, by Pillow."""
    with Image.open(path) as image:
        frames, delays = [], []
        for index in range(image.n_frames):  # type: ignore[attr-defined]
            image.seek(index)
            image.load()
            frames.append(np.asarray(image.convert("RGBA")))
            delays.append(image.info.get("duration"))
        return frames, delays, image.info.get("loop")


def with_default(path: Path) -> Path:
    """An APNG of two frames, the second of which changes a part; its default image is none of them.

    The first frame is written over what is there, and is clear but for a square.
    """
    first = np.zeros((24, 32, 4), np.uint8)
    first[8:16, 8:16] = 200, 30, 30, 255
    second = first.copy()
    second[8:16, 16:24] = 30, 200, 30, 255
    default = np.dstack([ramp(), np.full((24, 32), 255, np.uint8)])
    options: dict[str, Any] = {"default_image": True, "duration": [70, 90], "loop": 3, "blend": 1}
    return animate(path, [default, first, second], **options)


@pytest.mark.parametrize("orientation", [3, 5, 6, 8])
@pytest.mark.parametrize("suffix", [".webp", ".png"])
def test_every_frame_is_turned(tmp_path: Path, up: Upscaler, suffix: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    source = animate(tmp_path / f"a{suffix}", rolled(), exif=exif.tobytes(), duration=50)
    frames = shown(upscale_image(source, upscaler=up))[0]
    assert len(frames) == 3
    for frame, given in zip(frames, rolled(), strict=True):
        assert np.abs(halved(frame[..., :3]) - upright(given, orientation)).mean() < 8


def test_a_default_image_stays_one(tmp_path: Path, up: Upscaler) -> None:
    target = upscale_image(with_default(tmp_path / "a.png"), upscaler=up)
    with Image.open(target) as image:
        assert image.info["default_image"]
        assert np.abs(halved(np.asarray(image.convert("RGB"))) - ramp()).mean() < 3
    frames, delays, loop = shown(target)
    assert (len(frames), delays[1:], loop) == (3, [70, 90], 3)
    assert (frames[1][..., 3] > 127).sum() == pytest.approx(4 * 64, abs=40)
    assert (frames[2][..., 3] > 127).sum() == pytest.approx(4 * 128, abs=40)


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_a_default_image_is_no_frame_elsewhere(tmp_path: Path, up: Upscaler, suffix: str) -> None:
    source = with_default(tmp_path / "a.png")
    frames, delays, _ = shown(upscale_image(source, tmp_path / f"b{suffix}", upscaler=up))
    assert delays == [70, 90]
    assert [int((f[..., 3] > 127).sum()) for f in frames] == pytest.approx([256, 512], abs=40)


def test_what_is_clear_stays_so_behind_an_opaque_frame_of_gif(tmp_path: Path, up: Upscaler) -> None:
    square = np.zeros((20, 20, 4), np.uint8)
    square[5:15, 5:15] = 200, 30, 30, 255
    blue = np.full((20, 20, 4), (30, 30, 200, 255), np.uint8)
    nothing = np.zeros((20, 20, 4), np.uint8)
    frames = [square, blue, square, nothing, square]
    source = animate(tmp_path / "a.png", frames, duration=100, blend=0)
    results = shown(upscale_image(source, tmp_path / "b.gif", upscaler=up))[0]
    counts = [int((frame[..., 3] > 0).sum()) for frame in results]
    assert counts == pytest.approx([400, 1600, 400, 0, 400], abs=40)
    assert (results[1][..., 3] > 0).all()


@pytest.mark.parametrize("source", ANIMATED)
@pytest.mark.parametrize("target", ANIMATED)
@pytest.mark.parametrize("plays", [0, 1, 3])
def test_it_is_played_as_often(
    tmp_path: Path, up: Upscaler, source: str, target: str, plays: int
) -> None:
    """PNG and WebP say how often in all, GIF how often again; 0 is for ever, nothing is once."""
    gifs = {0: 0, 1: None, 3: 2}[plays]
    said = gifs if source == ".gif" else plays
    options: dict[str, Any] = {"duration": 50} if said is None else {"duration": 50, "loop": said}
    made = animate(tmp_path / f"a{source}", [ramp()[..., ::step] for step in (1, -1)], **options)
    loop = shown(upscale_image(made, tmp_path / f"b{target}", upscaler=up))[2]
    assert loop == (gifs if target == ".gif" else plays)


def test_frames_shorter_than_gif_holds_are_shown_as_short_as_players_do(
    tmp_path: Path, up: Upscaler
) -> None:
    source = animate(tmp_path / "a.png", rolled(), duration=1000 / 120)
    assert shown(upscale_image(source, tmp_path / "b.gif", upscaler=up))[1] == [20, 20, 20]


def test_what_gif_rounds_off_is_made_up_for(tmp_path: Path, up: Upscaler) -> None:
    source = animate(tmp_path / "a.png", rolled(), duration=100 / 3)
    assert shown(upscale_image(source, tmp_path / "b.gif", upscaler=up))[1] == [30, 40, 30]


def test_delays_of_a_gif_stay_in_a_gif(tmp_path: Path, up: Upscaler) -> None:
    source = animate(tmp_path / "a.gif", rolled(), duration=[0, 10, 50])
    assert shown(upscale_image(source, upscaler=up))[1] == [0, 10, 50]


def test_a_frame_that_stands_longer_than_gif_holds(
    tmp_path: Path, up: Upscaler, caplog: pytest.LogCaptureFixture
) -> None:
    source = animate(tmp_path / "a.png", rolled(2), duration=[700_000, 50])
    with caplog.at_level(logging.WARNING):
        target = upscale_image(source, tmp_path / "b.gif", upscaler=up)
    assert shown(target)[1] == [655_350, 50]
    assert "700 s" in caplog.text


def test_a_delay_that_is_no_short_fraction_is_rounded(tmp_path: Path, up: Upscaler) -> None:
    """70,001 / 1000 s are of a number of more than 16 bits."""
    source = animate(tmp_path / "a.webp", rolled(2), duration=[70_001, 50])
    delays = shown(upscale_image(source, tmp_path / "b.png", upscaler=up))[1]
    assert delays == pytest.approx([70_001, 50], rel=1e-3)


@pytest.mark.parametrize("suffix", [".tif", ".jpg", ".bmp"])
def test_a_format_of_stills_is_refused(tmp_path: Path, up: Upscaler, suffix: str) -> None:
    source = animate(tmp_path / "a.gif", rolled(2), duration=50)
    with pytest.raises(TargetError, match="holds no animation"):
        upscale_image(source, tmp_path / f"b{suffix}", upscaler=up)


@pytest.mark.parametrize("gray", [False, True])
def test_a_still_gif_has_the_colours_of_the_picture(
    tmp_path: Path, up: Upscaler, gray: bool
) -> None:
    given = ramp()[..., 0] if gray else ramp()
    target = upscale_image(save(tmp_path / "a.png", given), tmp_path / "b.gif", upscaler=up)
    with Image.open(target) as image, open_picture(target) as picture:
        assert (image.n_frames, picture.plays) == (1, 1)  # type: ignore[attr-defined]
        result = np.asarray(image.convert("L" if gray else "RGB"))
    assert np.abs(halved(result) - given).mean() < 3


def test_an_encoder_that_fails_is_asked_once(
    tmp_path: Path, up: Upscaler, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def broken(image: Image.Image, *rest: Any) -> None:
        asked.append(image)
        raise ValueError("something of its own")

    monkeypatch.setitem(Image.SAVE_ALL, "WEBP", broken)
    source = animate(tmp_path / "a.png", rolled(), duration=50)
    with pytest.raises(TargetError, match="something of its own"):
        upscale_image(source, tmp_path / "b.webp", upscaler=up)
    gc.collect()
    assert len(asked) == 1
