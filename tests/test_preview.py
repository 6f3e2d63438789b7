"""A preview: a plain resize at the left, the result at the right."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import clip, ffmpeg, frame_size, frames, listing, nearest
from PIL import Image

from liveaction_onnx import (
    CancelledError,
    OptionError,
    PausedError,
    Upscaler,
    VideoOptions,
    preview,
    upscale,
    upscale_video,
)
from liveaction_onnx.preview import plain, upscale_preview

OPTIONS = VideoOptions(codec="ffv1")


def test_both_halves_are_what_they_say(tmp_path: Path) -> None:
    source = clip(tmp_path / "a.mkv", "-vf", "setsar=64/45", seconds=2, sound=True, codec=("ffv1",))
    with Upscaler(device="cpu") as up:
        report = upscale_preview(source, None, OPTIONS, seconds=0.2, upscaler=up)
    assert report.target.name == "a_preview.mkv"
    assert report.frames == 5
    assert sorted(os.listdir(tmp_path)) == ["a.mkv", "a_preview.mkv"]
    assert frame_size(report.target) == (96, 256)
    assert any("SAR 64:45" in line for line in listing(report.target))
    left, right = np.split(frames(report.target)[0].astype(int), 2, axis=1)
    given = frames(source)[23]  # of 50, less half of 5
    resized = np.asarray(Image.fromarray(given).resize((128, 96), Image.Resampling.BICUBIC))
    assert np.abs(left - resized).mean() < 2
    assert np.abs(right - upscale(given, device="cpu")).mean() < 3
    assert np.abs(left - right).mean() > 0.5


def test_from_where_it_is_asked_for(tmp_path: Path) -> None:
    source = clip(tmp_path / "a.mkv", seconds=2, codec=("ffv1",))
    options = VideoOptions(codec="ffv1", start_s=0.4)
    with Upscaler(device="cpu") as up:
        report = upscale_preview(source, tmp_path / "p.mkv", options, seconds=0.1, upscaler=up)
    left = np.split(frames(report.target)[0].astype(int), 2, axis=1)[0]
    wanted = [np.abs(left - plain(frame, 2)).mean() for frame in frames(source)]
    assert int(np.argmin(wanted)) in (9, 10, 11), "of which some are alike"


def test_the_middle_of_pictures_that_begin_after_the_sound(tmp_path: Path) -> None:
    whole, source = clip(tmp_path / "whole.mkv", seconds=3, sound=True), tmp_path / "a.mkv"
    words = ["-itsoffset", "0.7", "-i", str(whole), "-i", str(whole), "-map", "0:v", "-map", "1:a"]
    ffmpeg(*words, "-c", "copy", str(source))
    with Upscaler(nearest(), device="cpu", halo=0) as up:
        report = upscale_preview(source, None, VideoOptions("x264"), seconds=0.4, upscaler=up)
    assert report.frames == 10


def test_deep_frames_are_resized_deep() -> None:
    deep = np.arange(4 * 6 * 3, dtype=np.uint16).reshape(4, 6, 3) * 900
    made = plain(deep, 2)
    assert made.dtype == np.uint16
    assert np.abs(made[2:-2, 2:-2].mean() - deep[1:-1, 1:-1].mean()) < 300


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_no_length_at_all(tmp_path: Path, seconds: float) -> None:
    source = clip(tmp_path / "a.mkv", seconds=0.2)
    with Upscaler(device="cpu") as up, pytest.raises(OptionError, match="expected seconds"):
        upscale_preview(source, None, OPTIONS, seconds=seconds, upscaler=up)
    assert os.listdir(tmp_path) == ["a.mkv"]


def test_the_next_is_resized_while_one_is_upscaled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resized, begun = threading.Semaphore(0), iter(range(1000))

    def counted(pixels: Any, scale: int) -> Any:
        resized.release()
        return plain(pixels, scale)

    class Waiting(Upscaler):
        def __call__(self, *given: Any, **named: Any) -> Any:
            for _ in range(0 if next(begun) else 2):
                assert resized.acquire(timeout=30), "nothing is resized meanwhile"
            return super().__call__(*given, **named)

    monkeypatch.setattr(preview, "plain", counted)
    source = clip(tmp_path / "a.mkv")
    with Waiting(nearest(), device="cpu", halo=0) as up:
        report = upscale_preview(source, None, OPTIONS, seconds=0.4, upscaler=up)
    assert report.frames == 10
    assert report.px == 10 * 64 * 48


def test_the_unfinished_run_of_its_target_is_left_alone(tmp_path: Path) -> None:
    source, target = clip(tmp_path / "a.mkv"), tmp_path / "b.mkv"
    options, pause = VideoOptions(codec="x264", segment_frames=8), threading.Event()
    pause.set()
    with Upscaler(nearest(), device="cpu", halo=0) as up:
        with pytest.raises(PausedError):
            upscale_video(source, target, options, upscaler=up, pause=pause)
        upscale_preview(source, target, options, seconds=0.4, upscaler=up)
        target.unlink()
        report = upscale_video(source, target, options, upscaler=up)
    assert report.resumed_frames == 8
    assert sorted(os.listdir(tmp_path)) == ["a.mkv", "b.mkv"]


def test_cancel_leaves_nothing(tmp_path: Path) -> None:
    source, cancel = clip(tmp_path / "a.mkv"), threading.Event()
    cancel.set()
    before = threading.active_count()
    with Upscaler(nearest(), device="cpu", halo=0) as up, pytest.raises(CancelledError):
        upscale_preview(source, None, OPTIONS, seconds=0.4, upscaler=up, cancel=cancel)
    assert os.listdir(tmp_path) == ["a.mkv"]
    assert threading.active_count() == before
