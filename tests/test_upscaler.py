"""The Upscaler: exact tiles, every kind of array, streams, memory, and what it refuses."""

from __future__ import annotations

import contextlib
import gc
import logging
import math
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from pictures import ramp

from liveaction_onnx import (
    ArrayError,
    CancelledError,
    ClosedError,
    DeviceMemoryError,
    DeviceUnavailableError,
    OptionError,
    Upscaler,
    catalog,
    devices,
    memory,
    pixels,
    planning,
    tiles,
    upscale,
)
from liveaction_onnx.devices import Device
from liveaction_onnx.opening import open_on_device
from liveaction_onnx.session import Session

Array = NDArray[Any]


@pytest.fixture(scope="module")
def up() -> Iterator[Upscaler]:
    with Upscaler(device="cpu") as upscaler:
        yield upscaler


@pytest.fixture(params=["shipped", "reference"])
def model(request: pytest.FixtureRequest) -> str | Path:
    if request.param == "shipped":
        return catalog.DEFAULT_MODEL
    path: Path = request.getfixturevalue("reference_graph")
    return path


@pytest.fixture(autouse=True)
def no_memory_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test learns from another that memory ran out."""
    monkeypatch.setattr(planning, "_most_px", {})


def noise(height: int, width: int, dtype: Any = np.uint8, seed: int = 0) -> Array:
    """Random px, no two places alike; of low contrast, so that no result is cut off at 0 or 1."""
    values = np.random.default_rng(seed).random((height, width, 3), np.float32)
    values = np.float32(0.35) + values * np.float32(0.3)
    if np.dtype(dtype).kind == "u":
        values *= np.iinfo(dtype).max
    return values.astype(dtype)


def random_tilings(seed: int, count: int = 4) -> list[tuple[int, int, tuple[int, int]]]:
    """Random (height, width, tile); those of many small tiles are left out, for they take long."""
    rng = np.random.default_rng(seed)
    found: list[tuple[int, int, tuple[int, int]]] = []
    while len(found) < count:
        height, width = map(int, rng.integers(1, 121, 2))
        tall, wide = map(int, rng.integers(5, 61, 2))
        windows = math.ceil(height / tall) * math.ceil(width / wide)
        if windows > 1 and windows * (tall + 42) * (wide + 42) < 60_000:
            found.append((height, width, (tall, wide)))
    return found


def psnr(a: Array, b: Array) -> float:
    """Of two arrays in levels of 255, in dB."""
    error = float(np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2))
    return 10 * math.log10(255**2 / error) if error else math.inf


def foreign(*nodes: onnx.NodeProto, weights: dict[str, Array], size: int | str = "side") -> bytes:
    """A graph of [1, 3, size, size] float32 from "in" to "out"."""
    sides = [size, size] if isinstance(size, int) else ["height", "width"]
    graph = helper.make_graph(
        list(nodes),
        "foreign",
        [helper.make_tensor_value_info("in", TensorProto.FLOAT, [1, 3, *sides])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    opsets = [helper.make_opsetid("", 17)]
    made: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    return made


def doubling_conv(size: int | str = "side") -> bytes:
    """A blur of 3 x 3 px, doubled by repeating px; its halo is 1."""
    kernel = np.zeros((12, 3, 3, 3), np.float32)
    for made in range(12):
        kernel[made, made // 4] = np.outer([1, 2, 1], [1, 2, 1]) / 16
    nodes = (
        helper.make_node("Conv", ["in", "kernel"], ["planes"], pads=[1, 1, 1, 1]),
        helper.make_node("DepthToSpace", ["planes"], ["out"], blocksize=2, mode="CRD"),
    )
    return foreign(*nodes, weights={"kernel": kernel}, size=size)


def doubling_transposed() -> bytes:
    """A bilinear resize by a transposed convolution, whose reach the walk does not know."""
    more: dict[str, Any] = {"group": 3, "strides": [2, 2], "pads": [1] * 4}
    node = helper.make_node("ConvTranspose", ["in", "kernel"], ["out"], **more)
    line = np.array([1, 3, 3, 1], np.float32) / 4
    kernel = np.broadcast_to(np.outer(line, line), (3, 1, 4, 4))
    return foreign(node, weights={"kernel": np.ascontiguousarray(kernel)})


class Spy:
    """What windows a session was given, with a limit beyond which its memory runs out."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, most_px: int | None = None) -> None:
        self.px: list[int] = []
        self.failed = 0
        original = Session._run

        def run(session: Session, value: Array, options: Any = None) -> Array:
            self.px.append(value.size // 3)
            if most_px is not None and value.size // 3 > most_px:
                self.failed += 1
                raise DeviceMemoryError(f"cpu, input {value.shape}: out of memory")
            return original(session, value, options)

        monkeypatch.setattr(Session, "_run", run)


def our_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("liveaction-onnx")]


