"""The facts of graphs: of ours, of others', and of files that are no graph for us."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from liveaction_onnx import GraphError, GraphFacts, Upscaler, catalog
from liveaction_onnx.graph import read_facts
from liveaction_onnx.pixels import kind_of
from liveaction_onnx.planning import RIM_PX

FORMS = [
    (dtype, precision) for dtype in ("float32", "uint8", "uint16") for precision in ("fp32", "fp16")
]
NCHW = ("batch", 3, "height", "width")
NHWC = ("batch", "height", "width", 3)


def model(
    nodes: list[onnx.NodeProto],
    shape: tuple[str | int, ...] = NCHW,
    *,
    out_shape: tuple[str | int, ...] | None = None,
    element: int = TensorProto.FLOAT,
    constants: Mapping[str, Any] | None = None,
    metadata: Mapping[str, str] | None = None,
) -> bytes:
    """A graph of `nodes` from "input" to "output"; free sizes of the output are left unnamed."""
    made: tuple[Any, ...] = out_shape or tuple(3 if side == 3 else None for side in shape)
    graph = helper.make_graph(
        nodes,
        "foreign",
        [helper.make_tensor_value_info("input", element, shape)],
        [helper.make_tensor_value_info("output", element, made)],
        [numpy_helper.from_array(value, name) for name, value in (constants or {}).items()],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(proto, dict(metadata or {}))
    data: bytes = proto.SerializeToString()
    return data


def enlarged(scale: int, shape: tuple[str | int, ...] = NCHW, **more: Any) -> bytes:
    """A graph that repeats each px `scale` times along each axis, by Resize."""
    scales = [1, 1, 1, 1]
    for axis in (2, 3) if shape[1] == 3 else (1, 2):
        scales[axis] = scale
    node = helper.make_node(
        "Resize",
        ["input", "", "scales"],
        ["output"],
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
    constants = {"scales": np.array(scales, np.float32)}
    return model([node], shape, constants=constants, **more)


def convolved(**more: Any) -> bytes:
    """A graph of one 3x3 convolution that keeps the size."""
    node = helper.make_node("Conv", ["input", "kernel"], ["output"], pads=[1] * 4)
    kernel = np.ones((3, 3, 3, 3), np.float32) / 27
    return model([node], constants={"kernel": kernel}, **more)


def facts_of(data: bytes, halo: int | None = None, *, walk: bool = True) -> GraphFacts:
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])

    def run(value: Any) -> Any:
        return session.run(None, {session.get_inputs()[0].name: value})[0]

    return read_facts(session, run, data if walk else None, halo)


@pytest.mark.parametrize(("dtype", "precision"), FORMS)
def test_each_shipped_form_states_its_facts(dtype: str, precision: str) -> None:
    data = catalog.shipped_graph(dtype, precision).data
    facts = facts_of(data, walk=False)
    assert (facts.name, facts.scale, facts.halo) == ("liveaction-2x", 2, 21)
    assert (facts.dtype, facts.precision) == (dtype, precision)
    assert facts.layout == ("NCHW" if dtype == "float32" else "NHWC")
    assert facts.licence == "Apache-2.0"
    assert facts.source
    assert facts.version
    assert facts.workspace_bytes_per_px > 0
    assert facts.fixed_px is None
    assert facts.free_dimensions == ("batch", "height", "width")
    assert (facts.input_name, facts.output_name) == ("input", "output")


@pytest.mark.parametrize("shape", [NCHW, NHWC, (1, 3, "h", "w"), (1, "h", "w", 3)])
def test_the_layout_is_told_by_where_the_three_channels_are(shape: tuple[str | int, ...]) -> None:
    facts = facts_of(enlarged(2, shape))
    assert facts.layout == ("NCHW" if shape[1] == 3 else "NHWC")
    assert facts.channels_first == (shape[1] == 3)
    assert facts.free_dimensions[0] == ("batch" if shape[0] == "batch" else "")


@pytest.mark.parametrize("shape", [NCHW, NHWC])
@pytest.mark.parametrize("scale", [1, 2, 4])
def test_a_scale_that_is_not_stated_is_probed(scale: int, shape: tuple[str | int, ...]) -> None:
    assert facts_of(enlarged(scale, shape)).scale == scale


def test_a_graph_says_what_it_wants_mirrored_in_and_gets_it() -> None:
    stated = convolved(metadata={"halo": "9", "rim": "3"})
    assert facts_of(stated).rim == 3
    assert facts_of(convolved()).rim is None
    image = np.zeros((20, 20, 3), np.uint8)
    for data, px in ((stated, 3), (convolved(metadata={"halo": "9"}), RIM_PX)):
        with Upscaler(data, device="cpu") as upscaler:
            work = upscaler.work(kind_of(image))
            assert work.plan().window_px == (20 + 2 * px, 20 + 2 * px)


def test_a_stated_scale_is_believed() -> None:
    assert facts_of(enlarged(2, metadata={"scale": "2"})).scale == 2


@pytest.mark.parametrize(("shape", "px"), [((1, 3, 20, 28), (20, 28)), ((1, 20, 28, 3), (20, 28))])
def test_a_fixed_size_is_told_and_probed_as_it_is(
    shape: tuple[int, ...], px: tuple[int, int]
) -> None:
    facts = facts_of(enlarged(3, shape))
    assert facts.fixed_px == px
    assert facts.scale == 3
    assert facts.free_dimensions == ("", "", "")


@pytest.mark.parametrize(
    ("element", "dtype"),
    [
        (TensorProto.FLOAT, "float32"),
        (TensorProto.FLOAT16, "float16"),
        (TensorProto.UINT8, "uint8"),
    ],
)
def test_the_dtype_is_that_of_the_input(element: int, dtype: str) -> None:
    assert facts_of(enlarged(2, element=element)).dtype == dtype


def test_what_a_foreign_graph_does_not_state_is_empty() -> None:
    facts = facts_of(enlarged(2))
    assert (facts.name, facts.version, facts.precision) == ("", "", "")
    assert (facts.licence, facts.source) == ("", "")
    assert facts.workspace_bytes_per_px > 0


def test_a_halo_that_is_not_stated_is_walked() -> None:
    assert facts_of(convolved()).halo == 1


def test_a_workspace_that_is_not_stated_is_walked_even_where_the_halo_is_known() -> None:
    walked = facts_of(convolved()).workspace_bytes_per_px
    assert walked < facts_of(convolved(), walk=False).workspace_bytes_per_px
    assert facts_of(convolved(), halo=3).workspace_bytes_per_px == walked


def test_a_stated_halo_wins_over_the_walk() -> None:
    assert facts_of(convolved(metadata={"halo": "7"})).halo == 7


def test_the_halo_of_the_caller_wins_over_all() -> None:
    data = convolved(metadata={"halo": "7"})
    for halo in (0, 5):
        with Upscaler(data, device="cpu", halo=halo) as upscaler:
            assert upscaler.facts.halo == halo


def test_without_its_bytes_a_graph_that_states_no_halo_has_none() -> None:
    assert facts_of(convolved(), walk=False).halo is None


def test_an_operator_of_unknown_reach_leaves_the_halo_open() -> None:
    node = helper.make_node("GlobalAveragePool", ["input"], ["mean"])
    added = helper.make_node("Add", ["input", "mean"], ["output"])
    assert facts_of(model([node, added])).halo is None


def test_a_reach_that_would_make_tiles_of_context_is_taken_as_unknown() -> None:
    """The caller's word, and the graph's own, count all the same."""

    def reaching(radius: int) -> bytes:
        node = helper.make_node("Conv", ["input", "kernel"], ["output"], pads=[radius, 0] * 2)
        kernel = np.ones((3, 3, 2 * radius + 1, 1), np.float32)
        return model([node], constants={"kernel": kernel})

    assert facts_of(reaching(64)).halo == 64
    far = facts_of(reaching(65))
    assert (far.halo, far.workspace_bytes_per_px) == (None, 8 * (3 + 3))
    assert facts_of(reaching(65), halo=65).halo == 65


@pytest.mark.parametrize("shape", [NCHW, NHWC, (1, 3, 128, 112)])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_foreign_graph_serves_pictures(shape: tuple[str | int, ...], channels: int) -> None:
    rows, columns, channel = np.ogrid[:50, :70, :channels]
    image = (2 * rows + columns + 20 * channel).astype(np.uint8)
    with Upscaler(enlarged(2, shape), device="cpu", tile=24) as upscaler:
        assert np.array_equal(upscaler(image), image.repeat(2, 0).repeat(2, 1))


def test_an_overlap_that_nobody_asked_for_does_not_rule_out_a_small_fixed_graph() -> None:
    image = np.arange(50 * 70 * 3, dtype=np.uint16).reshape(50, 70, 3)
    with Upscaler(enlarged(2, (1, 3, 64, 64)), device="cpu") as upscaler:
        assert np.array_equal(upscaler(image), image.repeat(2, 0).repeat(2, 1))


def test_what_a_blended_float_graph_gives_can_be_given_again() -> None:
    white = np.ones((50, 70, 3), np.float32)
    with Upscaler(enlarged(2), device="cpu", tile=12, overlap=5) as upscaler:
        result = upscaler(white)
        assert result.max() <= 1
        assert upscaler(result).shape == (200, 280, 3)


def two_inputs() -> bytes:
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, NCHW) for n in "ab"]
    out = helper.make_tensor_value_info("output", TensorProto.FLOAT, NCHW)
    graph = helper.make_graph([helper.make_node("Add", ["a", "b"], ["output"])], "g", values, [out])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    data: bytes = made.SerializeToString()
    return data


def two_outputs() -> bytes:
    given = helper.make_tensor_value_info("input", TensorProto.FLOAT, NCHW)
    made = [helper.make_tensor_value_info(n, TensorProto.FLOAT, NCHW) for n in "ab"]
    nodes = [helper.make_node("Identity", ["input"], [n]) for n in "ab"]
    graph = helper.make_graph(nodes, "g", [given], made)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    data: bytes = proto.SerializeToString()
    return data


def node(op: str, **attributes: Any) -> list[onnx.NodeProto]:
    return [helper.make_node(op, ["input"], ["output"], **attributes)]


def cast_to_bytes() -> bytes:
    proto = onnx.load_from_string(model(node("Cast", to=TensorProto.UINT8)))
    proto.graph.output[0].type.tensor_type.elem_type = TensorProto.UINT8
    data: bytes = proto.SerializeToString()
    return data


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (two_inputs(), "2 inputs"),
        (two_outputs(), "2 outputs"),
        (model(node("Identity"), (3, "h", "w"), out_shape=(3, "h", "w")), "shape"),
        (model(node("Identity"), (1, 4, "h", "w"), out_shape=(1, 4, "h", "w")), "shape"),
        (model(node("Identity"), (1, 1, "h", "w"), out_shape=(1, 1, "h", "w")), "shape"),
        (model(node("Identity"), (2, 3, "h", "w"), out_shape=(2, 3, "h", "w")), "shape"),
        (model(node("Identity"), (1, 3, "h", 64)), "one side"),
        (model(node("Identity"), element=TensorProto.INT64), "int64"),
        (model(node("Identity"), element=TensorProto.DOUBLE), "double"),
        (cast_to_bytes(), "gives uint8"),
        (
            model(node("AveragePool", kernel_shape=[2, 2], strides=[2, 2])),
            "no whole scale",
        ),
        (model(node("AveragePool", kernel_shape=[3, 3])), "no whole scale"),
        (model(node("ReduceMean", axes=[1])), "no whole scale"),
        (model(node("ReduceMean", axes=[1], keepdims=0), out_shape=(1, "a", "b")), "no whole"),
        (model(node("GlobalAveragePool")), "no whole scale"),
    ],
    ids=lambda value: value.replace(" ", "_") if isinstance(value, str) else "",
)
def test_a_graph_that_does_not_enlarge_one_picture_is_refused(data: bytes, what: str) -> None:
    with pytest.raises(GraphError, match=what):
        facts_of(data)


@pytest.mark.parametrize("key", ["halo", "scale", "workspace_bytes_per_px"])
@pytest.mark.parametrize("value", ["x", "", "-1", "1.5", "1e3", str(1 << 31), "²"])
def test_metadata_that_is_no_whole_number_is_refused(key: str, value: str) -> None:
    with pytest.raises(GraphError, match=key):
        facts_of(enlarged(2, metadata={key: value}))


def test_bytes_that_are_no_graph_are_refused_with_the_cause() -> None:
    with pytest.raises(GraphError, match="cannot open") as caught:
        Upscaler(b"not a graph", device="cpu")
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("stated", ["1", "3"])
@pytest.mark.parametrize("halo", [None, 0])
def test_a_stated_scale_that_is_wrong_is_found_out(stated: str, halo: int | None) -> None:
    data = enlarged(2, metadata={"scale": stated})
    with pytest.raises(GraphError), Upscaler(data, device="cpu", halo=halo) as upscaler:
        upscaler(np.zeros((16, 16, 3), np.uint8))
