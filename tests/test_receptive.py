"""The walk that finds how far a graph reaches, against graphs whose reach is known or measured."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from liveaction_onnx import Upscaler, catalog
from liveaction_onnx.receptive import WalkError, external_locations, walk

FORMS = [
    (dtype, precision) for dtype in ("float32", "uint8", "uint16") for precision in ("fp32", "fp16")
]
SHIPPED = catalog.shipped_graph("uint8", "fp32").data


def try_to(read: Any, data: bytes) -> None:
    """Read `data`, which may be anything; only a ValueError is a fair answer."""
    with suppress(ValueError):
        read(data)


AS_TORCH: Any = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
"""How PyTorch's export of `interpolate` says that each px is repeated."""


class Chain:
    """A graph of nodes one after another, from "input" to "output"."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.last = "input"

    def add(self, op: str, *more: str, **attributes: Any) -> Chain:
        output = f"value{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, [self.last, *more], [output], **attributes))
        self.last = output
        return self

    def constant(self, value: NDArray[Any]) -> str:
        name = f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def convolve(
        self, size: int = 3, *, dilation: int = 1, out: int = 3, channels: int = 3, **more: Any
    ) -> Chain:
        """A convolution that keeps the size, of a kernel without zeros or signs."""
        kernel = np.full((out, channels, size, size), 1 / (channels * size**2), np.float32)
        given: dict[str, Any] = {"pads": [dilation * (size // 2)] * 4, "dilations": [dilation] * 2}
        return self.add("Conv", self.constant(kernel), **(given | more))

    def proto(self) -> onnx.ModelProto:
        nodes = [*self.nodes, helper.make_node("Identity", [self.last], ["output"])]
        values = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, None, None])
            for name in ("input", "output")
        ]
        graph = helper.make_graph(nodes, "chain", values[:1], values[1:], self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)

    def data(self) -> bytes:
        data: bytes = self.proto().SerializeToString()
        return data


def resized(*factors: float, **more: Any) -> Chain:
    """A resize of both sides by one factor or two, 2 where none is given."""
    chain, sides = Chain(), [*factors, *factors][:2] or [2, 2]
    return chain.add("Resize", "", chain.constant(np.array([1, 1, *sides], np.float32)), **more)


def measured(data: bytes, image: NDArray[Any], scale: int) -> int:
    """How far in input px the middle px of `image` (H, W, 3) is felt in what the graph makes."""
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    row, column = image.shape[0] // 2, image.shape[1] // 2
    changed = image.copy()
    changed[row, column] = image.max() - changed[row, column]

    def run(value: NDArray[Any]) -> NDArray[Any]:
        planes = value if given.shape[3] == 3 else value.transpose(2, 0, 1)
        result: NDArray[Any] = session.run(None, {given.name: planes[None]})[0][0]
        return result if given.shape[3] == 3 else result.transpose(1, 2, 0)

    rows, columns = np.nonzero((run(image) != run(changed)).any(axis=-1))
    return int(max(np.abs(rows // scale - row).max(), np.abs(columns // scale - column).max()))


@pytest.mark.parametrize(("dtype", "precision"), FORMS)
def test_the_walk_of_a_shipped_graph_finds_what_it_states(dtype: str, precision: str) -> None:
    data = catalog.shipped_graph(dtype, precision).data
    stated = {entry.key: entry.value for entry in onnx.load_from_string(data).metadata_props}
    assert walk(data).halo == int(stated["halo"]) == 21


def test_the_walk_of_the_reference_graph_finds_21(reference_graph: Path) -> None:
    assert walk(reference_graph.read_bytes()).halo == 21


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_a_px_is_felt_in_the_shipped_graph_as_far_as_the_walk_says_and_no_farther(
    dtype: str,
) -> None:
    image = np.random.default_rng(7).integers(0, 256, (64, 64, 3), np.uint8)
    given = image if dtype == "uint8" else image / np.float32(255)
    data = catalog.shipped_graph(dtype, "fp32").data
    reach = measured(data, given, 2)
    assert reach <= 21
    assert reach == 21 or dtype == "uint8", "rounding to bytes hides the faintest"


@st.composite
def chains(draw: st.DrawFn) -> tuple[Chain, int]:
    """Convolutions of several sizes, some of them after the picture has been doubled."""
    chain, scale = Chain(), 1
    for _ in range(draw(st.integers(1, 3))):
        chain.convolve(draw(st.sampled_from([1, 3, 5])), dilation=draw(st.integers(1, 2)))
    if draw(st.booleans()):
        scale = 2
        chain.convolve(1, out=12).add("DepthToSpace", blocksize=2, mode="CRD")
        for _ in range(draw(st.integers(0, 3))):
            chain.convolve(draw(st.sampled_from([1, 3, 5])))
    return chain, scale


@given(chains())
@settings(max_examples=25, deadline=None)
def test_the_walk_finds_what_is_measured(case: tuple[Chain, int]) -> None:
    chain, scale = case
    image = np.zeros((41, 41, 3), np.float32)
    image[0, 0] = 1
    assert walk(chain.data()).halo == measured(chain.data(), image, scale)


@pytest.mark.parametrize(
    ("chain", "reach"),
    [
        (Chain(), 0),
        (Chain().convolve(1), 0),
        (Chain().convolve(3).convolve(5), 3),
        (Chain().convolve(3, dilation=4), 4),
        (Chain().convolve(3).add("Relu").add("Sigmoid").convolve(3), 2),
        (Chain().convolve(3, out=12).add("DepthToSpace", blocksize=2).convolve(3), 2),
        (Chain().convolve(3, out=12).add("DepthToSpace", blocksize=2).convolve(3).convolve(3), 2),
        (Chain().convolve(3, out=48).add("DepthToSpace", blocksize=4).convolve(3), 2),
        (Chain().convolve(4, pads=[1, 1, 2, 2]), 2),
        (Chain().convolve(3, group=3, channels=1), 1),
        (resized(**AS_TORCH), 0),
        (resized(**AS_TORCH).convolve(3), 1),
        (resized(3, **AS_TORCH).convolve(5), 1),
        (resized(), 1),
        (resized(nearest_mode="floor"), 1),
        (resized(mode="linear", coordinate_transformation_mode="pytorch_half_pixel"), 1),
        (resized(mode="cubic", coordinate_transformation_mode="half_pixel"), 2),
        (resized(1), 1),
    ],
    ids=[
        "nothing",
        "1x1",
        "3x3, 5x5",
        "dilated by 4",
        "activations",
        "half a px, rounded up",
        "two halves",
        "a quarter, rounded up",
        "an even kernel reaches farther on one side",
        "depthwise",
        "px repeated",
        "px repeated, half a px, rounded up",
        "px repeated, two thirds",
        "the nearest px, or its neighbour",
        "half a px before, where nothing else is said",
        "linear",
        "cubic",
        "by nothing",
    ],
)
def test_the_reach_of(chain: Chain, reach: int) -> None:
    onnx.checker.check_model(chain.proto(), full_check=True)
    assert walk(chain.data()).halo == reach


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("place", ["asymmetric", "half_pixel", "pytorch_half_pixel"])
def test_no_px_is_felt_farther_through_a_resize_than_the_walk_says(
    scale: int, mode: str, place: str
) -> None:
    chain = resized(scale, mode=mode, coordinate_transformation_mode=place)
    image = np.zeros((21, 21, 3), np.float32)
    image[0, 0] = 1
    assert measured(chain.data(), image, scale) <= walk(chain.data()).halo


def test_a_resize_before_opset_11_has_its_factors_second() -> None:
    for op in ("Upsample", "Resize"):
        chain = Chain()
        chain.add(op, chain.constant(np.array([1, 1, 2, 2], np.float32)))
        assert walk(chain.data()).halo == 1
        assert walk(chain.data()).numbers == 12 + 12


def test_of_two_branches_the_farther_one_counts() -> None:
    chain = Chain().convolve(5)
    farther, chain.last = chain.last, "input"
    assert walk(chain.convolve(3).add("Add", farther).data()).halo == 2


def test_features_may_be_concatenated() -> None:
    chain = Chain().convolve(5)
    farther, chain.last = chain.last, "input"
    chain.convolve(3).add("Concat", farther, axis=1).convolve(3, channels=6)
    assert walk(chain.data()).halo == 3


@pytest.mark.parametrize(
    ("chain", "numbers"),
    [
        (Chain(), 3 + 3),
        (Chain().convolve(out=64).convolve(channels=64), 64 + 3),
        (Chain().convolve(out=64).add("Relu").convolve(channels=64), 64 + 64),
        (Chain().convolve(out=12).add("DepthToSpace", blocksize=2), 2 * 3 * 4),
        (Chain().convolve(out=8).add("Transpose", perm=[0, 2, 3, 1]).add("Relu"), 8 + 8),
    ],
    ids=["nothing", "two convolutions", "an activation", "doubled", "another layout"],
)
def test_the_maps_that_are_there_at_once_hold(chain: Chain, numbers: int) -> None:
    assert walk(chain.data()).numbers == numbers


def test_a_map_that_is_used_again_later_is_there_until_then() -> None:
    chain = Chain().convolve(out=16)
    early = chain.last
    chain.convolve(channels=16, out=32).convolve(channels=32, out=16).add("Concat", early, axis=1)
    assert walk(chain.data()).numbers == 16 + 32 + 16
    assert walk(chain.convolve(channels=32).data()).numbers == 16 + 32 + 16


def plain_network() -> Chain:
    chain = Chain().convolve(out=64)
    for _ in range(6):
        chain.add("Relu").convolve(channels=64, out=64)
    return chain.convolve(channels=64, out=12).add("DepthToSpace", blocksize=2)


def dense_network() -> Chain:
    chain, channels = Chain().convolve(out=48), 48
    maps = [chain.last]
    for _ in range(4):
        chain.convolve(channels=channels, out=24).add("LeakyRelu")
        maps.append(chain.last)
        channels += 24
        chain.last = maps[0]
        chain.add("Concat", *maps[1:], axis=1)
    return chain.convolve(channels=channels, out=12).add("DepthToSpace", blocksize=2)


def late_network() -> Chain:
    chain = Chain().convolve(out=32).convolve(channels=32, out=512)
    chain.add("DepthToSpace", blocksize=4)
    return chain.convolve(channels=32, out=32).add("Relu").convolve(channels=32)


def compact_network() -> Chain:
    """As of the Compact models: what is learnt is added to px repeated four times."""
    chain = Chain().convolve(out=64)
    for _ in range(4):
        chain.add("Relu").convolve(channels=64, out=64)
    chain.convolve(channels=64, out=48).add("DepthToSpace", blocksize=4)
    learnt, chain.last = chain.last, "input"
    factors = chain.constant(np.array([1, 1, 4, 4], np.float32))
    return chain.add("Resize", "", factors, **AS_TORCH).add("Add", learnt)


def esrgan_network() -> Chain:
    """As the end of ESRGAN, which takes most memory: 64 channels of 4x."""
    chain = Chain().convolve(out=64).convolve(channels=64, out=64)
    factors = chain.constant(np.array([1, 1, 2, 2], np.float32))
    for _ in range(2):
        chain.add("Resize", "", factors, **AS_TORCH)
        chain.convolve(channels=64, out=64).add("LeakyRelu")
    return chain.convolve(channels=64, out=64).add("LeakyRelu").convolve(channels=64)


MEASURING = """
import sys
from pathlib import Path
import numpy as np, onnxruntime
from liveaction_onnx import devices
options = devices.session_options(onnxruntime, "cpu", {})
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
peaks = []
for side in (16, 192):
    session.run(None, {"input": np.zeros((1, 3, side, side), np.float32)})
    status = Path("/proc/self/status").read_text()  # rusage would tell of the parent, too
    peaks.append(int(status.partition("VmHWM:")[2].split()[0]) << 10)
