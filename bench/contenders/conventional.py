"""The network as it is usually exported: what rivals run, with the weights that we ship.

Written apart from `model.build`, whose graphs compute the same in ways of their own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from model.span import BLOCKS, SCALE, Convolution, SpanWeights

OPSET, IR_VERSION = 17, 8

ELEMENTS = {"fp32": TensorProto.FLOAT, "fp16": TensorProto.FLOAT16}


class Net:
    """Nodes under construction; each method adds some and returns the name of the last's output."""

    def __init__(self, precision: str) -> None:
        self.dtype = np.float16 if precision == "fp16" else np.float32
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def node(self, op: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        output = output or f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [output], **attributes))
        return output

    def constant(self, value: NDArray[np.float32]) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(value.astype(self.dtype), name))
        return name

    def convolve(self, x: str, convolution: Convolution) -> str:
        size = convolution.kernel.shape[2]
        kernel, bias = self.constant(convolution.kernel), self.constant(convolution.bias)
        return self.node("Conv", x, kernel, bias, kernel_shape=[size, size], pads=[size // 2] * 4)

    def silu(self, x: str) -> str:
        return self.node("Mul", x, self.node("Sigmoid", x))


def trunk(net: Net, weights: SpanWeights, x: str) -> None:
    """The network from (1, 3, h, w) in [0, 1] to (1, 3, 2h, 2w), not clipped, as PyTorch runs it.

    Convolutions one after another, the attention as sigmoid less a half, and one 1x1 convolution
    over the concatenation of four feature maps.
    """
    mean = net.constant(weights.mean.reshape(1, 3, 1, 1))
    half = net.constant(np.array(0.5, np.float32))
    first, *inner, body, merge, last = weights.convolutions
    x = start = net.convolve(net.node("Sub", x, mean), first)
    kept = []
    for block in range(BLOCKS):
        one, two, three = inner[3 * block : 3 * block + 3]
        a = net.silu(net.convolve(x, one))
        c = net.convolve(net.silu(net.convolve(a, two)), three)
        attention = net.node("Sub", net.node("Sigmoid", c), half)
        x = net.node("Mul", net.node("Add", c, x), attention)
        if block == 0:
            kept.append(x)
    kept.append(a)
    maps = net.node("Concat", start, net.convolve(x, body), *kept, axis=1)
    x = net.convolve(net.convolve(maps, merge), last)
    net.node("DepthToSpace", x, output="output", blocksize=SCALE, mode="CRD")


def conventional(weights: SpanWeights, precision: str = "fp32") -> bytes:
    """The graph: NCHW in [0, 1], any height and width; "fp16" takes and gives float16."""
    net = Net(precision)
    trunk(net, weights, "input")
    ends = [
        helper.make_tensor_value_info(name, ELEMENTS[precision], [1, 3, *sides])
        for name, sides in (("input", ("height", "width")), ("output", ("height_2x", "width_2x")))
    ]
    graph = helper.make_graph(net.nodes, "span", ends[:1], ends[1:], net.constants)
    opset = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    data: bytes = model.SerializeToString(deterministic=True)
    return data
