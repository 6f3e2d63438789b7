"""Means, groups by stage, and goals, of invented figures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tiny_set import records

from model import goals, scores
from model.scores import Pair, Scores


def row(psnr: float, shift: float = 0.0) -> dict[str, float]:
    return {"psnr_y": psnr, "ssim_y": 0.9, "colour_shift": shift}


def test_the_draws_of_a_picture_are_averaged_before_the_worst_is_sought() -> None:
    given = scores.sets(records())
    shifts = [0.5, 0.0, 0.3, 0.3, 0.1, 0.1]
    clean = {"bicubic": [row(40), row(42)], "lanczos": [row(39)]}
    found = Scores(
        [row(30 + k, shift) for k, shift in enumerate(shifts)], clean, {"film 3": 99.0}, 1
    )
    figures = goals.summary(given, found)
    assert figures["psnr_y"] == 32.5
    assert figures["colour_shift_max"] == pytest.approx(0.3)
    assert figures["colour_shift_worst"] == "picture1"
    assert figures["colour_shift"] == pytest.approx((0.25 + 0.3 + 0.1) / 3, abs=1e-6)
    assert figures["clean_bicubic_psnr_y"] == 41


def test_forced_draws_count_for_their_stage_alone() -> None:
    given = scores.sets(records(2))
    pairs = [replace(each, stages={"deinterlacing": "none"}) for each in given.pairs]
    pairs[-1] = replace(pairs[-1], stages={"deinterlacing": "bob", "forced": "deinterlacing"})
    given = replace(given, pairs=pairs)
    rows = [row(30.0) for _ in pairs[:-1]] + [row(10.0)]
    found = Scores(rows, {"bicubic": [row(40)], "lanczos": []}, {}, 0)
    assert goals.summary(given, found)["psnr_y"] == 30
    grouped = {each["value"]: each["pairs"] for each in goals.groups(pairs, rows, rows)}
    assert grouped == {"none": len(pairs) - 1, "bob": 1}


def test_one_picture_alone_has_no_figure_of_the_filter_whose_turn_did_not_come() -> None:
    given = scores.sets(records(1))
    found = Scores([row(30), row(31)], {"bicubic": [row(40)], "lanczos": []}, {}, 0)
    figures = goals.summary(given, found)
    assert figures["clean_bicubic_psnr_y"] == 40
    assert "clean_lanczos_psnr_y" not in figures
    clean = [goal.met for goal in goals.goals(figures, span=figures) if goal.line == 2]
    assert clean == [True, None]


def pair(**stages: str | bool) -> Pair:
    empty = np.zeros((0, 0, 3), np.uint8)
    return Pair("p", 0, stages, empty, empty)


def test_pairs_are_grouped_by_each_value_of_each_stage() -> None:
    pairs = [pair(codec="vp9", text="none"), pair(codec="h264"), pair(codec="vp9", other="x")]
    found = goals.groups(pairs, [row(31), row(30), row(34)], [row(30), row(30.5), row(30)])
    assert found == [
        {"stage": "text", "value": "none", "pairs": 1, "psnr_y": 1.0},
        {"stage": "codec", "value": "h264", "pairs": 1, "psnr_y": -0.5},
        {"stage": "codec", "value": "vp9", "pairs": 2, "psnr_y": 2.5},
    ]


REFERENCE = {"psnr_y": 30.0, "ssim_y": 0.9, "ssimulacra2": 50.0}
SPAN = {"clean_bicubic_psnr_y": 40.0, "clean_lanczos_psnr_y": 39.0}
OURS: dict[str, Any] = {
    "psnr_y": 30.25,
    "ssim_y": 0.904,
    "ssimulacra2": 51.5,
    "clean_bicubic_psnr_y": 39.75,
    "clean_lanczos_psnr_y": 38.75,
    "colour_shift_max": 0.25,
    "flat": 1,
    "grain": {"gaussian 3": 91.0, "film 12": 109.0},
}
BY_STAGE = [{"stage": "codec", "value": "vp9", "pairs": 6, "psnr_y": -0.05}]
HALF = {"float32-fp16": -0.05, "uint8-fp32": 0.05}


def held(
    ours: dict[str, Any] | None = None,
    by_stage: list[dict[str, Any]] = BY_STAGE,
    forms: dict[str, float] = HALF,
) -> list[goals.Goal]:
    return goals.goals(
        OURS | (ours or {}), reference=REFERENCE, by_stage=by_stage, span=SPAN, forms=forms
    )


def test_a_good_graph_meets_all_goals() -> None:
    found = held()
    assert [goal.line for goal in found] == [1, 1, 1, 1, 2, 2, 3, 3, 4, 7]
    assert [str(goal) for goal in found if not goal.met] == []


@pytest.mark.parametrize(
    ("change", "line", "part"),
    [
        ({"psnr_y": 30.19}, 1, "PSNR-Y"),
        ({"ssim_y": 0.9029}, 1, "SSIM over"),
        ({"ssimulacra2": 50.9}, 1, "SSIMULACRA 2"),
        ({"clean_bicubic_psnr_y": 39.6}, 2, "bicubic"),
        ({"clean_lanczos_psnr_y": 38.6}, 2, "lanczos"),
        ({"colour_shift_max": 0.31}, 3, "colour shift"),
        ({"flat": 2}, 3, "flat fields"),
        ({"grain": {"gaussian 3": 89.9, "film 12": 100.0}}, 4, "grain"),
        ({"grain": {"gaussian 3": 100.0, "film 12": 110.1}}, 4, "grain"),
    ],
)
def test_each_goal_can_be_missed_alone(change: dict[str, Any], line: int, part: str) -> None:
    (short,) = [goal for goal in held(change) if not goal.met]
    assert (short.line, short.met) == (line, False)
    assert part in short.what
    assert str(short).endswith(": short")


def test_a_stage_that_is_worse_falls_short_if_its_group_is_large_enough() -> None:
    worse = {"stage": "text", "value": "over", "pairs": 6, "psnr_y": -0.11}
    (short,) = [goal for goal in held(by_stage=[*BY_STAGE, worse]) if not goal.met]
    assert "text=over (6 pairs)" in short.what
    assert all(goal.met for goal in held(by_stage=[*BY_STAGE, worse | {"pairs": 5}]))


@pytest.mark.parametrize("difference", [-0.11, 0.11])
def test_a_form_may_differ_neither_way(difference: float) -> None:
    (short,) = [goal for goal in held(forms=HALF | {"uint8-fp16": difference}) if not goal.met]
    assert short.line == 7
    assert "uint8-fp16" in short.figure


def test_what_was_not_measured_is_neither_met_nor_short() -> None:
    fast = {name: value for name, value in OURS.items() if name != "ssimulacra2"}
    found = goals.goals(fast | {"grain": {}}, reference=None)
    assert [goal.met for goal in found] == [None] * 6 + [True, True, None, None]
    assert str(found[0]).endswith(": not measured")
