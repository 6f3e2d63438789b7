"""Lanes: frames of a stream go through the graph two at a time on the CPU, to the same results."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import onnxruntime
import pytest
from clips import nearest
from numpy.typing import NDArray

from liveaction_onnx import (
    CancelledError,
    ClosedError,
    Upscaler,
    lanes,
    memory,
    planning,
    processors,
)
from liveaction_onnx.lanes import LANES, MOST_BYTES, UNASKED_BYTES, Lanes
from liveaction_onnx.session import Session

Array = NDArray[Any]
SOON_S = 20


@pytest.fixture(autouse=True)
def four_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this machine has; and no test learns from another that memory ran out."""
    monkeypatch.setattr(processors, "usable", lambda: 4)
    monkeypatch.setattr(planning, "_most_px", {})


@pytest.fixture
def up() -> Iterator[Upscaler]:
    with Upscaler(device="cpu") as upscaler:
        yield upscaler


def frames(count: int, height: int = 40, width: int = 56) -> list[Array]:
    rng = np.random.default_rng(0)
    return list(rng.integers(0, 256, (count, height, width, 3), dtype=np.uint8))


def session_of(up: Upscaler) -> Session:
    return up._forms.best_for("uint8")


def opened_by(up: Upscaler) -> Lanes:
    found = session_of(up)._lanes
    assert found
    return found


class Watched:
    """A lane's inference that does something before each run."""

    def __init__(self, up: Upscaler, before: Any) -> None:
        given = opened_by(up)
        self._real, self._before = given._make(), before
        given._inference = self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def run(self, *given: Any) -> Any:
        self._before()
        return self._real.run(*given)


@pytest.mark.parametrize("reuse", [False, True])
def test_two_frames_meet_in_the_graph_and_come_out_as_alone(up: Upscaler, reuse: bool) -> None:
    meeting = threading.Barrier(LANES)
    Watched(up, lambda: meeting.wait(SOON_S))
    given = frames(6)
    made = list(up.stream(given, reuse=reuse))
    assert all(np.array_equal(one, up(frame)) for one, frame in zip(made, given, strict=True))


