"""What of a graph ONNX Runtime leaves to the CPU, though it was opened on another device.

It does so in silence wherever a device has no kernel for an operator.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

RECORD = "session.record_ep_graph_assignment_info"
"""The session's option by which ONNX Runtime (1.24 and newer) can tell it afterwards."""

_CPU = "CPUExecutionProvider"

_OF_SHAPES = (
    "Abs Add And Cast Ceil Concat Constant ConstantOfShape Div Equal Expand Floor Gather Greater "
    "GreaterOrEqual Identity Less LessOrEqual Max Min Mod Mul Neg Not Or Range ReduceMax ReduceMin "
    "ReduceProd ReduceSum Reshape ScatterND Shape Size Slice Split Squeeze Sub Transpose Unsqueeze "
    "Where"
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
    """Where an `onnxruntime.InferenceSession`, opened with RECORD, computes what."""
    try:
        parts = inference.get_provider_graph_assignment_info()
    except Exception:  # it was opened without, or is older; its own classes differ by build
        return Placement()
    left = {node.op_type for part in parts if part.ep_name == _CPU for node in part.get_nodes()}
    elsewhere = not parts or any(part.ep_name != _CPU for part in parts)
    return Placement(tuple(sorted(left - set(_OF_SHAPES.split()))), elsewhere)
