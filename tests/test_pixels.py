"""Arrays of every kind to what a graph eats, and back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from liveaction_onnx import ArrayError, GraphError, GraphFacts, Upscaler, pixels
from liveaction_onnx.pixels import ColorOrder, Kind, kind_of, prepare_out

Array = NDArray[Any]
Run = Callable[[Array], Array]

FLOATS = GraphFacts(
    name="",
    version="",
    scale=2,
    halo=0,
    rim=None,
    layout="NCHW",
    dtype="float32",
    precision="",
    workspace_bytes_per_px=1,
    licence="",
    source="",
    input_name="input",
    output_name="output",
    fixed_px=None,
    free_dimensions=("", "", ""),
)
BYTES = GraphFacts(**{**FLOATS.__dict__, "layout": "NHWC", "dtype": "uint8"})


def nearest(value: Array) -> Array:
    """Repeat each px of (1, 3, h, w) or (1, h, w, 3) twice along each axis."""
    rows = 2 if value.shape[1] == 3 else 1
    return value.repeat(2, rows).repeat(2, rows + 1)


def doubled(image: Array) -> Array:
    return image.repeat(2, 0).repeat(2, 1)


def through(
    image: Array, run: Run = nearest, facts: GraphFacts = FLOATS, order: ColorOrder = "rgb"
) -> Array:
    """What comes back of `image` by a graph that does what `run` does."""
    result = pixels.through(facts, kind_of(image), order, run)(image)
    assert result.dtype == image.dtype
    return result


def noise(*shape: int) -> NDArray[np.uint8]:
    levels: NDArray[np.uint8] = np.random.default_rng(3).integers(0, 256, shape, np.uint8)
    return levels


def smooth(*shape: int) -> NDArray[np.uint8]:
    rows, columns, channels = np.ogrid[: shape[0], : shape[1], : shape[2]]
    levels: NDArray[np.uint8] = (40 + 3 * rows + 5 * columns + 30 * channels).astype(np.uint8)
    return levels


@pytest.fixture(scope="module")
def up() -> Iterator[Upscaler]:
    with Upscaler(device="cpu") as upscaler:
        yield upscaler


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16", "float32", ">u2", ">f4"])
@pytest.mark.parametrize(
    ("shape", "frames", "channels"),
    [
        ((4, 6), None, 1),
        ((4, 6, 1), None, 1),
        ((4, 6, 3), None, 3),
        ((4, 6, 4), None, 4),
        ((5, 4, 6, 1), 5, 1),
        ((5, 4, 6, 3), 5, 3),
        ((5, 4, 6, 4), 5, 4),
    ],
)
def test_the_kind_of_an_array_is_told_by_its_shape_and_dtype(
    dtype: str, shape: tuple[int, ...], frames: int | None, channels: int
) -> None:
    image = np.zeros(shape, dtype)
    assert kind_of(image) == Kind(frames, 4, 6, channels, np.dtype(dtype))


@pytest.mark.parametrize("value", [0, 0.5, 1])
def test_floats_in_the_range_are_taken(value: float) -> None:
    assert kind_of(np.full((2, 2), value, np.float32)).channels == 1


@pytest.mark.parametrize(
    "image",
    [
        np.zeros(5, np.uint8),
        np.zeros((1, 1, 2, 2, 3), np.uint8),
        np.zeros((4, 6, 2), np.uint8),
        np.zeros((4, 6, 5), np.uint8),
        np.zeros((2, 4, 6, 2), np.uint8),
        np.zeros((4, 6, 3), bool),
        np.zeros((4, 6, 3), np.int8),
        np.zeros((4, 6, 3), np.int32),
        np.zeros((4, 6, 3), np.float64),
        np.zeros((4, 6, 3), np.complex64),
        np.zeros((4, 6, 3), object),
        np.zeros((0, 6, 3), np.uint8),
        np.zeros((4, 0), np.uint8),
        np.zeros((0, 4, 6, 3), np.float32),
        np.full((4, 6), np.nan, np.float32),
        np.full((4, 6), np.inf, np.float16),
        np.full((4, 6), -0.1, np.float32),
        np.full((4, 6), 1.1, np.float32),
        [[1, 2], [3, 4]],
        None,
    ],
    ids=lambda image: (
        f"{image.dtype}{image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
    ),
)
def test_an_array_that_is_no_picture_is_refused(image: Any) -> None:
    with pytest.raises(ArrayError, match="expected"):
        kind_of(image)


def test_one_value_out_of_range_is_enough_to_be_refused() -> None:
    for value in (np.nan, np.inf, -0.1, 1.1):
        image = np.full((4, 6, 3), 0.5, np.float32)
        image[3, 5, 2] = value
        with pytest.raises(ArrayError, match=r"\[0, 1\]"):
            kind_of(image)


def test_the_dtype_decides_the_range_and_not_the_values() -> None:
    seen: list[Array] = []

    def watched(value: Array) -> Array:
        seen.append(value)
        return nearest(value)

    dark = np.full((4, 6, 3), 200, np.uint16)
    assert through(dark, watched).max() == 200
    assert seen[0].max() == pytest.approx(200 / 65535)


def test_a_new_result_has_the_axes_and_dtype_of_the_image() -> None:
    for shape, wanted in [((4, 6), (12, 18)), ((2, 4, 6, 3), (2, 12, 18, 3))]:
        image = np.zeros(shape, ">u2")
        out = prepare_out(image, None, kind_of(image), 3)
        assert (out.shape, out.dtype) == (wanted, image.dtype)


def test_an_out_that_fits_is_used_as_it_is() -> None:
    image, out = np.zeros((4, 6, 3), np.uint8), np.zeros((8, 24, 3), np.uint8)[:, ::2]
    assert prepare_out(image, out, kind_of(image), 2) is out


@pytest.mark.parametrize(
    "out",
    [
        np.zeros((4, 6, 3), np.uint8),
        np.zeros((8, 12), np.uint8),
        np.zeros((1, 8, 12, 3), np.uint8),
        np.zeros((8, 12, 3), np.uint16),
        np.zeros((8, 12, 3), np.float32),
        np.broadcast_to(np.uint8(0), (8, 12, 3)),
        [0],
    ],
    ids=["size", "rank", "batch", "uint16", "float32", "read-only", "list"],
)
def test_an_out_that_does_not_fit_is_refused(out: Any) -> None:
    image = np.zeros((4, 6, 3), np.uint8)
    with pytest.raises(ArrayError, match="out: expected"):
        prepare_out(image, out, kind_of(image), 2)


def test_an_out_that_shares_memory_with_the_image_is_refused() -> None:
    out = np.zeros((8, 12, 3), np.uint8)
    image = out[:4, :6]
    with pytest.raises(ArrayError, match="shared"):
        prepare_out(image, out, kind_of(image), 2)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_every_level_survives_the_way_to_a_float_graph_and_back(dtype: Any) -> None:
    levels = np.arange(np.iinfo(dtype).max + 1, dtype=dtype).reshape(16, -1)
    colour = np.stack([levels, levels[::-1], levels[:, ::-1]], axis=-1)
    assert np.array_equal(through(colour), doubled(colour))
    assert np.array_equal(through(levels), doubled(levels))


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_floats_survive_the_way_to_a_float_graph_and_back(dtype: Any) -> None:
    image = np.linspace(0, 1, 16 * 20 * 3, dtype=dtype).reshape(16, 20, 3)
    assert np.array_equal(through(image), doubled(image))


def test_a_half_precision_graph_keeps_floats_within_its_rounding() -> None:
    facts = GraphFacts(**{**FLOATS.__dict__, "dtype": "float16"})
    image = np.linspace(0, 1, 16 * 20 * 3, dtype=np.float32).reshape(16, 20, 3)
    assert through(image, facts=facts) == pytest.approx(doubled(image), abs=2**-12)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_rounding_to_levels_shifts_no_mean(dtype: Any) -> None:
    """A graph that is off by every part of half a level, up and down alike."""
    top = np.iinfo(dtype).max
    image = np.full((100, 100, 3), 77, dtype)
    exact = 77 + np.linspace(0, 1, 200 * 200 * 3).reshape(1, 3, 200, 200)
    result = through(image, lambda value: (exact / top).astype(np.float32))
    assert abs(result.mean() - exact.mean()) < 0.01, "cutting off would shift it by 0.5"


def test_results_beyond_the_range_are_clipped_and_do_not_wrap() -> None:
    image = np.full((4, 6, 3), 128, np.uint8)
    assert (through(image, lambda value: nearest(value) + 1) == 255).all()
    assert (through(image, lambda value: nearest(value) - 1) == 0).all()


@pytest.mark.parametrize("facts", [FLOATS, BYTES], ids=["float32", "uint8"])
def test_bgr_is_rgb_with_the_channels_reversed(facts: GraphFacts) -> None:
    def reddened(value: Array) -> Array:
        result = nearest(value)
        result[(0, 0) if facts.channels_first else (..., 0)] = result.max()
        return result

    image = noise(4, 6, 3)
    swapped = through(image[..., ::-1], reddened, facts, "bgr")
    assert np.array_equal(swapped, through(image, reddened, facts)[..., ::-1])


def test_alpha_stays_last_where_colours_are_bgr() -> None:
    image = np.dstack([noise(4, 6, 3), np.full((4, 6), 255, np.uint8)])
    assert np.array_equal(through(image, order="bgr"), doubled(image))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_result_that_is_not_finite_is_an_error(bad: float) -> None:
    def broken(value: Array) -> Array:
        result = nearest(value)
        result[0, 1, 2, 3] = bad
        return result

    with pytest.raises(GraphError, match="not finite: try precision='fp32'"):
        through(noise(4, 6, 3), broken, replace(FLOATS, precision="fp16"))
    with pytest.raises(GraphError, match="not finite: try a form of it"):  # it takes no precision
        through(noise(4, 6, 3), broken, replace(FLOATS, precision=""))


@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 1)])
def test_gray_is_the_mean_of_what_comes_of_three_equal_channels(shape: tuple[int, ...]) -> None:
    image = np.full(shape, 100, np.uint8)
    offsets = np.array([-30, 0, 60], np.float32).reshape(1, 3, 1, 1) / 255
    result = through(image, lambda value: nearest(value) + offsets)
    assert result.tolist() == np.full((8, 12, *shape[2:]), 110).tolist()


def overshooting(value: Array) -> Array:
    """More contrast than was there, in a chequerboard."""
    result = nearest(value)
    signs = np.indices(result.shape).sum(axis=0) % 2 * 2 - 1
    limited: Array = (1.6 * result - 0.3 + 0.2 * signs).astype(np.float32)
    return limited


def test_alpha_stays_between_the_least_and_the_greatest_around_it() -> None:
    opacity = noise(9, 11)
    result = through(np.dstack([noise(9, 11, 3), opacity]), overshooting)[..., 3]
    views = np.lib.stride_tricks.sliding_window_view(np.pad(opacity, 1, "edge"), (3, 3))
    assert (result >= doubled(views.min(axis=(2, 3)))).all()
    assert (result <= doubled(views.max(axis=(2, 3)))).all()
    assert not np.array_equal(result, doubled(opacity)), "yet the graph has its say"


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_one_opacity_everywhere_stays_what_it_is(dtype: str, share: float) -> None:
    image = np.zeros((6, 8, 4), dtype)
    image[..., 3] = round(share * 255) if dtype == "uint8" else share
    if dtype == "uint16":
        image[..., 3] = round(share * 65535)
    assert (through(image, overshooting)[..., 3] == image[0, 0, 3]).all()


def disc() -> NDArray[np.bool_]:
    rows, columns = np.mgrid[:64, :64]
    inside: NDArray[np.bool_] = np.hypot(rows - 31.5, columns - 31.5) < 16
    return inside


def test_opaque_and_transparent_regions_stay_wholly_so(up: Upscaler) -> None:
    inside = disc()
    image = np.dstack([noise(64, 64, 3), np.where(inside, 255, 0).astype(np.uint8)])
    result = up(image)[..., 3]
    views = np.lib.stride_tricks.sliding_window_view(np.pad(inside, 1, "edge"), (3, 3))
    opaque, clear = views.min(axis=(2, 3)), ~views.max(axis=(2, 3))
    assert (result[doubled(opaque)] == 255).all()
    assert (result[doubled(clear)] == 0).all()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_hidden_colours_do_not_change_what_can_be_seen(up: Upscaler, dtype: str) -> None:
    top = 1 if dtype == "float32" else np.iinfo(dtype).max
    inside = disc()
    images = []
    for hidden in (0, top):
        image = np.empty((64, 64, 4), dtype)
        image[..., :3] = np.where(inside[..., None], noise(64, 64, 3) / 255 * top, hidden)
        image[..., 3] = np.where(inside, top, 0)
        images.append(up(image))
    first, second = images
    seen = first[..., 3] > 0
    assert np.array_equal(first[..., 3], second[..., 3])
    assert np.array_equal(first[seen], second[seen])


@pytest.mark.parametrize("tile", [None, 24])
def test_hidden_green_makes_no_fringe_around_a_red_disc(tile: int | None) -> None:
    image = np.zeros((64, 64, 4), np.uint8)
    image[disc()] = (220, 20, 20, 255)
    image[~disc()] = (0, 255, 0, 0)
    with Upscaler(device="cpu", tile=tile) as upscaler:
        result = upscaler(image)
    seen = result[result[..., 3] > 0].astype(int)
    assert np.abs(seen[:, :3] - (220, 20, 20)).max() < 12


def test_a_wholly_transparent_picture_stays_so(up: Upscaler) -> None:
    image = np.dstack([noise(20, 20, 3), np.zeros((20, 20), np.uint8)])
    assert (up(image)[..., 3] == 0).all()


def mapped(image: Array, folder: Path) -> Array:
    copy = np.memmap(folder / "image.raw", image.dtype, "w+", shape=image.shape)
    copy[...] = image
    return copy


def every_second(image: Array, folder: Path) -> Array:
    return image.repeat(2, 0).repeat(2, 1)[::2, ::2]


def backwards(image: Array, folder: Path) -> Array:
    return np.ascontiguousarray(image[::-1, ::-1, ::-1])[::-1, ::-1, ::-1]


def fortran(image: Array, folder: Path) -> Array:
    return np.asfortranarray(image)


def read_only(image: Array, folder: Path) -> Array:
    copy = image.copy()
    copy.flags.writeable = False
    return copy


@pytest.mark.parametrize("rearranged", [every_second, backwards, fortran, read_only, mapped])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_the_layout_in_memory_makes_no_difference(
    up: Upscaler,
    tmp_path: Path,
    rearranged: Callable[[Array, Path], Array],
    channels: int,
    dtype: str,
) -> None:
    image = smooth(20, 24, channels).astype(dtype)
    given = rearranged(image, tmp_path)
    before = given.copy()
    assert np.array_equal(up(given), up(image))
    assert np.array_equal(given, before), "and the input is left as it was"


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", ["u2", "f2", "f4"])
def test_the_byte_order_makes_no_difference(up: Upscaler, channels: int, dtype: str) -> None:
    image = smooth(20, 24, channels).astype(np.float64) / 255
    native = (image * 65535 if dtype == "u2" else image).astype(dtype)
    assert np.array_equal(up(native.astype(f">{dtype}")), up(native))


def test_a_graph_of_bytes_takes_bytes_as_they_are() -> None:
    image = noise(16, 16, 3)
    assert np.array_equal(through(image, facts=BYTES), doubled(image))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16", "float32"])
@pytest.mark.parametrize("shape", [(9, 11), (9, 11, 1), (9, 11, 3), (9, 11, 4)])
def test_a_graph_of_bytes_serves_every_kind_within_its_levels(
    dtype: str, shape: tuple[int, ...]
) -> None:
    seen: list[Array] = []

    def watched(value: Array) -> Array:
        seen.append(value)
        return nearest(value)

    top = 1 if dtype.startswith("f") else np.iinfo(dtype).max
    image = (np.linspace(0.01, 1, int(np.prod(shape))).reshape(shape) * top).astype(dtype)
    off = through(image, watched, BYTES).astype(np.float64) - doubled(image)
    assert np.abs(off).max() / top <= 0.5005 / 255 + np.finfo(np.float16).eps * (dtype == "float16")
    assert {(value.dtype.name, value.shape) for value in seen} == {("uint8", (1, 9, 11, 3))}
