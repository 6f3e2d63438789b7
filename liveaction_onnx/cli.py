"""The command line: parse, run, print."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from tqdm import tqdm

import liveaction_onnx as la
from liveaction_onnx import (
    arguments,
    asking,
    choosing,
    commands,
    inputs,
    preview,
    treatment,
    videos,
)
from liveaction_onnx.exits import FAILED, INTERRUPTED, OK, code_of
from liveaction_onnx.images import plan_image, upscale_by
from liveaction_onnx.interrupts import ENDING, Interrupts
from liveaction_onnx.several import Made, outcome, upscale_images
from liveaction_onnx.targets import Targets
from liveaction_onnx.watching import Watcher, moving, shares

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
        "pipe": partial(commands.pipe, say),
    }
    command = named.get(words[0] if words else "")
    try:
        return command(words[1:]) if command else _upscale(words)
    except KeyboardInterrupt:
        say("interrupted: nothing unfinished was left behind")
        return INTERRUPTED
    except la.LiveactionError as error:
        say(str(error))
        return code_of(error)


def _interrupt(number: int, frame: Any) -> NoReturn:
    raise KeyboardInterrupt


def say(text: str) -> None:
    """Print a line that is no result."""
    print(f"liveaction-onnx: {text}", file=sys.stderr)


def _tell(row: dict[str, Any]) -> None:
    print(json.dumps({"progress": row}), flush=True)


def _upscale(words: list[str]) -> int:
    options = arguments.upscale_parser().parse_args(words)
    arguments.log(options)
    inputs.refuse_target(options.inputs, options.output)
    sources = inputs.sources_of(options.inputs)
    if not sources:
        say(
            f"no pictures or videos found: {', '.join(options.inputs)}; expected files, folders "
            "that hold some, or patterns such as 'FOLDER/**/*'"
        )
        return FAILED
    if options.preview is not None:
        inputs.refuse_pictures(sources)
    folder = inputs.is_folder(options.output, options.inputs, sources)
    if films := list(filter(inputs.is_video, sources)):
        target = None if folder else options.output
        asking.check(films, target, arguments.video_options(options))
    if folder and not options.dry_run:
        inputs.make_folder(options.output)
    with arguments.upscaler(options) as upscaler:
        call = _Call(upscaler, options, folder, Interrupts(say), Targets(sources))
        failed = 0
        for alike in inputs.in_turn(sources):
            if call.interrupts.asked:  # while what came before was finished
                raise KeyboardInterrupt
            if options.dry_run and not inputs.is_video(alike[0]):
                failed += sum(not _video(source, call, _picture_planned) for source in alike)
            elif len(alike) > 1:
                failed += _several(alike, call)
            else:
                one = _video if inputs.is_video(alike[0]) else _one
                failed += not one(alike[0], call)
    return FAILED if failed else OK


@dataclass(frozen=True)
class _Call:
    """What all files of one call share."""

    upscaler: la.Upscaler
    options: Any

    folder: bool
    """Whether `options.output` is a folder, which is yet to be made where nothing is to be done."""

    interrupts: Interrupts
    targets: Targets


def _hides_bars(options: Any) -> bool:
    return bool(options.quiet or options.json or not sys.stderr.isatty())


def _one(source: Path, call: _Call) -> bool:
    """Upscale one picture, say so, and tell whether it went well."""
    options, interrupts = call.options, call.interrupts
    with tqdm(desc=source.name, unit="tile", leave=False, disable=_hides_bars(options)) as bar:
        double = partial(call.upscaler, progress=moving(bar), cancel=interrupts.cancel)
        upscale = partial(upscale_by, double, source, **_asked(source, call))
        made = outcome(source, partial(interrupts.run, upscale))
    return _told(made, call)


def _several(sources: Sequence[Path], call: _Call) -> int:
    """Upscale pictures, say so of each, and give how many of them failed."""

    def work() -> int:
        failed, options = 0, call.options
        hidden = _hides_bars(options)
        all_made = upscale_images(
            sources,
            options.output,
            upscaler=call.upscaler,
            overwrite=options.overwrite,
            max_pixels=options.max_pixels,
            cancel=call.interrupts.cancel,
            targets=call.targets,
        )
        with (
            tqdm(total=len(sources), unit="picture", leave=False, disable=hidden) as bar,
            closing(all_made),
        ):
            for made in all_made:
                with bar.external_write_mode():
                    failed += not _told(made, call)
                bar.update()
        return failed

    return call.interrupts.run(work)


def _told(made: Made, call: _Call) -> bool:
    """Say what became of a picture, and tell whether it went well."""
    options, device = call.options, call.upscaler.device
    if options.json:
        target = str(made.target) if made.target else None
        row: dict[str, Any] = {"source": str(made.source), "target": target, "device": device}
        if made.error:
            row["error"] = str(made.error)
        row["seconds"] = round(made.seconds, 3)
        print(json.dumps(row), flush=True)
    elif made.target and not options.quiet:
        print(f"{made.target}  {made.seconds:.1f} s on {device}", flush=True)
    if made.error:
        say(str(made.error))
    return made.error is None


def _video(
    source: Path, call: _Call, work: Callable[[Path, _Call], dict[str, Any]] | None = None
) -> bool:
    """Upscale one video, or plan a file, say so, and tell whether it went well."""
    started, options = time.perf_counter(), call.options
    row: dict[str, Any] = {"source": str(source), "target": None, "device": call.upscaler.device}
    try:
        row |= (work or _video_done)(source, call)
    except la.PausedError:
        raise
    except KeyboardInterrupt:
        raise la.PausedError(KEPT if options.preview is None else DROPPED) from None
    except la.LiveactionError as error:
        row["error"] = str(error)
        say(row["error"])
    row["seconds"] = round(time.perf_counter() - started, 3)
    if options.json:
        print(json.dumps(row), flush=True)
    elif "plan" in row:
        print(commands.listed(row["plan"]))
    elif "error" not in row and not options.quiet:
        told = f"{row['target']}  {row['seconds']:.1f} s on {row['device']}"
        told += f", {row['frames']} frames"
        if row["resumed_frames"]:
            told += f", {row['resumed_frames']} of them from before"
        print(f"{told}, {row['reused']} % reused", flush=True)
    return "error" not in row


def _video_done(source: Path, call: _Call) -> dict[str, Any]:
    """What is to be printed of a video that has been upscaled, or planned."""
    upscaler, options, interrupts = call.upscaler, call.options, call.interrupts
    wanted = arguments.video_options(options)
    if options.preview is not None and not options.dry_run:
        made = interrupts.run(
            partial(
                preview.upscale_preview,
                source,
                options.output,
                wanted,
                seconds=options.preview,
                upscaler=upscaler,
                overwrite=options.overwrite,
                cancel=interrupts.cancel,
                take=partial(call.targets.take, source),
            )
        )
        return {"target": str(made.target), "frames": made.frames} | shares(made)
    target = options.output
    if call.folder:
        target /= choosing.default_target(source, upscaler.facts.scale).name
    work = treatment.plan(source, target, wanted, upscaler.facts.scale)
    if options.dry_run:
        return {"plan": work.report()}
    call.targets.take(source, work.target)
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
    return {"target": str(done.target), "frames": done.frames} | shares(done) | notes


def _picture_planned(source: Path, call: _Call) -> dict[str, Any]:
    """What is to be printed of a picture that is planned."""
    return {"plan": plan_image(source, folder=call.folder, **_asked(source, call))}


def _asked(source: Path, call: _Call) -> dict[str, Any]:
    """What the call says of one picture, as `images` takes it."""
    return {
        "target": call.options.output,
        "scale": call.upscaler.facts.scale,
        "overwrite": call.options.overwrite,
        "max_pixels": call.options.max_pixels,
        "take": partial(call.targets.take, source),
    }


def _answer(command: Callable[[list[str]], tuple[str, int]], words: list[str]) -> int:
    text, code = command(words)
    print(text)
    return code
