"""Weights between two: `python -m model.blend ONE.npz OTHER.npz --share 0.5 --out BLEND.npz`.

Two stops of one training, or two trainings from one start, differ little enough that all between
them works too: what one has learnt can be had in part, with no step trained.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from model.span import Array, Convolution, SpanWeights, read_weights, write_npz


def blended(one: SpanWeights, other: SpanWeights, share: float) -> SpanWeights:
    """Give each weight of `one`, moved by `share` of the way to that of `other`."""

    def between(a: Array, b: Array) -> Array:
        return ((1 - share) * a.astype(np.float64) + share * b).astype(np.float32)

    layers = zip(one.convolutions, other.convolutions, strict=True)
    return SpanWeights(
        between(one.mean, other.mean),
        tuple(Convolution(between(a.kernel, b.kernel), between(a.bias, b.bias)) for a, b in layers),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Blend what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("one", type=Path, metavar="ONE.npz")
    parser.add_argument("other", type=Path, metavar="OTHER.npz")
    parser.add_argument("--share", type=float, default=0.5, help="of OTHER (default: %(default)s)")
    parser.add_argument("--out", type=Path, required=True, help=".npz to write")
    options = parser.parse_args(arguments)
    weights = blended(read_weights(options.one), read_weights(options.other), options.share)
    write_npz(options.out, weights)


if __name__ == "__main__":
    main()
