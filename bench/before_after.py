"""Make the README's picture: `python -m bench.before_after`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

import liveaction_onnx as la

FOLDER = Path(__file__).parent / "pictures"
DETAIL = (190, 70, 410, 205)  # left, top, right, bottom in px of the input
ENLARGED = 4


def main() -> None:
    """Write `before_after.png`."""
    source = Image.open(FOLDER / "otters.jpg")
    after = Image.fromarray(la.Upscaler(device="cpu")(np.asarray(source)))
    left, top, right, bottom = DETAIL
    size = ((right - left) * ENLARGED, (bottom - top) * ENLARGED)
    pair = Image.new("RGB", (2 * size[0] + 8, size[1]), "white")
    pair.paste(source.crop(DETAIL).resize(size, Image.Resampling.NEAREST), (0, 0))
    doubled = after.crop((2 * left, 2 * top, 2 * right, 2 * bottom))
    pair.paste(doubled.resize(size, Image.Resampling.NEAREST), (size[0] + 8, 0))
    pair = pair.quantize(256, dither=Image.Dither.NONE)
    pair.save(FOLDER / "before_after.png", optimize=True)
    print(FOLDER / "before_after.png")


if __name__ == "__main__":
    main()