print((peaks[1] - peaks[0]) / 192**2)
"""


@pytest.mark.parametrize(
    "made", [plain_network, dense_network, late_network, compact_network, esrgan_network]
)
def test_a_run_takes_about_the_memory_that_is_reckoned_with(
    made: Callable[[], Chain], tmp_path: Path
) -> None:
    if sys.platform != "linux":
        pytest.skip("the most memory of a process is told otherwise here")
    data = made().data()
    graph = tmp_path / "graph.onnx"
    graph.write_bytes(data)
    with Upscaler(data, device="cpu") as upscaler:
        reckoned = upscaler.facts.workspace_bytes_per_px
    said = subprocess.run(
        [sys.executable, "-c", MEASURING, str(graph)], capture_output=True, text=True, check=True
    )
    taken = float(said.stdout)
    assert 0.4 * reckoned < taken < 1.25 * reckoned, (taken, reckoned)


def test_a_kernel_in_a_constant_node_counts() -> None:
    chain = Chain()
    kernel = numpy_helper.from_array(np.ones((3, 3, 5, 5), np.float32))
    chain.nodes.append(helper.make_node("Constant", [], ["kernel"], value=kernel))
    assert walk(chain.add("Conv", "kernel", pads=[2] * 4).data()).halo == 2


def test_kernels_that_are_also_listed_as_inputs_are_no_pictures() -> None:
    proto = Chain().convolve(3).proto()
    kernel = helper.make_tensor_value_info("constant0", TensorProto.FLOAT, [3, 3, 3, 3])
    proto.graph.input.append(kernel)
    assert walk(proto.SerializeToString()).halo == 1


def transposed() -> Chain:
    chain = Chain()
    kernel = chain.constant(np.ones((3, 3, 2, 2), np.float32))
    return chain.add("ConvTranspose", kernel, strides=[2, 2])


def resized_by_sizes() -> Chain:
    chain = Chain()
    return chain.add("Resize", "", "", chain.constant(np.array([1, 3, 64, 64], np.int64)))


def attended() -> Chain:
    chain = Chain().add("GlobalAveragePool")
    return chain.add("Mul", "input")


def computed_kernel() -> Chain:
    chain = Chain()
    kernel = chain.constant(np.ones((3, 3, 3, 3), np.float32))
    chain.nodes.append(helper.make_node("Relu", [kernel], ["kernel"]))
    return chain.add("Conv", "kernel", pads=[1] * 4)


def joined_sizes() -> Chain:
    chain = Chain().convolve(3, out=12).add("DepthToSpace", blocksize=2)
    return chain.add("Add", "input")


@pytest.mark.parametrize(
    ("chain", "what"),
    [
        (transposed(), "ConvTranspose"),
        (resized(1.5), "whole number"),
        (resized(0.5), "whole number"),
        (resized(2, 3), "whole number"),
        (resized(axes=[2, 3]), "factors"),
        (Chain().add("Resize"), "factors"),
        (resized_by_sizes(), "factors"),
        (resized(coordinate_transformation_mode="align_corners"), "shifts the px"),
        (resized(mode="sharp"), "unknown mode"),
        (attended(), "GlobalAveragePool"),
        (Chain().add("ReduceMean", axes=[2, 3]), "ReduceMean"),
        (Chain().add("AveragePool", kernel_shape=[3, 3], pads=[1] * 4), "AveragePool"),
        (Chain().add("InstanceNormalization"), "InstanceNormalization"),
        (Chain().add("Concat", "input", axis=2), "Concat"),
        (Chain().add("Concat", "input", axis=3), "Concat"),
        (Chain().add("Softmax", axis=3), "Softmax"),
        (Chain().add("Made", domain="foreign"), "Made"),
        (Chain().convolve(3, strides=[2, 2]), "strides"),
        (Chain().convolve(3, strides=[1, 2]), "strides"),
        (Chain().convolve(3, pads=[0] * 4), "changes the size"),
        (Chain().convolve(3, pads=[2] * 4), "changes the size"),
        (computed_kernel(), "kernel"),
        (joined_sizes(), "different size"),
    ],
    ids=lambda value: value.replace(" ", "_") if isinstance(value, str) else "",
)
def test_what_the_walk_does_not_know_it_does_not_guess(chain: Chain, what: str) -> None:
    with pytest.raises(WalkError, match=what):
        walk(chain.data())


def test_an_output_that_does_not_depend_on_the_input_has_no_reach() -> None:
    chain = Chain()
    chain.last = chain.constant(np.zeros((1, 3, 8, 8), np.float32))
    with pytest.raises(WalkError, match="output"):
        walk(chain.data())


def test_rows_and_columns_that_change_places_are_not_taken_for_near() -> None:
    """A px of a picture laid on its side needs one from across the picture."""
    with pytest.raises(WalkError, match="Transpose"):
        walk(Chain().add("Transpose", perm=[0, 1, 3, 2]).data())


def test_a_convolution_over_channels_last_is_not_taken_for_one_over_the_picture() -> None:
    chain = Chain().add("Transpose", perm=[0, 2, 3, 1])
    kernel = chain.constant(np.ones((8, 8, 3, 3), np.float32))
    with pytest.raises(WalkError):
        walk(chain.add("Conv", kernel, pads=[1] * 4).data())


@pytest.mark.parametrize("read", [walk, external_locations])
@given(data=st.binary(max_size=200))
@example(data=b"")
@settings(max_examples=300)
def test_random_bytes_raise_nothing_but_value_errors(read: Any, data: bytes) -> None:
    try_to(read, data)


@pytest.mark.parametrize("read", [walk, external_locations])
def test_a_graph_cut_off_anywhere_raises_nothing_but_value_errors(read: Any) -> None:
    data = Chain().convolve(3).add("Relu").data()
    for length in range(len(data)):
        try_to(read, data[:length])


@pytest.mark.parametrize("read", [walk, external_locations])
@given(where=st.floats(0, 1), value=st.integers(0, 255))
@settings(max_examples=400)
def test_a_graph_with_a_byte_changed_raises_nothing_but_value_errors(
    read: Any, where: float, value: int
) -> None:
    data = bytearray(Chain().convolve(1, out=12).add("DepthToSpace", blocksize=2).data())
    data[int(where * (len(data) - 1))] = value
    try_to(read, bytes(data))


@pytest.mark.parametrize("read", [walk, external_locations])
@pytest.mark.parametrize(
    "node",
    [
        helper.make_node("Conv", ["input"], ["output"]),
        helper.make_node("Conv", [], ["output"]),
        helper.make_node("Constant", [], [], value=numpy_helper.from_array(np.zeros(1))),
        helper.make_node("DepthToSpace", ["input"], ["output"], blocksize=-2),
        helper.make_node("Conv", ["input", "kernel"], ["output"], pads=[1]),
        helper.make_node("Conv", ["input", "kernel"], ["output"], pads=[1] * 4, dilations=[1]),
    ],
    ids=["no kernel", "no input", "no output", "negative block", "one pad", "one dilation"],
)
def test_a_node_that_lacks_something_raises_nothing_but_value_errors(
    read: Any, node: onnx.NodeProto
) -> None:
    chain = Chain()
    chain.nodes.append(node)
    chain.constants.append(numpy_helper.from_array(np.ones((3, 3, 3, 3), np.float32), "kernel"))
    chain.last = "output"
    try_to(read, chain.data())


def test_a_number_that_ends_too_soon_in_an_attribute_is_a_value_error() -> None:
    attribute = b"\x0a\x01p" + b"\x42\x01\x80"  # name "p"; ints, packed: a number that goes on
    node = b"\x2a" + bytes([len(attribute)]) + attribute
    graph = b"\x0a" + bytes([len(node)]) + node
    data = b"\x3a" + bytes([len(graph)]) + graph
    with pytest.raises(ValueError, match="ONNX"):
        walk(data)
    assert external_locations(data) == [], "it need not read numbers"


def with_external_kernel(locations: Sequence[Mapping[str, str]]) -> bytes:
    proto = Chain().convolve(3).convolve(3).convolve(3).proto()
    for tensor, entries in zip(proto.graph.initializer, locations, strict=False):
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in entries.items():
            tensor.external_data.add(key=key, value=value)
    data: bytes = proto.SerializeToString()
    return data


def test_the_places_of_weights_outside_the_file_are_listed() -> None:
    data = with_external_kernel(
        [{"location": "a.data", "offset": "0", "length": "324"}, {"location": "../b.data"}]
    )
    assert external_locations(data) == ["a.data", "../b.data"]


def test_weights_outside_the_file_in_constant_nodes_are_listed() -> None:
    tensor = numpy_helper.from_array(np.ones(3, np.float32))
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="c.data")
    chain = Chain()
    chain.nodes.append(helper.make_node("Constant", [], ["kernel"], value=tensor))
    assert external_locations(chain.data()) == ["c.data"]


def test_weights_outside_the_file_do_not_hide_the_size_of_a_kernel() -> None:
    assert walk(with_external_kernel([{"location": "a.data"}])).halo == 3


def test_a_graph_that_keeps_all_in_its_file_lists_nothing() -> None:
    assert external_locations(SHIPPED) == []


def test_weights_outside_the_file_within_branches_are_listed() -> None:
    """Control flow holds graphs of its own, whose weights may lie outside as well."""
    tensor = numpy_helper.from_array(np.ones(3, np.float32), "hidden")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../outside.data")
    value = helper.make_tensor_value_info("hidden", TensorProto.FLOAT, [3])
    branch = helper.make_graph([], "branch", [], [value], [tensor])
    chain = Chain()
    condition = chain.constant(np.array(True))
    chain.nodes.append(
        helper.make_node("If", [condition], ["x"], then_branch=branch, else_branch=branch)
    )
    assert "../outside.data" in external_locations(chain.data())


def test_a_branch_that_may_see_the_picture_is_not_walked() -> None:
    """Its convolution is no input of the node that holds it."""
    kernel = numpy_helper.from_array(np.ones((3, 3, 9, 9), np.float32), "kernel")
    inner = helper.make_node("Conv", ["input", "kernel"], ["inner"], pads=[4] * 4)
    made = helper.make_tensor_value_info("inner", TensorProto.FLOAT, None)
    branch = helper.make_graph([inner], "branch", [], [made], [kernel])
    condition = numpy_helper.from_array(np.array(True), "condition")
    chain = Chain()
    chain.constants.append(condition)
    chain.nodes += [
        helper.make_node("If", ["condition"], ["chosen"], then_branch=branch, else_branch=branch),
        helper.make_node("Add", ["input", "chosen"], ["output"]),
    ]
    chain.last = "output"
    with pytest.raises(WalkError, match="graphs of its own"):
        walk(chain.data())


def test_graphs_within_graphs_without_end_are_a_value_error() -> None:
    def message(number: int, content: bytes) -> bytes:
        size, length = len(content), b""
        while size >= 128:
            length, size = length + bytes([size & 127 | 128]), size >> 7
        return bytes([number << 3 | 2]) + length + bytes([size]) + content

    graph = b""
    for _ in range(1500):
        graph = message(1, message(5, message(6, graph)))
    with pytest.raises(WalkError, match="within graphs"):
        external_locations(message(7, graph))
