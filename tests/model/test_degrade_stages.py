"""Sharpening, deinterlacing, text, patterns, grain and motion, each by itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from model.degrade import Settings, fonts
from model.degrade.deinterlace import deinterlace
from model.degrade.grain import draw_grain
from model.degrade.motion import Pose, poses, warp
from model.degrade.overlay import lay
from model.degrade.patterns import draw_pattern
from model.degrade.resample import resize
from model.degrade.settings import Picture, Stages, choose
from model.degrade.sharpen import echo, fir, gaussian, sharpen
from model.degrade.text import draw_text

PHOTO = Path(__file__).parents[2] / "bench" / "pictures" / "otters.jpg"
FOUND = fonts.found


@pytest.fixture(autouse=True)
def _same_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow's own font, whatever this machine has: the same draws everywhere."""
    monkeypatch.setattr(fonts, "found", lambda: ())


@pytest.fixture(name="photo", scope="module")
def _photo() -> Picture:
    with Image.open(PHOTO) as image:
        return np.asarray(image.convert("RGB"))[100:260, 200:440].astype(np.float32)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def response(kernel: NDArray[np.float32], part_of_nyquist: float) -> float:
    reach = len(kernel) // 2
    return float((kernel * np.cos(np.pi * part_of_nyquist * np.arange(-reach, reach + 1))).sum())


def test_choices_follow_their_weights() -> None:
    generator = rng()
    drawn = [choose(generator, {"a": 1, "b": 3, "c": 0}) for _ in range(2000)]
    assert drawn.count("c") == 0
    assert drawn.count("b") / 2000 == pytest.approx(0.75, abs=0.03)


@pytest.mark.parametrize("count", [3, 5])
@pytest.mark.parametrize("gain", [1.1, 2.4])
def test_fir_raises_the_top_and_leaves_the_mean(count: int, gain: float) -> None:
    kernel = fir(count, gain, 0.35)
    assert len(kernel) == count
    assert np.array_equal(kernel, kernel[::-1])
    assert response(kernel, 0) == pytest.approx(1, abs=1e-5)
    above = [response(kernel, part) for part in np.linspace(0.4, 1, 20)]
    assert np.mean(above) == pytest.approx(gain, abs=0.25 * (gain - 1))
    assert response(kernel, 0.1) < 1 + 0.35 * (gain - 1)


def test_all_kernels_leave_the_mean() -> None:
    for kernel in (gaussian(1.3, 3), gaussian(0.0, 2), echo(0.2, 3), fir(5, 2.0, 0.4)):
        assert kernel.sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("kind", ["unsharp", "fir"])
def test_sharpening_sharpens_in_place(photo: Picture, kind: str) -> None:
    calm = 100 + np.float32(0.2) * photo  # so far from black and white nothing is clipped
    raised = []
    for seed in range(6):
        stages: Stages = {}
        sharp = sharpen(calm, rng(seed), replace(Settings(), sharpenings={kind: 1}), stages)
        assert stages["sharpening"] == kind
        assert sharp.mean((0, 1)) == pytest.approx(calm.mean((0, 1)), abs=0.05)
        assert abs(line_shift(calm, sharp)) < 0.03
        raised.append(np.abs(np.diff(sharp, axis=1)).mean() / np.abs(np.diff(calm, axis=1)).mean())
    assert min(raised) > 0.999
    assert np.mean(raised) > 1.1


def line_shift(a: Picture, b: Picture) -> float:
    """How many lines `b` lies below `a`, by the slope of the phase of their low frequencies."""
    window = np.hanning(a.shape[0])[:, None, None]
    spectra = [np.fft.rfft((p - p.mean()) * window, axis=0)[2:16] for p in (a, b)]
    cross = (spectra[1] * spectra[0].conj()).sum(axis=(1, 2))
    cycles = np.arange(2, 16) / a.shape[0]
    weight = np.abs(cross)
    slope = (weight * cycles * np.angle(cross)).sum() / (weight * cycles**2).sum()
    return float(-slope / (2 * np.pi))


def test_line_shift_measures_lines(photo: Picture) -> None:
    down = resize(photo, 160, 240, "catmull-rom", line_offset=-0.5)
    assert line_shift(photo, down) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("up", ["point", "triangle", "catmull-rom"])
