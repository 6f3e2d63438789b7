"""One draw of one file, as processes of their own carry it out.

They import what they run by its name, and a `__main__` has none that they could import.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from model.degrade.draw import degrade
from model.degrade.ffmpeg import FfmpegError
from model.degrade.settings import Pixels

Line = dict[str, object]


@dataclass(frozen=True)
class Task:
    """One draw of one file."""

    source: Path
    out: Path
    name: str
    """Of the pair: that of the file without suffix, with the number of the draw if many."""
    seed: int
    draw: int

    @property
    def results(self) -> tuple[Path, Path]:
        """Where the input and the target go."""
        return self.out / "input" / f"{self.name}.png", self.out / "target" / f"{self.name}.png"

    def rng(self) -> np.random.Generator:
        """A generator of its own, whatever other files there are and whoever does them."""
        digest = hashlib.sha256(self.source.name.encode()).digest()
        words = np.frombuffer(digest, dtype="<u4").tolist()
        return np.random.default_rng(
            np.random.SeedSequence(self.seed, spawn_key=(*words, self.draw))
        )


def do(task: Task) -> tuple[Line, str]:
    """Do one draw and write its pair: the line about it, or why there is none."""
    try:
        pair = degrade(_read(task.source), task.rng())
        for path, pixels in zip(task.results, (pair.input, pair.target), strict=True):
            _save(path, pixels)
    except (OSError, ValueError, SyntaxError, FfmpegError, Image.DecompressionBombError) as error:
        return {}, f"{type(error).__name__}: {error}"
    about = {"name": task.name, "source": task.source.name, "draw": task.draw}
    return {**about, "stages": pair.stages}, ""


def _read(path: Path) -> Pixels:
    """The picture as it is meant to be seen: turned as its EXIF says, in RGB."""
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I;16"):  # Pillow would cut such greys at 255
        levels = np.rint(np.asarray(upright) / 257).astype(np.uint8)
        return levels[..., None].repeat(3, axis=2)
    if upright.mode in ("I", "F"):
        raise ValueError("expected 8 or 16 bits, got 32; nothing says which of its values is white")
    return np.asarray(upright.convert("RGB"))


def _save(path: Path, pixels: Pixels) -> None:
    part = path.with_name(path.name + ".part")
    Image.fromarray(pixels).save(part, format="PNG")
    part.replace(path)
