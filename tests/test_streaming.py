"""Items used up in a thread of their own."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from liveaction_onnx.streaming import Outlet


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
