"""The figures of one upscaler on a validation set, kept on disk so that it is run once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from scipy import ndimage

from model import metrics, perceptual
from model.metrics import Picture, Upscale, luma
from model.records import Record
from model.rivals import Rival, bicubic, resized

QUICK = ("psnr_y", "ssim_y", "overshoot")
SLOW = ("ssimulacra2", "vmaf_neg")
CLEAN = ("bicubic", "lanczos")
GRAIN = tuple((kind, levels) for kind in ("gaussian", "film") for levels in (3, 6, 12))
SEED = 20261123

Map = Callable[..., Iterable[dict[str, float]]]


@dataclass(frozen=True)
class Pair:
    """An input and what it should become."""

    name: str
    draw: int
    stages: Mapping[str, Any]
    input: Picture
    target: Picture


@dataclass(frozen=True)
class Sets:
    """All that an upscaler is run on."""

    pairs: list[Pair]
    """The draws of the packed set."""

    clean: dict[str, list[Pair]]
    """The targets halved and not degraded; the filters take turns, which halves the cost."""

    grainy: list[Picture]
    """Those halved by bicubic, with a grain of GRAIN, which take turns too."""

    sha256: str


@dataclass(frozen=True)
class Scores:
    """What came out; JSON takes it."""

    pairs: list[dict[str, float]]
    """The measures of each pair by name, in the order of the set."""

    clean: dict[str, list[dict[str, float]]]
    """PSNR, SSIM and colour shift of the pairs of each filter."""

    grain: dict[str, float]
    """Energy of the grain kept, in % of what bicubic keeps, per kind and strength in levels."""

    flat: int
    """Greatest error on flat fields, in levels."""


def sets(records: Iterable[Record]) -> Sets:
    """Give the sets that are made of the records of a packed set; the same ones every time."""
    pairs, clean = [], {kernel: list[Pair]() for kernel in CLEAN}
    for index, record in enumerate(records):
        for number, draw in enumerate(record.draws):
            target = record.target if draw.target is None else draw.target
            pairs.append(Pair(record.name, number, draw.stages, draw.input, target))
        kernel = CLEAN[index % len(CLEAN)]
        half = resized(record.target, 0.5, kernel)
        clean[kernel].append(Pair(record.name, 0, {}, half, record.target))
    rng = np.random.default_rng(SEED)
    grainy = [
        grain(pair.input, rng, *GRAIN[index % len(GRAIN)])
        for index, pair in enumerate(clean["bicubic"])
    ]
    digest = hashlib.sha256()
    for pair in pairs:
        head = repr((pair.name, pair.draw, pair.input.shape))
        for part in (head.encode(), pair.input.tobytes(), pair.target.tobytes()):
            digest.update(part)
    return Sets(pairs, clean, grainy, digest.hexdigest())


def grain(picture: Picture, rng: np.random.Generator, kind: str, levels: float) -> Picture:
    """Put grain on a picture.

    "gaussian": white, apart in each channel, with a sigma of `levels`. "film": in the brightness
    alone, grains of about 2 px, `levels` in mid-tones and less towards black and white.
    """
    if kind == "gaussian":
        added = rng.normal(0, levels, picture.shape)
    else:
        grains = ndimage.gaussian_filter(rng.normal(size=picture.shape[:2]), 0.7, mode="wrap")
        tone = (luma(picture) - 16) / 219
        added = (levels * 4 * tone * (1 - tone) * grains / grains.std())[..., None]
    result: Picture = np.clip(np.rint(picture + added), 0, 255).astype(np.uint8)
    return result


def measure(task: tuple[Pair, Picture, tuple[str, ...]]) -> dict[str, float]:
    """Take the named measures of an output of a pair, and its colour shift."""
    pair, output, names = task
    values = {"colour_shift": metrics.colour_shift(pair.input, output)}
    for name in names:
        room = perceptual if name in SLOW else metrics
        values[name] = getattr(room, name)(output, pair.target)
    return {name: round(value, 6) for name, value in values.items()}


def score(
    rival: Rival, given: Sets, *, fast: bool = False, cache: Path | None = None, each: Map = map
) -> Scores:
    """Run an upscaler on the sets; `fast` leaves the slow measures out.

    `each` maps the measures over the outputs: that of a pool measures while this process upscales.
    In `cache`, a folder, scores are kept under a hash of the upscaler, the sets and the code here.
    """
    names = QUICK if fast else QUICK + SLOW
    file = None if cache is None else cache / f"{_key(rival, given, names)}.json"
    if file is not None and file.exists():
        return Scores(**json.loads(file.read_text()))
    with rival.open() as upscale:
        found = _run(upscale, given, names, each)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        part.write_text(json.dumps(asdict(found)))
        part.replace(file)
    return found


def _run(upscale: Upscale, given: Sets, names: tuple[str, ...], each: Map) -> Scores:
    rows = list(each(measure, ((pair, upscale(pair.input), names) for pair in given.pairs)))
    clean = {}
    without: list[Picture] = []
    for kernel in CLEAN:
        outputs = [upscale(pair.input) for pair in given.clean[kernel]]
        tasks = zip(given.clean[kernel], outputs, repeat(("psnr_y", "ssim_y")), strict=False)
        clean[kernel] = list(each(measure, tasks))
        without = outputs if kernel == "bicubic" else without
    return Scores(rows, clean, _grain(upscale, given, without), metrics.flat_field_error(upscale))


def _grain(upscale: Upscale, given: Sets, without: list[Picture]) -> dict[str, float]:
    """What is kept of the grain; `without` are the outputs for the same pictures without it."""
    energies = {kind: np.zeros(2) for kind in GRAIN}
    for index, (grainy, pair) in enumerate(zip(given.grainy, given.clean["bicubic"], strict=True)):
        energies[GRAIN[index % len(GRAIN)]] += (
            metrics.grain_energy(upscale(grainy), without[index]),
            metrics.grain_energy(bicubic(grainy), bicubic(pair.input)),
        )
    return {
        f"{kind} {levels}": round(float(100 * ours / plain), 3)
        for (kind, levels), (ours, plain) in energies.items()
        if plain
    }


def _key(rival: Rival, given: Sets, names: tuple[str, ...]) -> str:
    code = [Path(str(room.__file__)).read_text() for room in (metrics, perceptual)]
    parts = [rival.identity, given.sha256, *names, onnxruntime.__version__]
    text = "\n".join([*parts, *code, Path(__file__).read_text()])
    return hashlib.sha256(text.encode()).hexdigest()[:32]
