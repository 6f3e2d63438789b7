"""The pack stage: photographs to clean targets, degraded in parallel, written as a packed set.

Every random number comes from a seed sequence of (seed, photograph's line in the list, crop), so
what is made depends neither on the number of jobs nor on which photographs are there.
"""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import numpy as np

from model.crops import Crop, Survey, choose_crops, choose_valid_crop, share_out, survey
from model.degrade import Settings, degrade
from model.degrade.settings import Weights
from model.extract import PhotoError, decode
from model.packed import read_names, write_parts
from model.photos import Photo
from model.records import Draw, Encoded, Record, encode
from model.targets import Tone, cut, draw_tone

VALID_SEED = 20_240_229
"""The validation set is the same whatever the seed of the training set."""

CROPPED = Settings(texts_wide={"none": 5, "over": 1, "under": 3})
"""The weights of text are those of whole pictures; on crops as large letters would cover most."""

DEINTERLACINGS = tuple(CROPPED.deinterlacings)

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True)
class Task:
    """One record to make: a crop of a photograph, its tone and its draws."""

    name: str
    path: Path
    crop: Crop
    tone: Tone
    seed: tuple[int, ...]
    draws: int
    lossless: bool

    forced: str = ""
    """A deinterlacing of which one more draw is made, marked as forced: rare ones have to be
    measured too."""


def make_train(
    folder: Path,
    photos: Sequence[tuple[int, Photo]],
    source: Path,
    *,
    targets: int,
    draws: int,
    seed: int,
    jobs: int,
    first_part: int,
) -> None:
    """Write the training set: `targets` crops of the photographs, each with `draws` draws.

    `photos` are given with their lines in the list. Records that are in the folder already, by
    their names, are not made again; so the same call goes on where one was stopped.
    """
    surveys = _survey_all([source / photo.name for _, photo in photos], jobs)
    known = [
        (index, photo, found)
        for (index, photo), found in zip(photos, surveys, strict=True)
        if found
    ]
    counts = share_out([found for _, _, found in known], targets) if known else []
    tasks = []
    for (index, photo, found), count in zip(known, counts, strict=True):
        rng = np.random.default_rng((seed, index))
        for number, crop in enumerate(choose_crops(found, count, rng)):
            name = f"{photo.name}.s{seed}-{number:02d}"
            key = (seed, index, number)
            tasks.append(
                Task(name, source / photo.name, crop, draw_tone(rng), key, draws, lossless=False)
            )
    order = np.random.default_rng(seed).permutation(len(tasks))  # every part holds a bit of all
    _make(folder, [tasks[at] for at in order], jobs, first_part)


def make_valid(
    folder: Path, photos: Sequence[tuple[int, Photo]], source: Path, *, draws: int, jobs: int
) -> None:
    """Write the validation set: one crop of each photograph in its own colours, lossless."""
    surveys = _survey_all([source / photo.name for _, photo in photos], jobs)
    tasks = [
        Task(
            photo.name,
            source / photo.name,
            choose_valid_crop(found),
            Tone(),
            (VALID_SEED, index),
            draws,
            lossless=True,
            forced=DEINTERLACINGS[index % len(DEINTERLACINGS)],
        )
        for (index, photo), found in zip(photos, surveys, strict=True)
        if found
    ]
    _make(folder, tasks, jobs, 0)


def make_record(task: Task) -> Encoded:
    """Carry out a task."""
    target = cut(decode(task.path.read_bytes()), task.crop, task.tone)
    settings = [CROPPED] * task.draws
    if task.forced:
        twice: Weights = {"two-step": 1}
        kind: Weights = {task.forced: 1}
        settings.append(replace(CROPPED, scalings=twice, deinterlaced=1.0, deinterlacings=kind))
    draws = []
    for number, choices in enumerate(settings):
        pair = degrade(target, np.random.default_rng((*task.seed, number)), choices)
        own = None if np.array_equal(pair.target, target) else pair.target
        mark = {"forced": "deinterlacing"} if choices is not CROPPED else {}
        draws.append(Draw(pair.input, pair.stages | mark, own))
    return encode(Record(task.name, target, tuple(draws)), lossless=task.lossless)


def run_in_order(function: Callable[[T], U], items: Iterable[T], jobs: int) -> Iterator[U]:
    """Yield the function of each item in the items' order, from `jobs` processes.

    Few results wait at a time, so memory is bounded however slowly they are taken.
    """
    if jobs == 1:
        yield from map(function, items)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        waiting: deque[Future[U]] = deque()
        todo = iter(items)
        try:
            for item in itertools.islice(todo, 4 * jobs):
                waiting.append(pool.submit(function, item))
            while waiting:
                yield waiting.popleft().result()
                for item in itertools.islice(todo, 1):
                    waiting.append(pool.submit(function, item))
        finally:
            pool.shutdown(cancel_futures=True)


def _make(folder: Path, tasks: Sequence[Task], jobs: int, first_part: int) -> None:
    done = read_names(folder)
    todo = [task for task in tasks if task.name not in done]
    print(f"{folder}: {len(todo)} records to make, {len(tasks) - len(todo)} there already")
    made = _with_progress(run_in_order(make_record, todo, jobs), len(todo))
    for part in write_parts(folder, made, first_part=first_part):
        print(f"{part}: {part.stat().st_size / 2**20:.1f} MiB")


def _with_progress(records: Iterator[Encoded], total: int) -> Iterator[Encoded]:
    start = time.monotonic()
    shown = start
    for number, record in enumerate(records, 1):
        yield record
        now = time.monotonic()
        if now - shown > 10 or number == total:
            shown = now
            rate = number / (now - start)
            left = (total - number) / rate
            print(f"{number}/{total} records, {rate:.2f} a second, {left:.0f} s left", flush=True)


def _survey_all(paths: Sequence[Path], jobs: int) -> list[Survey | None]:
    return list(run_in_order(_survey_file, paths, jobs))


def _survey_file(path: Path) -> Survey | None:
    try:
        return survey(decode(path.read_bytes()))
    except (PhotoError, OSError, ValueError) as error:
        print(f"{path.name} is left out: {error}", flush=True)
        return None
