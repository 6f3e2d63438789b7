"""Reuse: what of a frame is computed, and that its result is the same as without."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from liveaction_onnx import (
    ArrayError,
    CancelledError,
    ClosedError,
    DeviceMemoryError,
    Upscaler,
    pixels,
    planning,
    reuse,
)
from liveaction_onnx.devices import Device
from liveaction_onnx.graph import GraphFacts
from liveaction_onnx.pixels import Kind
from liveaction_onnx.planning import Tiling, Work
from liveaction_onnx.reuse import Reuse, changed
from liveaction_onnx.session import Session
from liveaction_onnx.streaming import THREADS, WAITING, Cancel
from liveaction_onnx.tiles import Box

Array = NDArray[Any]
HALO = 2

FACTS = GraphFacts(
    name="",
    version="",
    scale=2,
    halo=HALO,
    rim=None,
    layout="NHWC",
    dtype="float32",
    precision="fp32",
    workspace_bytes_per_px=1,
    licence="",
    source="",
    input_name="",
    output_name="",
    fixed_px=None,
    free_dimensions=("", "", ""),
)


class FakeSession:
    """A graph on a device, as far as plans look at it."""

    def __init__(self, device: str, facts: GraphFacts) -> None:
        self.device, self.facts = Device(device), facts
        self.held_px = 0

    @contextmanager
    def options(self, cancel: Cancel | None) -> Iterator[None]:
        yield None

    def run(self, value: Array, options: None) -> Array:
        return value

    def has_lanes(self, px: int) -> bool:
        return False


class FakeUpscaler:
    """Sums the px within `HALO`, zeros beyond the window, and doubles; keeps the sizes of windows.

    Windows of more than `most_px` px find no memory.
    """

    def __init__(
        self, device: str = "cpu", tile: int | None = None, overlap: int | None = None, **facts: Any
    ) -> None:
        self.windows: list[tuple[int, ...]] = []
        self.most_px = 10**9
        self.tiling = Tiling((tile, tile) if tile else None, overlap, mirror=True)
        self.session = cast(Session, FakeSession(device, replace(FACTS, **facts)))

    def work(self, kind: Kind) -> Work:
        return Work(kind, self.session, self.tiling, lambda run: self.blur)

    def blur(self, window: Array) -> Array:
        self.windows.append(window.shape[:2])
        height, width = window.shape[:2]
        if height * width > self.most_px:
            raise DeviceMemoryError("out of memory")
        total = np.pad(window, [(HALO, HALO), (HALO, HALO), (0, 0)][: window.ndim])
        total = np.add.reduce([total[k : k + height] for k in range(2 * HALO + 1)])
        total = np.add.reduce([total[:, k : k + width] for k in range(2 * HALO + 1)])
        doubled: Array = total.repeat(2, 0).repeat(2, 1)
        return doubled

    def __call__(self, frame: Array) -> Array:
        return self.work(pixels.kind_of(frame)).make(frame)


@pytest.fixture(scope="module")
def up() -> Iterator[Upscaler]:
    with Upscaler(device="cpu") as upscaler:
        yield upscaler


@pytest.fixture(autouse=True)
def no_memory_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test learns from another that memory ran out."""
    monkeypatch.setattr(planning, "_most_px", {})


def counting(*shape: int, dtype: Any = np.uint16) -> Array:
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def with_px(frame: Array, *places: tuple[int, int], value: int = 999) -> Array:
    """A copy in which px at (row, column) have another value."""
    other = frame.copy()
    for place in places:
        other[place] = value
    return other


class TestChanged:
    def test_it_is_the_least_box_round_all_that_differs(self) -> None:
        a = counting(90, 100, 3)
        b = a.copy()
        b[40, 7, 1] += 1
        b[12, 60, 2] += 1
        assert changed(a, b) == ((12, 41), (7, 61))

    def test_equal_pictures_have_none(self) -> None:
        assert changed(counting(90, 100), counting(90, 100)) is None

    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32, ">u2", ">f4"])
    @given(st.data())
    @settings(max_examples=30, deadline=None)
    def test_random_changes_are_boxed_as_by_looking_at_every_px(
        self, dtype: Any, data: st.DataObject
    ) -> None:
        height, width = data.draw(st.integers(1, 70)), data.draw(st.integers(1, 70))
        places = st.tuples(st.integers(0, height - 1), st.integers(0, width - 1))
        a = np.zeros((height, width), dtype)
        b = with_px(a, *data.draw(st.lists(places, max_size=3)), value=1)
        rows, columns = np.nonzero(a != b)
        expected = None
        if len(rows):
            expected = (rows.min(), rows.max() + 1), (columns.min(), columns.max() + 1)
        assert changed(a, b) == expected

    def test_a_float_that_is_equal_but_not_to_the_bit_differs(self) -> None:
        zeros = np.zeros((4, 4), np.float32)
        assert changed(zeros, -zeros) == ((0, 4), (0, 4))


