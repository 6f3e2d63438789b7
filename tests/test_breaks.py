"""Recordings put end to end, whose clock begins anew midway: refused, or accepted and told."""

from __future__ import annotations

import os
import re
from itertools import pairwise
from pathlib import Path

import pytest
from clips import clip, ffmpeg, times

from liveaction_onnx import Upscaler, VideoDamagedError, VideoOptions, upscale_video
from liveaction_onnx.preview import upscale_preview

FAST = VideoOptions(codec="x264", preset="ultrafast", segment_frames=4)
ACCEPTING = VideoOptions("x264", preset="ultrafast", segment_frames=4, accept_damage=True)


def joined(folder: Path, suffix: str, offset: str) -> Path:
    """Two recordings of 0.6 s, end to end, of which the second begins at `offset` seconds."""
    words = {".mpg": ("-c:a", "mp2")}.get(suffix, ())
    codec = ("mpeg2video", "-bf", "2") if suffix == ".mpg" else ("libx264", "-bf", "2")
    first = clip(folder / f"1{suffix}", *words, seconds=0.6, sound=True, codec=codec)
    late = ("-output_ts_offset", offset)
    second = clip(folder / f"2{suffix}", *words, *late, seconds=0.6, sound=True, codec=codec)
    source = folder / f"a{suffix}"
    source.write_bytes(first.read_bytes() + second.read_bytes())
    return source


@pytest.mark.parametrize("suffix", [".ts", ".mpg"])
@pytest.mark.parametrize(("offset", "told"), [("0", "go back from"), ("300", "leap from")])
def test_a_clock_that_begins_anew(
    tmp_path: Path, up: Upscaler, suffix: str, offset: str, told: str
) -> None:
    source, target = joined(tmp_path, suffix, offset), tmp_path / "b.mkv"
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(VideoDamagedError, match=f"its times {told}") as refused:
        upscale_video(source, target, FAST, upscaler=up)
    assert sorted(os.listdir(tmp_path)) == before, "nothing was begun"
    with pytest.raises(VideoDamagedError, match=f"its times {told}"):
        upscale_preview(source, target, FAST, seconds=400, upscaler=up)
    report = upscale_video(source, target, ACCEPTING, upscaler=up)
    assert report.frames == 30
    assert any(f"its times {told}" in note for note in report.notes)
    if (suffix, offset) == (".mpg", "300"):
        return  # ffmpeg mends none of those
    command = re.search(r"ffmpeg (-fflags .*whole\.mkv)", str(refused.value))
    assert command is not None
    *words, whole = command[1].split()
    ffmpeg(*words, str(tmp_path / whole))
    report = upscale_video(tmp_path / whole, tmp_path / "c.mkv", FAST, upscaler=up)
    assert report.frames == 30
    shown = times(report.target)
    assert shown[-1] - shown[0] == pytest.approx(29 / 25, abs=0.09)


def test_a_clock_that_overflows_goes_on(tmp_path: Path, up: Upscaler) -> None:
    """That of a transport stream has 33 bits."""
    source = clip(tmp_path / "a.ts", "-output_ts_offset", "95441.5", seconds=2, sound=True)
    shown = times(upscale_video(source, tmp_path / "b.mkv", FAST, upscaler=up).target)
    assert len(shown) == 50
    assert max(b - a for a, b in pairwise(shown)) < 0.042
