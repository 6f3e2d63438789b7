"""Measure and write RESULTS.md: `python -m bench.run [NAME ...]`; the last line is JSON."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from bench import (
    encoders,
    endurance,
    fidelity,
    hdr,
    memory,
    nodes,
    overhead,
    patterns,
    results,
    reuse,
    rims,
    seams,
    speed,
    start,
    video,
)
from bench.section import Section

MEASURES = {
    "speed": speed,
    "nodes": nodes,
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
ELSEWHERE = ("levers", "nodes-cuda")
"""Sections that are printed on a machine with a GPU and put in by `bench.results`."""

ORDER = (*MEASURES, *ELSEWHERE)
RESULTS = Path(__file__).parent / "RESULTS.md"
README = Path(__file__).parents[1] / "README.md"


def main() -> None:
    """Measure what is named, or everything; each section goes into RESULTS.md when it is done."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(MEASURES))
    names = parser.parse_args().names or list(MEASURES)
    if unknown := set(names) - set(MEASURES):
        parser.error(f"expected names among {', '.join(MEASURES)}, got {', '.join(unknown)}")
    sections: dict[str, Section] = {}
    when = results.circumstances()
    for name in names:
        section = sections[name] = MEASURES[name].measure()
        print(section.markdown(), flush=True)
        results.write(RESULTS, README, {name: results.block(name, section, when)}, ORDER)
    print(json.dumps({name: [section.header, *section.rows] for name, section in sections.items()}))


if __name__ == "__main__":
    main()
