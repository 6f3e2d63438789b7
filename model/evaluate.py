"""Say whether a graph is good: `python -m model.evaluate --valid DIR --graph NAME=PATH`.

Graphs, bicubic, Lanczos, the SPAN authors' own weights and, where it is given, the reference graph
are run on the pairs of a packed validation set, on its targets halved and not degraded, and on
these with grain. The first graph is held against the goals. The last line is JSON.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np

import liveaction_onnx as la
from model import rivals
from model.build import FORMS, GRAPHS, NAME
from model.goals import Goal, goals, groups, summary
from model.machine import commit, processor
from model.metrics import psnr_y
from model.packed import read_set
from model.scores import Map, Pair, Scores, Sets, score, sets

FORM_PAIRS = 8
PACKAGES = ("numpy", "scipy", "pillow", "onnxruntime", "ssimulacra2", "imageio-ffmpeg")
COLUMNS = {
    "psnr_y": ("PSNR-Y, dB", 3),
    "ssim_y": ("SSIM", 4),
    "ssimulacra2": ("SSIMULACRA 2", 2),
    "vmaf_neg": ("VMAF-NEG", 2),
    "overshoot": ("overshoot", 3),
    "colour_shift": ("colour shift", 3),
    "colour_shift_max": ("at most", 3),
    "clean_bicubic_psnr_y": ("clean, bicubic, dB", 3),
    "clean_lanczos_psnr_y": ("clean, Lanczos, dB", 3),
    "grain": ("grain, %", 1),
    "flat": ("flat fields", 0),
}


def forms_against_fp32(graph: Path, pairs: Sequence[Pair]) -> dict[str, float]:
    """How much the PSNR-Y of each form in a graph's folder differs from fp32's, in dB.

    {} where the folder does not hold all the forms that `model.build` writes.
    """
    files = {form.file: graph.parent / form.file for form in FORMS}
    if graph.name not in files or not all(file.exists() for file in files.values()):
        return {}
    means = {}
    for form in FORMS:
        with la.Upscaler(files[form.file], device="cpu") as upscale:
            values = [psnr_y(upscale(pair.input), pair.target) for pair in pairs]
        means[f"{form.dtype}-{form.precision}"] = float(np.mean(values))
    plain = means.pop("float32-fp32")
    return {name: round(value - plain, 6) for name, value in means.items()}


def about() -> dict[str, Any]:
    """Give what a figure depends on: the date, the commit, the machine and the versions."""
    versions = {}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            versions[package] = version(package)
    return {
        "date": str(datetime.date.today()),
        "commit": commit(),
        "machine": {"cpu": processor(), "cores": os.cpu_count(), "system": platform.system()},
        "versions": versions
        | {"python": platform.python_version(), "ffmpeg": imageio_ffmpeg.get_ffmpeg_version()},
    }


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Give a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"


def overall(figures: dict[str, dict[str, Any]]) -> str:
    """Give the table of all upscalers."""
    shown = [name for name in COLUMNS if any(name in each for each in figures.values())]
    rows = []
    for rival, each in figures.items():
        values = [_shown(each[name], COLUMNS[name][1]) if name in each else "" for name in shown]
        rows.append([rival, *values])
    return table(["", *(COLUMNS[name][0] for name in shown)], rows)


def _shown(value: Any, digits: int) -> str:
    if isinstance(value, dict):
        return f"{min(value.values()):.{digits}f} to {max(value.values()):.{digits}f}"
    return f"{value:.{digits}f}"


def evaluate(
    given: Sets,
    graphs: Sequence[tuple[str, Path]],
    reference: Path | None,
    *,
    fast: bool,
    cache: Path | None,
    each: Map,
) -> dict[str, Any]:
    """Run all and give what the JSON holds; the first graph is held against the goals."""
    span = rivals.span()
    everyone = [*rivals.graphs(graphs, reference), span, *rivals.resamplers()]
    if len({rival.name for rival in everyone}) < len(everyone):
        names = ", ".join(rival.name for rival in everyone)
        raise SystemExit(f"expected each name once, got {names}")
    scores: dict[str, Scores] = {}
    for rival in everyone:
        print(f"{rival.name} ...", file=sys.stderr, flush=True)
        scores[rival.name] = score(rival, given, fast=fast, cache=cache, each=each)
    figures = {name: summary(given, found) for name, found in scores.items()}
    first, base = graphs[0][0], "reference" if reference else "bicubic"
    by_stage = groups(given.pairs, scores[first].pairs, scores[base].pairs)
    spread = given.pairs[:: -(-len(given.pairs) // FORM_PAIRS)]
    forms = forms_against_fp32(graphs[0][1], spread)
    held = goals(
        figures[first],
        reference=figures.get("reference"),
        by_stage=by_stage if reference else (),
        span=figures[span.name],
        forms=forms,
    )
    return {
        "graph": first,
        "base": base,
        "upscalers": {
            rival.name: {"identity": rival.identity} | figures[rival.name] for rival in everyone
        },
        "stages": by_stage,
        "forms": forms,
        "goals": [asdict(goal) for goal in held],
        "set": {
            "pictures": len({pair.name for pair in given.pairs}),
            "pairs": len(given.pairs),
            "sha256": given.sha256,
        },
        "about": about(),
    }


def report(found: dict[str, Any]) -> str:
    """Give the tables and the goals for reading."""
    rows = [
        (f"{row['stage']}={row['value']}", row["pairs"], f"{row['psnr_y']:+.3f}")
        for row in found["stages"]
    ]
    header = ("stage", "pairs", f"{found['graph']} over {found['base']}, dB of PSNR-Y")
    lines = [str(Goal(**goal)) for goal in found["goals"]]
    return "\n".join([overall(found["upscalers"]), table(header, rows), *lines])


@contextmanager
def mapping(jobs: int) -> Iterator[Map]:
    """Give `map`, or that of a pool of processes; not forked, for the runtime has threads."""
    if jobs < 2:
        yield map
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield pool.map


def named(text: str) -> tuple[str, Path]:
    """Part NAME=PATH."""
    name, _, path = text.partition("=")
    if not name or not path:
        raise argparse.ArgumentTypeError(f"expected NAME=PATH, got {text!r}")
    return name, Path(path)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--valid", type=Path, required=True, help="folder of the packed set")
    parser.add_argument(
        "--graph",
        type=named,
        action="append",
        metavar="NAME=PATH",
        help="a graph to judge; may be repeated (default: the one that ships)",
    )
    parser.add_argument("--reference", type=Path, help="the reference graph")
    parser.add_argument("--limit", type=int, help="records to take, from the first")
    parser.add_argument("--json", type=Path, help="write the last line to this file too")
    parser.add_argument("--cache", type=Path, help="folder to keep the scores of upscalers in")
    parser.add_argument("--fast", action="store_true", help="without SSIMULACRA 2 and VMAF-NEG")
    parser.add_argument("--jobs", type=int, default=2, help="processes that measure; 1: none apart")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Evaluate what the command line asks for."""
    options = parse(arguments)
    graphs = options.graph or [(NAME, GRAPHS / FORMS[0].file)]
    given = sets(islice(read_set(options.valid), options.limit))
    if not given.pairs:
        raise SystemExit(f"expected pairs in {options.valid}, found none")
    with mapping(options.jobs) as each:
        found = evaluate(
            given, graphs, options.reference, fast=options.fast, cache=options.cache, each=each
        )
    print(report(found))
    line = json.dumps(found)
    if options.json:
        options.json.write_text(line + "\n")
    print(line)


if __name__ == "__main__":
    main()