class TestWhatIsComputed:
    def test_an_equal_frame_gives_the_same_array_and_runs_nothing(self) -> None:
        fake = FakeUpscaler()
        one = Reuse(fake)
        frame = counting(100, 120)
        first, runs = one(frame), len(fake.windows)
        assert one(frame.copy()) is first
        assert len(fake.windows) == runs
        assert (one.px, one.computed_px) == (2 * 100 * 120, 100 * 120)

    def test_of_a_frame_that_changed_in_one_px_its_reach_is_run_out_to_the_grid(self) -> None:
        fake = FakeUpscaler()
        one = Reuse(fake)
        frame = counting(100, 120)
        other = with_px(frame, (49, 80))
        one(frame)
        fake.windows.clear()
        assert np.array_equal(one(other), FakeUpscaler()(other))
        # reach: rows 47 to 51, columns 78 to 82; on the grid: 32 to 64, 64 to 96; and the context
        assert fake.windows == [(32 + 2 * HALO, 32 + 2 * HALO)]
        assert one.computed_px == 100 * 120 + 32 * 32

    def test_bars_are_run_once(self) -> None:
        fake = FakeUpscaler()
        one = Reuse(fake)
        for level in (100, 200, 300):
            frame = np.full((128, 40), 16, np.uint16)
            frame[34:94] = level
            assert np.array_equal(one(frame), FakeUpscaler()(frame))
        assert fake.windows[1:] == [(64 + 2 * HALO, 40 + 2 * HALO)] * 2
        assert (one.px, one.computed_px) == (3 * 128 * 40, (128 + 64 + 64) * 40)

    @pytest.mark.parametrize(("first", "run"), [(18, 404), (34, 400 - 32 + 2 * HALO)])
    def test_where_nearly_all_is_to_be_run_the_plan_is_that_of_the_whole(
        self, first: int, run: int
    ) -> None:
        """Of 404 rows, rim and context counted, 388 would be 96 % and 372 are 92 %."""
        fake = FakeUpscaler()
        one = Reuse(fake)
        frame = counting(400, 60)
        other = frame.copy()
        other[first:] += 1
        one(frame)
        assert np.array_equal(one(other), FakeUpscaler()(other))
        assert fake.windows == [(404, 64), (run, 64)]

    def test_a_change_of_alpha_or_hidden_colour_reaches_as_far_as_colour_is_spread(self) -> None:
        fake = FakeUpscaler()
        one = Reuse(fake)
        one(counting(200, 120, 4))
        fake.windows.clear()
        one(with_px(counting(200, 120, 4), (100, 60)))
        reach = HALO + pixels.FILL_PX  # rows 82 to 118, columns 42 to 78
        assert fake.windows == [(48 + 2 * reach, 48 + 2 * reach)]

    @pytest.mark.parametrize(
        "options",
        [
            {"device": "cuda"},
            {"device": "dml"},
            {"device": "XnnpackExecutionProvider"},
            {"halo": None},
            {"overlap": HALO - 1},
        ],
    )
    def test_where_a_box_may_differ_only_equal_frames_are_reused(
        self, options: dict[str, Any]
    ) -> None:
        fake = FakeUpscaler(tile=40, **options)
        one = Reuse(fake)
        frame = counting(100, 120)
        one(frame)
        whole = list(fake.windows)
        one(with_px(frame, (50, 60)))
        assert fake.windows == 2 * whole
        one(with_px(frame, (50, 60)))
        assert fake.windows == 2 * whole

    def test_with_too_little_context_for_alpha_only_equal_frames_are_reused(self) -> None:
        fake = FakeUpscaler(fixed_px=(32, 32))
        one = Reuse(fake)
        one(counting(100, 120, 4))
        whole = list(fake.windows)
        one(with_px(counting(100, 120, 4), (50, 60)))
        assert fake.windows == 2 * whole

    def test_a_batch_is_reused_as_one(self) -> None:
        fake = FakeUpscaler()
        one = Reuse(fake)
        batch = counting(2, 100, 120, 1)
        first = one(batch)
        assert one(batch.copy()) is first
        batch[1, 50, 60] = 0
        assert np.array_equal(one(batch), FakeUpscaler()(batch))
        assert len(fake.windows) == 4
        assert (one.px, one.computed_px) == (3 * 2 * 100 * 120, 2 * 2 * 100 * 120)

    @pytest.mark.parametrize(
        "other",
        [
            counting(100, 119),
            counting(100, 120, 1),
            counting(100, 120, dtype=np.uint8),
            counting(100, 120, dtype=">u2"),
        ],
    )
    def test_a_frame_unlike_the_last_is_computed_whole(self, other: Array) -> None:
        one = Reuse(FakeUpscaler())
        one(counting(100, 120))
        result = one(other)
        assert np.array_equal(result, FakeUpscaler()(other))
        assert result.dtype == other.dtype
        assert one.computed_px == one.px
        assert one(other) is result


