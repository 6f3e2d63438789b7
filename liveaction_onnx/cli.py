"""The command line: parse, run, print."""

from __future__ import annotations

import json
import logging
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from tqdm import tqdm

import liveaction_onnx as la
from liveaction_onnx import arguments, commands, inputs, preview, treatment, videos
from liveaction_onnx.exits import FAILED, INTERRUPTED, NO_DEVICE, OK, USAGE
from liveaction_onnx.interrupts import ENDING, Interrupts
from liveaction_onnx.several import Made, outcome, upscale_images
from liveaction_onnx.watching import Watcher, moving, reused_percent

PIPE_PATIENCE_S = 1.0
"""For a pipe to leave, which may be waiting for the first byte, and has nothing to tidy up."""

KEPT = "stopped: what is in whole segments is kept, and the same command goes on"
DROPPED = "stopped: nothing is kept of a preview"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and give its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    for number in ENDING:
        signal.signal(number, _interrupt)
    named: dict[str, Callable[[list[str]], int]] = {
        "doctor": partial(_answer, commands.doctor),
        "models": partial(_answer, commands.models),
        "pipe": _pipe,
    }
    command = named.get(words[0] if words else "")
    try:
        return command(words[1:]) if command else _upscale(words)
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


def _tell(row: dict[str, Any]) -> None:
    print(json.dumps({"progress": row}), flush=True)


def _upscale(words: list[str]) -> int:
    options = arguments.upscale_parser().parse_args(words)
    _log(options)
    inputs.refuse_target(options.inputs, options.output)
    sources = inputs.sources_of(options.inputs)
    if not sources:
        _say("no pictures or videos found")
        return FAILED
    if inputs.is_folder(options.output, options.inputs, sources):
        inputs.make_folder(options.output)
    interrupts = Interrupts(_say)
    with _upscaler(options) as upscaler:
        failed = 0
        for alike in inputs.in_turn(sources):
            if interrupts.asked:  # while what came before was finished
                raise KeyboardInterrupt
            if len(alike) > 1:
                failed += _several(alike, upscaler, options, interrupts)
            else:
                one = _video if inputs.is_video(alike[0]) else _one
                failed += not one(alike[0], upscaler, options, interrupts)
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


def _hides_bars(options: Any) -> bool:
    return bool(options.quiet or options.json or not sys.stderr.isatty())


def _one(source: Path, upscaler: la.Upscaler, options: Any, interrupts: Interrupts) -> bool:
    """Upscale one picture, say so, and tell whether it went well."""
    with tqdm(desc=source.name, unit="tile", leave=False, disable=_hides_bars(options)) as bar:
        upscale = partial(
            la.upscale_image,
            source,
            options.output,
            upscaler=upscaler,
            overwrite=options.overwrite,
            max_pixels=options.max_pixels,
            progress=moving(bar),
            cancel=interrupts.cancel,
        )
        made = outcome(source, partial(interrupts.run, upscale))
    return _told(made, upscaler, options)


def _several(
    sources: Sequence[Path], upscaler: la.Upscaler, options: Any, interrupts: Interrupts
) -> int:
    """Upscale pictures, say so of each, and give how many of them failed."""

    def work() -> int:
        failed = 0
        hidden = _hides_bars(options)
        all_made = upscale_images(
            sources,
            options.output,
            upscaler=upscaler,
            overwrite=options.overwrite,
            max_pixels=options.max_pixels,
            cancel=interrupts.cancel,
        )
        with (
            tqdm(total=len(sources), unit="picture", leave=False, disable=hidden) as bar,
            closing(all_made),
        ):
            for made in all_made:
                with bar.external_write_mode():
                    failed += not _told(made, upscaler, options)
                bar.update()
        return failed

    return interrupts.run(work)


def _told(made: Made, upscaler: la.Upscaler, options: Any) -> bool:
    """Say what became of a picture, and tell whether it went well."""
    if options.json:
        target = str(made.target) if made.target else None
        row: dict[str, Any] = {"source": str(made.source), "target": target}
        row["device"] = upscaler.device
        if made.error:
            row["error"] = str(made.error)
        row["seconds"] = round(made.seconds, 3)
        print(json.dumps(row), flush=True)
    elif made.target and not options.quiet:
        print(f"{made.target}  {made.seconds:.1f} s on {upscaler.device}", flush=True)
    if made.error:
        _say(str(made.error))
    return made.error is None


def _video(source: Path, upscaler: la.Upscaler, options: Any, interrupts: Interrupts) -> bool:
    """Upscale one video, say so, and tell whether it went well."""
    started = time.perf_counter()
    row: dict[str, Any] = {"source": str(source), "target": None, "device": upscaler.device}
    try:
        row |= _video_done(source, upscaler, options, interrupts)
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


def _video_done(
    source: Path, upscaler: la.Upscaler, options: Any, interrupts: Interrupts
) -> dict[str, Any]:
    """What is to be printed of a video that has been upscaled, or planned."""
    wanted = arguments.video_options(options)
    target = _target_of(source, options.output, upscaler.facts.scale)
    if options.preview is not None:
        made = interrupts.run(
            partial(
                preview.upscale_preview,
                source,
                target,
                wanted,
                seconds=options.preview,
                upscaler=upscaler,
                overwrite=options.overwrite,
                cancel=interrupts.cancel,
            )
        )
        return {"target": str(made.target), "frames": made.frames} | _shares(made)
    work = treatment.plan(source, target, wanted, upscaler.facts.scale)
    if options.dry_run:
        if not options.json:
            _print_report(work.report())
        return {"plan": work.report()}
    hidden, tell = _hides_bars(options), _tell if options.json else None
    with Watcher(source.name, hidden=hidden, tell=tell) as watcher:
        done = interrupts.run(
            partial(
                videos.run,
                work,
                upscaler,
                overwrite=options.overwrite,
                restart=options.restart,
                watch=watcher,
                cancel=interrupts.cancel,
                pause=interrupts.pause,
            ),
            pausable=True,
        )
    notes = {"notes": list(done.notes)}
    return {"target": str(done.target), "frames": done.frames} | _shares(done) | notes


def _shares(done: videos.VideoReport) -> dict[str, Any]:
    return {"resumed_frames": done.resumed_frames, "reused": reused_percent(done)}


def _print_report(report: dict[str, Any]) -> None:
    for name, value in report.items():
        lines = value if isinstance(value, list) else [value]
        for number, line in enumerate(lines or ["none"]):
            print(f"{'' if number else name:16} {line}")


def _target_of(source: Path, output: Path | None, scale: int) -> Path | None:
    if output is not None and output.is_dir():
        return output / treatment.default_target(source, scale).name
    return output


def _pipe(words: list[str]) -> int:
    from liveaction_onnx import pipe

    options = arguments.pipe_parser().parse_args(words)
    interrupts = Interrupts(_say)
    with _upscaler(options) as upscaler:
        interrupts.run(
            partial(
                pipe.upscale_y4m,
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


def _answer(command: Callable[[list[str]], tuple[str, int]], words: list[str]) -> int:
    text, code = command(words)
    print(text)
    return code
