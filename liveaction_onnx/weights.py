"""The weights of a shipped graph, for those that ship without theirs."""

from __future__ import annotations

from liveaction_onnx.protobuf import field, fields, graph_of, texts

NAMES = (".kernel", ".bias")
"""How their names end."""


def taken_from(graph: bytes) -> bytes:
    """The weights that a graph's file holds, as fields of its GraphProto."""
    return b"".join(
        field(5, tensor)  # GraphProto.initializer
        for tensor in graph_of(graph)[5]
        if isinstance(tensor, bytes) and texts(fields(tensor), 8)[0].endswith(NAMES)
    )


def put_into(nodes: bytes, weights: bytes) -> bytes:
    """The file of a graph without weights, with these.

    Where the field of a message comes twice, protocol buffers take both as one.
    """
    return nodes + field(7, weights)  # ModelProto.graph
