"""Frames of a video as arrays: how their end is known, and that more are on their way."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import clip, frames

from liveaction_onnx import ffmpeg
from liveaction_onnx.decoding import READ_AHEAD, Decoder

Array = np.ndarray[Any, Any]


def decoder(source: Path) -> Decoder:
    return Decoder(ffmpeg.reading(source), ["format=rgb24"], deep=False, name=source.name)


class Asked(queue.Queue[Any]):
    """A queue that counts how often it was asked in vain."""

    in_vain = 0

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        try:
            return super().get(block, timeout)
        except queue.Empty:
            Asked.in_vain += 1
            raise


def test_the_end_is_told_and_not_guessed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "SimpleQueue", Asked)
    assert len(list(decoder(clip(tmp_path / "a.mkv")))) == 25
    assert Asked.in_vain == 0, "it asks again and again whether the end has come"


def test_what_is_made_of_each_frame_comes_with_it(tmp_path: Path) -> None:
    source = clip(tmp_path / "a.mkv", codec=("ffv1",))
    made = list(decoder(source).through(lambda pixels: (255 - one for one in pixels)))
    assert [frame.ticks for frame, _ in made] == sorted(frame.ticks for frame, _ in made)
    assert all(np.array_equal(result, 255 - frame.pixels) for frame, result in made)
    assert np.array_equal([frame.pixels for frame, _ in made], frames(source))


def test_more_are_decoded_while_one_is_worked_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = threading.Semaphore(0)
    frame_of = Decoder._frame

    def counted(self: Decoder, *given: Any) -> Any:
        decoded.release()
        return frame_of(self, *given)

    monkeypatch.setattr(Decoder, "_frame", counted)

    def stream(pixels: Iterator[Array]) -> Iterator[Array]:
        for one in pixels:
            for _ in range(READ_AHEAD):
                assert decoded.acquire(timeout=30), "nothing is decoded meanwhile"
            yield one
            yield from pixels

    assert len(list(decoder(clip(tmp_path / "a.mkv")).through(stream))) == 25


def test_left_early_it_leaves_nothing(tmp_path: Path) -> None:
    before = threading.active_count()
    one = decoder(clip(tmp_path / "a.mkv", seconds=4))
    results = one.through(lambda pixels: pixels)
    next(results)
    results.close()
    assert threading.active_count() == before
    with pytest.raises(ValueError, match="closed file"):
        one.process.stdout.read(1)
