"""The whole draw: what it promises of its pairs, and that it stands alone."""

from __future__ import annotations

import ast
import json
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import model.degrade
from model.degrade import Pair, Settings, degrade, fonts
from model.degrade.settings import Pixels

ROOT = Path(__file__).parents[2]
PHOTO = ROOT / "bench" / "pictures" / "otters.jpg"
CALM: dict[str, Any] = {
    "texts_wide": {"none": 1},
    "texts_narrow": {"none": 1},
    "patterned": 0,
    "grains": {"none": 1},
    "codecs": {"none": 1},
}
"""Only scaling, sharpening and deinterlacing are left."""


@pytest.fixture(autouse=True)
def _same_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow's own font, whatever this machine has: the same draws everywhere."""
    monkeypatch.setattr(fonts, "found", lambda: ())


@pytest.fixture(name="photo", scope="module")
def _photo() -> Pixels:
    with Image.open(PHOTO) as image:
        return np.asarray(image.convert("RGB"))[40:296, 180:440]


def draw(photo: Pixels, seed: int, **changes: Any) -> Pair:
    return degrade(photo, np.random.default_rng(seed), replace(Settings(), **changes))


def halved(pair: Pair) -> np.ndarray[Any, np.dtype[np.float64]]:
    height, width = pair.input.shape[:2]
    mean = pair.target.reshape(height, 2, width, 2, 3).mean((1, 3), dtype=float)
    return np.asarray(mean)


def test_the_same_seed_gives_the_same_bytes(photo: Pixels) -> None:
    for seed, name in enumerate(("jpeg", "mpeg4", "mpeg2", "h264", "vp9", "h265")):
        one, two = (draw(photo, seed, codecs={name: 1}) for _ in range(2))
        assert np.array_equal(one.input, two.input), name
        assert np.array_equal(one.target, two.target)
        assert one.stages == two.stages
    assert not np.array_equal(draw(photo, 1).input, draw(photo, 2).input)


def test_pairs_have_the_promised_form(photo: Pixels) -> None:
    before = photo.copy()
    for seed in range(25):
        pair = draw(photo, seed)
        assert pair.target.shape == (256, 260, 3)
        assert pair.input.shape == (128, 130, 3)
        assert pair.input.dtype == pair.target.dtype == np.uint8
        assert pair.input.flags.writeable
        assert pair.target.flags.writeable
        assert json.loads(json.dumps(pair.stages)) == pair.stages
        named = {"scaling", "filter", "sharpening", "deinterlacing", "text", "grain", "codec"}
        assert named | {"motion"} <= set(pair.stages)
        # Whatever is done to it, it shows the same picture.
        assert np.corrcoef(pair.input.ravel(), halved(pair).ravel())[0, 1] > 0.9, pair.stages
    assert np.array_equal(photo, before)


