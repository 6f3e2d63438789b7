"""The shipped model for ONNX Runtime's CPU kernels, its weights interleaved as this processor's
want them (`model/blocked.py` says why).
"""

from __future__ import annotations

import platform
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liveaction_onnx import catalog, weights
from liveaction_onnx.catalog import Graph
from liveaction_onnx.protobuf import Message, field, graph_of, initializers, sizes

BLOCKS = (16, 8)
"""How many channels are interleaved: 16 where a processor has AVX-512, 8 on others."""

_PROCESSORS = frozenset({"x86_64", "amd64"})
_FLOAT = 1  # TensorProto.DataType


def for_this_processor() -> bool:
    """Whether ONNX Runtime has such kernels for a processor like this one in all its builds."""
    return platform.machine().lower() in _PROCESSORS


def blocked_graph(plain: Graph, block: int) -> Graph:
    """An fp32 form of the shipped model with its channels interleaved by `block`.

    Where that is not what the processor's kernels want, results are wrong, and the golden patch
    tells.
    """
    assert plain.form is not None  # it is a shipped one
    nodes = catalog.cpu_graph(plain.form[0])
    blocks = b"".join(
        field(5, _tensor(name, interleaved(_array(tensor), block)))  # GraphProto.initializer
        for name, tensor in initializers(graph_of(plain.data)).items()
        if name.endswith(weights.NAMES)
    )
    return replace(nodes, data=weights.put_into(nodes.data, blocks))


def interleaved(weight: NDArray[np.float32], block: int) -> NDArray[np.float32]:
    """A kernel (out, in, k, k) or bias (out,), filled up with zeros to a whole number of blocks.

    Kernels go into the order out / block, in / block, k, k, in % block, out % block, and into out /
    block, in, k, k, out % block where there are fewer than `block` channels in, as in a picture.
    """
    missing = -len(weight) % max(BLOCKS)
    padding = [(0, missing)] + [(0, 0)] * (weight.ndim - 1)
    weight = np.pad(weight, padding)
    if weight.ndim == 1:
        return weight
    outs, ins, *size = weight.shape
    if ins % block:
        order = weight.reshape(outs // block, block, ins, *size).transpose(0, 2, 3, 4, 1)
    else:
        cut = weight.reshape(outs // block, block, ins // block, block, *size)
        order = cut.transpose(0, 2, 4, 5, 3, 1)
    return np.ascontiguousarray(order).reshape(outs, ins, *size)


def _array(tensor: Message) -> NDArray[np.float32]:
    (raw,) = tensor[9]  # TensorProto.raw_data
    assert isinstance(raw, bytes)
    return np.frombuffer(raw, "<f4").reshape(sizes(tensor))


def _tensor(name: str, value: NDArray[Any]) -> bytes:
    """A TensorProto."""
    shape = b"".join(field(1, size) for size in value.shape)
    return shape + field(2, _FLOAT) + field(8, name.encode()) + field(9, value.tobytes())
