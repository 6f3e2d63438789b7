"""The network between a picture's px and the places of the enlarged ones, as nodes."""

from __future__ import annotations

import numpy as np

from model.nodes import Net
from model.span import BLOCKS, SCALE, Convolution, SpanWeights


def trunk(net: Net, weights: SpanWeights, x: str) -> str:
    """The network from (n, 3, h, w), mean taken off, in [-1, 1], to 12 channels of that size: row
    and column within a px of the input, then colour.

    Convolutions with nothing between them are one. The first is so with each of the three that take
    it: that of the first block becomes one of 5x5 over three colours instead of 3x3 over 48 maps, a
    twentieth less to compute in all; beyond the edge of the picture it sees zeros, where the two
    see zeros twice, which is felt as far as the zeros are.

    The 1x1 convolution over the concatenation of four feature maps is written as a sum of four,
    each taken as soon as its map exists: the same numbers, but the maps need not live on beside
    their concatenation, which nearly halves the memory of a run.
    """
    first, *inner, body, merge, last = weights.convolutions
    nothing = np.zeros_like(merge.bias)
    to_first, to_body, to_end, to_once = (
        Convolution(part, nothing) for part in np.split(merge.kernel, 4, axis=1)
    )
    early = joined(first, Convolution(to_first.kernel, merge.bias))
    merged = net.convolve(x, "merge0", early)
    half = np.float32(0.5)
    for block in range(BLOCKS):
        once, twice, third = inner[3 * block : 3 * block + 3]
        once = once if block else joined(first, once)
        a = net.silu(net.convolve(x, f"block{block}.0", once))
        b = net.silu(net.convolve(a, f"block{block}.1", twice))
        c = net.convolve(b, f"block{block}.2", Convolution(third.kernel * half, third.bias * half))
        # (c + x/2) * tanh(c) is what SPAN writes as (2c + x) * (sigmoid(2c) - 1/2): near 0, where
        # most of it lies, that difference loses the digits that half precision has
        gate = net.node("Tanh", c)
        if block == 0:
            halved = Convolution(first.kernel * half, first.bias * half)
            x = net.node("Mul", net.convolve(x, "first", halved, plus=c), gate)
            merged = net.convolve(x, "merge2", to_end, plus=merged)
        else:
            x = net.node("Mul", net.plus_half(c, x), gate)
    merged = net.convolve(a, "merge3", to_once, plus=merged)
    order = np.arange(3 * SCALE**2).reshape(3, SCALE, SCALE).transpose(1, 2, 0).ravel()
    by_place = Convolution(last.kernel[order], last.bias[order])
    return net.convolve(
        net.convolve(x, "merge1", joined(body, to_body), plus=merged), "last", by_place
    )


def joined(first: Convolution, second: Convolution) -> Convolution:
    """Two convolutions as one: their kernels' sides k and l become k + l - 1.

    Summed one by one, so that every machine gets the same bits.
    """
    outs, _, side, _ = second.kernel.shape
    ins, each = first.kernel.shape[1:3]
    kernel = np.zeros((outs, ins, *[each + side - 1] * 2))
    bias = second.bias.astype(np.float64)
    for between, y, x in np.ndindex(second.kernel.shape[1:]):
        weight = second.kernel[:, between, y, x].astype(np.float64)
        kernel[:, :, y : y + each, x : x + each] += (
            weight[:, None, None, None] * first.kernel[between]
        )
        bias += weight * first.bias[between]
    return Convolution(kernel.astype(np.float32), bias.astype(np.float32))
