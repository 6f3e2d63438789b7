"""What bench/video.py computes and measures, on a clip that is next to nothing."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from clips import clip, ffmpeg, frames, listing

from bench import parts, video, vspipe
from bench.parts import Cost, cost
from bench.video import Round, Setting
from bench.vspipe import Vspipe
from liveaction_onnx.encoders import Encoding
from liveaction_onnx.layouts import layout_of

SMALL = Setting(size=(64, 48), frames=4, rounds=1, encoder="x264")

X264 = Encoding("x264", layout_of("yuv420p"), "matroska")

MADE_UP = Round(
    frames=10,
    whole=Cost(30, 40),
    whole_one=Cost(7.5, 8),
    decode=Cost(1, 2),
    decode_one=Cost(0.5, 0.5),
    encode=Cost(3, 8),
    encode_one=Cost(1, 1.5),
    infer=Cost(2, 4),
    opening=Cost(1, 1),
)
"""Decoding, ten inferences and encoding compute 2 + 40 + 8 s; of one frame 0.5 + 4 + 1.5 s."""


def positive(costs: Iterable[Cost]) -> bool:
    return all(0 < second < math.inf for one in costs for second in asdict(one).values())


def test_bound_shares_cpu_out_over_cores() -> None:
    assert MADE_UP.bound_s(cores=1) == 50
    assert MADE_UP.bound_s(cores=2) == 25
    assert MADE_UP.bound_one_s(cores=2) == 3
    assert MADE_UP.to_bound(cores=2) == 30 / 25
    assert MADE_UP.further_to_bound(cores=2) == (30 - 7.5) / (25 - 3)


def test_cost_counts_what_children_waited_for() -> None:
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}], check=True)"
    spent = cost(lambda: subprocess.run([sys.executable, "-c", parent], check=True))
    assert spent.cpu_s >= 0.3


def test_each_part_is_measured_and_a_missing_vspipe_is_left_out() -> None:
    found, singly = video.rounds(SMALL, None)
    (one,) = found
    assert one.vspipe is None
    assert positive([singly, *(value for value in vars(one).values() if isinstance(value, Cost))])
    made = video.section(SMALL, found, singly, cores=2)
    assert vspipe.INSTALL in made.how
    assert not any("vspipe" in str(row[0]) for row in made.rows)
    assert all(len(row) == len(made.header) for row in made.rows)


def test_vspipe_is_told_beside_ours() -> None:
    found = [replace(MADE_UP, vspipe=Cost(wall_s, 45)) for wall_s in (40, 60, 20)]
    made = video.section(SMALL, found, Cost(2, 5), cores=2)
    rows = {str(row[0]): row[1:] for row in made.rows}
    assert rows["file to file, ours / vspipe and ffmpeg"][0] == "0.75 (0.50 to 1.50)"
    assert vspipe.INSTALL not in made.how


def test_pan_moves_by_whole_px_and_goes_on_beyond_the_photograph() -> None:
    down, across = parts.PAN_PX
    first, second = parts.pan((1500, 400), 2)
    assert first.shape == (400, 1500, 3)
    assert np.array_equal(second[:-down, :-across], first[down:, across:])
    assert np.array_equal(first[:, 640:1280], first[:, 639::-1])


def test_clip_has_its_frames_its_tags_and_sound(tmp_path: Path) -> None:
    path = tmp_path / "clip.mkv"
    parts.make_clip(path, (64, 48), 3)
    assert frames(path).shape == (3, 48, 64, 3)
    said = "\n".join(listing(path))
    assert "yuv420p(tv, smpte170m" in said
    assert "Audio: aac" in said


def test_vspipe_pipes_frames_and_sound_into_a_file(tmp_path: Path) -> None:
    source, target, script = (tmp_path / name for name in ("in.mkv", "out.mkv", "clip.vpy"))
    clip(source, seconds=0.2, sound=True)
    stream = tmp_path / "frames.y4m"
    ffmpeg("-i", str(source), "-an", "-vf", "scale=128:96", str(stream))
    write = f"import sys; sys.stdout.buffer.write(open({str(stream)!r}, 'rb').read())"
    tool = Vspipe((sys.executable, "-c", write), tmp_path)
    tool.write(script, source, "yuv420p")
    text = script.read_text()
    compile(text, str(script), "exec")
    assert "'/in.mkv'" in text
    tool.run(script, source, target, X264)
    assert frames(target).shape == (5, 96, 128, 3)
    assert any("Audio: aac" in line for line in listing(target))


def test_vspipe_that_fails_tells_what_it_said(tmp_path: Path) -> None:
    source, target, script = (tmp_path / name for name in ("in.mkv", "out.mkv", "clip.vpy"))
    clip(source, seconds=0.2, sound=True)
    tool = Vspipe((sys.executable, "-c", "raise SystemExit('no such filter')"), tmp_path)
    with pytest.raises(RuntimeError, match="no such filter"):
        tool.run(script, source, target, X264)


def test_vspipe_is_found_by_name_and_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.delenv("VSPIPE", raising=False)
    monkeypatch.delenv("VSPIPE_ROOT", raising=False)
    assert vspipe.find() is None
    assert vspipe.find("chroot /srv vspipe", "/srv") == Vspipe(
        ("chroot", "/srv", "vspipe"), Path("/srv")
    )
    monkeypatch.setenv("VSPIPE", "vspipe")
    assert vspipe.find() == Vspipe(("vspipe",), Path("/"))