class TestSameAsWithout:
    @given(st.data())
    @settings(max_examples=80, deadline=None)
    def test_any_changes_any_tiles(self, data: st.DataObject) -> None:
        options: dict[str, Any] = data.draw(
            st.sampled_from([{}, {"tile": 24}, {"overlap": 7}, {"fixed_px": (19, 23)}])
        )
        fake = FakeUpscaler(**options)
        one = Reuse(fake)
        channels = data.draw(st.sampled_from([(), (3,), (4,)]))
        shape = data.draw(st.integers(1, 90)), data.draw(st.integers(1, 90))
        frame = counting(*shape, *channels)
        for box in data.draw(st.lists(boxes(*shape), max_size=4)):
            frame = painted(frame, box, data.draw(st.integers(0, 2**16 - 1)))
            assert np.array_equal(one(frame), fake(frame)), box

    @pytest.mark.parametrize(
        ("channels", "tile"), [((), None), ((3,), None), ((3,), 24), ((4,), None)]
    )
    @given(st.data())
    @settings(max_examples=4, deadline=None)
    def test_any_changes_with_the_graph_that_ships(
        self, up: Upscaler, channels: tuple[int, ...], tile: int | None, data: st.DataObject
    ) -> None:
        shape = data.draw(st.integers(40, 90)), data.draw(st.integers(56, 120))
        dtype = data.draw(st.sampled_from([np.uint8, np.uint16, np.float16, np.float32]))
        frame = noise(*shape, *channels, dtype=dtype)
        one = Reuse(Upscaler(device="cpu", tile=tile))
        one(frame)
        for box in data.draw(st.lists(boxes(*shape), min_size=1, max_size=2)):
            frame = painted(frame, box, data.draw(st.sampled_from([0, 1])))
            assert np.array_equal(one(frame), up(frame)), box

    def test_changes_beside_what_is_wholly_transparent(self, up: Upscaler) -> None:
        """Colour is spread into it from px that can be seen, so that changes reach farther."""
        frame = noise(120, 110, 4)
        frame[30:90, 20:90, 3] = 0
        one = Reuse(up)
        one(frame)
        for place in [(29, 50), (60, 90), (60, 50)]:
            frame = with_px(frame, place, value=255)
            assert np.array_equal(one(frame), up(frame)), place
        assert one.computed_px < one.px

    @pytest.mark.parametrize("size", [(101, 119), (64, 96)])
    @pytest.mark.parametrize("dtype", [np.uint8, np.float32])
    def test_single_px_at_rims_and_corners(
        self, up: Upscaler, size: tuple[int, int], dtype: Any
    ) -> None:
        frame = noise(*size, 3, dtype=dtype)
        one = Reuse(up)
        one(frame)
        bottom, right = size[0] - 1, size[1] - 1
        for place in [(0, 0), (0, right), (bottom, 3), (bottom, right), (7, 8), (50, 60)]:
            frame = with_px(frame, place, value=0)
            assert np.array_equal(one(frame), up(frame)), place
        assert one.computed_px < one.px

    def test_a_reach_one_short_of_the_halo_would_show(
        self, up: Upscaler, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(reuse, "GRID_PX", 1)
        frame = noise(100, 100, 3, dtype=np.float32)
        other = with_px(frame, (50, 50), value=0)

        def same(reach: int) -> bool:
            monkeypatch.setattr(Work, "reach", reach)
            one = Reuse(up)
            one(frame)
            return np.array_equal(one(other), up(other))

        assert up.facts.halo == 21
        assert same(21)
        assert not same(20)


def noise(*shape: int, dtype: Any = np.uint8) -> Array:
    """Random px of low contrast, so that no result is cut off at 0 or 1."""
    values = np.random.default_rng(0).random(shape, np.float32) * np.float32(0.3) + np.float32(0.35)
    return (values * (np.iinfo(dtype).max if np.dtype(dtype).kind == "u" else 1)).astype(dtype)


def painted(frame: Array, box: Box, value: int) -> Array:
    """A copy with a box of one value; a box without px leaves it as it is."""
    other = frame.copy()
    other[slice(*box[0]), slice(*box[1])] = value
    return other


def boxes(height: int, width: int) -> st.SearchStrategy[Box]:
    """Single px, bars, boxes inside, at rims and corners, everything, nothing."""

    def parts(length: int) -> st.SearchStrategy[tuple[int, int]]:
        places = st.integers(0, length)
        some = st.tuples(places, places).map(lambda ends: (min(ends), max(ends)))
        one = st.integers(0, length - 1).map(lambda at: (at, at + 1))
        return some | one | st.sampled_from([(0, length), (0, 1), (length - 1, length)])

    return st.tuples(parts(height), parts(width))


class TestArraysOfTheCaller:
    def test_a_frame_in_the_same_buffer_is_seen_to_have_changed(self) -> None:
        one = Reuse(FakeUpscaler())
        buffer = counting(100, 120)
        for place in [(0, 0), (50, 60), (99, 119)]:
            buffer[place] = 0
            assert np.array_equal(one(buffer), FakeUpscaler()(buffer)), place
        assert one.computed_px < one.px

    def test_results_are_never_written_to(self) -> None:
        one = Reuse(FakeUpscaler())
        frame = counting(100, 120)
        results, copies = [], []
        for k in range(5):
            frame[10 * k, 20 * k] = 0
            results.append(one(frame))
            copies.append(results[-1].copy())
        assert all(np.array_equal(r, c) for r, c in zip(results, copies, strict=True))

    def test_nor_can_the_caller_write_to_what_later_ones_are_made_of(self) -> None:
        result = Reuse(FakeUpscaler())(counting(100, 120))
        with pytest.raises(ValueError, match="read-only"):
            result[0, 0] = 0

    def test_a_frame_need_not_lie_in_one_piece(self) -> None:
        one = Reuse(FakeUpscaler())
        wide = counting(100, 240)
        for _ in range(2):
            assert np.array_equal(one(wide[::-1, ::2]), FakeUpscaler()(wide[::-1, ::2]))
            wide[50, 60] = 0
        assert one.computed_px < one.px


class TestFailures:
    def test_a_frame_after_a_cancelled_one_is_right(self) -> None:
        one, cancel = Reuse(FakeUpscaler()), threading.Event()
        frame = counting(100, 120)
        one(frame)
        cancel.set()
        other = with_px(frame, (50, 60))
        with pytest.raises(CancelledError):
            one(other, cancel)
        assert np.array_equal(one(other), FakeUpscaler()(other))

    def test_a_frame_cancelled_between_tiles_is_not_reused(self) -> None:
        fake, cancel = FakeUpscaler(tile=30), threading.Event()
        one, frame = Reuse(fake), counting(100, 120)

        class AfterTwo(threading.Event):
            def is_set(self) -> bool:
                return len(fake.windows) >= 2

        with pytest.raises(CancelledError, match="2 of 16 tiles"):
            one(frame, AfterTwo())
        assert np.array_equal(one(frame, cancel), FakeUpscaler()(frame))

    def test_cancel_holds_for_equal_frames_too(self) -> None:
        one, cancel = Reuse(FakeUpscaler()), threading.Event()
        one(counting(9, 9))
        cancel.set()
        with pytest.raises(CancelledError):
            one(counting(9, 9), cancel)

    def test_a_bad_frame_is_refused_and_the_next_is_right(self) -> None:
        one = Reuse(FakeUpscaler())
        one(counting(100, 120))
        with pytest.raises(ArrayError, match="channels"):
            one(counting(100, 120, 2))
        other = with_px(counting(100, 120), (50, 60))
        assert np.array_equal(one(other), FakeUpscaler()(other))

    def test_a_box_that_finds_no_memory_is_run_in_smaller_tiles(self) -> None:
        fake = FakeUpscaler()
        one, frame = Reuse(fake), counting(100, 120)
        one(frame)
        fake.windows.clear()
        fake.most_px = 700
        other = with_px(frame, (49, 80))
        assert np.array_equal(one(other), FakeUpscaler()(other))
        assert fake.windows[0] == (36, 36)
        assert len(fake.windows) > 2
        assert all(height * width <= 700 for height, width in fake.windows[1:])

    def test_where_nothing_fits_any_more_it_says_so_and_goes_on_later(self) -> None:
        fake = FakeUpscaler()
        one, frame = Reuse(fake), counting(100, 120)
        one(frame)
        fake.most_px = 0
        other = with_px(frame, (49, 80))
        for _ in range(2):
            with pytest.raises(DeviceMemoryError, match="smallest tile"):
                one(other)
        planning._most_px.clear()
        fake.most_px = 10**9
        assert np.array_equal(one(other), FakeUpscaler()(other))


class TestStream:
    def frames(self) -> list[Array]:
        """Equal ones, small changes, another size, everything."""
        first = noise(70, 64, 3)
        small = with_px(first, (60, 50), value=0)
        return [first, first, small, small, noise(20, 30, 3), first, 255 - first, small, small]

    def test_results_and_their_order_are_the_same(self, up: Upscaler) -> None:
        plain = list(up.stream(self.frames()))
        reused = list(up.stream(self.frames(), reuse=True))
        assert len(plain) == len(reused) == 9
        assert all(np.array_equal(p, r) for p, r in zip(plain, reused, strict=True))
        assert reused[1] is reused[0]
        assert reused[3] is reused[2]

    @pytest.mark.parametrize(("differ", "most"), [(True, THREADS + 1), (False, WAITING)])
    def test_few_are_on_their_way(self, up: Upscaler, differ: bool, most: int) -> None:
        taken = 0

        def source() -> Iterator[Array]:
            nonlocal taken
            for number in range(40):
                taken += 1
                yield with_px(noise(6, 6), (3, 3), value=number if differ else 0)

        for given_out, _ in enumerate(up.stream(source(), reuse=True)):
            assert taken - given_out <= most
        assert taken == 40

    def test_a_bad_frame_is_refused_after_the_good_ones_before_it(self, up: Upscaler) -> None:
        frames = [noise(6, 6), noise(6, 6), np.zeros((6, 6, 2), np.uint8), noise(6, 6)]
        stream = up.stream(frames, reuse=True)
        assert next(stream).shape == next(stream).shape == (12, 12)
        with pytest.raises(ArrayError, match="channels"):
            next(stream)

    def test_cancel_stops_it(self, up: Upscaler) -> None:
        cancel = threading.Event()
        stream = up.stream((noise(6, 6) for _ in range(100)), cancel, reuse=True)
        next(stream)
        cancel.set()
        with pytest.raises(CancelledError):
            list(stream)

    def test_closing_the_upscaler_ends_it(self) -> None:
        up = Upscaler(device="cpu")
        stream = up.stream((noise(6, 6 + k) for k in range(100)), reuse=True)
        next(stream)
        up.close()
        with pytest.raises(ClosedError):
            list(stream)

    def test_after_a_stream_left_early_the_next_begins_anew(self, up: Upscaler) -> None:
        one = Reuse(up)
        frame = noise(40, 40, 3)
        stream = one.stream(frame for _ in range(100))
        next(stream)
        stream.close()  # type: ignore[attr-defined]
        names = [thread.name for thread in threading.enumerate()]
        assert not [name for name in names if name.startswith("liveaction-onnx")]
        assert np.array_equal(one(frame), up(frame))
        assert [np.array_equal(r, up(frame)) for r in one.stream([frame, frame])] == [True] * 2

    def test_a_frame_that_a_stream_took_and_never_ran_is_not_waited_for(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def taking(function: Any, items: Iterator[Any], gone: threading.Event) -> Iterator[Array]:
            yield next(items)

        monkeypatch.setattr(reuse, "overlapped", taking)
        one, frame = Reuse(FakeUpscaler()), counting(20, 30)
        list(one.stream([frame]))
        results: list[Array] = []
        thread = threading.Thread(target=lambda: results.append(one(frame)), daemon=True)
        thread.start()
        thread.join(timeout=10)
        assert results, "it waits for a result that nobody makes"

    def test_it_counts(self, up: Upscaler) -> None:
        one = Reuse(up)
        frame = noise(40, 40, 3)
        list(one.stream([frame, frame, frame, 255 - frame]))
        assert (one.px, one.computed_px) == (4 * 1600, 2 * 1600)
