"""The halo and the size of the maps of a foreign graph, found by walking its nodes in the file
itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from liveaction_onnx.protobuf import (
    Message,
    WireError,
    floats,
    graph_of,
    initializers,
    integers,
    messages,
    sizes,
    texts,
)

_POINTWISE = frozenset(
    """
    Abs Add Cast Ceil Clip Div Dropout Elu Erf Exp Floor Gelu HardSigmoid HardSwish Identity
    LeakyRelu Log Max Min Mish Mul Neg PRelu Pow Relu Round Selu Sigmoid Softplus Softsign Sqrt Sub
    Sum Tanh
    """.split()  # noqa: SIM905
)
"""Operators of which each output pixel needs only the pixels at its own place."""

_RESIZE_RADIUS = {"nearest": 1, "linear": 1, "cubic": 2}
"""Px that a resize looks at on each side at most."""

_DEEPEST = 32

_HALF = 10
"""TensorProto.FLOAT16"""

_LAYOUT_CHANGES = ([0, 2, 3, 1], [0, 3, 1, 2])


class WalkError(WireError):
    """The graph has an operator whose reach is not known here."""


@dataclass(frozen=True)
class Reach:
    """How a tensor depends on the graph's input."""

    radius: Fraction = Fraction(0)
    """Input px on each side that one of its pixels needs; 0 for the input itself."""

    scale: Fraction = Fraction(1)
    """Its pixels per input pixel, along each axis."""

    channels_last: bool | None = None
    """Whether its last axis is colour; None for the input, until an operator tells."""

    channels: int = 3

    @property
    def numbers(self) -> Fraction:
        """How many it holds per input px."""
        return self.channels * self.scale**2


@dataclass(frozen=True)
class Walk:
    """What is found of a graph."""

    halo: int
    """Receptive radius in input px."""

    numbers: int
    """Per input px, in the maps that are there at once where they are most."""


