"""Flicker: clips that are read, what of them stands still, and what upscalers make of it."""

from __future__ import annotations

import io
import itertools
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from model import temporal
from model.build import FORMS, GRAPHS
from model.metrics import Picture, Upscale
from model.rivals import Rival, bicubic
from model.temporal import Clip

HEIGHT, WIDTH = 48, 64


def frames(count: int = 6, *, flicker: int = 0) -> list[Picture]:
    """Make a ramp on which a bright square walks 4 px a frame; every second frame is lighter."""
    made = []
    for number in range(count):
        picture = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
        picture += np.arange(WIDTH, dtype=np.uint8)[:, None]
        picture[4:12, 4 * number : 4 * number + 8] = 220
        made.append(picture + np.uint8(flicker * (number % 2)))
    return made


def write(path: Path, pictures: list[Picture]) -> Path:
    height, width = pictures[0].shape[:2]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-f", "rawvideo"]
    command += ["-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", "25", "-i", "-"]
    command += ["-c:v", "ffv1", "-pix_fmt", "gbrp", str(path)]
    subprocess.run(command, input=b"".join(p.tobytes() for p in pictures), check=True)
    return path


def clip(**options: int) -> Clip:
    pictures = frames(**options)
    return Clip("made.mkv", pictures, temporal.still_area(pictures))


def rival(name: str, upscale: Upscale) -> Rival:
    @contextmanager
    def opened() -> Iterator[Upscale]:
        yield upscale

    return Rival(name, name, opened)


def test_frames_of_a_clip_come_as_they_are(tmp_path: Path) -> None:
    path = write(tmp_path / "clip.mkv", frames())
    read = temporal.read_clip(path)
    assert read.name == "clip.mkv"
    assert np.array_equal(read.frames, frames())
    assert np.array_equal(temporal.read_clip(path, skip=1, frames=3).frames, frames()[1:4])


def test_large_frames_are_cropped_in_their_middle(tmp_path: Path) -> None:
    large = np.zeros((300, 400, 3), np.uint8)
    large[30:270, 40:360] = np.random.default_rng(2).integers(0, 256, (240, 320, 3))
    read = temporal.read_clip(write(tmp_path / "clip.mkv", [large, large]))
    assert np.array_equal(read.frames[0], large[30:270, 40:360])


def test_a_clip_that_ends_early_gives_what_it_has(tmp_path: Path) -> None:
    path = write(tmp_path / "clip.mkv", frames(4))
    assert len(temporal.read_clip(path, frames=24).frames) == 4


@pytest.mark.parametrize("skip", [5, 50])
def test_one_frame_is_no_clip(tmp_path: Path, skip: int) -> None:
    path = write(tmp_path / "clip.mkv", frames(6))
    with pytest.raises(temporal.ClipError, match="two frames or more"):
        temporal.read_clip(path, skip=skip)


def test_a_file_that_is_no_clip_is_refused_with_what_ffmpeg_says(tmp_path: Path) -> None:
    junk = tmp_path / "junk.mkv"
    junk.write_bytes(b"no film")
    with pytest.raises(temporal.ClipError, match="Invalid data"):
        temporal.read_clip(junk)


def test_a_frame_that_is_cut_off_is_left_out() -> None:
    whole = b"P6\n2 1\n255\n" + bytes(range(6))
    first, second = temporal._ppm(whole + whole + whole[:-1])
    assert first.tolist() == second.tolist() == [[[0, 1, 2], [3, 4, 5]]]


def test_the_way_of_what_moves_does_not_stand_still() -> None:
    still = temporal.still_area(frames())
    assert not still[:16, :28].any()
    assert not still[16:18, 4:24].any(), "the margin"
    assert still[24:].all()
    assert still[:, 48:].all()


def test_grain_stands_still_and_a_change_of_light_does_not() -> None:
    rng = np.random.default_rng(3)
    grey = np.full((HEIGHT, WIDTH, 3), 120)
    grainy = [(grey + rng.normal(0, 3, grey.shape)).astype(np.uint8) for _ in range(24)]
    assert temporal.still_area(grainy).mean() > 0.95
    lit = [(grey + 6 * number).astype(np.uint8) for number in range(3)]
    assert not temporal.still_area(lit).any()


def test_flicker_is_the_mean_change_of_luma_where_it_is_still() -> None:
    """Three levels of grey are 3 * 219 / 255 of luma."""
    made = clip(flicker=3)
    assert temporal.flicker(made.frames, made.still) == pytest.approx(3 * 219 / 255)
    doubled = [frame.repeat(2, axis=0).repeat(2, axis=1) for frame in made.frames]
    assert temporal.flicker(doubled, made.still) == pytest.approx(3 * 219 / 255)


def test_upscalers_are_held_against_bicubic() -> None:
    beat = itertools.count()

    def nervous(picture: Picture) -> Picture:
        return bicubic(picture) + np.uint8(3 * (next(beat) % 2))

    def calm(picture: Picture) -> Picture:
        return bicubic(frames()[0])

    rivals = [rival("bicubic", bicubic), rival("nervous", nervous), rival("calm", calm)]
    found = temporal.measure(clip(flicker=3), rivals)
    assert found["bicubic_levels"] == pytest.approx(3 * 219 / 255, abs=0.02)
    assert found["relative"]["bicubic"] == 1
    assert found["relative"]["nervous"] == pytest.approx(2, abs=0.02)
    assert found["relative"]["calm"] == 0


def test_nothing_is_said_of_a_clip_that_moves_all_over() -> None:
    pictures = [np.full((HEIGHT, WIDTH, 3), 20 * number, np.uint8) for number in range(6)]
    moving = Clip("moving.mkv", pictures, temporal.still_area(pictures))
    found = temporal.measure(moving, [rival("bicubic", bicubic)])
    assert (found["still_share"], found["bicubic_levels"], found["relative"]) == (0, None, {})
    assert "too little stands still" in temporal.report([found])


def test_no_share_is_given_of_no_flicker() -> None:
    found = temporal.measure(clip(), [rival("bicubic", bicubic)])
    assert (found["bicubic_levels"], found["relative"]) == (0, {})


def test_the_command_measures_clips_and_its_last_line_is_json(tmp_path: Path) -> None:
    path, out = write(tmp_path / "clip.mkv", frames(flicker=3)), tmp_path / "out.json"
    printed = io.StringIO()
    with redirect_stdout(printed):
        graph = f"ours={GRAPHS / FORMS[0].file}"
        temporal.main([str(path), "--graph", graph, "--frames", "3", "--json", str(out)])
    found = json.loads(printed.getvalue().splitlines()[-1])
    assert found == json.loads(out.read_text())
    (row,) = found["clips"]
    assert (row["clip"], row["frames"], row["size"]) == ("clip.mkv", 3, "64x48")
    assert set(row["relative"]) == {"ours", "lanczos"}
    assert "| clip.mkv | 3 | " in printed.getvalue()
