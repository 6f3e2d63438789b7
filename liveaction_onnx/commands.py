"""What the command line does besides upscaling, as a text to print and an exit code."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from tqdm import tqdm

from liveaction_onnx import __version__, arguments, catalog
from liveaction_onnx.exits import FAILED, OK
from liveaction_onnx.interrupts import Interrupts
from liveaction_onnx.watching import moving

PIPE_PATIENCE_S = 1.0
"""For a pipe to leave, which may be waiting for the first byte, and has nothing to tidy up."""


def doctor(words: list[str]) -> tuple[str, int]:
    """Tell what of this machine can run a graph, and what is missing."""
    from liveaction_onnx.doctor import __doc__ as description
    from liveaction_onnx.doctor import examine

    parser = argparse.ArgumentParser(prog="liveaction-onnx doctor", description=description)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(words)
    report = examine()
    code = OK if report.healthy else FAILED
    if options.json:
        return json.dumps(dataclasses.asdict(report) | {"healthy": report.healthy}), code
    wheels = ", ".join(f"{name} {version}" for name, version in report.wheels.items()) or "none"
    lines = [
        f"liveaction-onnx {__version__}, Python {report.python}, {report.system}",
        f"ONNX Runtime wheels: {wheels}",
        f"execution providers: {', '.join(report.providers) or 'none'}",
        *filter(None, (report.clash, report.problem)),
    ]
    for finding in report.findings:
        lines.append(f"{finding.device:7} {'works' if finding.usable else 'no':6} {finding.detail}")
    return "\n".join(lines), code


def models(words: list[str]) -> tuple[str, int]:
    """List the models that have a name, or fetch one."""
    from liveaction_onnx import fetching

    parser = argparse.ArgumentParser(
        prog="liveaction-onnx models", description="List the models that have a name, or fetch one."
    )
    parser.add_argument(
        "action", nargs="?", choices=("list", "get"), default="list", help="default: list"
    )
    parser.add_argument("name", nargs="?", help="the model to get")
    parser.add_argument("--url", help="a mirror to get it from; the hash stays the same")
    options = parser.parse_args(words)
    if (options.action == "get") != (options.name is not None):
        parser.error("expected models, or models get NAME")
    if options.action == "get":
        with tqdm(unit="B", unit_scale=True, leave=False, disable=not sys.stderr.isatty()) as bar:
            got = fetching.fetch(options.name, progress=moving(bar), url=options.url)
        return str(got), OK
    lines = []
    for model in catalog.models():
        there = model.shipped or catalog.cached_path(model).exists()
        state = "ships" if model.shipped else "fetched" if there else "to get"
        lines.append(f"{model.name}  {state}  {model.licence}\n  {model.description}")
        lines.append(f"  sha256 {model.sha256}")
    return "\n".join(lines), OK


def pipe(say: Callable[[str], None], words: list[str]) -> int:
    """Double yuv4mpeg from stdin to stdout; `say` takes lines for the user."""
    from liveaction_onnx.pipe import upscale_y4m

    options = arguments.pipe_parser().parse_args(words)
    interrupts = Interrupts(say)
    with arguments.upscaler(options) as upscaler:
        interrupts.run(
            partial(
                upscale_y4m,
                sys.stdin.buffer,
                sys.stdout.buffer,
                upscaler=upscaler,
                matrix=options.matrix,
                limits=options.range,
                cancel=interrupts.cancel,
            ),
            patience_s=PIPE_PATIENCE_S,
        )
    return OK


def listed(report: Mapping[str, Any]) -> str:
    """What a report says, a line each, or several where it has a list.

    >>> print(listed({"target": "a.mkv", "notes": ["one", "other"]}))
    target           a.mkv
    notes            one
                     other
    """
    lines = []
    for name, value in report.items():
        said = value if isinstance(value, list) else [value]
        lines += [
            f"{'' if number else name:16} {line}" for number, line in enumerate(said or ["none"])
        ]
    return "\n".join(lines)
