"""The command line: parse, run, print."""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from tqdm import tqdm

import liveaction_onnx as la
from liveaction_onnx import arguments, catalog, ffmpeg, inputs, preview, treatment, videos
from liveaction_onnx.streaming import interruptible

OK, FAILED, USAGE, NO_DEVICE, INTERRUPTED = 0, 1, 2, 3, 130

KEPT = "stopped: what is in whole segments is kept, and the same command goes on"
DROPPED = "stopped: nothing is kept of a preview"

JSON_EVERY_S = 1.0
"""Between two lines of JSON on the progress of a video."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and give its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    command = {"doctor": _doctor, "models": _models, "pipe": _pipe}.get(words[0] if words else "")
    try:
        return command(words[1:]) if command else _upscale(words)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody reads on
        return FAILED
    except la.PausedError as error:
        _say(str(error))
        return INTERRUPTED
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


def _upscale(words: list[str]) -> int:
    options = arguments.upscale_parser().parse_args(words)
    _log(options)
    sources = inputs.sources_of(options.inputs)
    if not sources:
        _say("no pictures or videos found")
        return FAILED
    if inputs.is_folder(options.output, options.inputs, sources):
        inputs.make_folder(options.output)
    with _upscaler(options) as upscaler:
        failed = 0
        for source in sources:
            one = _video if inputs.is_video(source) else _one
            failed += not one(source, upscaler, options)
    return FAILED if failed else OK


def _log(options: Any) -> None:
    levels = {0: logging.WARNING, 1: logging.INFO}
    level = logging.ERROR if options.quiet else levels.get(options.verbose, logging.DEBUG)
    logging.basicConfig(level=level, format="liveaction-onnx: %(message)s", stream=sys.stderr)


def _upscaler(options: Any) -> la.Upscaler:
    return la.Upscaler(
        options.model,
        device=options.device,
        tile=options.tile,
        overlap=options.overlap,
        precision=options.precision,
    )


def _one(source: Path, upscaler: la.Upscaler, options: Any) -> bool:
    """Upscale one picture, say so, and tell whether it went well."""
    started = time.perf_counter()
    hidden = options.quiet or options.json or not sys.stderr.isatty()
    row: dict[str, Any] = {"source": str(source), "target": None, "device": upscaler.device}
    with tqdm(desc=source.name, unit="tile", leave=False, disable=hidden) as bar:
        try:
            written = interruptible(
                lambda cancel: la.upscale_image(
                    source,
                    options.output,
                    upscaler=upscaler,
                    overwrite=options.overwrite,
                    max_pixels=options.max_pixels,
                    progress=_moving(bar),
                    cancel=cancel,
                )
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


def _video(source: Path, upscaler: la.Upscaler, options: Any) -> bool:
    """Upscale one video, say so, and tell whether it went well."""
    started = time.perf_counter()
    row: dict[str, Any] = {"source": str(source), "target": None, "device": upscaler.device}
    try:
        row |= _video_done(source, upscaler, options)
    except la.PausedError:
        raise
    except KeyboardInterrupt:
        raise la.PausedError(KEPT if options.preview is None else DROPPED) from None
    except la.LiveactionError as error:
        row["error"] = str(error)
        _say(row["error"])
    row["seconds"] = round(time.perf_counter() - started, 3)
    if options.json:
        print(json.dumps(row), flush=True)
    elif "error" not in row and not options.quiet and not options.dry_run:
        told = f"{row['target']}  {row['seconds']:.1f} s on {row['device']}"
        told += f", {row['frames']} frames"
        if row["resumed_frames"]:
            told += f", {row['resumed_frames']} of them from before"
        print(f"{told}, {row['reused']} % reused", flush=True)
    return "error" not in row


def _video_done(source: Path, upscaler: la.Upscaler, options: Any) -> dict[str, Any]:
    """What is to be printed of a video that has been upscaled, or planned."""
    wanted = arguments.video_options(options)
    target = _target_of(source, options.output, upscaler.facts.scale)
    if options.preview is not None:
        made = preview.upscale_preview(
            source,
            target,
            wanted,
            seconds=options.preview,
            upscaler=upscaler,
            overwrite=options.overwrite,
        )
        return {"target": str(made.target), "frames": made.frames} | _shares(made)
    work = treatment.plan(source, target, wanted, upscaler.facts.scale)
    if options.dry_run:
        if not options.json:
            _print_report(work.report())
        return {"plan": work.report()}
    with _Watcher(source.name, options) as watcher:
        done = videos.run(
            work,
            upscaler,
            overwrite=options.overwrite,
            restart=options.restart,
            watch=watcher,
            pause=watcher.pause,
        )
    notes = {"notes": list(done.notes)}
    return {"target": str(done.target), "frames": done.frames} | _shares(done) | notes


def _shares(done: videos.VideoReport) -> dict[str, Any]:
    return {"resumed_frames": done.resumed_frames, "reused": _reused(done)}


def _reused(at: videos.VideoReport | videos.Progress) -> float:
    """Per cent of the px that had not to be computed."""
    return round(100 * (1 - at.computed_px / at.px), 1) if at.px else 0.0


def _print_report(report: dict[str, Any]) -> None:
    for name, value in report.items():
        lines = value if isinstance(value, list) else [value]
        for number, line in enumerate(lines or ["none"]):
            print(f"{'' if number else name:16} {line}")


def _target_of(source: Path, output: Path | None, scale: int) -> Path | None:
    if output is not None and output.is_dir():
        return output / treatment.default_target(source, scale).name
    return output


class _Watcher:
    """Shows how far a video is; makes the first Ctrl+C a pause, and the second an end."""

    def __init__(self, name: str, options: Any) -> None:
        self.pause = threading.Event()
        self._json = options.json
        hidden = options.quiet or options.json or not sys.stderr.isatty()
        self._bar = tqdm(desc=name, unit="frame", leave=False, disable=hidden, smoothing=0.1)
        self._told = 0.0
        self._before: Any = None

    def __call__(self, at: videos.Progress) -> None:
        reused = _reused(at)
        if self._json and time.monotonic() - self._told >= JSON_EVERY_S:
            self._told = time.monotonic()
            row = {"done": at.done, "total": at.total, "resumed": at.resumed, "reused": reused}
            print(json.dumps({"progress": row}), flush=True)
        if not self._bar.n and at.resumed:
            self._bar.initial = self._bar.n = at.resumed
        self._bar.total = at.total
        if reused >= 0.1:
            self._bar.set_postfix_str(f"{reused} % reused", refresh=False)
        self._bar.update(at.done - self._bar.n)

    def __enter__(self) -> _Watcher:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._interrupt)
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _interrupt(self, number: int, frame: Any) -> None:
        if not self.pause.is_set():
            self.pause.set()
            _say("finishing the segment at hand; Ctrl+C once more stops at once")
            return
        ffmpeg.kill_all()  # so that nothing is waited for
        raise KeyboardInterrupt


def _pipe(words: list[str]) -> int:
    from liveaction_onnx import pipe

    options = arguments.pipe_parser().parse_args(words)
    with _upscaler(options) as upscaler:
        pipe.upscale_y4m(
            sys.stdin.buffer,
            sys.stdout.buffer,
            upscaler=upscaler,
            matrix=options.matrix,
            limits=options.range,
        )
    return OK


def _moving(bar: tqdm[NoReturn]) -> Callable[[int, int], None]:
    """A `progress(done, total)` that moves a bar."""

    def progress(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)

    return progress


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
    from liveaction_onnx import fetching

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
        print(fetching.fetch(options.name, progress=_moving(bar), url=options.url))
    return OK