@pytest.mark.parametrize("height", [64, 65, 66, 67, 68])
def test_odd_sizes_are_cut_at_the_right_and_the_bottom(photo: Pixels, height: int) -> None:
    pair = draw(photo[:height, :71], 0, **CALM)
    assert pair.target.shape == (height // 4 * 4, 68, 3)
    assert np.array_equal(pair.target, photo[: height // 4 * 4, :68])
    assert pair.input.shape == (height // 4 * 2, 34, 3)


def test_pictures_that_are_none_are_refused(photo: Pixels) -> None:
    with pytest.raises(ValueError, match=r"at least 64x64 px, got 260x63"):
        draw(photo[:63], 0)
    with pytest.raises(ValueError, match=r"\(H, W, 3\), got \(256, 260\)"):
        draw(photo[..., 0], 0)
    with pytest.raises(TypeError, match=r"uint8, got float32"):
        draw(photo.astype(np.float32), 0)


def test_one_clean_box_step_is_the_mean(photo: Pixels) -> None:
    pair = draw(photo, 0, **CALM, scalings={"one-step": 1}, one_step_filters={"box": 1})
    assert np.abs(pair.input - halved(pair)).max() <= 0.75
    assert pair.stages["linear"] is False


@pytest.mark.parametrize("scaling", ["one-step", "two-step"])
def test_scaling_keeps_the_picture_in_its_place(photo: Pixels, scaling: str) -> None:
    for seed in range(12):
        pair = draw(photo, seed, **CALM, scalings={scaling: 1}, deinterlaced=0)
        wanted, got = halved(pair)[8:-8, 8:-8], pair.input.astype(float)
        for axis in (0, 1):
            errors = [np.square(np.roll(got, s, axis)[8:-8, 8:-8] - wanted).mean() for s in (-1, 1)]
            assert max(errors) / min(errors) < 1.25, pair.stages  # half a px would give 3 and more


def test_over_is_drawn_on_the_input_and_on_the_target(photo: Pixels) -> None:
    """The text is as sharp on the input as a halved target has it, though the rest is not."""
    clean = draw(photo, 3, **CALM)
    for seed in range(4):
        pair = draw(photo, seed, **{**CALM, "texts_narrow": {"over": 1}})
        written = np.abs(halved(pair) - halved(clean)).max(axis=2) > 60
        assert written.sum() > 50
        assert np.abs(pair.input - halved(pair))[written].mean() < 6


def test_grain_is_in_input_and_target(photo: Pixels) -> None:
    grainy = {**CALM, "grains": {"gaussian": 1}, "grain_sigma": (8, 8)}
    for seed in range(4):
        pair = draw(photo, seed, **grainy, scalings={"one-step": 1}, one_step_filters={"box": 1})
        noise = pair.input - photo[:, :260].reshape(128, 2, 130, 2, 3).mean((1, 3))
        kept = halved(pair) - photo[:, :260].reshape(128, 2, 130, 2, 3).mean((1, 3))
        assert noise.std() > 2
        assert np.corrcoef(noise.ravel(), kept.ravel())[0, 1] > 0.85


@pytest.mark.slow
def test_the_mean_colour_is_not_moved(photo: Pixels) -> None:
    """But by x264, which raises blue by some 0.4 levels by itself."""
    moved: dict[bool, list[Any]] = {True: [], False: []}
    for seed in range(100):
        pair = draw(photo, seed)
        shift = pair.input.mean((0, 1), dtype=float) - halved(pair).mean((0, 1))
        moved[pair.stages["codec"] == "h264"].append(shift)
    assert np.abs(moved[False]).mean(axis=0).max() < 0.3
    assert np.abs(np.mean(moved[False], axis=0)).max() < 0.25
    assert np.abs(np.mean(moved[True], axis=0)).max() < 0.6


def test_linear_light_would_move_it_without_matching() -> None:
    chequers = np.zeros((128, 128, 3), dtype=np.uint8)
    chequers[::2, ::2] = chequers[1::2, 1::2] = 255
    settings = {**CALM, "scalings": {"one-step": 1}, "one_step_filters": {"lanczos": 1}}
    means = [
        draw(chequers, 0, **settings, linear_light=1, match_mean=match).input.mean()
        for match in (True, False)
    ]
    assert means[0] == pytest.approx(127.5, abs=1)
    assert means[1] > 180


def test_every_kind_is_drawn_as_often_as_set() -> None:
    """Drawn on small pictures with cheap codecs, which share one weight here."""
    small = np.random.default_rng(0).integers(0, 256, (64, 256, 3), dtype=np.uint8)
    counts: Counter[str] = Counter()
    number = 400
    for seed in range(number):
        codecs = {"none": 8.7, "jpeg": 100}
        stages = draw(small, seed, codecs=codecs, deinterlaced=0.2).stages
        counts.update(f"{k}:{v}" for k, v in stages.items() if isinstance(v, str))
    share = {name: count / number for name, count in counts.items()}
    assert share["scaling:two-step"] == pytest.approx(0.5, abs=0.08)
    assert share["grain:gaussian"] == pytest.approx(0.2, abs=0.06)
    assert share["text:none"] == pytest.approx(0.5, abs=0.08)
    assert share["text:under"] == pytest.approx(0.375, abs=0.08)
    assert share["codec:none"] == pytest.approx(0.08, abs=0.04)
    assert share["sharpening:fir"] == pytest.approx(0.125, abs=0.05)
    assert 1 - share["deinterlacing:none"] == pytest.approx(0.1, abs=0.05)


def test_the_recipe_weighs_codecs_as_written() -> None:
    codecs = Settings().codecs
    assert codecs["none"] / sum(codecs.values()) == pytest.approx(0.08, abs=0.001)
    video = sum(codecs.values()) - codecs["none"] - codecs["jpeg"]
    assert video == pytest.approx(90)
    clips = Settings().clips
    assert clips["moving"] / sum(clips.values()) >= 1 / 3


def test_it_stands_alone() -> None:
    """Nothing but the standard library, numpy, Pillow and the ffmpeg binary is imported."""
    allowed = sys.stdlib_module_names | {"numpy", "PIL", "imageio_ffmpeg"}
    folder = Path(str(model.degrade.__file__)).parent
    imported = set()
    for file in sorted(folder.glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(str(node.module))
    strange = {
        name
        for name in imported
        if name.split(".")[0] not in allowed and not name.startswith("model.degrade")
    }
    assert not strange


def test_the_front_door_is_sorted_and_whole() -> None:
    assert model.degrade.__all__ == ["FfmpegError", "Pair", "Settings", "degrade"]
