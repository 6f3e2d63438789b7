"""RESULTS.md, each section with its date and machine, and what the README says of it.

`python -m bench.results NAME FILE` puts in what a measurement of `bench.run.ELSEWHERE` printed on
another machine.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy
import onnxruntime

import liveaction_onnx as la
from bench.section import Section
from model.machine import commit, processor

HEAD = (
    "# Results\n\nWritten by `python -m bench.run`, all of it, or the sections that are named; "
    "levers by `python -m bench.results`. "
    "Machines are shared with others, so that ratios within one run say more than times.\n"
)
_BEGIN = re.compile(r"^<!-- section (\S+) -->\n", re.MULTILINE)
_PRINTED = re.compile(r"^## [^{]*^\|[^{]*", re.MULTILINE)
"""A section with a table, up to the JSON."""

_HEADLINE = re.compile(r"^<!-- README: (.*) \| (.*) -->$", re.MULTILINE)


def circumstances() -> str:
    """When, on what and with what a section is measured."""
    at = f", commit {name}" if (name := commit()) else ""
    return (
        f"{datetime.date.today()}{at}, {processor()}, {os.cpu_count()} cores, "
        f"{platform.system()}, Python {platform.python_version()}, ONNX Runtime "
        f"{onnxruntime.__version__} on the CPU, numpy {numpy.__version__}, liveaction-onnx "
        f"{la.__version__}"
    )


def block(name: str, section: Section, when: str) -> str:
    """One section as it stands in the file."""
    text = f"<!-- section {name} -->\n{section.markdown()}\nMeasured: {when}.\n"
    if section.headline:
        what, figure = section.headline
        text += f"\n<!-- README: {what} | {figure} -->\n"
    return text


def printed(name: str, text: str, note: str = "") -> str:
    """A section as it stands in the file, of the table that was printed; `note` is put below it.

    Raises ValueError where the text holds none.
    """
    found = _PRINTED.search(text)
    if not found:
        raise ValueError('expected a table under a line "## ..." as it was printed, found none')
    body = "\n\n".join(filter(None, [found[0].rstrip(), note]))
    return f"<!-- section {name} -->\n{body}\n"


def blocks(text: str) -> dict[str, str]:
    """The sections of the file by name.

    >>> blocks("# Results <!-- section a -->")
    {}
    """
    _, *parts = _BEGIN.split(text)
    return {
        name: f"<!-- section {name} -->\n{body.rstrip()}\n"
        for name, body in zip(parts[::2], parts[1::2], strict=True)
    }


def merged(text: str, new: dict[str, str], order: Iterable[str]) -> str:
    """The file with `new` sections in place of old ones, and those of `order` alone, in order."""
    found = blocks(text) | new
    return "\n".join([HEAD, *(found[name] for name in order if name in found)])


def readme_with(readme: str, results: str) -> str:
    """The README with each section's headline between its marks."""
    lines = ["| measured | |", "|---|---|"]
    lines += [f"| {what} | {figure} |" for what, figure in _HEADLINE.findall(results)]
    before, rest = readme.split("<!-- measured -->\n")
    after = rest.split("<!-- end -->\n", 1)[1]
    return before + "\n".join(["<!-- measured -->", *lines, "<!-- end -->", ""]) + after


def write(path: Path, readme: Path, new: dict[str, str], order: Iterable[str]) -> None:
    """Put `new` sections into both files."""
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    text = merged(old, new, order)
    path.write_text(text, encoding="utf-8")
    readme.write_text(readme_with(readme.read_text(encoding="utf-8"), text), encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """Put a printed section into RESULTS.md."""
    from bench.run import ELSEWHERE, ORDER, README, RESULTS

    parser = argparse.ArgumentParser(prog="python -m bench.results", description=__doc__)
    parser.add_argument("name", choices=ELSEWHERE)
    parser.add_argument("file", type=Path, help="what was printed")
    parser.add_argument("--note", default="", help="a line below the table")
    told = parser.parse_args(arguments)
    try:
        new = printed(told.name, told.file.read_text(encoding="utf-8"), told.note)
    except (OSError, ValueError) as error:
        parser.error(f"{told.file}: {error}")
    write(RESULTS, README, {told.name: new}, ORDER)


if __name__ == "__main__":
    main()
