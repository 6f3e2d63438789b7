"""Signals to work that runs in a thread: it leaves by itself, and nothing is cut off."""

from __future__ import annotations

import _thread
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes import interrupt_until, started

from liveaction_onnx import ffmpeg
from liveaction_onnx.errors import CancelledError, PausedError
from liveaction_onnx.exits import INTERRUPTED
from liveaction_onnx.interrupts import Interrupts


@pytest.fixture
def told() -> list[str]:
    """What was said to the user."""
    return []


@pytest.fixture
def interrupts(told: list[str]) -> Interrupts:
    return Interrupts(told.append)


def test_results_and_errors_come_through(interrupts: Interrupts, told: list[str]) -> None:
    assert interrupts.run(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        interrupts.run(lambda: 1 / 0)
    with pytest.raises(SystemExit):
        interrupts.run(sys.exit)
    assert not interrupts.asked
    assert not told


def test_an_interrupt_is_raised_once_the_work_has_left(interrupts: Interrupts) -> None:
    left = []

    def work() -> None:
        interrupt_until(interrupts.cancel.is_set)
        left.append(True)
        raise CancelledError("as it was told to")

    with pytest.raises(KeyboardInterrupt):
        interrupts.run(work)
    assert left
    assert interrupts.asked
    assert not interrupts.pause.is_set()


def test_all_that_asks_a_process_to_end_cancels(
    interrupts: Interrupts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Windows a program can send one signal only to one that it has started, CTRL_BREAK."""
    monkeypatch.setattr("liveaction_onnx.interrupts.ENDING", [signal.SIGTERM, signal.SIGUSR1])

    def work() -> None:
        signal.raise_signal(signal.SIGUSR1)
        while not interrupts.cancel.is_set():
            time.sleep(0.01)
        raise CancelledError("as it was told to")

    with pytest.raises(KeyboardInterrupt):
        interrupts.run(work, pausable=True)
    assert not interrupts.pause.is_set()


def test_work_that_was_done_all_the_same_gives_its_result(interrupts: Interrupts) -> None:
    def work() -> int:
        interrupt_until(interrupts.cancel.is_set)
        return 7

    assert interrupts.run(work) == 7
    assert interrupts.asked


def test_the_first_is_a_pause_where_there_is_one(interrupts: Interrupts, told: list[str]) -> None:
    def work() -> None:
        interrupt_until(lambda: bool(told))
        assert not interrupts.cancel.is_set()
        raise PausedError("put off after 24 frames")

    with pytest.raises(PausedError, match="after 24 frames"):
        interrupts.run(work, pausable=True)
    assert told == ["finishing the segment at hand; Ctrl+C once more stops at once"]


def test_the_second_cancels_and_raises_nothing_meanwhile(interrupts: Interrupts) -> None:
    """An error that is raised at any step of the main thread may leave a lock locked."""

    def work() -> str:
        interrupt_until(interrupts.pause.is_set)
        interrupt_until(interrupts.cancel.is_set)
        time.sleep(0.2)
        return "left in order"

    assert interrupts.run(work, pausable=True) == "left in order"


def test_keys_that_are_held_down_end_nothing_at_once(interrupts: Interrupts) -> None:
    def work() -> int:
        for _ in range(30):
            _thread.interrupt_main()
            time.sleep(0.005)
        return 7

    assert interrupts.run(work, pausable=True) == 7
    assert interrupts.cancel.is_set()


def test_sigterm_cancels_what_could_be_paused(interrupts: Interrupts) -> None:
    def work() -> None:
        interrupt_until(interrupts.cancel.is_set, signal.SIGTERM)
        raise CancelledError("as it was told to")

    with pytest.raises(KeyboardInterrupt):
        interrupts.run(work, pausable=True)
    assert not interrupts.pause.is_set()


def test_no_ffmpeg_is_waited_for_even_if_it_starts_late(interrupts: Interrupts) -> None:
    def work() -> None:
        interrupt_until(interrupts.cancel.is_set)
        time.sleep(0.2)
        ffmpeg.run(["-re", "-f", "lavfi", "-i", "color=d=3600", "-f", "null", "-"])

    with pytest.raises(KeyboardInterrupt):
        interrupts.run(work)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no process groups of this kind")
@pytest.mark.parametrize("key", ["INT", "QUIT", "TSTP"])
def test_ffmpeg_is_deaf_to_keys_from_its_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    """Until it has a group of its own, what a terminal sends reaches it too, and would end it."""
    fake = tmp_path / "ffmpeg"
    fake.write_text(f"#!/bin/sh\nkill -{key} $$\necho heard nothing >&2\n")
    fake.chmod(0o755)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(fake))
    said, _ = ffmpeg.run([])
    assert said == ["heard nothing"]
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_handlers_are_as_before(interrupts: Interrupts) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with pytest.raises(ZeroDivisionError):
        interrupts.run(lambda: 1 / 0)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


STUCK = """
import sys, time
from liveaction_onnx.interrupts import Interrupts
def stuck():
    print("begun", flush=True)
    time.sleep(3600)
Interrupts(lambda text: print(text, file=sys.stderr)).run(stuck, patience_s={patience_s})
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
@pytest.mark.parametrize("patience_s", [None, 0.3])
def test_work_that_does_not_leave_is_not_waited_for(patience_s: float | None) -> None:
    """As long as that is not asked for, or for so long."""
    words = [sys.executable, "-c", STUCK.format(patience_s=patience_s)]
    with started(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        if patience_s is None:
            time.sleep(1.5)
            assert process.poll() is None
            process.send_signal(signal.SIGINT)
        _, said = process.communicate()
    assert process.returncode == INTERRUPTED
    assert said == "stopped at once\n"
