"""The graph as ONNX Runtime's kernels for the CPU like it, without its weights.

These kernels keep maps with 8 or 16 channels interleaved (com.microsoft.nchwc). ONNX Runtime
rewrites a graph that way itself when it opens one, but goes back to the usual order for operators
that it does not know there, for SPAN some twenty times a run. Here every map stays interleaved from
the first convolution to the last. How many channels are interleaved depends on the processor, so
the package puts the weights in when it knows (`liveaction_onnx.blocked`), from the graph that they
lie in already.
"""

from __future__ import annotations

import numpy as np
import onnx

from model.build import RIM, Form, clipped, finish, head, in_levels
from model.nodes import OPSET, Bare, Net
from model.span import CHANNELS, SCALE, Convolution, SpanWeights
from model.trunk import trunk

DOMAIN, FUSED = "com.microsoft.nchwc", "com.microsoft"
PLANES = 3 * SCALE**2


class Blocked(Bare):
    """Nodes for interleaved maps."""

    opsets = (("", OPSET), (DOMAIN, 1), (FUSED, 1))

    def convolve(
        self, x: str, name: str, convolution: Convolution, *, plus: str | None = None
    ) -> str:
        size = convolution.kernel.shape[2]
        inputs = [x, f"{name}.kernel", f"{name}.bias" if convolution.bias.any() else ""]
        inputs += [] if plus is None else [plus]
        settings = {"kernel_shape": [size, size], "pads": [size // 2] * 4}
        return self.node("Conv", *inputs, domain=DOMAIN, **settings)

    def silu(self, x: str) -> str:
        return self.node("QuickGelu", x, domain=FUSED, alpha=1.0)

    def plus_half(self, c: str, x: str) -> str:
        """As a convolution of each channel by itself: one pass over the maps."""
        halves = self.constant("halves", np.full((CHANNELS, 1, 1, 1), 0.5, np.float32))
        settings = {"kernel_shape": [1, 1], "group": CHANNELS}
        return self.node("Conv", x, halves, "", c, domain=DOMAIN, **settings)


def blocked(weights: SpanWeights, form: Form, weights_sha256: str) -> onnx.ModelProto:
    """The graph of one form in fp32, with its facts; it runs once the weights are put in."""
    net = Blocked("fp32")
    y = trunk(net, weights, head(net, form, weights))
    last = form.layout == "NHWC"
    y = net.node("ReorderOutput", y, domain=DOMAIN, channels=PLANES, channels_last=int(last))
    if form.dtype == "uint8":
        level = net.scalar("level_to_unit", 1 / form.levels)
        y = net.node("QuantizeLinear", y, level, net.constant("black", np.array(0, np.uint8)))
    else:
        y = clipped(net, y)
    if form.dtype == "uint16":
        y = in_levels(net, form, y)
    if last:
        _shuffled(net, y)
    else:
        net.node("DepthToSpace", y, blocksize=SCALE, mode="DCR")
    return finish(net, form, weights_sha256, RIM)


def _shuffled(net: Net, y: str) -> None:
    """(n, h, w, 12) to (n, 2h, 2w, 3): six of each px go to its upper row, six to its lower one."""
    net.nodes.append(onnx.helper.make_node("Split", [y], ["upper", "lower"], axis=3))
    rows = net.node("Concat", "upper", "lower", axis=2)
    twice = net.constant("twice", np.array([1, SCALE, SCALE, 1], np.int64))
    net.node("Reshape", rows, net.node("Mul", net.node("Shape", "input"), twice))