class TestTiles:
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
    def test_tiled_is_whole_to_the_bit(self, up: Upscaler, dtype: Any) -> None:
        for height, width, tile in random_tilings(np.dtype(dtype).itemsize):
            image = noise(height, width, dtype)
            tiled = Upscaler(device="cpu", tile=tile)(image)
            assert np.array_equal(tiled, up(image)), (height, width, tile)

    def test_tiled_is_whole_to_the_bit_with_a_graph_that_states_no_halo(
        self, reference_graph: Path
    ) -> None:
        whole = Upscaler(reference_graph, device="cpu")
        assert whole.facts.halo == 21
        for height, width, tile in random_tilings(7):
            image = noise(height, width)
            tiled = Upscaler(reference_graph, device="cpu", tile=tile)(image)
            assert np.array_equal(tiled, whole(image)), (height, width, tile)

    def test_an_overlap_of_the_halo_is_enough_and_one_px_less_is_not(
        self, model: str | Path
    ) -> None:
        shipped = model == catalog.DEFAULT_MODEL
        graph = (
            catalog.shipped_graph("float32", "fp32") if shipped else catalog.foreign_graph(model)
        )
        session = open_on_device(graph, Device("cpu"))
        axes = (2, 0, 1) if session.facts.channels_first else (0, 1, 2)

        def function(window: Array) -> Array:
            value = np.ascontiguousarray(window.transpose(axes)[None])
            result: Array = session.run(value)[0].transpose(np.argsort(axes))
            return result

        image = noise(70, 64, np.float32)
        whole = function(image)

        def tiled(overlap: int) -> Array:
            out = np.empty_like(whole)
            plan = tiles.plan(70, 64, core=(24, 64), overlap=overlap, rim=0)
            assert plan.tiles == 3
            tiles.run(image, plan, function, out, scale=2)
            return out

        assert np.array_equal(tiled(21), whole)
        assert not np.array_equal(tiled(20), whole)

    def test_windows_stay_within_the_budget(
        self, up: Upscaler, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        image = noise(100, 90)
        whole = up(image)
        most_px = 6000
        budget = up.facts.workspace_bytes_per_px * most_px
        monkeypatch.setattr(devices, "budget_bytes", lambda device, whole, tile: budget)
        spy = Spy(monkeypatch)
        assert np.array_equal(Upscaler(device="cpu")(image), whole)
        assert max(spy.px) <= most_px
        assert len(spy.px) > 1

    def test_an_overlap_below_the_halo_is_blended_and_close(self, up: Upscaler) -> None:
        image = ramp(60, 60)
        blended = Upscaler(device="cpu", tile=30, overlap=8)(image)
        assert psnr(blended, up(image)) > 50

    def test_a_graph_of_unknown_halo_is_blended_and_close(self) -> None:
        image = ramp(70, 60)
        whole = Upscaler(doubling_transposed(), device="cpu")
        assert whole.facts.halo is None
        blended = Upscaler(doubling_transposed(), device="cpu", tile=25)(image)
        assert psnr(blended, whole(image)) > 50

    def test_the_callers_word_on_the_halo_makes_it_exact(self) -> None:
        image = noise(70, 60)
        whole = Upscaler(doubling_transposed(), device="cpu", halo=2)
        tiled = Upscaler(doubling_transposed(), device="cpu", halo=2, tile=25)
        assert tiled.facts.halo == 2
        assert np.array_equal(tiled(image), whole(image))

    @pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
    def test_a_graph_with_a_resize_is_exact_in_tiles(self, mode: str) -> None:
        nodes = (
            helper.make_node("Resize", ["in", "", "scales"], ["big"], mode=mode),
            helper.make_node("Conv", ["big", "kernel"], ["out"], pads=[1] * 4),
        )
        kernel = np.full((3, 3, 3, 3), 1 / 27, np.float32)
        data = foreign(
            *nodes, weights={"scales": np.array([1, 1, 2, 2], np.float32), "kernel": kernel}
        )
        image = noise(70, 60)
        tiled = Upscaler(data, device="cpu", tile=25)
        assert tiled.facts.halo == 2 + (mode == "cubic")
        assert np.array_equal(tiled(image), Upscaler(data, device="cpu")(image))

    @pytest.mark.parametrize("block", [2, 4, 8])
    def test_a_graph_that_takes_whole_blocks_alone_takes_pictures_of_any_size(
        self, block: int, capfd: pytest.CaptureFixture[str]
    ) -> None:
        gathering = Upscaler(gathering_conv(block), device="cpu", halo=1)
        assert gathering.facts.multiple == block
        plain = Upscaler(doubling_conv(), device="cpu")
        assert plain.facts.multiple == 1
        for size in [(9, 11), (32, 32), (70, 45), (1, 1)]:
            image = noise(*size)
            assert np.array_equal(gathering(image), plain(image)), size
        tiled = Upscaler(gathering_conv(block), device="cpu", tile=24, halo=1)
        assert np.array_equal(tiled(noise(70, 45)), plain(noise(70, 45)))
        frames = [noise(33, 47, seed=seed) for seed in range(4)]
        for made, frame in zip(gathering.stream(frames), frames, strict=True):
            assert np.array_equal(made, plain(frame))
        assert capfd.readouterr().err == ""

    @pytest.mark.parametrize("size", [(9, 11), (32, 32), (70, 45)])
    def test_a_graph_of_one_size_takes_pictures_of_any(self, size: tuple[int, int]) -> None:
        fixed = Upscaler(doubling_conv(32), device="cpu")
        assert (fixed.facts.fixed_px, fixed.facts.halo) == ((32, 32), 1)
        image = noise(*size)
        assert np.array_equal(fixed(image), Upscaler(doubling_conv(), device="cpu")(image))

    @pytest.mark.parametrize(
        ("rim", "size", "runs"), [("mirror", 30, 1), ("mirror", 31, 4), ("none", 32, 1)]
    )
    def test_a_graph_of_one_size_runs_once_where_that_is_enough(
        self, monkeypatch: pytest.MonkeyPatch, rim: Any, size: int, runs: int
    ) -> None:
        fixed = Upscaler(doubling_conv(32), device="cpu", rim=rim)
        free = Upscaler(doubling_conv(), device="cpu", rim=rim)
        image = noise(size, size)
        expected = free(image)
        spy = Spy(monkeypatch)
        assert np.array_equal(fixed(image), expected)
        assert len(spy.px) == runs


def gathering_conv(block: int) -> bytes:
    """`doubling_conv` of px that are gathered in blocks and dealt out again first: it takes whole
    blocks alone.
    """
    channels = 3 * block**2
    eye = np.eye(channels, dtype=np.float32)[..., None, None]
    nodes = [
        helper.make_node("SpaceToDepth", ["in"], ["gathered"], blocksize=block),
        helper.make_node("Conv", ["gathered", "same"], ["blocks"]),
        helper.make_node("DepthToSpace", ["blocks"], ["px"], blocksize=block),
        helper.make_node("Conv", ["px", "kernel"], ["planes"], pads=[1, 1, 1, 1]),
        helper.make_node("DepthToSpace", ["planes"], ["out"], blocksize=2, mode="CRD"),
    ]
    kernel = np.zeros((12, 3, 3, 3), np.float32)
    for made in range(12):
        kernel[made, made // 4] = np.outer([1, 2, 1], [1, 2, 1]) / 16
    return foreign(*nodes, weights={"same": eye, "kernel": kernel})


class TestQuality:
    def test_a_flat_field_stays_flat_up_to_its_rim(self, model: str | Path) -> None:
        up = Upscaler(model, device="cpu")
        for level in (0, 16, 64, 128, 200, 235, 255):
            result = up(np.full((40, 40, 3), level, np.uint8))
            assert np.abs(result.astype(int) - level).max() <= 1, level

    @pytest.mark.parametrize("colour", list(product((0, 128, 213, 255), repeat=3)))
    def test_strong_colours_stay_flat_too(self, up: Upscaler, colour: tuple[int, ...]) -> None:
        """They are what decides how much the shipped graph wants mirrored in."""
        field = np.full((40, 40, 3), colour, np.uint8)
        assert np.abs(up(field).astype(int) - colour).max() <= 1

    def test_a_flat_field_does_not_stay_flat_without_the_mirrored_rim(
        self, reference_graph: Path
    ) -> None:
        bare = Upscaler(reference_graph, device="cpu", rim="none")
        result = bare(np.full((40, 40, 3), 200, np.uint8))
        assert np.abs(result.astype(int) - 200).max() > 5

    def test_colours_do_not_shift(self, model: str | Path) -> None:
        smooth = ramp(96, 96).astype(np.int64)
        grain = np.random.default_rng(3).normal(0, 4, smooth.shape).round().astype(np.int64)
        image = np.clip(smooth + grain, 0, 255).astype(np.uint8)
        result = Upscaler(model, device="cpu")(image)
        shift = result.mean(axis=(0, 1)) - image.mean(axis=(0, 1))
        assert np.abs(shift).max() <= 0.3, shift

    def test_the_uint8_form_agrees_with_the_float_form(self, up: Upscaler) -> None:
        image = noise(48, 48)
        floats = up((image / np.float32(255)).astype(np.float32)) * 255
        assert psnr(up(image), floats) > 55

    def test_fp16_agrees_with_fp32(self, up: Upscaler) -> None:
        half = Upscaler(device="cpu", precision="fp16")
        assert (half.facts.precision, up.facts.precision) == ("fp16", "fp32")
        image = noise(48, 48, np.float32)
        assert psnr(half(image) * 255, up(image) * 255) > 50


class TestArrays:
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32])
    @pytest.mark.parametrize(
        "shape", [(9, 7), (9, 7, 1), (9, 7, 3), (9, 7, 4), (2, 9, 7, 1), (2, 9, 7, 3)]
    )
    def test_dtype_and_axes_come_back(
        self, up: Upscaler, dtype: Any, shape: tuple[int, ...]
    ) -> None:
        flat = 0.5 if np.dtype(dtype).kind == "f" else np.iinfo(dtype).max // 2
        image = np.full(shape, flat, dtype)
        result = up(image)
        assert result.dtype == image.dtype
        first = 1 if len(shape) == 4 else 0
        assert result.shape == (*shape[:first], 18, 14, *shape[first + 2 :])
        level = 1 / 255 if np.dtype(dtype).kind == "f" else np.iinfo(dtype).max / 255
        assert np.abs(result.astype(np.float64) - flat).max() <= 1.01 * level

    @pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (2, 3)])
    def test_the_smallest_pictures_are_doubled(self, up: Upscaler, size: tuple[int, int]) -> None:
        result = up(np.full((*size, 3), 90, np.uint8))
        assert result.shape == (size[0] * 2, size[1] * 2, 3)
        assert np.abs(result.astype(int) - 90).max() <= 1

    def test_gray_is_what_equal_channels_give_on_average(self, up: Upscaler) -> None:
        gray = noise(20, 24, np.float32)[..., 0]
        colour = up(np.repeat(gray[..., None], 3, axis=2))
        assert np.allclose(up(gray), colour.mean(axis=2), atol=1e-6)

    def test_opaque_alpha_stays_opaque_and_changes_no_colour(self, up: Upscaler) -> None:
        image = noise(20, 24, np.uint16)
        result = up(np.dstack([image, np.full((20, 24), 65535, np.uint16)]))
        assert np.array_equal(result[..., :3], up(image))
        assert (result[..., 3] == 65535).all()

    def test_alpha_is_tiled_to_the_bit(self, up: Upscaler) -> None:
        image = np.dstack([noise(60, 50), noise(60, 50, seed=1)[..., 0]])
        image[20:45, 10:40, 3] = 0
        assert np.array_equal(Upscaler(device="cpu", tile=(30, 50))(image), up(image))

    def test_a_batch_equals_its_pictures(self, up: Upscaler) -> None:
        batch = np.stack([noise(20, 24, seed=k) for k in range(3)])
        assert np.array_equal(up(batch), np.stack([up(image) for image in batch]))

    def test_bgr_is_rgb_the_other_way_round(self, up: Upscaler) -> None:
        image = noise(20, 24)
        bgr = Upscaler(device="cpu", color_order="bgr")
        assert np.array_equal(bgr(image[..., ::-1]), up(image)[..., ::-1])

    def test_an_image_need_not_lie_in_one_piece(self, up: Upscaler) -> None:
        wide = noise(20, 48)
        assert np.array_equal(up(wide[::-1, ::2]), up(wide[::-1, ::2].copy()))

    def test_the_image_is_left_as_it_was(self, up: Upscaler) -> None:
        image = noise(20, 24)
        before = image.copy()
        up(image)
        assert np.array_equal(image, before)

    def test_out_is_filled_and_returned(self, up: Upscaler) -> None:
        image = noise(20, 24)
        out = np.zeros((40, 48, 3), np.uint8)
        assert up(image, out=out) is out
        assert np.array_equal(out, up(image))

    def test_out_of_another_shape_is_refused(self, up: Upscaler) -> None:
        with pytest.raises(ArrayError, match=r"\(40, 48, 3\)"):
            up(noise(20, 24), out=np.zeros((40, 46, 3), np.uint8))

    def test_upscale_is_an_upscaler_used_once(self, up: Upscaler) -> None:
        image = noise(20, 24)
        assert np.array_equal(upscale(image, device="cpu"), up(image))


