"""What an upscaler is run on, and its scores: that they are of the right pictures, and kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_set import photograph, records, rival

from model import evaluate, rivals, scores
from model.metrics import Picture
from model.rivals import bicubic, resized
from model.scores import Sets


@pytest.fixture(scope="module")
def given() -> Sets:
    return scores.sets(records())


def test_a_draw_is_held_against_its_own_target(given: Sets) -> None:
    target = photograph(1)
    first, second = given.pairs[2:4]
    assert (first.name, first.draw, second.name, second.draw) == ("picture1", 0, "picture1", 1)
    assert np.array_equal(first.target, target)
    assert np.array_equal(second.target, target - 5)


def test_targets_are_halved_by_the_filters_in_turn(given: Sets) -> None:
    assert [pair.name for pair in given.clean["bicubic"]] == ["picture0", "picture2"]
    (middle,) = given.clean["lanczos"]
    assert np.array_equal(middle.target, photograph(1))
    assert np.array_equal(middle.input, resized(photograph(1), 0.5, "lanczos"))


def test_the_sets_are_the_same_every_time_and_their_hash_knows_them(given: Sets) -> None:
    again, fewer = scores.sets(records()), scores.sets(records(2))
    assert again.sha256 == given.sha256 != fewer.sha256
    renamed = [replace(record, name=f"{record.name}-") for record in records()]
    assert scores.sets(renamed).sha256 != given.sha256
    assert all(np.array_equal(a, b) for a, b in zip(again.grainy, given.grainy, strict=True))


def test_gaussian_grain_has_the_strength_that_is_asked_for() -> None:
    grey = np.full((128, 128, 3), 128, np.uint8)
    added = scores.grain(grey, np.random.default_rng(1), "gaussian", 6) - 128.0
    assert added.std() == pytest.approx(6, rel=0.02)
    assert np.corrcoef(added[..., 0].ravel(), added[..., 1].ravel())[0, 1] < 0.05


def test_film_grain_is_grey_coarse_and_gone_in_black() -> None:
    grey = np.full((128, 128, 3), 128, np.uint8)
    added = scores.grain(grey, np.random.default_rng(1), "film", 6)[..., 0] - 128.0
    assert added.std() == pytest.approx(6, rel=0.02)
    assert np.corrcoef(added[:, 1:].ravel(), added[:, :-1].ravel())[0, 1] > 0.4
    black = scores.grain(grey * 0, np.random.default_rng(1), "film", 6)
    assert not black.any()
    colour = scores.grain(grey, np.random.default_rng(1), "film", 6)
    assert np.array_equal(colour[..., 0], colour[..., 2])


def test_bicubic_keeps_all_of_the_grain_that_bicubic_keeps(given: Sets) -> None:
    found = scores.score(rivals.resamplers()[0], given, fast=True)
    assert set(found.grain.values()) == {100.0}
    assert found.flat == 0


def test_an_upscaler_that_blurs_loses_grain_and_one_that_sharpens_adds_to_it(given: Sets) -> None:
    def sharp(picture: Picture) -> Picture:
        high = bicubic(picture).astype(float) - bicubic(resized(picture, 0.5, "bicubic")).repeat(
            2, axis=0
        ).repeat(2, axis=1)
        return np.clip(bicubic(picture) + 0.5 * high, 0, 255).astype(np.uint8)

    def soft(picture: Picture) -> Picture:
        return bicubic(bicubic(resized(picture, 0.5, "bicubic")))

    lost = scores.score(rival(soft), given, fast=True).grain
    added = scores.score(rival(sharp), given, fast=True).grain
    assert max(lost.values()) < 50
    assert min(added.values()) > 110


def test_scores_stand_in_the_order_of_the_pairs(given: Sets) -> None:
    """An upscaler that is 8 levels off on the dark draws alone."""

    def off_on_dark(picture: Picture) -> Picture:
        dark = any(np.array_equal(picture, pair.input) for pair in given.pairs[1::2])
        return bicubic(picture) - (8 if dark else 0)

    rows = scores.score(rival(off_on_dark), given, fast=True).pairs
    assert [round(row["colour_shift"]) for row in rows] == [0, 8] * 3
    assert all(row["psnr_y"] > 35 for row in rows[::2])
    assert all(row["psnr_y"] < 33 for row in rows[1::2])


def test_a_colour_shift_is_off_the_input_and_not_the_target(given: Sets) -> None:
    bright = [replace(pair, target=pair.target + np.uint8(9)) for pair in given.pairs]
    rows = scores.score(rival(bicubic), replace(given, pairs=bright), fast=True).pairs
    assert max(row["colour_shift"] for row in rows) < 0.5


def test_resamplers_are_those_of_pillow() -> None:
    picture = photograph(0)
    for found, filter_ in zip(
        rivals.resamplers(), (Image.Resampling.BICUBIC, Image.Resampling.LANCZOS), strict=True
    ):
        with found.open() as upscale:
            expected = np.asarray(Image.fromarray(picture).resize((160, 128), filter_))
            assert np.array_equal(upscale(picture), expected)


def test_a_cached_upscaler_is_not_run_again(given: Sets, tmp_path: Path) -> None:
    def refuse(picture: Picture) -> Picture:
        raise AssertionError("run although its scores are known")

    first = scores.score(rival(bicubic), given, fast=True, cache=tmp_path)
    assert scores.score(rival(refuse), given, fast=True, cache=tmp_path) == first
    for other, sets in (
        (rival(refuse, "another graph"), given),
        (rival(refuse), scores.sets(records(2))),
    ):
        with pytest.raises(AssertionError, match="run although"):
            scores.score(other, sets, fast=True, cache=tmp_path)


def test_slow_measures_are_taken_unless_asked_not_to(given: Sets) -> None:
    pytest.importorskip("ssimulacra2")
    few = replace(given, pairs=given.pairs[:1])
    slow = scores.score(rival(bicubic), few).pairs[0]
    fast = scores.score(rival(bicubic), few, fast=True).pairs[0]
    assert set(slow) - set(fast) == {"ssimulacra2", "vmaf_neg"}


def test_a_pool_measures_what_this_process_measures(given: Sets) -> None:
    alone = scores.score(rival(bicubic), given, fast=True)
    with evaluate.mapping(2) as each:
        assert each is not map
        assert scores.score(rival(bicubic), given, fast=True, each=each) == alone
