"""What the figures come to: means, groups by stage, and the goals that a graph has to meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from model.scores import CLEAN, Pair, Scores, Sets

STAGES = (
    "scaling",
    "filter",
    "sharpening",
    "deinterlacing",
    "text",
    "pattern",
    "grain",
    "codec",
    "motion",
)
FEWEST_PAIRS = 6
"""A smaller group is listed, but no goal depends on it."""

Figures = Mapping[str, Any]


@dataclass(frozen=True)
class Goal:
    """One line to cross."""

    line: int
    what: str
    needed: str
    figure: str

    met: bool | None
    """None: what it takes to tell was not measured."""

    def __str__(self) -> str:
        word = {True: "met", False: "short", None: "not measured"}[self.met]
        return f"({self.line}) {self.what}: {self.figure}, needed {self.needed}: {word}"


def summary(given: Sets, scores: Scores) -> dict[str, Any]:
    """Give the means of one upscaler; a colour shift is averaged over a picture's draws first.

    Draws that were forced to show a rare stage count for the groups by stage alone.
    """
    rows = [
        (pair, row)
        for pair, row in zip(given.pairs, scores.pairs, strict=True)
        if "forced" not in pair.stages
    ]
    figures: dict[str, Any] = {
        name: _mean([row[name] for _, row in rows]) for name in rows[0][1] if name != "colour_shift"
    }
    shifts: dict[str, list[float]] = {}
    for pair, row in rows:
        shifts.setdefault(pair.name, []).append(row["colour_shift"])
    means = {name: _mean(values) for name, values in shifts.items()}
    worst = max(means, key=lambda name: means[name])
    figures["colour_shift"] = _mean(list(means.values()))
    figures |= {"colour_shift_max": means[worst], "colour_shift_worst": worst}
    for kernel in CLEAN:
        for name in ("psnr_y", "ssim_y"):
            if scores.clean[kernel]:  # one picture alone is halved by one filter alone
                values = [row[name] for row in scores.clean[kernel]]
                figures[f"clean_{kernel}_{name}"] = _mean(values)
    return figures | {"grain": scores.grain, "flat": scores.flat}


def groups(
    pairs: Sequence[Pair],
    ours: Sequence[Mapping[str, float]],
    others: Sequence[Mapping[str, float]],
) -> list[dict[str, Any]]:
    """Give the difference of PSNR-Y in dB, ours less the other's, by each value of each stage."""
    found: dict[tuple[str, str], list[float]] = {}
    for pair, our, other in zip(pairs, ours, others, strict=True):
        for stage in STAGES:
            if stage in pair.stages:
                key = (stage, str(pair.stages[stage]))
                found.setdefault(key, []).append(our["psnr_y"] - other["psnr_y"])
    order = sorted(found, key=lambda key: (STAGES.index(key[0]), key[1]))
    return [
        {"stage": stage, "value": value, "pairs": len(found[stage, value])}
        | {"psnr_y": _mean(found[stage, value])}
        for stage, value in order
    ]


def goals(
    ours: Figures,
    *,
    reference: Figures | None = None,
    by_stage: Sequence[Figures] = (),
    span: Figures | None = None,
    forms: Mapping[str, float] | None = None,
) -> list[Goal]:
    """Hold the figures of a graph against the goals.

    Parameters
    ----------
    ours, reference, span
        What `summary` gives of the graph, of the reference and of the SPAN authors' weights.
    by_stage
        What `groups` gives of the graph and the reference.
    forms
        By how many dB the other forms of the graph differ from its fp32 form.
    """
    return [
        *_against_reference(ours, reference, by_stage),
        *_against_span(ours, span),
        _at_most(3, "greatest colour shift", ours["colour_shift_max"], 0.3, "levels"),
        _at_most(3, "flat fields", ours["flat"], 1, "levels"),
        _grain(ours["grain"]),
        _forms(forms),
    ]


def _against_reference(
    ours: Figures, reference: Figures | None, by_stage: Sequence[Figures]
) -> list[Goal]:
    found = []
    for name, label, least, unit in (
        ("psnr_y", "PSNR-Y over the reference", 0.2, "dB"),
        ("ssim_y", "SSIM over the reference", 0.003, ""),
        ("ssimulacra2", "SSIMULACRA 2 over the reference", 1.0, ""),
    ):
        both = reference is not None and name in ours and name in reference
        figure = ours[name] - reference[name] if reference is not None and both else None
        found.append(_at_least(1, label, figure, least, unit))
    counted = [group for group in by_stage if group["pairs"] >= FEWEST_PAIRS]
    if not counted:
        return [*found, _at_least(1, "worst stage", None, -0.1, "dB")]
    worst = min(counted, key=lambda group: group["psnr_y"])
    label = f"worst stage, {worst['stage']}={worst['value']} ({worst['pairs']} pairs)"
    return [*found, _at_least(1, label, worst["psnr_y"], -0.1, "dB")]


def _against_span(ours: Figures, span: Figures | None) -> list[Goal]:
    found = []
    for kernel in CLEAN:
        name = f"clean_{kernel}_psnr_y"
        figure = ours[name] - span[name] if span is not None and name in ours else None
        label = f"clean pictures halved by {kernel}, over the SPAN authors' weights"
        found.append(_at_least(2, label, figure, -0.3, "dB"))
    return found


def _grain(kept: Mapping[str, float]) -> Goal:
    needed = "90 to 110 % of what bicubic keeps"
    if not kept:
        return Goal(4, "grain", needed, "-", None)
    low, high = min(kept, key=lambda k: kept[k]), max(kept, key=lambda k: kept[k])
    figure = f"{kept[low]:.1f} % ({low}) to {kept[high]:.1f} % ({high})"
    return Goal(4, "grain", needed, figure, kept[low] >= 90 and kept[high] <= 110)


def _forms(forms: Mapping[str, float] | None) -> Goal:
    needed = "within 0.1 dB"
    if not forms:
        return Goal(7, "other forms against fp32", needed, "-", None)
    worst = max(forms, key=lambda form: abs(forms[form]))
    figure = f"{forms[worst]:+.4f} dB ({worst})"
    return Goal(7, "other forms against fp32", needed, figure, abs(forms[worst]) <= 0.1)


def _at_least(line: int, what: str, figure: float | None, bound: float, unit: str) -> Goal:
    needed = f"{bound:+g} {unit}".strip() + " or more"
    if figure is None:
        return Goal(line, what, needed, "-", None)
    return Goal(line, what, needed, f"{figure:+.4f} {unit}".strip(), figure >= bound)


def _at_most(line: int, what: str, figure: float, bound: float, unit: str) -> Goal:
    needed = f"{bound:g} {unit} or less"
    return Goal(line, what, needed, f"{round(figure, 3):g} {unit}", figure <= bound)


def _mean(values: Sequence[float]) -> float:
    return round(float(np.mean(values)), 6)
