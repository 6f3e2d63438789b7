"""Write the model card: `python -m model.card EVALUATION.json --photos model/photos.tsv`.

What is measured or counted stands between marks, `<!-- figures -->` to `<!-- end -->`, and is
written anew; all else in the card is written by hand and stays.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from model import temporal
from model.evaluate import named, overall, table
from model.goals import FEWEST_PAIRS, Goal

CARD = Path(__file__).parent / "CARD.md"
TEMPLATE = """# Model card

## Data

<!-- data -->
<!-- end -->

## Recipe

<!-- training -->
<!-- end -->

## Figures

<!-- figures -->
<!-- end -->

## Limits

<!-- limits -->
<!-- end -->
"""

Row = Mapping[str, str]


def read_tsv(path: Path) -> list[dict[str, str]]:
    """Read a table whose first line names its columns; a field that is missing is ""."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE, restval="")
        return [{name: (row[name] or "").strip() for name in row if name} for row in rows]


def data(photos: Sequence[Row]) -> str:
    """Say which photographs there are, under what licence, whose, and from where."""
    splits = Counter(photo.get("split", "") for photo in photos)
    counts = ", ".join(f"{count} in {split or 'no split'}" for split, count in splits.items())
    licences = Counter(photo.get("licence", "") for photo in photos)
    summed = [(licence, licences[licence]) for licence in sorted(licences)]
    return "\n".join(
        [
            f"{len(photos)} photographs: {counts}.\n",
            table(("licence", "photographs"), summed),
            table(
                ("package", "author", "licence", "said by", "photographs"),
                list(_attributions(photos)),
            ),
        ]
    )


def _attributions(photos: Iterable[Row]) -> Iterable[tuple[str, ...]]:
    """One line for all photographs of a package by one author under one licence."""
    found: dict[tuple[str, ...], list[str]] = {}
    for photo in photos:
        package = " ".join(photo[key] for key in ("package", "version") if photo.get(key))
        source = photo.get("source", "")
        owner = (photo.get("author", ""), photo.get("licence", ""))
        found.setdefault((package, *owner, source), []).append(_title(photo))
    for key in sorted(found):
        yield (*map(_cell, key), _cell(", ".join(sorted(found[key]))))


def _title(photo: Row) -> str:
    """What to call a photograph: its name, less the package's, or the end of its path."""
    package = re.split(r"[_ ]", photo.get("package", ""))[0]
    name = photo.get("name") or photo.get("path", "").rsplit("/", 1)[-1]
    return name.removeprefix(f"{package}.")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def read_training(path: Path) -> dict[str, Any]:
    """Read what a training run wrote: one JSON object, or JSON lines, of which later ones win."""
    found: dict[str, Any] = {}
    text = path.read_text(encoding="utf-8")
    try:
        entries = [json.loads(text)]
    except json.JSONDecodeError:
        entries = [json.loads(line) for line in text.splitlines() if line.strip()]
    for entry in entries:
        found |= entry
    return found


def training(runs: Mapping[str, Mapping[str, Any]]) -> str:
    """Give the settings and the end of each run by its name, a column each."""
    told = {name: _told(run) for name, run in runs.items()}
    things = dict.fromkeys(thing for each in told.values() for thing in each)
    rows = [(thing, *(each.get(thing, "") for each in told.values())) for thing in things]
    return table(("", *told), rows)


def _told(run: Mapping[str, Any]) -> dict[str, str]:
    """What a run says, a line each."""
    lines: dict[str, str] = {}
    for name, value in run.items():
        if isinstance(value, Mapping):
            lines |= {f"{name}: {key}": _cell(str(each)) for key, each in value.items()}
        elif name == "minutes":
            lines["hours"] = f"{value / 60:.2f}"
        else:
            lines[name] = _cell(str(value))
    return lines