class TestProgress:
    def test_it_counts_by_one_up_to_the_total(self) -> None:
        seen: list[tuple[int, int]] = []
        tiled = Upscaler(device="cpu", tile=20)
        batch = np.stack([noise(40, 20)] * 2)
        tiled(batch, progress=lambda done, total: seen.append((done, total)))
        assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]

    def test_cancel_stops_between_tiles(self, monkeypatch: pytest.MonkeyPatch) -> None:
        tiled, cancel = Upscaler(device="cpu", tile=20), threading.Event()
        spy = Spy(monkeypatch)

        def progress(done: int, total: int) -> None:
            if done == 2:
                cancel.set()

        with pytest.raises(CancelledError, match="2 of 4"):
            tiled(noise(80, 20), progress=progress, cancel=cancel)
        assert len(spy.px) == 2

    def test_cancel_stops_in_the_midst_of_a_tile(self, up: Upscaler) -> None:
        class Soon:
            """Not set where it is looked at before the tile, and set from then on."""

            looks = 0

            def is_set(self) -> bool:
                self.looks += 1
                return self.looks > 1

        with pytest.raises(CancelledError, match="in the midst"):
            up(noise(700, 700), cancel=Soon())
        assert up(noise(6, 6)).shape == (12, 12, 3), "it goes on working"

    def test_what_progress_raises_comes_through(self, up: Upscaler) -> None:
        def progress(done: int, total: int) -> None:
            raise KeyError("from the caller")

        with pytest.raises(KeyError, match="from the caller"):
            up(noise(20, 24), progress=progress)


