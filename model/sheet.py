"""A contact sheet for eyes: `python -m model.sheet --valid DIR --out SHEET.png`.

A row per crop of a validation picture; across it the input as it is, bicubic, each graph, and the
target. `--reference` adds the reference graph: such a sheet is for looking at, not for publishing.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from model import rivals
from model.evaluate import named
from model.metrics import Picture, fine, luma
from model.packed import read_set
from model.rivals import Rival
from model.scores import Pair, sets

CELL_PX = 256
"""About how large a crop is shown: whole multiples of its px in the target."""

LABEL_PX = 18
SHOWN = ("codec", "text", "deinterlacing", "sharpening", "grain")
PICK = re.compile(r"(?P<name>[^:@]+)(:(?P<draw>\d+))?(@(?P<x>\d+),(?P<y>\d+))?")


@dataclass(frozen=True)
class Crop:
    """A square of an input, its side and its top left corner in px of the input."""

    pair: Pair
    x: int
    y: int
    side: int

    def of(self, picture: Picture) -> Picture:
        """Cut the same square out of the input, or out of a picture of twice its size."""
        factor = picture.shape[0] // self.pair.input.shape[0]
        top, left, side = (factor * value for value in (self.y, self.x, self.side))
        return picture[top : top + side, left : left + side]

    @property
    def shown_px(self) -> int:
        """Side at which it is drawn."""
        return 2 * self.side * max(1, CELL_PX // (2 * self.side))

    @property
    def label(self) -> str:
        stages = self.pair.stages
        drawn = [f"{key} {stages[key]}" for key in SHOWN if stages.get(key, "none") != "none"]
        where = f"{self.pair.name}:{self.pair.draw}@{self.x},{self.y}"
        return ", ".join([where, *drawn])


def crop_at(pair: Pair, side: int, at: tuple[int, int] | None = None) -> Crop:
    """Give the crop at (x, y), moved to lie within the input, or where the target is busiest."""
    height, width = pair.input.shape[:2]
    side = min(side, height, width)
    x, y = _busiest(pair.target, 2 * side) if at is None else at
    return Crop(pair, min(x, width - side), min(y, height - side), side)


def _busiest(target: Picture, side: int) -> tuple[int, int]:
    """Where the square of this side starts that has the most fine detail, in px of the input."""
    energy = ndimage.uniform_filter(fine(luma(target)) ** 2, side, mode="constant")
    row, column = np.unravel_index(int(energy.argmax()), energy.shape)
    return max(0, int(column) - side // 2) // 2, max(0, int(row) - side // 2) // 2


def chosen(pairs: Sequence[Pair], pick: str, side: int) -> Crop:
    """Find the crop that NAME, NAME:DRAW, NAME@X,Y or NAME:DRAW@X,Y names.

    Raises ValueError where it names none.
    """
    parts = PICK.fullmatch(pick)
    if parts is None:
        raise ValueError(f"expected NAME[:DRAW][@X,Y], got {pick!r}")
    draw = int(parts["draw"] or 0)
    for pair in pairs:
        if (pair.name, pair.draw) == (parts["name"], draw):
            at = None if parts["x"] is None else (int(parts["x"]), int(parts["y"]))
            return crop_at(pair, side, at)
    names = ", ".join(sorted({pair.name for pair in pairs}))
    raise ValueError(f"no draw {draw} of {parts['name']!r}; pictures: {names}")


def varied(pairs: Sequence[Pair], count: int, side: int) -> list[Crop]:
    """Give crops of as many pictures, each time one whose codec and text were shown least."""
    left, found, seen = list(pairs), list[Crop](), dict[str, int]()
    while left and len(found) < count:
        best = min(left, key=lambda pair: sum(seen.get(key, 0) for key in _kinds(pair)))
        for key in _kinds(best):
            seen[key] = seen.get(key, 0) + 1
        found.append(crop_at(best, side))
        left = [pair for pair in left if pair.name != best.name]
    return found


def _kinds(pair: Pair) -> list[str]:
    return [f"{key} {pair.stages.get(key)}" for key in ("codec", "text")]


def sheet(crops: Iterable[Crop], upscalers: Sequence[Rival]) -> Image.Image:
    """Draw the crops, one a row: input, bicubic, the upscalers, target."""
    rows: list[tuple[Crop, list[Picture]]] = []
    with ExitStack() as stack:
        opened = [stack.enter_context(rival.open()) for rival in upscalers]
        for crop in crops:
            big = [upscale(crop.pair.input) for upscale in (rivals.bicubic, *opened)]
            pictures = [crop.pair.input, *big, crop.pair.target]
            rows.append((crop, [crop.of(picture) for picture in pictures]))
    names = ["input", "bicubic", *(rival.name for rival in upscalers), "target"]
    cell = max(crop.shown_px for crop, _ in rows)
    height = LABEL_PX + sum(LABEL_PX + crop.shown_px for crop, _ in rows)
    image = Image.new("RGB", (len(names) * cell, height), "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(12)
    for column, name in enumerate(names):
        draw.text((column * cell + 4, 2), name, fill="black", font=font)
    top = LABEL_PX
    for crop, cells in rows:
        draw.text((4, top + 2), crop.label, fill="black", font=font)
        size = (crop.shown_px, crop.shown_px)
        for column, picture in enumerate(cells):
            shown = Image.fromarray(picture).resize(size, Image.Resampling.NEAREST)
            image.paste(shown, (column * cell, top + LABEL_PX))
        top += LABEL_PX + crop.shown_px
    return image


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--valid", type=Path, required=True, help="folder of the packed set")
    parser.add_argument("--out", type=Path, required=True, help=".png or .jpg to write")
    parser.add_argument("--graph", type=named, action="append", metavar="NAME=PATH")
    parser.add_argument("--reference", type=Path, help="the reference graph, as a column")
    parser.add_argument("--crop", action="append", metavar="NAME[:DRAW][@X,Y]", help="a row")
    parser.add_argument("--rows", type=int, default=6, help="rows where no --crop names them")
    parser.add_argument("--side", type=int, default=64, help="side of a crop, px of the input")
    options = parser.parse_args(arguments)
    pairs = sets(read_set(options.valid)).pairs
    if options.crop:
        crops = [chosen(pairs, pick, options.side) for pick in options.crop]
    else:
        crops = varied(pairs, options.rows, options.side)
    upscalers = rivals.graphs(options.graph, options.reference)
    image = sheet(crops, upscalers)
    image.save(options.out, quality=92)
    print(f"{options.out}: {image.width} x {image.height} px")
    for crop in crops:
        print(crop.label)


if __name__ == "__main__":
    main()
