"""A part of a video: its frames are those whose time lies in it, in every kind of file."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import clip, ffmpeg, frames, times

from liveaction_onnx import OptionError, Upscaler, VideoOptions, upscale_video
from liveaction_onnx.footage import examine
from liveaction_onnx.preview import upscale_preview

LONG_GOP = ("-g", "50", "-c:a", "ac3")


def decoded_times(path: Path) -> list[Fraction]:
    """When each frame is shown, in seconds; packets of program streams do not all say so."""
    words = ["-copyts", "-i", str(path), "-map", "0:v", "-fps_mode", "passthrough"]
    listed = ffmpeg(*words, "-enc_time_base", "1/90000", "-f", "framecrc", "-").decode()
    lines = [line for line in listed.splitlines() if not line.startswith("#")]
    return [Fraction(int(line.split(",")[2]), 90_000) for line in lines]


def cut(
    source: Path, up: Upscaler, start_s: float | None, duration_s: float | None, ends: str = ".mkv"
) -> Path:
    """The part of a source that is asked for, upscaled."""
    options = VideoOptions("x264", start_s=start_s, duration_s=duration_s, preset="ultrafast")
    return upscale_video(source, source.with_name(f"b{ends}"), options, upscaler=up).target


def holds(target: Path, source: Path, start_s: float | None, duration_s: float | None) -> None:
    """See that a target has the frames, and all the sound, of that part of its source."""
    seen = examine(source)
    begins = seen.start_s
    first = begins + Fraction(start_s or 0).limit_denominator(1000)
    last = first + Fraction(duration_s or 100).limit_denominator(1000)
    shown = decoded_times(source)
    wanted = [k for k, time in enumerate(shown) if first <= time < last]
    made = frames(target).astype(int)
    assert len(made) == len(wanted)
    assert np.abs(made - frames(source)[wanted].repeat(2, 1).repeat(2, 2)).mean() < 3
    origin = shown[wanted[0]] - times(target)[0]
    free = seen.format in ("mpegts", "mpeg")
    assert origin == pytest.approx(first if start_s is not None or free else 0, abs=0.001)
    heard = [time - origin for time in times(source, "a:0") if first <= time < last]
    near = [time for time in times(target, "a:0") if time >= begins - origin - Fraction(1, 1000)]
    assert near[0] == pytest.approx(heard[0], abs=0.03)
    assert near[-1] == pytest.approx(heard[-1], abs=0.03), "as long as the pictures"


@pytest.mark.parametrize("rate", ["24000/1001", "25"])
@pytest.mark.parametrize("ends", [".mkv", ".mp4"])
@pytest.mark.parametrize("part", [(None, 1.5), (0.05, 0.1), (0.7, 1.1), (1.001, None)])
def test_ordinary_files(
    tmp_path: Path, up: Upscaler, rate: str, ends: str, part: tuple[float | None, float | None]
) -> None:
    source = clip(tmp_path / f"a{ends}", rate=rate, seconds=3, sound=True)
    holds(cut(source, up, *part, ends), source, *part)


@pytest.mark.parametrize("rate", ["24000/1001", "30000/1001"])
def test_a_preview_of_an_ordinary_file(tmp_path: Path, up: Upscaler, rate: str) -> None:
    source = clip(tmp_path / "a.mp4", rate=rate, seconds=8, sound=True)
    options = VideoOptions(codec="x264", preset="ultrafast")
    report = upscale_preview(source, None, options, seconds=4, upscaler=up)
    assert abs(report.frames - 4 * Fraction(rate)) < 1


@pytest.mark.parametrize("part", [(None, 1), (0.3, 0.4)])
@pytest.mark.parametrize("offset", ["0.2", "5"])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.flv"])
def test_files_that_do_not_begin_at_nothing(
    tmp_path: Path, up: Upscaler, name: str, offset: str, part: tuple[float | None, float]
) -> None:
    source = clip(tmp_path / name, "-output_ts_offset", offset, seconds=2, sound=True)
    assert times(source)[0] > 0
    holds(cut(source, up, *part), source, *part)


@pytest.mark.parametrize("part", [(None, 0.4), (0.3, 0.4), (1, None), (2.5, None), (3.4, 0.2)])
@pytest.mark.parametrize(
    "name",
    [
        "a.ts",
        "a.mpg",
        pytest.param("a.m2ts", marks=pytest.mark.slow),
        pytest.param("a.vob", marks=pytest.mark.slow),
    ],
)
def test_streams_without_an_index(
    tmp_path: Path, up: Upscaler, name: str, part: tuple[float | None, float | None]
) -> None:
    """Reading from a time on would begin at the keyframe after it."""
    source = clip(tmp_path / name, *LONG_GOP, seconds=4, sound=True)
    holds(cut(source, up, *part), source, *part)


def test_where_reading_begins_nothing_is_called_damaged(tmp_path: Path, up: Upscaler) -> None:
    """Pictures that refer to some before that place are no errors in the source."""
    source = clip(tmp_path / "a.ts", *LONG_GOP, seconds=4, sound=True)
    options = VideoOptions("x264", start_s=2.5, preset="ultrafast")
    report = upscale_video(source, tmp_path / "b.mkv", options, upscaler=up)
    assert report.frames == 37
    assert not any("errors in reading it" in note for note in report.notes)


@pytest.mark.parametrize("ends", [".mkv", ".mp4"])
def test_titles_stay_in_step(tmp_path: Path, up: Upscaler, ends: str) -> None:
    """One that begins before the part is left out, also where titles are converted."""
    titles, source = tmp_path / "s.srt", tmp_path / "a.mkv"
    lines = [f"{k}\n00:00:0{k},200 --> 00:00:0{k},900\nTitle {k}\n" for k in range(5)]
    titles.write_text("\n".join(lines))
    film = clip(tmp_path / "film.mkv", seconds=5, sound=True)
    ffmpeg("-i", str(film), "-i", str(titles), "-map", "0", "-map", "1", "-c", "copy", str(source))
    target = cut(source, up, 1.4, 2, ends)
    told = ffmpeg("-i", str(target), "-map", "0:s", "-f", "srt", "-").decode()
    assert "00:00:00,800 --> 00:00:01,500\nTitle 2" in told
    assert "00:00:01,800 --> 00:00:02,500\nTitle 3" in told
    assert "Title 1" not in told
    assert "Title 4" not in told


@pytest.mark.parametrize("name", ["a.avi", "a.asf", "a.nut"])
def test_further_formats(tmp_path: Path, up: Upscaler, name: str) -> None:
    source = clip(tmp_path / name, seconds=3, sound=True, codec=("mpeg4", "-bf", "2"))
    shown = times(cut(source, up, 1.1, 0.8))
    assert len(shown) == 20
    assert 0 <= shown[0] < Fraction(1, 25)


def test_pictures_that_begin_after_the_sound(tmp_path: Path, up: Upscaler) -> None:
    whole, source = clip(tmp_path / "whole.mkv", sound=True), tmp_path / "a.mkv"
    words = ["-itsoffset", "0.7", "-i", str(whole), "-i", str(whole), "-map", "0:v", "-map", "1:a"]
    ffmpeg(*words, "-c", "copy", str(source))
    with pytest.raises(OptionError, match=r"first picture of .* comes 0\.7\d\d s after"):
        cut(source, up, None, 0.4)
    assert len(times(cut(source, up, None, 0.9))) == 5
