"""Nodes of a graph under construction."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import DTypeLike, NDArray
from onnx import helper, numpy_helper

from model.span import Convolution

OPSET = 17  # DirectML takes up to 20


class Net:
    """The nodes of a graph under construction; each method adds one and returns the name of its
    output.
    """

    opsets: tuple[tuple[str, int], ...] = (("", OPSET),)

    def __init__(self, precision: str) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}
        self.kernel_type = np.dtype(np.float16 if precision == "fp16" else np.float32)

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        self.constants.setdefault(name, numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, op: str, *inputs: str, **attributes: Any) -> str:
        output = f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [output], **attributes))
        return output

    def convolve(
        self, x: str, name: str, convolution: Convolution, *, plus: str | None = None
    ) -> str:
        """A convolution that keeps the size, with `plus` added to it."""
        size = convolution.kernel.shape[2]
        inputs = [x, self.weight(f"{name}.kernel", convolution.kernel)]
        if convolution.bias.any():
            inputs.append(self.weight(f"{name}.bias", convolution.bias))
        made = self.node("Conv", *inputs, kernel_shape=[size, size], pads=[size // 2] * 4)
        return made if plus is None else self.node("Add", made, plus)

    def weight(self, name: str, value: NDArray[Any]) -> str:
        return self.constant(name, value.astype(self.kernel_type))

    def silu(self, x: str) -> str:
        return self.node("Mul", x, self.node("Sigmoid", x))

    def plus_half(self, c: str, x: str) -> str:
        """The sum c + x/2."""
        return self.node("Add", c, self.node("Mul", x, self.scalar("half", 0.5, self.kernel_type)))

    def scalar(self, name: str, value: float, dtype: DTypeLike = np.float32) -> str:
        return self.constant(name, np.array(value, dtype))


class Bare(Net):
    """Nodes whose weights are names only."""

    def weight(self, name: str, value: NDArray[Any]) -> str:
        return name
