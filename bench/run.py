"""Measure all and write RESULTS.md: `python -m bench.run [NAME ...]`; the last line is JSON."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import subprocess
from pathlib import Path

import numpy
import onnxruntime

import liveaction_onnx as la
from bench import (
    encoders,
    endurance,
    fidelity,
    hdr,
    memory,
    overhead,
    patterns,
    reuse,
    rims,
    seams,
    speed,
    start,
    video,
)
from bench.section import Section
from model.machine import processor

MEASURES = {
    "speed": speed,
    "video": video,
    "patterns": patterns,
    "start": start,
    "overhead": overhead,
    "memory": memory,
    "fidelity": fidelity,
    "reuse": reuse,
    "endurance": endurance,
    "rims": rims,
    "seams": seams,
    "encoders": encoders,
    "hdr": hdr,
}
RESULTS = Path(__file__).parent / "RESULTS.md"
README = Path(__file__).parents[1] / "README.md"


def _header() -> str:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    return (
        "# Results\n\n"
        f"Written by `python -m bench.run` on {datetime.date.today()}, commit {commit}. Machine: "
        f"{processor()}, {os.cpu_count()} cores, shared with others; {platform.system()}, Python "
        f"{platform.python_version()}, ONNX Runtime {onnxruntime.__version__}, numpy "
        f"{numpy.__version__}, liveaction-onnx {la.__version__}, on the CPU.\n"
    )


def _update_readme(sections: dict[str, Section]) -> None:
    """Put each section's headline between the README's marks."""
    lines = ["| measured | |", "|---|---|"]
    lines += [f"| {what} | {figure} |" for what, figure in (s.headline for s in sections.values())]
    before, rest = README.read_text(encoding="utf-8").split("<!-- measured -->\n")
    after = rest.split("<!-- end -->\n", 1)[1]
    middle = "\n".join(["<!-- measured -->", *lines, "<!-- end -->", ""])
    README.write_text(before + middle + after, encoding="utf-8")


def main() -> None:
    """Measure what is named, or everything; RESULTS.md is written only for everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(MEASURES))
    names = parser.parse_args().names or list(MEASURES)
    sections: dict[str, Section] = {}
    for name in names:
        sections[name] = MEASURES[name].measure()
        print(sections[name].markdown(), flush=True)
    if set(names) == set(MEASURES):
        text = "\n".join([_header(), *(section.markdown() for section in sections.values())])
        RESULTS.write_text(text, encoding="utf-8")
        _update_readme(sections)
    print(json.dumps({name: [section.header, *section.rows] for name, section in sections.items()}))


if __name__ == "__main__":
    main()
