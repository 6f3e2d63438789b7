"""Drawn charts: fine, of full contrast, and their targets the same picture."""

from __future__ import annotations

import numpy as np
import pytest

from model.charts import KINDS, chart


@pytest.mark.parametrize("seed", range(30))
def test_a_target_is_its_input_at_twice_the_size(seed: int) -> None:
    small, big = chart(np.random.default_rng(seed), 32)
    assert small.shape == (32, 32, 3)
    assert big.shape == (64, 64, 3)
    assert small.dtype == big.dtype == np.uint8
    means = big.astype(float).reshape(32, 2, 32, 2, 3).mean(axis=(1, 3))
    away = np.abs(means - small).mean()
    assert away == 0 or away < 40, "drawn things to the px, noise after a bicubic enlargement"


def test_every_kind_comes_and_most_charts_have_neighbours_of_full_contrast() -> None:
    rng = np.random.default_rng(0)
    charts = [chart(rng, 32)[0].astype(int) for _ in range(200)]
    steps = np.array(
        [max(np.abs(np.diff(c, axis=0)).max(), np.abs(np.diff(c, axis=1)).max()) for c in charts]
    )
    assert np.mean(steps == 0) == pytest.approx(KINDS["flat"] / sum(KINDS.values()), abs=0.1)
    assert np.mean(steps[steps > 0] > 200) > 0.6
    assert len({c.tobytes() for c in charts}) > 20 * len(KINDS) // 6


def test_the_same_seed_draws_the_same_chart() -> None:
    one, other = (chart(np.random.default_rng(7), 24) for _ in range(2))
    assert np.array_equal(one[0], other[0])
    assert np.array_equal(one[1], other[1])
