"""Degrade a folder of pictures: `python -m model.degrade IN_DIR OUT_DIR --seed N`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from PIL import Image

from model.degrade.tasks import Line, Task, do


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 if every picture was degraded, 1 if some were not, 2 if none was tried."""
    options = _parser().parse_args(arguments)
    try:
        tasks = _tasks(options)
    except OSError as error:
        print(f"nothing was done: {error}", file=sys.stderr)
        return 2
    for folder in ("input", "target"):
        (options.out_dir / folder).mkdir(parents=True, exist_ok=True)
    lines: list[Line] = []
    failed = 0
    for done, (task, line, trouble) in enumerate(_results(tasks, options.jobs), 1):
        if trouble:
            failed += 1
            print(f"{task.source}: {trouble}", file=sys.stderr)
        else:
            lines.append(line)
        if done % 100 == 0:
            print(f"{done} of {len(tasks)}")
    text = "".join(json.dumps(line) + "\n" for line in lines)
    _publish(options.out_dir / "stages.jsonl", text.encode())
    print(f"{len(lines)} pairs in {options.out_dir}, {failed} failed")
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m model.degrade",
        description="Degrade every picture of a folder to half its size. Writes OUT_DIR/input and "
        "OUT_DIR/target (PNG) and OUT_DIR/stages.jsonl (what was drawn).",
    )
    parser.add_argument("in_dir", type=Path, help="folder of pictures; those in it, not below it")
    parser.add_argument("out_dir", type=Path)
    parser.add_argument("--seed", type=_count, required=True, help="the same seed, the same pairs")
    parser.add_argument("--draws", type=_some, default=1, help="pairs of each picture (1)")
    parser.add_argument("--jobs", type=_some, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--overwrite", action="store_true", help="replace results that are there")
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"expected 0 or more, got {number}")
    return number


def _some(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, got {number}")
    return number


def _tasks(options: argparse.Namespace) -> list[Task]:
    """What is to be done; OSError if there is nothing, or it would overwrite something."""
    Image.init()
    files = [f for f in sorted(options.in_dir.iterdir()) if f.suffix.lower() in Image.EXTENSION]
    if not files:
        raise FileNotFoundError(f"no pictures in {options.in_dir}")
    tasks = [
        Task(
            source=file,
            out=options.out_dir,
            name=file.stem + (f"_{draw}" if options.draws > 1 else ""),
            seed=options.seed,
            draw=draw,
        )
        for file in files
        for draw in range(options.draws)
    ]
    _refuse_overwriting(tasks, options)
    return tasks


def _refuse_overwriting(tasks: list[Task], options: argparse.Namespace) -> None:
    names = Counter(task.name for task in tasks)
    twice = [task.source.name for task in tasks if names[task.name] > 1]
    if twice:
        raise FileExistsError(f"{twice[0]} and {twice[-1]} would have one name; rename one of them")
    wanted = [options.out_dir / "stages.jsonl", *(path for t in tasks for path in t.results)]
    there = [path for path in wanted if path.exists()]
    if there and not options.overwrite:
        raise FileExistsError(f"{there[0]} is there already; take another folder or --overwrite")


def _results(tasks: list[Task], jobs: int) -> Iterator[tuple[Task, Line, str]]:
    """Every task with what `do` says of it, in order, as they are done."""
    if jobs == 1 or len(tasks) == 1:
        yield from ((task, *do(task)) for task in tasks)
        return
    # Forking a process that has threads, as numpy may have, is not safe.
    context = get_context("spawn")
    with ProcessPoolExecutor(min(jobs, len(tasks)), mp_context=context) as pool:
        for task, outcome in zip(tasks, pool.map(do, tasks, chunksize=4), strict=True):
            yield task, *outcome


def _publish(path: Path, data: bytes) -> None:
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    part.replace(path)


if __name__ == "__main__":
    sys.exit(main())
