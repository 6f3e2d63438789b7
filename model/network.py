"""SPAN 2x as a trainable network: plain convolutions, the same numbers as the shipped graph."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from model.span import BLOCKS, SCALE, Convolution, SpanWeights, kernel_shapes


class Span(nn.Module):
    """SPAN 2x with 48 channels: (n, 3, h, w) RGB in [0, 1] -> (n, 3, 2h, 2w), not clipped.

    Wan et al., "Swift Parameter-free Attention Network for Efficient Super-Resolution",
    arXiv 2311.12770, in its re-parameterised form: one 3x3 convolution where the paper trains
    several that add up to one. What lies beyond the edge is as in the graphs that ship, which join
    the first two convolutions: zero colour, less the mean, that goes through both.
    """

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv2d(inputs, outputs, size, padding=size // 2)
            for outputs, inputs, size, _ in kernel_shapes()
        )
        self.register_buffer("mean", torch.zeros(1, 3, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        first, *body, merge, last = self.convolutions
        wide = functional.conv2d(image - self.mean, *_parameters(first), padding=2)
        start = x = wide[..., 1:-1, 1:-1]
        kept = []
        for block in range(BLOCKS):
            one, two, three = body[3 * block : 3 * block + 3]
            once = one(x) if block else functional.conv2d(wide, *_parameters(one))
            a = functional.silu(once)
            c = three(functional.silu(two(a)))
            x = (c + x) * (torch.sigmoid(c) - 0.5)
            if block == 0:
                kept.append(x)
        kept.append(a)
        merged = merge(torch.cat([start, body[-1](x), *kept], dim=1))
        # In full precision: bf16 has 8 bits of mantissa, half a level of 255 in the brighter half.
        with torch.autocast(image.device.type, enabled=False):
            return functional.pixel_shuffle(last(merged.float()), SCALE)


def _parameters(layer: nn.Module) -> tuple[Tensor, Tensor]:
    return layer.get_parameter("weight"), layer.get_parameter("bias")


def from_weights(weights: SpanWeights) -> Span:
    """A network that starts from `weights`."""
    network = Span()
    with torch.no_grad():
        network.mean.copy_(torch.from_numpy(weights.mean).view(1, 3, 1, 1))
        for layer, convolution in zip(network.convolutions, weights.convolutions, strict=True):
            kernel, bias = _parameters(layer)
            kernel.copy_(torch.from_numpy(convolution.kernel))
            bias.copy_(torch.from_numpy(convolution.bias))
    return network


def to_weights(state: dict[str, Tensor]) -> SpanWeights:
    """What a `Span.state_dict()`, or an average of several, holds, as arrays."""

    def array(name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return np.ascontiguousarray(state[name].detach().float().cpu().numpy())

    layers = range(len(kernel_shapes()))
    return SpanWeights(
        array("mean").reshape(3),
        tuple(
            Convolution(array(f"convolutions.{k}.weight"), array(f"convolutions.{k}.bias"))
            for k in layers
        ),
    )