def figures(found: Mapping[str, Any], flicker: Mapping[str, Any] | None) -> str:
    """Give the tables of `model.evaluate` and `model.temporal`, and what they depend on."""
    rows = [
        (f"{row['stage']}={row['value']}", row["pairs"], f"{row['psnr_y']:+.2f}")
        for row in found["stages"]
    ]
    goals = [str(Goal(**goal)) for goal in found["goals"]]
    parts = [
        f"By `python -m model.evaluate` on {_about(found['about'])}. Validation set: "
        f"{found['set']['pictures']} photographs, {found['set']['pairs']} pairs.\n",
        overall(found["upscalers"]),
        table(("stage", "pairs", f"dB of PSNR-Y over {found['base']}"), rows),
        "\n".join(f"- {goal}" for goal in goals) + "\n",
    ]
    if flicker is not None:
        parts += [
            f"Flicker where clips stand still, as a share of bicubic's, by `python -m "
            f"model.temporal` on {_about(flicker['about'])}.\n",
            temporal.report(flicker["clips"]),
        ]
    return "\n".join(parts)


def _about(about: Mapping[str, Any]) -> str:
    machine, versions = about["machine"], about["versions"]
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    commit = f", commit {about['commit']}" if about["commit"] else ""
    return f"{about['date']}{commit}, {machine['cpu']}, {machine['cores']} cores; {listed}"


def limits(found: Mapping[str, Any]) -> str:
    """Say what was not reached, and where the graph does worse than what it is held against."""
    open_goals = [Goal(**goal) for goal in found["goals"] if not goal["met"]]
    lines = [f"- Goal {goal}" for goal in open_goals]
    lines += [
        f"- {row['stage']}={row['value']}: {-row['psnr_y']:.2f} dB of PSNR-Y below {found['base']} "
        f"({row['pairs']} pairs)"
        for row in sorted(found["stages"], key=lambda row: float(row["psnr_y"]))
        if row["psnr_y"] < 0 and row["pairs"] >= FEWEST_PAIRS
    ]
    return "\n".join(lines or ["- All goals are met."]) + "\n"


QUALITY = ("psnr_y", "ssim_y", "ssimulacra2", "vmaf_neg", "colour_shift")
"""The figures that the README shows."""


def quality(found: Mapping[str, Any]) -> str:
    """Give the README's table of all upscalers."""
    figures = found["upscalers"]
    return overall(
        {name: {k: each[k] for k in QUALITY if k in each} for name, each in figures.items()}
    )


def placed(card: str, sections: Mapping[str, str]) -> str:
    """Put each section between its marks; ValueError where a mark is missing."""
    for name, text in sections.items():
        before, start, rest = card.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition("<!-- end -->")
        if not end:
            raise ValueError(f"expected `<!-- {name} -->` and `<!-- end -->` behind it in the card")
        card = f"{before}{start}{text.rstrip()}\n{end}{after}"
    return card


def main(arguments: Sequence[str] | None = None) -> None:
    """Write what the command line asks for; what is not given stays as it is in the card."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("evaluation", type=Path, metavar="EVALUATION.json")
    parser.add_argument("--temporal", type=Path, metavar="T.json", help="of model.temporal")
    parser.add_argument(
        "--training",
        type=named,
        action="append",
        metavar="NAME=TRAIN.json",
        help="of a run: .json, .jsonl; may be repeated",
    )
    parser.add_argument("--photos", type=Path, metavar="TSV", help="the photographs")
    parser.add_argument("--readme", type=Path, help="a page with a table of the figures, too")
    parser.add_argument("--card", type=Path, default=CARD, help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    found = json.loads(options.evaluation.read_text())
    flicker = json.loads(options.temporal.read_text()) if options.temporal else None
    sections = {"figures": figures(found, flicker), "limits": limits(found)}
    if options.photos:
        sections["data"] = data(read_tsv(options.photos))
    if options.training:
        runs = {name: read_training(path) for name, path in options.training}
        sections["training"] = training(runs)
    before = options.card.read_text(encoding="utf-8") if options.card.exists() else TEMPLATE
    options.card.write_text(placed(before, sections), encoding="utf-8")
    if options.readme:
        page = options.readme.read_text(encoding="utf-8")
        options.readme.write_text(placed(page, {"quality": quality(found)}), encoding="utf-8")


if __name__ == "__main__":
    main()