@dataclass
class Node:
    """One operator of the graph."""

    op: str
    inputs: list[str]
    outputs: list[str]
    integers: dict[str, list[int]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    tensors: list[Message] = field(default_factory=list)


def _node(message: Message) -> Node:
    node = Node("".join(texts(message, 4)), texts(message, 1), texts(message, 2))
    for attribute in messages(message, 5):  # AttributeProto: name 1, i 3, s 4, t 5, ints 8
        if attribute.get(6) or attribute.get(11):
            raise WalkError(f"{node.op} has graphs of its own, which may see the picture")
        for name in texts(attribute, 1):
            node.integers[name] = integers(attribute.get(3, []) + attribute.get(8, []))
            node.texts[name] = "".join(texts(attribute, 4))
        node.tensors += messages(attribute, 5)
    return node


def external_locations(data: bytes) -> list[str]:
    """The paths at which the graph in `data` keeps weights outside its own file.

    Raises
    ------
    WireError
        Where it is no ONNX graph.
    """
    return [
        location
        for tensor in _tensors(graph_of(data))
        for entry in messages(tensor, 13)  # TensorProto.external_data: key 1, value 2
        if texts(entry, 1) == ["location"]
        for location in texts(entry, 2)
    ]


def kernels_are_half(data: bytes) -> bool:
    """Whether every kernel of the graph in `data`, a tensor with axes for height and width, is of
    floats of 16 bits; False where it has none.

    Raises
    ------
    WireError
        Where it is no ONNX graph.
    """
    kernels = [tensor for tensor in _tensors(graph_of(data)) if len(sizes(tensor)) > 2]
    types = {kind for tensor in kernels for kind in integers(tensor.get(2, []))}  # data_type
    return types == {_HALF}


def _tensors(graph: Message, depth: int = 0) -> Iterator[Message]:
    """Every tensor in a graph, those in branches and bodies too."""
    if depth > _DEEPEST:
        raise WalkError(f"graphs within graphs, more than {_DEEPEST} deep")
    yield from messages(graph, 5)  # GraphProto.initializer
    for sparse in messages(graph, 15):  # sparse_initializer: values 1, indices 2
        yield from (*messages(sparse, 1), *messages(sparse, 2))
    for node in messages(graph, 1):
        for attribute in messages(node, 5):  # t 5, tensors 10; g 6, graphs 11
            yield from (*messages(attribute, 5), *messages(attribute, 10))
            for inner in (*messages(attribute, 6), *messages(attribute, 11)):
                yield from _tensors(inner, depth + 1)


def walk(data: bytes) -> Walk:
    """Walk the ONNX graph in `data`.

    Raises
    ------
    WireError
        Where it is no ONNX graph; WalkError where it has an operator whose reach is not known here:
        a strided or transposed convolution, a reduction over the picture, control flow.
    """
    graph = graph_of(data)
    held = initializers(graph)
    listed = [name for value in messages(graph, 11) for name in texts(value, 1)]
    inputs = [name for name in listed if name not in held]
    known = dict.fromkeys(inputs, Reach())
    nodes = [_node(message) for message in messages(graph, 1)]
    for node in nodes:
        if node.op == "Constant":
            held.update(zip(node.outputs, node.tensors, strict=False))
        reaches = [known[name] for name in node.inputs if name in known]
        if reaches:
            known.update(dict.fromkeys(node.outputs, _through(node, reaches, held)))
    outputs = [name for value in messages(graph, 12) for name in texts(value, 1)]
    if len(outputs) != 1 or outputs[0] not in known:
        raise WalkError("the graph has not exactly one output that depends on its input")
    radius, numbers = known[outputs[0]].radius, _most_numbers(inputs, nodes, known)
    return Walk(math.ceil(radius), math.ceil(numbers))


def _most_numbers(
    inputs: Sequence[str], nodes: Sequence[Node], known: Mapping[str, Reach]
) -> Fraction:
    """Per input px, how many are in maps that are there at once: each until its last use."""
    last_use = {name: at for at, node in enumerate(nodes) for name in node.inputs}
    there, most = set(inputs), Fraction(0)
    for at, node in enumerate(nodes):
        there |= known.keys() & set(node.outputs)
        most = max(most, sum((known[name].numbers for name in there), Fraction(0)))
        there = {name for name in there if last_use.get(name, at) > at}
    return most


def _through(node: Node, reaches: list[Reach], held: dict[str, Message]) -> Reach:
    """How far the outputs of `node` reach, given how far its inputs do, and the graph's tensors."""
    if len({reach.scale for reach in reaches}) > 1:
        raise WalkError(f"{node.op} joins tensors of different size")
    radius, scale = max(reach.radius for reach in reaches), reaches[0].scale
    layouts = {reach.channels_last for reach in reaches} - {None}
    if len(layouts) > 1:
        raise WalkError(f"{node.op} joins tensors of different layout")
    last = next(iter(layouts), None)
    channels = max(reach.channels for reach in reaches)
    if node.op == "Transpose" and node.integers.get("perm") in _LAYOUT_CHANGES:
        return Reach(radius, scale, node.integers["perm"] == [0, 2, 3, 1], channels)
    if node.op in _POINTWISE:
        return Reach(radius, scale, last, channels)
    if last:
        raise WalkError(f"{node.op} where colour is the last axis")
    if node.op == "Conv":
        kernel = sizes(_tensor(node, 1, held))
        return Reach(radius + _convolution_radius(node, kernel) / scale, scale, False, kernel[0])
    if node.op in ("Resize", "Upsample"):
        farther = radius + _resize_radius(node) / scale
        return Reach(farther, scale * _enlargement(node, held), False, channels)
    block = (node.integers.get("blocksize") or [0])[0]
    if node.op == "DepthToSpace" and block > 0:
        return Reach(radius, scale * block, False, channels // block**2)
    if node.op == "Concat" and node.integers.get("axis") in ([1], [-3]):
        return Reach(radius, scale, False, sum(reach.channels for reach in reaches))
    raise WalkError(f"an operator whose reach is not known: {node.op}")


def _tensor(node: Node, at: int, held: dict[str, Message]) -> Message:
    """The tensor that is an input of `node`, by its number; {} where the file holds none."""
    return held.get(node.inputs[at], {}) if at < len(node.inputs) else {}


def _convolution_radius(node: Node, kernel: list[int]) -> Fraction:
    """The longest side of a convolution that keeps the size of its picture, in its own px."""
    if len(kernel) != 4:
        raise WalkError(
            "a convolution whose kernel is not in the file, or is not of two dimensions"
        )
    if any(step != 1 for step in node.integers.get("strides", [])):
        raise WalkError("a convolution with strides")
    steps = node.integers.get("dilations") or [1, 1]
    top, left, bottom, right = node.integers.get("pads") or [0] * 4
    spans = [(size - 1) * step for size, step in zip(kernel[2:], steps, strict=True)]
    if [top + bottom, left + right] != spans:
        raise WalkError("a convolution that changes the size of its picture")
    return Fraction(max(top, left, bottom, right))


def _resize_radius(node: Node) -> int:
    """The px of its input on each side that a px of an enlarged picture needs."""
    place = node.texts.get("coordinate_transformation_mode", "half_pixel")
    if place not in ("asymmetric", "half_pixel", "pytorch_half_pixel"):
        raise WalkError(f"a resize of which the size of the picture shifts the px: {place}")
    mode = node.texts.get("mode", "nearest")
    if mode == "nearest" and place == "asymmetric" and node.texts.get("nearest_mode") == "floor":
        return 0
    if mode not in _RESIZE_RADIUS:
        raise WalkError(f"a resize by an unknown mode: {mode}")
    return _RESIZE_RADIUS[mode]


def _enlargement(node: Node, held: dict[str, Message]) -> int:
    """The whole number by which a resize multiplies both sides of a picture."""
    at = 2 if node.op == "Resize" and len(node.inputs) > 2 else 1  # after "roi" since opset 11
    factors = floats(_tensor(node, at, held))
    if "axes" in node.integers or len(factors) != 4 or factors[:2] != [1, 1]:
        raise WalkError("a resize by factors that are not in the file, or not of height and width")
    if factors[2] != factors[3] or factors[2] < 1 or not factors[2].is_integer():
        raise WalkError(f"a resize by {factors[2]} x {factors[3]}: no whole number")
    return int(factors[2])
