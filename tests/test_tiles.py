"""Tiles: cut, run and placed, against callables whose reach is known."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from liveaction_onnx import planning, tiles
from liveaction_onnx.planning import choose_core
from liveaction_onnx.tiles import Box, Plan, cut, mirrored, plan, weights

Array = NDArray[Any]
Function = Callable[[Array], Array]

SIDES = st.integers(1, 80)


def blur(radius: int) -> Function:
    """Sum the px within `radius`, zeros beyond the edge, then repeat each px twice on each axis."""

    def function(window: Array) -> Array:
        height, width = window.shape[:2]
        rim = [(radius, radius), (radius, radius), (0, 0)][: window.ndim]
        total = np.pad(window, rim)
        total = np.add.reduce([total[k : k + height] for k in range(2 * radius + 1)])
        total = np.add.reduce([total[:, k : k + width] for k in range(2 * radius + 1)])
        return doubled(total)

    return function


def doubled(image: Array) -> Array:
    return image.repeat(2, 0).repeat(2, 1)


def counting(*shape: int) -> Array:
    return np.arange(np.prod(shape)).reshape(shape)


def whole(image: Array, function: Function, rim: int) -> Array:
    """What `function` makes of the whole picture with `rim` px mirrored in around it."""
    padded = np.pad(image, [(rim, rim), (rim, rim), (0, 0)][: image.ndim], mode="symmetric")
    result = function(padded)
    return result[2 * rim : len(result) - 2 * rim, 2 * rim : result.shape[1] - 2 * rim]


def tiled(image: Array, plan: Plan, function: Function, dtype: Any = None) -> Array:
    shape = (2 * image.shape[0], 2 * image.shape[1], *image.shape[2:])
    out = np.full(shape, 99, dtype or image.dtype)
    tiles.run(image, plan, function, out, scale=2)
    return out


class Geometry(NamedTuple):
    """A picture and how to cut it."""

    size: tuple[int, int]
    core: tuple[int, int]
    overlap: int
    rim: int
    radius: int


@st.composite
def geometries(draw: st.DrawFn) -> Geometry:
    """Any size; cores of which at most seven lie along an axis; an overlap that is enough."""
    size = draw(SIDES), draw(SIDES)
    core = tuple(draw(st.integers(max(1, side // 7), 90)) for side in size)
    radius = draw(st.integers(0, 5))
    overlap = radius + draw(st.integers(0, 6))
    return Geometry(size, (core[0], core[1]), overlap, draw(st.integers(0, 12)), radius)


def planned(geometry: Geometry, *, blend: bool = False, box: Box | None = None) -> Plan:
    return plan(
        *geometry.size,
        core=geometry.core,
        overlap=geometry.overlap,
        rim=geometry.rim,
        blend=blend,
        box=box,
    )


@given(geometries())
@settings(max_examples=80, deadline=None)
def test_tiles_with_enough_overlap_equal_the_whole_to_the_bit(geometry: Geometry) -> None:
    image, function = counting(*geometry.size), blur(geometry.radius)
    expected = whole(image, function, min(geometry.rim, geometry.overlap))
    assert np.array_equal(tiled(image, planned(geometry), function), expected)


def test_an_overlap_one_short_of_the_reach_shows() -> None:
    image, function = counting(40, 40), blur(3)
    enough = tiled(image, plan(40, 40, core=(16, 16), overlap=3, rim=0), function)
    short = tiled(image, plan(40, 40, core=(16, 16), overlap=2, rim=0), function)
    assert np.array_equal(enough, function(image))
    assert not np.array_equal(short, function(image))


@pytest.mark.parametrize("shape", [(1, 1), (1, 1, 3), (1, 9), (9, 1, 3), (20, 31), (20, 31, 3)])
@pytest.mark.parametrize("blend", [False, True])
def test_pictures_of_every_rank_and_of_one_px_are_filled(
    shape: tuple[int, ...], blend: bool
) -> None:
    image = counting(*shape)
    one = plan(*shape[:2], core=(8, 8), overlap=4, rim=2, blend=blend)
    assert np.allclose(tiled(image, one, doubled, np.float32), doubled(image), atol=1e-3)


@given(geometries())
@settings(max_examples=200)
def test_cores_cover_each_axis_once_and_evenly(geometry: Geometry) -> None:
    made = planned(geometry)
    for side, core, spans in zip(
        geometry.size, geometry.core, (made.rows, made.columns), strict=True
    ):
        assert spans[0].start == 0
        assert spans[-1].stop == side
        assert all(left.stop == right.start for left, right in pairwise(spans))
        sizes = [span.stop - span.start for span in spans]
        assert 0 < min(sizes) <= max(sizes) <= core
        assert max(sizes) - min(sizes) < len(sizes)


@given(geometries())
@settings(max_examples=200)
def test_windows_stay_within_the_rim_and_hold_the_context_of_their_core(
    geometry: Geometry,
) -> None:
    assert_windows_hold_their_context(geometry, planned(geometry))


def assert_windows_hold_their_context(geometry: Geometry, made: Plan) -> None:
    rim = min(geometry.rim, geometry.overlap)
    for side, size, spans in zip(
        geometry.size, made.window_px, (made.rows, made.columns), strict=True
    ):
        for span in spans:
            assert -rim <= span.window
            assert span.window + size <= side + rim
            assert span.window <= max(-rim, span.start - geometry.overlap)
            assert span.window + size >= min(side + rim, span.stop + geometry.overlap)


@given(geometries(), st.booleans())
@settings(max_examples=40, deadline=None)
def test_every_window_that_is_run_has_the_size_of_the_plan(geometry: Geometry, blend: bool) -> None:
    made, seen = planned(geometry, blend=blend), []

    def function(window: Array) -> Array:
        seen.append(window.shape)
        return doubled(window)

    tiled(np.zeros(geometry.size), made, function)
    assert seen == [made.window_px] * made.tiles


@st.composite
def boxed_geometries(draw: st.DrawFn) -> tuple[Geometry, Box]:
    """A geometry, and any part of its picture of at least one px."""
    geometry = draw(geometries())
    tops, lefts = (st.integers(0, side - 1) for side in geometry.size)
    top, left = draw(tops), draw(lefts)
    bottom = draw(st.integers(top + 1, geometry.size[0]))
    return geometry, ((top, bottom), (left, draw(st.integers(left + 1, geometry.size[1]))))


@given(boxed_geometries())
@settings(max_examples=80, deadline=None)
def test_a_box_comes_out_as_in_the_whole_and_the_rest_of_out_is_left_alone(
    geometry_and_box: tuple[Geometry, Box],
) -> None:
    geometry, box = geometry_and_box
    image, function = counting(*geometry.size), blur(geometry.radius)
    (top, bottom), (left, right) = box
    inside = np.s_[2 * top : 2 * bottom, 2 * left : 2 * right]
    expected = np.full((2 * geometry.size[0], 2 * geometry.size[1]), 99)
    expected[inside] = whole(image, function, min(geometry.rim, geometry.overlap))[inside]
    assert np.array_equal(tiled(image, planned(geometry, box=box), function), expected)


@given(boxed_geometries())
@settings(max_examples=200)
def test_windows_of_a_box_stay_within_the_rim_and_hold_the_context_of_their_core(
    geometry_and_box: tuple[Geometry, Box],
) -> None:
    geometry, box = geometry_and_box
    made = planned(geometry, box=box)
    assert_windows_hold_their_context(geometry, made)
    for part, spans in zip(box, (made.rows, made.columns), strict=True):
        assert (spans[0].start, spans[-1].stop) == part


def test_a_box_that_is_one_core_is_one_window_no_larger_than_its_context() -> None:
    inside = plan(90, 90, core=(90, 90), overlap=9, rim=4, box=((20, 50), (30, 31)))
    corner = plan(90, 90, core=(90, 90), overlap=9, rim=4, box=((0, 30), (89, 90)))
    assert (inside.tiles, inside.window_px) == (1, (9 + 30 + 9, 9 + 1 + 9))
    assert (corner.tiles, corner.window_px) == (1, (4 + 30 + 9, 9 + 1 + 4))


@pytest.mark.parametrize("box", [((0, 2), (0, 3)), ((5, 7), (40, 50)), ((0, 33), (20, 23))])
def test_windows_of_a_fixed_size_give_the_box(box: Box) -> None:
    made = plan(33, 50, core=(18, 18), overlap=3, rim=3, window=(24, 24), box=box)
    assert made.window_px == (24, 24)
    inside = np.s_[2 * box[0][0] : 2 * box[0][1], 2 * box[1][0] : 2 * box[1][1]]
    image, function = counting(33, 50), blur(3)
    assert np.array_equal(tiled(image, made, function)[inside], whole(image, function, 3)[inside])


def test_a_blend_takes_no_box() -> None:
    with pytest.raises(ValueError, match="whole picture"):
        plan(20, 20, core=(9, 9), overlap=3, rim=0, blend=True, box=((0, 5), (0, 5)))


def test_a_picture_that_is_one_core_is_one_window() -> None:
    made = plan(30, 50, core=(30, 50), overlap=9, rim=4)
    assert (made.tiles, made.window_px) == (1, (38, 58))


def test_context_from_beyond_the_rim_is_the_mirror_image() -> None:
    seen: list[Array] = []

    def function(window: Array) -> Array:
        seen.append(window)
        return doubled(window)

    tiled(np.array([[1, 2, 3]]), plan(1, 3, core=(1, 3), overlap=2, rim=2), function)
    assert seen[0].tolist() == [[2, 1, 1, 2, 3, 3, 2]] * 5


@given(st.integers(1, 12), st.integers(0, 40), st.integers(0, 40))
def test_mirrored_is_what_numpy_pads(length: int, before: int, after: int) -> None:
    line = np.arange(length)  # a side at a time: numpy 1 errs where both go round more than once
    left = np.pad(line, (before, 0), mode="symmetric")
    right = np.pad(line, (0, after), mode="symmetric")
    padded = [*left, *right[length:]]
    assert mirrored(-before, length + after, length).tolist() == padded


def test_a_window_inside_the_picture_is_not_copied() -> None:
    image = counting(20, 20)
    spans, size = cut(20, 5, overlap=2, rim=0)
    assert np.shares_memory(tiles.window(image, spans[1], spans[1], (size, size)), image)


@pytest.mark.parametrize("size", [(7, 9), (24, 24), (33, 50)])
def test_windows_of_a_fixed_size_give_the_whole(size: tuple[int, int]) -> None:
    made = plan(*size, core=(18, 18), overlap=3, rim=3, window=(24, 24))
    image, function, seen = counting(*size), blur(3), set()

    def watched(window: Array) -> Array:
        seen.add(window.shape)
        return function(window)

    assert np.array_equal(tiled(image, made, watched), whole(image, function, 3))
    assert seen == {(24, 24)}


@given(SIDES, st.integers(1, 90), st.integers(0, 60), st.integers(0, 12), st.integers(1, 3))
@settings(max_examples=200)
def test_weights_sum_to_one_even_where_overlaps_are_larger_than_cores(
    length: int, core: int, overlap: int, rim: int, scale: int
) -> None:
    rim = min(rim, overlap)
    spans, size = cut(length, core, overlap, rim)
    total = np.zeros((length + 2 * rim) * scale)
    for span in spans:
        start = (span.window + rim) * scale
        total[start : start + size * scale] += weights(span, length, size, overlap, scale)
    inner = total[rim * scale : (rim + length) * scale]
    np.testing.assert_allclose(inner, 1, rtol=0, atol=1e-5)


def test_weights_ramp_over_the_overlaps_and_are_one_between_them() -> None:
    spans, size = cut(30, 10, overlap=2, rim=0)
    middle = weights(spans[1], 30, size, overlap=2, scale=1)
    assert middle[4:10].tolist() == [1] * 6
    assert (np.diff(middle[:5]) > 0).all()
    assert middle.tolist() == pytest.approx(middle[::-1].tolist())


@given(geometries(), st.integers(0, 30))
@settings(max_examples=60, deadline=None)
def test_blending_leaves_a_pointwise_function_as_it_is(geometry: Geometry, more: int) -> None:
    made = planned(geometry._replace(overlap=geometry.overlap + more), blend=True)
    image = counting(*geometry.size) / (geometry.size[0] * geometry.size[1])
    result = tiled(image, made, doubled, np.float32)
    np.testing.assert_allclose(result, doubled(image), rtol=0, atol=1e-5)


def test_blended_integers_are_rounded_to_nearest() -> None:
    image = counting(16, 16).astype(np.uint8)
    made = plan(16, 16, core=(6, 6), overlap=3, rim=0, blend=True)
    levels = np.minimum(image, 254)
    up = tiled(levels, made, lambda window: doubled(window) + 0.6)
    down = tiled(levels, made, lambda window: doubled(window) + 0.4)
    assert np.array_equal(up, doubled(levels) + 1)
    assert np.array_equal(down, doubled(levels))


def test_placed_integers_are_rounded_to_nearest() -> None:
    image = np.minimum(counting(16, 16), 254).astype(np.uint8)
    made = plan(16, 16, core=(6, 6), overlap=3, rim=0)
    up = tiled(image, made, lambda window: doubled(window) + 0.6)
    assert np.array_equal(up, doubled(image) + 1)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32])
def test_blended_white_stays_white_in_every_dtype(dtype: Any) -> None:
    white = 1 if np.dtype(dtype).kind == "f" else np.iinfo(dtype).max
    image = np.full((50, 70, 3), white, dtype)
    for overlap in (1, 5, 13, 30):
        made = plan(50, 70, core=(12, 12), overlap=overlap, rim=4, blend=True)
        out = tiled(image, made, doubled)
        assert out.max() <= white, f"overlap {overlap}: brighter than white"
        assert out.min() == pytest.approx(white, rel=1e-6)


def test_blending_holds_no_more_than_one_strip_of_the_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = plan(200, 40, core=(20, 20), overlap=4, rim=4, blend=True)
    heights: list[int] = []
    zeros = np.zeros

    def spy(shape: Any, dtype: Any = float) -> Array:
        heights.append(shape[0])
        return zeros(shape, dtype)

    image = counting(200, 40)
    out = np.empty((400, 80), np.float32)
    monkeypatch.setattr("liveaction_onnx.tiles.np.zeros", spy)
    tiles.run(image, made, doubled, out, scale=2)
    assert len(heights) > 1
    assert max(heights) <= 2 * (20 + 2 * 4)


def test_blending_softens_the_seams_that_too_little_overlap_leaves() -> None:
    image = counting(64, 64).astype(np.float32) / 4096
    function = blur(7)

    def roughness(result: Array, spans: tuple[tiles.Span, ...]) -> float:
        edges = [2 * span.start for span in spans[1:]]
        bends = [result[:, e - 1 : e + 2] - 2 * result[:, e - 2 : e + 1] for e in edges]
        return float(
            np.mean([np.abs(b + result[:, e - 3 : e]) for b, e in zip(bends, edges, strict=True)])
        )

    energies = []
    for blend in (False, True):
        made = plan(64, 64, core=(16, 16), overlap=4, rim=0, blend=blend)
        exact = roughness(function(image), made.columns)
        energies.append(roughness(tiled(image, made, function), made.columns) - exact)
    hard, soft = energies
    assert hard > 0
    assert soft < hard


@given(SIDES, SIDES, st.integers(0, 24), st.integers(0, 12), st.integers(1, 10_000))
@settings(max_examples=200)
def test_a_chosen_core_fits_in_what_is_allowed(
    height: int, width: int, overlap: int, rim: int, most_px: int
) -> None:
    core = choose_core(height, width, overlap=overlap, rim=rim, max_window_px=most_px)
    assume(core is not None)
    assert core is not None
    tall, wide = plan(height, width, core=core, overlap=overlap, rim=rim).window_px
    assert tall * wide <= most_px


@given(SIDES, SIDES, st.integers(0, 24), st.integers(0, 12))
def test_the_whole_picture_is_chosen_just_where_it_fits(
    height: int, width: int, overlap: int, rim: int
) -> None:
    inner = min(rim, overlap)
    needed = (height + 2 * inner) * (width + 2 * inner)

    def chosen(most_px: int) -> tuple[int, int] | None:
        return choose_core(height, width, overlap=overlap, rim=rim, max_window_px=most_px)

    assert chosen(needed) == (height, width)
    assert chosen(needed - 1) != (height, width)


def test_a_box_is_chosen_whole_just_where_it_and_its_context_fit() -> None:
    needed = (40 + 2 * 9) * (4 + 30 + 9)  # a box 40 px high inside, 30 px wide at the left rim

    def chosen(most_px: int) -> tuple[int, int] | None:
        box = (20, 60), (0, 30)
        return choose_core(200, 200, overlap=9, rim=4, max_window_px=most_px, box=box)

    assert chosen(needed) == (40, 30)
    assert chosen(needed - 1) not in (None, (40, 30))


def test_no_core_is_chosen_where_not_even_the_smallest_fits() -> None:
    smallest = (planning.MIN_CORE_PX + 2 * 21) ** 2
    assert choose_core(1000, 1000, overlap=21, rim=8, max_window_px=smallest - 1) is None
    assert choose_core(1000, 1000, overlap=21, rim=8, max_window_px=smallest) is not None


@given(SIDES, SIDES, st.integers(0, 12), st.integers(400, 4000))
@settings(max_examples=60, deadline=None)
def test_no_other_core_computes_less_but_for_the_rounding_of_rows(
    height: int, width: int, overlap: int, most_px: int
) -> None:
    def cost(core: tuple[int, int]) -> float:
        made = plan(height, width, core=core, overlap=overlap, rim=0)
        size = made.window_px[0] * made.window_px[1]
        return made.tiles * size if size <= most_px else np.inf

    def even_cores(side: int) -> list[int]:
        """Every size that equal parts of `side` may have."""
        found = {-(-side // parts) for parts in range(1, side + 1)}
        return [core for core in found if core >= min(planning.MIN_CORE_PX, side)]

    others = [cost((tall, wide)) for tall in even_cores(height) for wide in even_cores(width)]
    chosen = choose_core(height, width, overlap=overlap, rim=0, max_window_px=most_px)
    if chosen is None:
        assert min(others) == np.inf
        return
    made = plan(height, width, core=chosen, overlap=overlap, rim=0)
    assert cost(chosen) < min(others) + made.tiles * made.window_px[1]


@pytest.mark.parametrize("blend", [False, True])
def test_done_is_called_after_each_tile_and_may_stop_the_run(blend: bool) -> None:
    made = plan(40, 40, core=(10, 10), overlap=2, rim=0, blend=blend)
    runs = 0

    def function(window: Array) -> Array:
        nonlocal runs
        runs += 1
        return doubled(window)

    def done() -> None:
        if runs == 3:
            raise KeyboardInterrupt

    image, out = counting(40, 40), np.zeros((80, 80))
    with pytest.raises(KeyboardInterrupt):
        tiles.run(image, made, function, out, scale=2, done=done)
    assert runs == 3, f"of {made.tiles} tiles"