@pytest.mark.parametrize("times", [2, 3])
def test_frames_that_are_repeated_take_no_lane(up: Upscaler, times: int) -> None:
    meeting = threading.Barrier(LANES)
    Watched(up, lambda: meeting.wait(SOON_S))
    given = frames(4)
    made = list(up.stream([one for one in given for _ in range(times)], reuse=True))
    assert all(made[k] is made[k // times * times] for k in range(len(made)))
    wanted = [up(frame) for frame in given]
    assert all(np.array_equal(*pair) for pair in zip(made[::times], wanted, strict=True))


def test_a_call_has_all_threads_and_no_lane(up: Upscaler) -> None:
    Watched(up, lambda: pytest.fail("it was run in a lane"))
    up(frames(1)[0])


def test_boxes_that_changed_are_run_beside_the_frame_before(up: Upscaler) -> None:
    """What has not changed is waited for only once the rest is done."""
    first = frames(1, 160, 160)[0]
    given = [first]
    for row in (8, 100, 40):
        given.append(given[-1].copy())
        given[-1][row : row + 4, 70:80] = row
    meeting = threading.Barrier(LANES)
    Watched(up, lambda: meeting.wait(SOON_S))
    made = list(up.stream(given, reuse=True))
    assert all(np.array_equal(one, up(frame)) for one, frame in zip(made, given, strict=True))


def test_each_lane_has_half_of_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []
    real = onnxruntime.InferenceSession

    def opening(*given: Any, sess_options: Any, **more: Any) -> Any:
        told.append(sess_options.intra_op_num_threads)
        return real(*given, sess_options=sess_options, **more)

    monkeypatch.setattr(onnxruntime, "InferenceSession", opening)
    with Upscaler(device="cpu") as up:
        before = len(told)
        list(up.stream(frames(4)))
    assert told[before:] == [2], "opened once, for two of four processors"


@pytest.mark.parametrize(("ours", "threads"), [(1, 0), (2, 1), (3, 2), (16, 8)])
def test_processors_are_shared_out(
    monkeypatch: pytest.MonkeyPatch, ours: int, threads: int
) -> None:
    monkeypatch.setattr(processors, "usable", lambda: ours)
    assert lanes.threads() == threads
    with Upscaler(device="cpu") as up:
        assert session_of(up).has_lanes(64) == (threads > 0)


@pytest.mark.parametrize("where", [{"device": "cpu"}, {"providers": ["CPUExecutionProvider"]}])
@pytest.mark.parametrize("model", [{}, {"model": nearest()}])
def test_it_is_the_same_however_the_cpu_is_named(
    model: dict[str, Any], where: dict[str, Any]
) -> None:
    with Upscaler(**model, **where) as up:
        assert session_of(up).has_lanes(64)


def test_options_of_the_caller_are_all_that_is_run() -> None:
    options = onnxruntime.SessionOptions()
    with Upscaler(device="cpu", session_options=options) as up:
        assert not session_of(up).has_lanes(64)
        assert len(list(up.stream(frames(3)))) == 3


@pytest.mark.parametrize(
    ("run_bytes", "available", "fits"),
    [
        (UNASKED_BYTES // LANES, 0, True),
        (UNASKED_BYTES // LANES + 1, 0, False),
        (1 << 30, 4 << 30, True),
        (1 << 30, (4 << 30) - 2, False),
        (1 << 30, None, False),
        (MOST_BYTES // LANES, 1 << 40, True),
        (MOST_BYTES // LANES + 1, 1 << 40, False),
    ],
)
def test_there_has_to_be_memory_for_both(
    monkeypatch: pytest.MonkeyPatch, run_bytes: int, available: int | None, fits: bool
) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda: available)
    assert Lanes(lambda: None).fit(run_bytes) == fits


def test_what_was_granted_is_held_and_not_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    both = Lanes(lambda: None)
    monkeypatch.setattr(memory, "available_bytes", lambda: 8 << 30)
    assert both.fit(1 << 30)
    monkeypatch.setattr(memory, "available_bytes", lambda: 1 << 30)
    assert both.fit(1 << 30)
    assert not both.fit((1 << 30) + 1)


def test_without_memory_for_both_frames_are_run_one_after_another(
    up: Upscaler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Lanes, "fit", lambda self, run_bytes: False)
    Watched(up, lambda: pytest.fail("it was run in a lane"))
    assert len(list(up.stream(frames(3)))) == 3


def test_memory_that_runs_out_in_a_lane_makes_tiles(up: Upscaler) -> None:
    def fail() -> None:
        raise RuntimeError("bad allocation")

    Watched(up, fail)
    given = frames(2, 150, 160)
    made = list(up.stream(given))
    assert planning._most_px
    assert all(np.array_equal(one, up(frame)) for one, frame in zip(made, given, strict=True))


def test_streams_side_by_side_share_the_lanes(up: Upscaler) -> None:
    running, most, look = 0, 0, threading.Lock()
    real = opened_by(up)._make()

    class Counting:
        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

        def run(self, *given: Any) -> Any:
            nonlocal running, most
            with look:
                running += 1
                most = max(most, running)
            try:
                return real.run(*given)
            finally:
                with look:
                    running -= 1

    opened_by(up)._inference = Counting()
    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(lambda _: len(list(up.stream(frames(6)))), range(3)))
    assert done == [6, 6, 6]
    assert most == LANES


def test_a_cancel_leaves_both_lanes(up: Upscaler) -> None:
    cancel = threading.Event()
    meeting = threading.Barrier(LANES, cancel.set)
    Watched(up, lambda: meeting.wait(SOON_S))
    with pytest.raises(CancelledError):
        list(up.stream(frames(4, 400, 400), cancel))


def test_a_closed_upscaler_opens_no_lane(up: Upscaler) -> None:
    stream = up.stream(iter(frames(8)))
    next(stream)
    both = opened_by(up)
    up.close()
    with pytest.raises(ClosedError):
        list(stream)
    with pytest.raises(ClosedError), both.turn():
        pass
    assert both._inference is None
