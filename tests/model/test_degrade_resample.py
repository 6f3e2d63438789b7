"""Resizing keeps every picture in its place, flat fields flat, and mirrors what is mirrored."""

from __future__ import annotations

import numpy as np
import pytest

from model.degrade.resample import resize, taps
from model.degrade.settings import Picture

FILTERS = ("triangle", "catmull-rom", "lanczos", "spline", "box", "jinc")
SIZES = ((64, 32), (64, 23), (40, 47), (33, 64))


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize(("size", "out"), SIZES)
def test_a_flat_field_stays_flat(name: str, size: int, out: int) -> None:
    flat = np.full((size, 40, 3), (7, 100, 250), dtype=np.float32)
    resized = resize(flat, out, 33, name)
    assert resized.shape == (out, 33, 3)
    assert np.abs(resized - flat[:1, :1]).max() < 1e-3


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize(("size", "out"), SIZES)
def test_nothing_is_moved(name: str, size: int, out: int) -> None:
    """The centre of a blob lies where the scale says; a shift of half a px would be 0.5."""
    line, column = 0.47 * size, 21.3
    y, x = np.mgrid[:size, :40]
    blob = np.exp(-((y - line) ** 2 + (x - column) ** 2) / 18).astype(np.float32)[..., None]
    resized = resize(blob, out, 33, name)[..., 0]
    y, x = np.mgrid[:out, :33]
    where = (y * resized).sum() / resized.sum(), (x * resized).sum() / resized.sum()
    wanted = (line + 0.5) * out / size - 0.5, (column + 0.5) * 33 / 40 - 0.5
    assert where == pytest.approx(wanted, abs=0.02)


@pytest.mark.parametrize("name", FILTERS)
def test_a_mirrored_picture_gives_the_mirrored_result(name: str) -> None:
    picture = noise(36, 48)
    for flip in ((slice(None, None, -1), slice(None)), (slice(None), slice(None, None, -1))):
        straight = resize(picture, 25, 24, name)
        assert np.abs(resize(picture[flip], 25, 24, name)[flip] - straight).max() < 1e-2


def test_box_is_the_mean() -> None:
    picture = noise(12, 16)
    assert np.allclose(
        resize(picture, 6, 8, "box"), picture.reshape(6, 2, 8, 2, 3).mean((1, 3)), atol=1e-3
    )
    thirds = resize(np.arange(3, dtype=np.float32).reshape(3, 1, 1), 2, 1, "box")
    assert thirds.ravel().tolist() == pytest.approx([1 / 3, 5 / 3])  # (0 + 0.5 * 1) / 1.5, ...


def test_point_repeats_lines() -> None:
    lines = np.arange(3, dtype=np.float32).reshape(3, 1, 1)
    assert resize(lines, 6, 1, "point").ravel().tolist() == [0, 0, 1, 1, 2, 2]


def test_jinc_is_round() -> None:
    """A px spreads as far along the diagonal as along the axes, which no separable filter does."""
    dot = np.zeros((41, 41, 1), dtype=np.float32)
    dot[20, 20] = 1
    spread = resize(dot, 123, 123, "jinc")[..., 0]
    assert spread[61, 61 + 5] == pytest.approx(spread[61 + 3, 61 + 4], abs=2e-3)
    separable = resize(dot, 123, 123, "lanczos")[..., 0]
    assert abs(separable[61, 61 + 5] - separable[61 + 3, 61 + 4]) > 1e-2


def test_shrinking_removes_what_cannot_be_shown() -> None:
    """Lines of one px come out grey, not as other lines."""
    lines = np.zeros((96, 8, 1), dtype=np.float32)
    lines[::2] = 1
    for name in FILTERS:
        middle = resize(lines, 36, 8, name)[6:-6]
        assert np.abs(middle - 0.5).max() < 0.2, name


def test_taps_add_up_to_one_and_stay_inside() -> None:
    index, weight = taps(10, 7, "lanczos")
    assert weight.sum(axis=0) == pytest.approx(np.ones(7), abs=1e-6)
    assert index.min() == 0
    assert index.max() == 9


def noise(height: int, width: int) -> Picture:
    values = np.random.default_rng(5).uniform(0, 255, (height, width, 3))
    return values.astype(np.float32)
