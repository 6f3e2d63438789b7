"""Items used up in a thread of their own, and work that is done in several."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from functools import partial

import pytest

from liveaction_onnx.streaming import Outlet, Workers


def nothing() -> None:
    """Where there is nothing to be ended."""


def test_items_come_in_order_and_all_of_them() -> None:
    seen: list[int] = []
    outlet = Outlet(seen.extend, nothing, waiting=2, name="outlet")
    for number in range(50):
        outlet.put(number)
    outlet.finish()
    assert seen == list(range(50))


def test_no_more_wait_than_may() -> None:
    third, put = threading.Event(), 0

    def use(items: Iterator[int]) -> None:
        next(items)
        assert third.wait(30)
        assert put == 3, "one is used, two wait"
        assert list(items) == [1, 2, 3, 4]

    outlet = Outlet(use, nothing, waiting=2, name="outlet")
    for number in range(5):
        outlet.put(number)
        put += 1
        if put == 3:
            third.set()
    outlet.finish()


def test_an_error_reaches_whoever_waits_for_room() -> None:
    go = threading.Event()

    def use(items: Iterator[int]) -> None:
        next(items)
        assert go.wait(30)
        raise KeyError("the outlet broke")

    outlet = Outlet(use, nothing, waiting=1, name="outlet")
    outlet.put(0)
    outlet.put(1)
    threading.Timer(0.05, go.set).start()
    with pytest.raises(KeyError, match="the outlet broke"):
        list(map(outlet.put, range(9)))
    with pytest.raises(KeyError, match="the outlet broke"):
        outlet.finish()


@pytest.mark.parametrize("waiting", [0, 2])
def test_stopped_it_uses_no_more_and_cleans_up(waiting: int) -> None:
    """Whether it waits for an item, or for what `kill` ends."""
    killed, began, cleaned, seen = threading.Event(), threading.Event(), threading.Event(), [0]

    def use(items: Iterator[int]) -> None:
        try:
            began.set()
            for item in items:
                seen.append(item)
                assert killed.wait(30)
        finally:
            cleaned.set()

    outlet = Outlet(use, killed.set, waiting=2, name="outlet")
    for number in range(1, waiting + 1):
        outlet.put(number)
    assert began.wait(30)
    outlet.stop()
    assert cleaned.is_set()
    assert seen in ([0], [0, 1])
    assert "outlet" not in [thread.name for thread in threading.enumerate()]


def test_work_is_begun_in_order_by_so_many_threads_and_no_more() -> None:
    begun: list[int] = []
    go = threading.Event()

    def work(number: int) -> int:
        begun.append(number)
        assert go.wait(30)
        return -number

    workers = Workers(2)
    results = [workers.submit(partial(work, number)) for number in range(20)]
    while len(begun) < 2:
        time.sleep(0.001)
    assert sorted(begun) == [0, 1]
    go.set()
    assert [result.result(30) for result in results] == [-number for number in range(20)]
    assert all(abs(number - place) <= 1 for place, number in enumerate(begun))


def test_workers_that_are_stopped_begin_nothing_more() -> None:
    began, go = threading.Event(), threading.Event()

    def work() -> None:
        began.set()
        assert go.wait(30)

    before = threading.active_count()
    workers = Workers(1)
    results = [workers.submit(work) for _ in range(3)]
    assert began.wait(30)
    threading.Timer(0.05, go.set).start()
    workers.stop()
    assert [result.done() for result in results] == [True, False, False]
    assert threading.active_count() <= before + 1, "the timer's"


def test_workers_go_on_after_an_error_and_after_there_was_nothing_to_do() -> None:
    workers = Workers(1)
    with pytest.raises(ZeroDivisionError):
        workers.submit(lambda: 1 // 0).result(30)
    workers.stop()
    assert workers.submit(lambda: 1).result(30) == 1
    workers.stop()
