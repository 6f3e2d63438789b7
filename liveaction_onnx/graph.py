"""What a graph says about itself: its facts, read from its metadata or found from its inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from liveaction_onnx.errors import GraphError

if TYPE_CHECKING:
    from liveaction_onnx.receptive import Walk

Layout = Literal["NCHW", "NHWC"]
Run = Callable[[NDArray[Any]], NDArray[Any]]

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(uint8)": "uint8",
    "tensor(uint16)": "uint16",
}
_WORKSPACE_BYTES_PER_PX = 8192
"""Of a graph that neither states it nor can be walked: as much as one of windows of 180 channels,
4x, took."""

_FARTHEST_PX = 64
"""The greatest reach that tiles are given context for where it is the walk that found it. Tiles of
a graph that reaches farther, as ESRGAN does by 350 px, would be context for the most part, of which
the farther half changes hardly anything: they are blended as if it were not known."""

_BYTES_PER_NUMBER = 8
"""Of what the walk of a graph counts: ONNX Runtime took 4 to 8 bytes for five networks measured,
since it keeps maps twice while it interleaves their channels."""

_PROBE_PX = 32


@dataclass(frozen=True)
class GraphFacts:
    """What is true of a graph."""

    name: str
    """Its name; "" where it states none."""

    version: str
    """The version of its weights; "" where it states none."""

    scale: int
    """Output px per input px along each axis."""

    halo: int | None
    """Receptive radius in input px; None where it is not known, and then overlaps are blended."""

    rim: int | None
    """Px that it wants mirrored in beyond the rim of a picture; None where it states none."""

    layout: Layout
    """Order of the axes of its input and output."""

    dtype: str
    """Of its input and output: "float32" or "float16" in [0, 1], "uint8" or "uint16"."""

    precision: str
    """What its convolutions compute in: "fp32", "fp16", or "" where it is not known."""

    workspace_bytes_per_px: int
    """Memory in bytes that a run takes per input px."""

    licence: str
    """SPDX name of the licence of its weights; "" where it states none."""

    source: str
    """Where its weights come from; "" where it does not say."""

    input_name: str
    output_name: str

    fixed_px: tuple[int, int] | None
    """(height, width) of the one input that it takes; None where it takes any."""

    free_dimensions: tuple[str, str, str]
    """Names of the free dimensions batch, height and width of its input; "" for a fixed one."""

    multiple: int = 1
    """Px of which the sides of its input have to be multiples."""

    @property
    def channels_first(self) -> bool:
        """Whether colour is the second axis, not the last."""
        return self.layout == "NCHW"

    def input_shape(self, height: int, width: int) -> tuple[int, int, int, int]:
        """The shape of one input of `height` x `width` px."""
        return (1, 3, height, width) if self.channels_first else (1, height, width, 3)


def read_facts(session: Any, run: Run, data: bytes | None, halo: int | None) -> GraphFacts:
    """The facts of an open ONNX Runtime session.

    Parameters
    ----------
    session
        An `onnxruntime.InferenceSession`.
    run
        Runs one input array through it; used as a probe where the scale is not stated.
    data
        The bytes of the graph, walked for what it does not state; None where they are not at hand.
    halo
        The caller's word on the receptive radius in input px; wins over the graph's own.

    Raises
    ------
    GraphError
        Where it is not a graph that takes one RGB picture and gives one.
    """
    metadata = session.get_modelmeta().custom_metadata_map
    given, made = _only(session.get_inputs(), "input"), _only(session.get_outputs(), "output")
    layout, dtype = _layout(given.shape), _dtype(given.type)
    if _dtype(made.type) != dtype:
        raise GraphError(
            f"the graph takes {dtype} but gives {_dtype(made.type)}: expected the same type"
        )
    batch, *sides = (given.shape[layout.index(axis)] for axis in "NHW")
    fixed = [side for side in sides if isinstance(side, int)]
    if len(fixed) == 1:
        raise GraphError(
            f"the graph's input {given.shape} fixes one side only: expected both or neither"
        )
    names = [size if isinstance(size, str) else "" for size in (batch, *sides)]
    halo = _integer(metadata, "halo") if halo is None else halo
    workspace = _integer(metadata, "workspace_bytes_per_px")
    walked = _walked(data) if data is not None and (halo is None or workspace is None) else None
    if walked is not None:
        if halo is None and walked.halo <= _FARTHEST_PX:
            halo = walked.halo
        workspace = workspace or _BYTES_PER_NUMBER * walked.numbers
    facts = GraphFacts(
        name=metadata.get("name", ""),
        version=metadata.get("version", ""),
        scale=_integer(metadata, "scale") or 0,
        halo=halo,
        rim=_integer(metadata, "rim"),
        layout=layout,
        dtype=dtype,
        precision=metadata.get("precision", ""),
        workspace_bytes_per_px=workspace or _WORKSPACE_BYTES_PER_PX,
        licence=metadata.get("licence", ""),
        source=metadata.get("source", ""),
        input_name=given.name,
        output_name=made.name,
        fixed_px=cast(tuple[int, int], tuple(fixed)) if fixed else None,
        free_dimensions=cast(tuple[str, str, str], tuple(names)),
    )
    if facts.scale:
        return facts
    facts = _with_probed_scale(facts, run)
    return facts if walked or facts.fixed_px else _with_probed_multiple(facts, run)


def _only(values: Sequence[Any], kind: str) -> Any:
    if len(values) != 1:
        raise GraphError(
            f"the graph has {len(values)} {kind}s: expected one picture in and one out"
        )
    return values[0]


def _layout(shape: Sequence[int | str | None]) -> Layout:
    if len(shape) == 4 and (shape[0] in (1, None) or isinstance(shape[0], str)):
        if shape[1] == 3:
            return "NCHW"
        if shape[3] == 3:
            return "NHWC"
    raise GraphError(
        f"the graph's input has the shape {list(shape)}: "
        "expected [batch, 3, height, width] or [batch, height, width, 3]"
    )


def _dtype(element_type: str) -> str:
    if element_type not in _DTYPES:
        raise GraphError(f"the graph works on {element_type}: expected one of {', '.join(_DTYPES)}")
    return _DTYPES[element_type]


def _integer(metadata: Mapping[str, str], key: str) -> int | None:
    text = metadata.get(key)
    if text is None:
        return None
    if not text.isdecimal() or not 0 <= int(text) < 1 << 31:
        raise GraphError(f"the graph's metadata says {key} = {text!r}: expected a whole number")
    return int(text)


def _walked(data: bytes) -> Walk | None:
    from liveaction_onnx import receptive  # needed for few graphs: kept out of the import

    try:
        return receptive.walk(data)
    except ValueError:
        return None


def _with_probed_scale(facts: GraphFacts, run: Run) -> GraphFacts:
    """`facts` with the scale that one run shows."""
    height, width = facts.fixed_px or (_PROBE_PX, _PROBE_PX)
    shape = _shape_of(facts, run, height, width)
    scale = shape[facts.layout.index("H")] // height if len(shape) == 4 else 0
    if not scale or shape[1:] != facts.input_shape(scale * height, scale * width)[1:]:
        raise GraphError(
            f"the graph makes {tuple(shape)} of {facts.input_shape(height, width)}: no whole scale"
        )
    return replace(facts, scale=scale)


def _with_probed_multiple(facts: GraphFacts, run: Run) -> GraphFacts:
    """`facts` with what the sides of its input have to be multiples of, up to what its scale was
    found with: graphs that gather px, as with SpaceToDepth, fail at others, or drop some.
    """
    for multiple in (1, 2, 4, 8, 16):
        side = _PROBE_PX + multiple
        made = facts.input_shape(facts.scale * side, facts.scale * side)
        try:
            if _shape_of(facts, run, side, side) == made:
                return replace(facts, multiple=multiple)
        except GraphError:
            continue
    return replace(facts, multiple=_PROBE_PX)


def _shape_of(facts: GraphFacts, run: Run, height: int, width: int) -> tuple[int, ...]:
    """The shape of what the graph makes of so many px."""
    return run(np.zeros(facts.input_shape(height, width), facts.dtype)).shape