@pytest.mark.parametrize("kind", ["half-height", "bob", "blend", "weave", "yadif", "bwdif"])
def test_deinterlacing_does_not_move_the_picture(photo: Picture, kind: str, up: str) -> None:
    settings = replace(Settings(), deinterlaced=1, deinterlacings={kind: 1}, line_filters={up: 1})
    parities, changes = set(), []
    for seed in range(5):
        stages: Stages = {}
        result = deinterlace(photo, rng(seed), settings, stages)
        parities.add(stages.get("deinterlacing.parity"))
        assert result.shape == photo.shape
        changes.append(np.abs(result - photo).mean())
        assert abs(line_shift(photo, result)) < 0.25, stages
        if stages.get("deinterlacing.right_px", 0.0) == 0:
            assert abs(line_shift(photo, result)) < 0.05, stages
    assert max(changes) > 1, "nothing happened"
    assert kind == "half-height" or parities == {0, 1}


def test_woven_fields_comb_where_there_is_motion(photo: Picture) -> None:
    settings = replace(
        Settings(), deinterlaced=1, deinterlacings={"weave": 1}, field_motion_px=(3, 3)
    )
    for seed in range(8):
        stages: Stages = {}
        woven = deinterlace(photo, rng(seed), settings, stages)
        if "deinterlacing.smoothed" in stages or stages["deinterlacing.down_px"]:
            continue
        parity = int(stages["deinterlacing.parity"])
        assert np.array_equal(woven[parity::2], photo[parity::2])
        moved = abs(float(stages["deinterlacing.right_px"]))
        assert (np.abs(woven - photo)[1 - parity :: 2].mean() > 3) == (moved == 3)


@pytest.mark.parametrize("kind", ["yadif", "bwdif"])
def test_ffmpeg_deinterlaces_the_frame_of_the_target(photo: Picture, kind: str) -> None:
    """The kept field comes through as it was, whatever the other fields show."""
    settings = replace(Settings(), deinterlaced=1, deinterlacings={kind: 1}, field_motion_px=(5, 5))
    kept = 0
    for seed in range(8):
        stages: Stages = {}
        result = deinterlace(photo, rng(seed), settings, stages)
        if "deinterlacing.smoothed" not in stages:
            parity = int(stages["deinterlacing.parity"])
            assert np.array_equal(result[parity::2], np.rint(photo[parity::2]))
            kept += 1
    assert kept


def grey(height: int, width: int) -> Picture:
    return np.full((height, width, 3), 90, dtype=np.float32)


