"""What of a graph ONNX Runtime leaves to the CPU, though it was opened on another device.

It does so in silence wherever a device has no kernel for an operator.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from liveaction_onnx.devices import PROVIDERS

_OF_SHAPES = frozenset(
    """
    Abs Add And Cast Ceil Concat Constant ConstantOfShape Div Equal Expand Floor Gather Greater
    GreaterOrEqual Identity Less LessOrEqual Max Min Mod Mul Neg Not Or Range ReduceMax ReduceMin
    ReduceProd ReduceSum Reshape ScatterND Shape Size Slice Split Squeeze Sub Transpose Unsqueeze
    Where
    """.split()  # noqa: SIM905
)
"""What shapes are computed with. ONNX Runtime leaves that to the CPU on purpose; no GPU lacks them
for pictures."""


@dataclass(frozen=True)
class Placement:
    """Where the operators of a graph are computed, as far as ONNX Runtime tells."""

    on_cpu: tuple[str, ...] = ()
    """The types of those that the CPU computes, but for shapes, by name."""

    elsewhere: bool = True
    """Whether any is computed on another device."""


def placement(inference: Any) -> Placement:
    """Where an `onnxruntime.InferenceSession`, opened with `TELL_PLACEMENT`, computes what."""
    try:
        parts = inference.get_provider_graph_assignment_info()
    except Exception:  # it was opened without, or is older; its own classes differ by build
        return Placement()
    on_cpu = [part for part in parts if part.ep_name == PROVIDERS["cpu"]]
    left = {node.op_type for part in on_cpu for node in part.get_nodes()}
    return Placement(tuple(sorted(left - _OF_SHAPES)), not parts or len(on_cpu) < len(parts))