class TestClosing:
    def test_a_closed_one_says_so(self) -> None:
        up = Upscaler(device="cpu")
        up.close()
        with pytest.raises(ClosedError):
            up(noise(4, 4))

    def test_closing_twice_is_allowed(self) -> None:
        up = Upscaler(device="cpu")
        up.close()
        up.close()

    def test_it_closes_at_the_end_of_a_with(self) -> None:
        with Upscaler(device="cpu") as up:
            up(noise(4, 4))
        with pytest.raises(ClosedError):
            up(noise(4, 4))

    def test_closing_between_tiles_ends_the_run(self) -> None:
        tiled = Upscaler(device="cpu", tile=20)
        with pytest.raises(ClosedError):
            tiled(noise(40, 20), progress=lambda done, total: tiled.close())

    def test_closing_lets_the_session_go(self, monkeypatch: pytest.MonkeyPatch) -> None:
        alive: list[weakref.ref[Any]] = []
        original = onnxruntime.InferenceSession

        def spy(*arguments: Any, **options: Any) -> Any:
            session = original(*arguments, **options)
            alive.append(weakref.ref(session))
            return session

        monkeypatch.setattr(onnxruntime, "InferenceSession", spy)
        up = Upscaler(device="cpu")
        up(noise(4, 4))
        up(noise(4, 4, np.float32))
        assert len(alive) == 2
        up.close()
        gc.collect()
        assert [session() for session in alive] == [None, None]


