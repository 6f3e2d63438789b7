"""Crops lie where they should and follow detail; targets keep place and colour."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image
from scenes import scene

from model import crops, targets
from model.crops import Crop, Survey


def test_soft_photograph_is_scaled_down_further_than_a_sharp_one() -> None:
    sharp = scene(1200, 1600)
    soft = Image.fromarray(sharp).resize((400, 300), Image.Resampling.BOX)
    blown_up = np.asarray(soft.resize((1600, 1200), Image.Resampling.BICUBIC))
    blurred = np.asarray(Image.fromarray(blown_up // 4 + 96))
    assert crops.survey(sharp).scale == 2.0
    assert crops.survey(blurred).scale > 2.0


def test_photograph_too_small_for_a_crop_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 512 px a side, got 900x500"):
        crops.survey(scene(500, 900))


@pytest.mark.parametrize(("height", "width"), [(520, 3000), (1500, 2000), (3000, 1301)])
def test_crops_lie_inside_and_have_sides_that_divide_by_four(height: int, width: int) -> None:
    found = Survey(width, height, 2.0, np.ones((height // 64, width // 64), np.float32))
    chosen = crops.choose_crops(found, 30, np.random.default_rng(1))
    for crop in [*chosen, crops.choose_valid_crop(found)]:
        left, top, right, bottom = crop.box
        assert min(left, top) >= 0, crop
        assert right <= width + 1e-6, crop
        assert bottom <= height + 1e-6, crop
        assert crop.width % 4 == crop.height % 4 == 0, crop
        assert min(crop.width, crop.height) >= crops.LEAST_CROP_PX, crop
        assert max(crop.width, crop.height) <= crops.CROP_PX, crop


def test_crops_prefer_detail_and_some_do_not() -> None:
    detail = np.zeros((40, 80), np.float32)
    detail[:, 40:] = 100  # the right half
    found = Survey(5120, 2560, 2.0, detail)
    chosen = crops.choose_crops(found, 200, np.random.default_rng(1))
    middles = np.array([(crop.box[0] + crop.box[2]) / 2 for crop in chosen])
    assert (middles > 2560).mean() > 0.75
    assert (middles < 1600).any()
    left, _, right, _ = crops.choose_valid_crop(found).box
    assert (left + right) / 2 > 2560


def test_shares_add_up_and_none_is_above_the_cap() -> None:
    rng = np.random.default_rng(1)
    surveys = [
        Survey(size, size, 2.0, np.full((8, 8), rng.uniform(1, 100), np.float32))
        for size in rng.integers(512, 5000, 120)
    ]
    counts = crops.share_out(surveys, 1000)
    assert sum(counts) == 1000
    assert max(counts) <= 10
    assert counts[int(np.argmin([one.width for one in surveys]))] < np.mean(counts)


def test_flat_colour_stays_what_it_is() -> None:
    picture = np.full((300, 300, 3), (200, 30, 90), np.uint8)
    crop = Crop(10.5, 3.25, 2.3, 64, 60)
    cut = targets.cut(picture, crop, targets.Tone())
    np.testing.assert_array_equal(cut, np.broadcast_to(picture[0, 0], (60, 64, 3)))


def test_crop_is_cut_where_it_says() -> None:
    rows, columns = np.mgrid[:256, :256]
    picture = np.stack([rows, columns, rows], axis=-1).astype(np.uint8)
    scale = 2.7
    cut = targets.cut(picture, Crop(40.9, 100.4, scale, 32, 16), targets.Tone())
    middles = scale * (np.arange(32) + 0.5) - 0.5  # of each px, in px of the photograph
    assert np.abs(cut[:, 16, 0] - (100.4 + middles[:16]))[1:-1].max() <= 0.7
    assert np.abs(cut[8, :, 1] - (40.9 + middles))[1:-1].max() <= 0.7


@pytest.mark.parametrize(
    ("tone", "sign"),
    [
        (targets.Tone(gain=1.1), (1, 1, 1)),
        (targets.Tone(gamma=1.1), (-1, -1, -1)),
        (targets.Tone(warmth=1.05), (1, 0, -1)),
        (targets.Tone(saturation=0.7), (-1, 1, 1)),
    ],
)
def test_tone_moves_colours_the_way_it_says(tone: targets.Tone, sign: Sequence[int]) -> None:
    picture = np.full((64, 64, 3), (180, 90, 60), np.uint8)
    crop = Crop(0, 0, 2.0, 32, 32)
    moved = targets.cut(picture, crop, tone)[16, 16].astype(int) - picture[0, 0]
    assert tuple(np.sign(moved)) == tuple(sign)
