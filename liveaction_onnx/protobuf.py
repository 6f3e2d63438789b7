"""The protocol buffers that ONNX files are, read and written by the numbers of their fields.

The few fields that we need are those of the public `onnx.proto`, so that the `onnx` package is not
needed at run time.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

Message = dict[int, list[int | bytes]]


class WireError(ValueError):
    """The bytes are no ONNX file."""


def fields(data: bytes) -> Message:
    """The fields of one protocol-buffer message by number; sub-messages are left as bytes.

    >>> fields(bytes([0x08, 0x96, 0x01]))
    {1: [150]}
    """
    found: Message = {}
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        number, kind = key >> 3, key & 7
        value: int | bytes
        if kind == 0:
            value, position = _varint(data, position)
        else:
            size = {1: 8, 5: 4}.get(kind)
            if kind == 2:
                size, position = _varint(data, position)
            if size is None or number == 0 or position + size > len(data):
                raise WireError("not an ONNX file")
            value, position = data[position : position + size], position + size
        found.setdefault(number, []).append(value)
    return found


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if position >= len(data):
            raise WireError("not an ONNX file: it ends in the middle of a number")
        byte = data[position]
        value |= (byte & 127) << shift
        position, shift = position + 1, shift + 7
        if byte < 128:
            return value, position
        if shift > 63:
            raise WireError("not an ONNX file")


def integers(values: list[int | bytes]) -> list[int]:
    """Repeated integers, packed or not; two's complement of 64 bits."""
    found: list[int] = []
    for value in values:
        if isinstance(value, int):
            found.append(value)
            continue
        position = 0
        while position < len(value):
            number, position = _varint(value, position)
            found.append(number)
    return [n - (1 << 64) if n >> 63 else n for n in found]


def messages(message: Message, number: int) -> Iterator[Message]:
    """The messages in a field, which may repeat."""
    return (fields(value) for value in message.get(number, []) if isinstance(value, bytes))


def texts(message: Message, number: int) -> list[str]:
    """The texts in a field, which may repeat."""
    return [
        value.decode("utf-8", "replace")
        for value in message.get(number, [])
        if isinstance(value, bytes)
    ]


def graph_of(data: bytes) -> Message:
    """The graph in a file's bytes.

    Raises
    ------
    WireError
        Where there is none.
    """
    graphs = [part for part in fields(data).get(7, []) if isinstance(part, bytes)]
    if not graphs:  # ModelProto.graph
        raise WireError("not an ONNX file: it holds no graph")
    return fields(b"".join(graphs))  # where a message comes in parts, these follow each other


def initializers(graph: Message) -> dict[str, Message]:
    """The tensors that a graph holds, by their names."""
    return {name: tensor for tensor in messages(graph, 5) for name in texts(tensor, 8)}


def sizes(tensor: Message) -> list[int]:
    """The shape of a tensor."""
    return integers(tensor.get(1, []))  # TensorProto.dims


def floats(tensor: Message) -> list[float]:
    """The numbers of a tensor of floats; none where it is of another type, or in another file."""
    if integers(tensor.get(2, [])) != [1]:  # TensorProto.data_type; float_data 4, raw_data 9
        return []
    parts = tensor.get(4, []) + tensor.get(9, [])
    data = b"".join(part for part in parts if isinstance(part, bytes))
    return list(struct.unpack_from(f"<{len(data) // 4}f", data))


def field(number: int, value: int | bytes) -> bytes:
    """One field of a message, as `fields` reads it.

    >>> field(1, 150).hex(), field(2, b"ab").hex()
    ('089601', '12026162')
    """
    if isinstance(value, int):
        return _as_varint(number << 3) + _as_varint(value)
    return _as_varint(number << 3 | 2) + _as_varint(len(value)) + value


def _as_varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])