class TestThreads:
    def test_four_threads_give_what_one_gives(self) -> None:
        images = [noise(12 + 3 * k, 30 - k, [np.uint8, np.float32][k % 2], k) for k in range(12)]
        with Upscaler(device="cpu", tile=20) as shared:
            with ThreadPoolExecutor(4) as pool:
                together = list(pool.map(shared, images))
            for image, result in zip(images, together, strict=True):
                assert np.array_equal(result, shared(image))


@pytest.mark.parametrize("call", ["up(image)", "list(up.stream([image] * 4))", "la.Upscaler()"])
def test_python_can_end_while_a_daemon_thread_computes(call: str) -> None:
    """As a window is closed while its worker is busy."""
    lines = (
        "import threading, time, numpy as np, liveaction_onnx as la",
        "up, image = la.Upscaler(device='cpu'), np.zeros((300, 400, 3), np.uint8)",
        "begun = threading.Event()",
        "def work():",
        "    while True:",
        "        begun.set()",
        "        try:",
        f"            {call}",
        "        except la.ClosedError:",
        "            return",
        "threading.Thread(target=work, daemon=True).start()",
        "begun.wait()",
        "time.sleep(0.05)",
    )
    command = [sys.executable, "-c", "\n".join(lines)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


class TestStream:
    def test_order_is_kept_and_sizes_may_differ(self, up: Upscaler) -> None:
        frames = [noise(8 + 5 * (k % 3), 10 + k, seed=k) for k in range(7)]
        results = list(up.stream(frames))
        assert len(results) == 7
        assert all(np.array_equal(r, up(f)) for r, f in zip(results, frames, strict=True))

    def test_no_frames_give_none(self, up: Upscaler) -> None:
        assert list(up.stream([])) == []

    def test_at_most_three_are_on_their_way(self, up: Upscaler) -> None:
        taken = 0

        def source() -> Iterator[Array]:
            nonlocal taken
            for _ in range(8):
                taken += 1
                yield noise(6, 6)

        for given, _ in enumerate(up.stream(source())):
            assert taken - given <= 3
        assert taken == 8

    def test_nothing_is_taken_before_the_first_is_asked_for(self, up: Upscaler) -> None:
        def source() -> Iterator[Array]:
            raise AssertionError("taken")
            yield

        stream = up.stream(source())
        assert our_threads() == []
        with pytest.raises(AssertionError, match="taken"):
            next(stream)

    def test_an_error_of_the_source_comes_through(self, up: Upscaler) -> None:
        def source() -> Iterator[Array]:
            yield noise(6, 6)
            raise KeyError("the source broke")

        with pytest.raises(KeyError, match="the source broke"):
            list(up.stream(source()))
        assert our_threads() == []

    def test_a_bad_frame_is_refused_after_the_good_ones_before_it(self, up: Upscaler) -> None:
        stream = up.stream([noise(6, 6), noise(6, 6), np.zeros((6, 6, 2), np.uint8), noise(6, 6)])
        assert next(stream).shape == next(stream).shape == (12, 12, 3)
        with pytest.raises(ArrayError, match="channels"):
            next(stream)
        assert our_threads() == []

    def test_leaving_early_leaves_no_thread(self, up: Upscaler) -> None:
        at_work: set[str] = set()

        class Never:
            def is_set(self) -> bool:
                at_work.update(our_threads())
                return False

        stream = up.stream((noise(6, 6) for _ in range(100)), Never())
        next(stream)
        assert at_work
        stream.close()  # type: ignore[attr-defined]
        assert our_threads() == []

    @pytest.mark.parametrize("reuse", [False, True])
    def test_a_thread_that_outlives_the_main_one_gets_all_of_it(self, reuse: bool) -> None:
        """As where a script ends by starting it."""
        lines = (
            "import threading, numpy as np, liveaction_onnx as la",
            "def frames():",
            "    threading.main_thread().join()",
            "    yield from np.random.default_rng(1).integers(0, 256, (9, 6, 6, 3), np.uint8)",
            "def work():",
            f"    print(len(list(la.Upscaler(device='cpu').stream(frames(), reuse={reuse}))))",
            "threading.Thread(target=work).start()",
        )
        command = [sys.executable, "-c", "\n".join(lines)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert (done.stdout, done.stderr) == ("9\n", "")

    def test_leaving_early_closes_the_source(self, up: Upscaler) -> None:
        closed = False

        def source() -> Iterator[Array]:
            nonlocal closed
            with contextlib.suppress(GeneratorExit):
                while True:
                    yield noise(6, 6)
            closed = True

        stream = up.stream(source())
        next(stream)
        stream.close()  # type: ignore[attr-defined]
        gc.collect()
        assert closed

    def test_cancel_stops_it(self, up: Upscaler) -> None:
        cancel = threading.Event()
        stream = up.stream((noise(6, 6) for _ in range(100)), cancel)
        next(stream)
        cancel.set()
        with pytest.raises(CancelledError):
            list(stream)
        assert our_threads() == []

    def test_closing_the_upscaler_ends_it(self) -> None:
        up = Upscaler(device="cpu")
        stream = up.stream(noise(6, 6) for _ in range(100))
        next(stream)
        up.close()
        with pytest.raises(ClosedError):
            list(stream)


class TestOptions:
    @pytest.mark.parametrize(
        ("options", "what"),
        [
            ({"tile": 0}, "tile"),
            ({"tile": (1, 2, 3)}, "tile"),
            ({"tile": (8, 0)}, "tile"),
            ({"tile": 2.5}, "tile"),
            ({"tile": True}, "tile"),
            ({"overlap": -1}, "overlap"),
            ({"overlap": 1.0}, "overlap"),
            ({"halo": -1}, "halo"),
            ({"precision": "int8"}, "precision"),
            ({"rim": "wrap"}, "rim"),
            ({"color_order": "grb"}, "color_order"),
            ({"device": "tpu"}, "device"),
            ({"device": "cpu", "providers": ["CPUExecutionProvider"]}, "device"),
            ({"device": "cpu", "session": object()}, "device"),
            ({"device": "auto", "provider_options": [{}]}, "provider_options"),
            ({"session": object(), "providers": ["CPUExecutionProvider"]}, "session"),
            ({"session": object(), "session_options": object()}, "session"),
            ({"providers": []}, "providers"),
        ],
    )
    def test_it_is_refused_by_its_name(self, options: dict[str, Any], what: str) -> None:
        with pytest.raises(OptionError, match=what):
            Upscaler(**options)

    @pytest.mark.parametrize("precision", ["fp32", "fp16"])
    def test_a_foreign_graph_has_one_precision(self, precision: Any) -> None:
        with pytest.raises(OptionError, match="precision"):
            Upscaler(doubling_conv(), device="cpu", precision=precision)

    def test_an_overlap_that_leaves_nothing_of_a_fixed_window_is_refused(self) -> None:
        up = Upscaler(doubling_conv(32), device="cpu", overlap=16)
        with pytest.raises(OptionError, match="overlap"):
            up(noise(8, 8))

    def test_a_tile_may_be_a_numpy_integer(self, up: Upscaler) -> None:
        tiled = Upscaler(device="cpu", tile=np.int64(20))  # type: ignore[arg-type]
        assert np.array_equal(tiled(noise(30, 20)), up(noise(30, 20)))


class TestModels:
    def test_bytes_and_a_path_give_the_same(self, tmp_path: Path) -> None:
        path = tmp_path / "conv.onnx"
        path.write_bytes(doubling_conv())
        image = noise(10, 12)
        results = [Upscaler(m, device="cpu")(image) for m in (path, str(path), doubling_conv())]
        assert np.array_equal(results[0], results[1])
        assert np.array_equal(results[0], results[2])

    def test_a_session_of_the_callers_own_is_used(self, up: Upscaler) -> None:
        data = catalog.shipped_graph("uint8", "fp32").data
        inference = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
        own = Upscaler(session=inference)
        assert (own.device, own.providers) == ("cpu", ["CPUExecutionProvider"])
        image = noise(20, 24)
        assert np.array_equal(own(image), up(image))

    def test_a_session_of_the_callers_own_outlives_closing(self) -> None:
        inference = onnxruntime.InferenceSession(
            doubling_conv(), providers=["CPUExecutionProvider"]
        )
        Upscaler(session=inference).close()
        value = np.zeros((1, 3, 4, 4), np.float32)
        assert inference.run(None, {"in": value})[0].shape == (1, 3, 8, 8)

    @pytest.mark.parametrize(
        "providers", [["CPUExecutionProvider"], [("CPUExecutionProvider", {})]]
    )
    def test_providers_are_used(self, up: Upscaler, providers: Any) -> None:
        own = Upscaler(providers=providers)
        assert own.providers == ["CPUExecutionProvider"]
        for dtype in (np.uint8, np.float32):
            assert np.array_equal(own(noise(9, 9, dtype)), up(noise(9, 9, dtype)))

    def test_an_unknown_provider_is_named(self) -> None:
        with pytest.raises(DeviceUnavailableError, match="NoSuchExecutionProvider"):
            Upscaler(providers=["NoSuchExecutionProvider"])

    @pytest.mark.parametrize("where", [{"device": "cpu"}, {"providers": ["CPUExecutionProvider"]}])
    def test_session_options_are_used(
        self, monkeypatch: pytest.MonkeyPatch, where: dict[str, Any]
    ) -> None:
        given: list[Any] = []
        original = onnxruntime.InferenceSession

        def spy(*arguments: Any, **options: Any) -> Any:
            given.append(options["sess_options"])
            return original(*arguments, **options)

        monkeypatch.setattr(onnxruntime, "InferenceSession", spy)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        up = Upscaler(session_options=options, **where)
        up(noise(4, 4, np.float32))
        assert given == [options, options]


class TestMemory:
    """Windows of more than 6000 px find no memory; the picture alone has more."""

    def test_the_result_is_the_same(
        self, up: Upscaler, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        image = noise(90, 90)
        whole = up(image)
        spy = Spy(monkeypatch, 6000)
        with caplog.at_level(logging.INFO, "liveaction_onnx"):
            result = up(image)
        assert np.array_equal(result, whole)
        assert spy.failed == 1
        assert [record.levelname for record in caplog.records] == ["WARNING"]

    def test_what_out_held_does_not_matter(
        self, up: Upscaler, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        image = noise(90, 90)
        whole = up(image)
        Spy(monkeypatch, 6000)
        out = np.full((180, 180, 3), 77, np.uint8)
        assert up(image, out=out) is out
        assert np.array_equal(out, whole)

    def test_later_pictures_are_small_at_once(
        self, up: Upscaler, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        spy = Spy(monkeypatch, 6000)
        up(noise(90, 90))
        up(noise(90, 90))
        up(noise(90, 70, np.float32))
        assert spy.failed == 1

    def test_a_tile_asked_for_is_made_smaller_too(
        self, up: Upscaler, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        image = noise(90, 90)
        whole = up(image)
        spy = Spy(monkeypatch, 6000)
        assert np.array_equal(Upscaler(device="cpu", tile=60)(image), whole)
        assert spy.failed == 1

    def test_progress_counts_anew(self, up: Upscaler, monkeypatch: pytest.MonkeyPatch) -> None:
        Spy(monkeypatch, 6000)
        seen: list[tuple[int, int]] = []
        up(noise(90, 90), progress=lambda done, total: seen.append((done, total)))
        assert seen == [(k + 1, seen[-1][1]) for k in range(seen[-1][1])]

    @pytest.mark.parametrize("tile", [None, 5, 60])
    def test_where_nothing_fits_it_gives_up(
        self, monkeypatch: pytest.MonkeyPatch, tile: int | None
    ) -> None:
        up = Upscaler(device="cpu", tile=tile)
        spy = Spy(monkeypatch, 0)
        with pytest.raises(DeviceMemoryError, match="smallest tile"):
            up(noise(90, 90))
        assert 1 <= spy.failed <= 4

    def test_the_smallest_tile_of_a_far_reaching_graph_is_granted_what_a_whole_picture_is(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """EDSR of 256 channels sees 67 px, and takes 64 KiB a px: 1.5 GB for its smallest tile."""
        proto = onnx.load_from_string(doubling_conv())
        helper.set_model_props(proto, {"halo": "67", "workspace_bytes_per_px": str(64 << 10)})
        up = Upscaler(proto.SerializeToString(), device="cpu")
        work = up.work(pixels.kind_of(noise(300, 300)))
        monkeypatch.setattr(memory, "available_bytes", lambda: 16 << 30)
        assert work.plan().tiles > 1
        assert math.prod(work.plan().window_px) * (64 << 10) <= devices.CPU_WHOLE_BYTES
        monkeypatch.setattr(memory, "available_bytes", lambda: 2 << 30)
        with pytest.raises(DeviceMemoryError, match="smallest tile"):
            work.plan()

    def test_a_graph_of_one_size_cannot_be_made_smaller(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        up = Upscaler(doubling_conv(32), device="cpu")
        Spy(monkeypatch, 1000)
        with pytest.raises(DeviceMemoryError):
            up(noise(8, 8))

    def test_a_late_failure_of_a_larger_window_does_not_raise_the_limit(self) -> None:
        """Another thread may still be at work on a plan from before memory ran out."""
        session = open_on_device(catalog.shipped_graph("uint8", "fp32"), Device("cpu"))
        for side in (80, 100):
            plan = tiles.plan(side, side, core=(side, side), overlap=21, rim=0)
            planning.plan_smaller(session, plan, DeviceMemoryError("out of memory"))
        assert planning._most_px["cpu"] == 80 * 80 // 2


def test_what_came_before_a_source_broke_is_not_lost() -> None:
    """A decoder that fails at a frame costs that frame, not the good ones before it."""
    frames = [np.full((4, 6, 3), 40 * k, np.uint8) for k in range(5)]

    def source() -> Iterator[Array]:
        yield from frames
        raise OSError("the file ends here")

    with Upscaler(device="cpu") as up:
        stream = up.stream(source())
        for frame in frames:
            assert np.array_equal(next(stream), up(frame))
        with pytest.raises(OSError, match="ends here"):
            next(stream)


def test_a_model_that_is_no_model_is_an_option_error() -> None:
    with pytest.raises(OptionError, match="model"):
        Upscaler(None, device="cpu")  # type: ignore[arg-type]