@pytest.mark.parametrize("width", [256, 640])
def test_text_lies_inside_and_halves_exactly(width: int) -> None:
    settings = replace(Settings(), texts_wide={"over": 1}, texts_narrow={"over": 1})
    seen = 0
    for seed in range(25):
        overlay = draw_text(rng(seed), settings, {}, 480, width)
        assert overlay is not None
        page = overlay.onto(grey(480, width))
        assert page.min() > -0.01
        assert page.max() < 255.01
        seen += int(np.abs(page - 90).max() > 40)
        small = overlay.halved().onto(grey(240, width // 2))
        assert np.abs(small - resize(page, 240, width // 2, "box")).max() < 1e-2
    assert seen >= 20


def test_narrow_pictures_get_no_text() -> None:
    stages: Stages = {}
    assert draw_text(rng(), Settings(), stages, 640, 252) is None
    assert stages["text"] == "none"


def test_layers_cover_each_other_and_are_cut_at_the_rim() -> None:
    half, full = np.full((5, 7), 0.5, np.float32), np.ones((5, 7), np.float32)
    full[:, :4] = 0
    overlay = lay([(half, (200, 0, 0)), (full, (0, 0, 100))], -2, 4, 8, 10)
    assert (overlay.top, overlay.left, overlay.cover.shape) == (0, 4, (4, 6, 1))
    page = overlay.onto(np.zeros((8, 10, 3), np.float32))
    assert page[0, 4].tolist() == [100, 0, 0]
    assert page[0, 8].tolist() == [0, 0, 100]
    assert page[3].max() == page[0, :4].max() == 0  # below the mask, and left of it


def test_patterns_have_full_contrast_and_their_place() -> None:
    settings = replace(Settings(), patterned=1)
    kinds = set()
    for seed in range(30):
        stages: Stages = {}
        overlay = draw_pattern(rng(seed), settings, stages, 256, 220)
        assert overlay is not None
        page = overlay.onto(grey(256, 220))
        assert np.ptp(page) > 200, stages
        assert (page == 90).any()
        kinds.add(stages["pattern"])
    assert kinds == {"chequers", "lines", "grating", "grid", "print"}


def test_without_fonts_there_is_still_text() -> None:
    font, name = fonts.draw_font(rng(), 40)
    assert name == "default"
    assert font.getlength("mm") > font.getlength("ii") > 0


def test_fonts_that_are_found_write_latin() -> None:
    for path in FOUND()[:40]:
        assert Path(path).is_file()
    assert not fonts.writes_latin(str(PHOTO))


def test_a_font_of_one_sign_for_all_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    class Boxes:
        def getbbox(self, text: str) -> tuple[int, int, int, int]:
            return {"l": (0, 0, 4, 30), "H": (0, 0, 20, 30), ".": (0, 0, 4, 4)}.get(
                text, (0, 0, 20, 20)
            )

        def getmask(self, text: str) -> bytes:
            return text.encode() if letters else b"box"

    monkeypatch.setattr(fonts, "_open", lambda path, size_px: Boxes())
    for letters in (True, False):
        fonts.writes_latin.cache_clear()
        assert fonts.writes_latin("any") == letters
    fonts.writes_latin.cache_clear()


def test_grain_of_the_target_is_that_of_the_input() -> None:
    settings = replace(Settings(), grains={"gaussian": 1}, grain_sigma=(6, 6))
    for seed in range(6):
        grain = draw_grain(rng(seed), settings, {})
        assert grain is not None
        flat = np.full((60, 80, 3), 127, dtype=np.float32)
        noise = grain.noise(flat, rng(seed))
        assert abs(noise.mean()) < 0.5
        assert 3 < noise[..., 1].std() < 9
        low = resize(grain.doubled(noise), 60, 80, "box")
        assert np.corrcoef(low.ravel(), noise.ravel())[0, 1] > 0.9


def test_each_frame_has_grain_of_its_own() -> None:
    grain = draw_grain(rng(), replace(Settings(), grains={"gaussian": 1}), {})
    assert grain is not None
    generator, flat = rng(), np.full((120, 160, 3), 127, dtype=np.float32)
    first, second = (grain.noise(flat, generator) for _ in range(2))
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.1


def test_a_pan_moves_whole_px_exactly(photo: Picture) -> None:
    pixels = photo.astype(np.uint8)
    moved = warp(pixels, Pose(right_px=3, down_px=-2))
    assert np.array_equal(moved[2:, :-3], pixels[:-2, 3:])


def test_turns_and_zooms_are_about_the_centre(photo: Picture) -> None:
    pixels = np.ascontiguousarray(photo.astype(np.uint8))
    for pose in (Pose(turn_rad=np.pi), Pose(turn_rad=0.03), Pose(zoom=1.1)):
        turned = warp(pixels, pose)[::-1, ::-1]
        other_way_round = warp(np.ascontiguousarray(pixels[::-1, ::-1]), pose)
        assert np.abs(turned.astype(int) - other_way_round).max() <= 1
    half_turn = warp(pixels, Pose(turn_rad=np.pi))[::-1, ::-1]
    assert np.abs(half_turn.astype(int) - pixels).max() <= 1


@pytest.mark.parametrize("kind", ["pan", "zoom", "shake"])
def test_the_kept_frame_is_the_still_one_and_not_among_the_first(kind: str) -> None:
    for seed in range(20):
        stages: Stages = {}
        clip, kept = poses(rng(seed), replace(Settings(), motions={kind: 1}), stages, 320)
        assert 5 <= len(clip) <= 9
        assert kept >= 2
        assert [n for n, pose in enumerate(clip) if pose == Pose()] == [kept]
