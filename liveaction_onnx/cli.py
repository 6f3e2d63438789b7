"""The command line: parse, run, print."""

from __future__ import annotations

import argparse
import dataclasses
import glob
import json
import logging
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from tqdm import tqdm

import liveaction_onnx as la
from liveaction_onnx import catalog
from liveaction_onnx.picture import MAX_PIXELS, SUFFIXES

OK, FAILED, USAGE, NO_DEVICE, INTERRUPTED = 0, 1, 2, 3, 130

_EPILOG = """\
commands:
  liveaction-onnx doctor              what of this machine can run a graph, and what is missing
  liveaction-onnx models              the models that have a name, their licence and hash
  liveaction-onnx models get NAME     fetch one of them

exit codes: 0 all done, 1 some failed, 2 wrong usage, 3 device unavailable, 130 interrupted.
A picture named like a command, or with a leading '-', is given as ./doctor or ./-name."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and give its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    command = {"doctor": _doctor, "models": _models}.get(words[0] if words else "")
    try:
        return command(words[1:]) if command else _upscale(words)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody reads on
        return FAILED
    except KeyboardInterrupt:
        _say("interrupted: nothing unfinished was left behind")
        return INTERRUPTED
    except (la.DeviceUnavailableError, la.RuntimeMissingError) as error:
        _say(str(error))
        return NO_DEVICE
    except la.OptionError as error:
        _say(str(error))
        return USAGE
    except la.LiveactionError as error:
        _say(str(error))
        return FAILED


def _interrupt(number: int, frame: Any) -> NoReturn:
    raise KeyboardInterrupt


def _say(text: str) -> None:
    print(f"liveaction-onnx: {text}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="liveaction-onnx",
        description="Double pictures: remove compression, blur and halos, keep grain and colour.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("inputs", nargs="+", metavar="IN", help="picture files, folders of them, or patterns")
    add(
        "-o",
        "--output",
        type=Path,
        metavar="OUT",
        help="a file for one picture, or a folder (default: <stem>_2x.<ext> beside each)",
    )
    add("-d", "--device", default="auto", help="auto, cpu, cuda, cuda:N, dml or dml:N")
    add("-t", "--tile", type=int, metavar="PX", help="greatest side of a tile in input px")
    add("--overlap", type=int, metavar="PX", help="context around a tile (default: the exact one)")
    add("--precision", default="auto", choices=("auto", "fp32", "fp16"))
    add("--model", default=la.DEFAULT_MODEL, help="a name from `models`, or an .onnx file")
    add(
        "--max-pixels",
        type=int,
        default=MAX_PIXELS,
        metavar="N",
        help="refuse pictures that claim more px (default: %(default)s)",
    )
    add("-y", "--overwrite", action="store_true", help="replace targets that exist")
    add("-q", "--quiet", action="store_true", help="print errors only")
    add("-v", "--verbose", action="count", default=0, help="print what is done; twice: even more")
    add("--json", action="store_true", help="print one JSON object a picture")
    add("-V", "--version", action="version", version=f"%(prog)s {la.__version__}")
    return parser


def _upscale(words: list[str]) -> int:
    parser = _parser()
    options = parser.parse_args(words)
    levels = {0: logging.WARNING, 1: logging.INFO}
    level = logging.ERROR if options.quiet else levels.get(options.verbose, logging.DEBUG)
    logging.basicConfig(level=level, format="liveaction-onnx: %(message)s", stream=sys.stderr)
    sources = _sources(options.inputs)
    if not sources:
        _say("no pictures found")
        return FAILED
    if _is_folder(options.output, options.inputs, sources):
        _make_folder(options.output)
    with la.Upscaler(
        options.model,
        device=options.device,
        tile=options.tile,
        overlap=options.overlap,
        precision=options.precision,
    ) as upscaler:
        failed = 0
        for source in sources:
            failed += not _one(source, upscaler, options)
    return FAILED if failed else OK


def _one(source: Path, upscaler: la.Upscaler, options: Any) -> bool:
    """Upscale one picture, say so, and tell whether it went well."""
    started = time.perf_counter()
    hidden = options.quiet or options.json or not sys.stderr.isatty()
    row: dict[str, Any] = {"source": str(source), "target": None, "device": upscaler.device}
    with tqdm(desc=source.name, unit="tile", leave=False, disable=hidden) as bar:
        try:
            written = la.upscale_image(
                source,
                options.output,
                upscaler=upscaler,
                overwrite=options.overwrite,
                max_pixels=options.max_pixels,
                progress=_moving(bar),
            )
        except la.LiveactionError as error:
            row["error"] = str(error)
        else:
            row["target"] = str(written)
    row["seconds"] = round(time.perf_counter() - started, 3)
    if options.json:
        print(json.dumps(row), flush=True)
    elif "error" not in row and not options.quiet:
        print(f"{row['target']}  {row['seconds']:.1f} s on {row['device']}", flush=True)
    if "error" in row:
        _say(row["error"])
    return "error" not in row


def _moving(bar: tqdm[NoReturn]) -> Callable[[int, int], None]:
    """A `progress(done, total)` that moves a bar."""

    def progress(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)

    return progress


def _sources(inputs: Sequence[str]) -> list[Path]:
    """The pictures that the command line names, each once.

    A folder stands for its pictures, without those that are the `_2x` of another one in it.
    """
    found: dict[Path, None] = {}
    for text in inputs:
        path = Path(text)
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES)
            stems = {p.stem for p in inside}
            found.update((p, None) for p in inside if not _made_of_another(p, stems))
        elif not path.exists() and glob.has_magic(text):
            matches = sorted(glob.glob(text, recursive=True))
            found.update((Path(match), None) for match in matches if Path(match).is_file())
        else:
            found[path] = None
    return list(found)


def _made_of_another(path: Path, stems: set[str]) -> bool:
    source = re.sub(r"_\d+x$", "", path.stem)
    return source != path.stem and source in stems


def _is_folder(output: Path | None, inputs: Sequence[str], sources: Sequence[Path]) -> bool:
    """Whether the output is a folder: it is one, has no ending, or has to hold several."""
    if output is None:
        return False
    several = len(inputs) > 1 or len(sources) > 1 or any(Path(text).is_dir() for text in inputs)
    return several or output.is_dir() or not output.suffix


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise la.TargetError(f"{folder}: cannot be made a folder: {error.strerror}") from error


def _doctor(words: list[str]) -> int:
    from liveaction_onnx import doctor

    parser = argparse.ArgumentParser(prog="liveaction-onnx doctor", description=doctor.__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(words)
    report = doctor.examine()
    if options.json:
        print(json.dumps(dataclasses.asdict(report) | {"healthy": report.healthy}))
        return OK if report.healthy else FAILED
    wheels = ", ".join(f"{name} {version}" for name, version in report.wheels.items()) or "none"
    print(f"liveaction-onnx {la.__version__}, Python {report.python}, {report.system}")
    print(f"ONNX Runtime wheels: {wheels}")
    print(f"execution providers: {', '.join(report.providers) or 'none'}")
    for text in filter(None, (report.clash, report.problem)):
        print(text)
    for finding in report.findings:
        print(f"{finding.device:7} {'works' if finding.usable else 'no':6} {finding.detail}")
    return OK if report.healthy else FAILED


def _models(words: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="liveaction-onnx models", description="List the models that have a name, or fetch one."
    )
    parser.add_argument("action", nargs="?", choices=("list", "get"), default="list")
    parser.add_argument("name", nargs="?", help="the model to get")
    parser.add_argument("--url", help="a mirror to get it from; the hash stays the same")
    options = parser.parse_args(words)
    if (options.action == "get") != (options.name is not None):
        parser.error("usage: models, or models get NAME")
    if options.action == "list":
        for model in catalog.models():
            there = model.shipped or catalog.cached_path(model).exists()
            state = "ships" if model.shipped else "fetched" if there else "to get"
            print(f"{model.name}  {state}  {model.licence}\n  {model.description}")
            print(f"  sha256 {model.sha256}")
        return OK
    with tqdm(unit="B", unit_scale=True, leave=False, disable=not sys.stderr.isatty()) as bar:
        print(catalog.fetch(options.name, progress=_moving(bar), url=options.url))
    return OK
