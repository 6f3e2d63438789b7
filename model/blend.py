"""Means of weights: `python -m model.blend --out BLEND.npz ONE.npz=0.7 OTHER.npz=0.3`.

Stops of a training, trainings from one start, and that start differ little enough that all between
them works too. Drawn back a part of the way to its start, a training from few photographs keeps
what it has learnt of damage, and gets back what its start knew of pictures (Wortsman and others,
"Robust fine-tuning of zero-shot models", 2021, arXiv 2109.01903).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from model.span import Array, Convolution, SpanWeights, read_weights, write_npz


def blended(parts: Sequence[tuple[SpanWeights, float]]) -> SpanWeights:
    """Give the mean of weights, each by its share; the shares need not sum to 1."""
    total = sum(share for _, share in parts)

    def mean(arrays: Sequence[Array]) -> Array:
        sums = np.zeros(arrays[0].shape)
        for array, (_, share) in zip(arrays, parts, strict=True):
            sums += share / total * array.astype(np.float64)
        return sums.astype(np.float32)

    every = [weights for weights, _ in parts]
    layers = zip(*(weights.convolutions for weights in every), strict=True)
    return SpanWeights(
        mean([weights.mean for weights in every]),
        tuple(
            Convolution(mean([one.kernel for one in layer]), mean([one.bias for one in layer]))
            for layer in layers
        ),
    )


def part(text: str) -> tuple[Path, float]:
    """What a word of the command line names: a file and its share."""
    file, _, share = text.rpartition("=")
    if not file:
        raise argparse.ArgumentTypeError(f"expected FILE=SHARE, got {text!r}")
    value = float(share)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"expected a share above 0, got {share}")
    return Path(file), value


def main(arguments: Sequence[str] | None = None) -> None:
    """Blend what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "parts",
        type=part,
        nargs="+",
        metavar="FILE=SHARE",
        help="a .npz or ncnn .bin, and a number",
    )
    parser.add_argument("--out", type=Path, required=True, help=".npz to write")
    options = parser.parse_args(arguments)
    write_npz(options.out, blended([(read_weights(file), share) for file, share in options.parts]))


if __name__ == "__main__":
    main()
