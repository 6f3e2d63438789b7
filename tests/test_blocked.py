"""The graphs for the CPU's kernels: the right ones are found, and wrong ones not believed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from liveaction_onnx import GraphError, Upscaler, blocked, catalog, memory, opening
from liveaction_onnx.blocked import BLOCKS, blocked_graph, interleaved
from liveaction_onnx.devices import Device
from liveaction_onnx.opening import open_on_device
from liveaction_onnx.pixels import kind_of
from liveaction_onnx.session import Session

Array = NDArray[Any]

DTYPES = pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])


@pytest.fixture
def untried(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A process that does not know yet what its processor wants."""
    monkeypatch.setattr(opening, "_blocks", BLOCKS)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    return monkeypatch


def plain(dtype: str) -> Any:
    data = catalog.shipped_graph(dtype, "fp32").data
    return onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])


def pictures(dtype: str) -> Array:
    """Two pictures as a form takes them."""
    values = np.random.default_rng(3).integers(0, 256, (2, 37, 50, 3), np.uint8)
    if dtype == "uint8":
        return values
    if dtype == "uint16":
        return values * np.uint16(257)
    return np.ascontiguousarray((values / np.float32(255)).transpose(0, 3, 1, 2))


@pytest.mark.parametrize("block", BLOCKS)
def test_channels_of_a_kernel_are_interleaved(block: int) -> None:
    kernel = np.random.default_rng(1).random((48, 32, 3, 3), np.float32)
    flat = interleaved(kernel, block).ravel()
    for out, channel, y, x in [(0, 0, 0, 0), (5, 17, 1, 2), (47, 31, 2, 2), (16, 8, 0, 1)]:
        at = out // block * 32 // block + channel // block
        at = ((at * 3 + y) * 3 + x) * block + channel % block
        assert flat[at * block + out % block] == kernel[out, channel, y, x]


def test_a_kernel_over_the_colours_of_a_picture_keeps_their_order() -> None:
    kernel = np.random.default_rng(1).random((32, 3, 3, 3), np.float32)
    flat = interleaved(kernel, 16).ravel()
    assert flat[(((1 * 3 + 2) * 3 + 1) * 3 + 0) * 16 + 5] == kernel[21, 2, 1, 0]


def test_outputs_are_filled_up_with_zeros() -> None:
    kernel, bias = np.ones((12, 16, 3, 3), np.float32), np.ones(12, np.float32)
    assert interleaved(kernel, 8).shape == (16, 16, 3, 3)
    assert interleaved(kernel, 8).sum() == kernel.sum()
    assert interleaved(bias, 8).tolist() == [1] * 12 + [0] * 4


@DTYPES
def test_it_gives_what_the_plain_graph_gives(dtype: str, untried: pytest.MonkeyPatch) -> None:
    opened = open_on_device(catalog.shipped_graph(dtype, "fp32"), Device("cpu"))
    assert len(opening._blocks) == 1, "one of them works on every such processor"
    value = pictures(dtype)
    got, wanted = opened.run(value), plain(dtype).run(None, {"input": value})[0]
    assert (got.shape, got.dtype) == (wanted.shape, wanted.dtype)
    off = np.abs(got.astype(np.float64) - wanted)
    if dtype == "float32":
        assert off.max() < 1e-5
    else:  # values on the border of two levels may go either way
        assert off.max() <= 1
        assert (off > 0).mean() < {"uint8": 1e-3, "uint16": 0.2}[dtype]


@DTYPES
def test_it_states_the_facts_of_the_plain_graph(dtype: str, untried: pytest.MonkeyPatch) -> None:
    graph = catalog.shipped_graph(dtype, "fp32")
    fast = open_on_device(graph, Device("cpu")).facts
    untried.setattr(opening, "_blocks", ())
    assert open_on_device(graph, Device("cpu")).facts == fast


@DTYPES
def test_maps_stay_interleaved_from_the_first_convolution_to_the_last(
    dtype: str, untried: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    graph = catalog.shipped_graph(dtype, "fp32")
    open_on_device(graph, Device("cpu")).close()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    data = blocked_graph(graph, *opening._blocks).data
    onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    nodes = [node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node]
    counts = [nodes.count(op) for op in ("ReorderOutput", "ReorderInput", "QuickGelu", "Add")]
    assert counts == [1, 0, 12, 0]


def test_weights_interleaved_for_another_processor_are_not_believed(
    untried: pytest.MonkeyPatch,
) -> None:
    graph = catalog.shipped_graph("uint8", "fp32")
    open_on_device(graph, Device("cpu")).close()
    (right,) = opening._blocks
    wrong = next(block for block in BLOCKS if block != right)
    untried.setattr(opening, "_blocks", (wrong, right))
    open_on_device(graph, Device("cpu")).close()
    assert list(opening._blocks) == [right]
    untried.setattr(opening, "_blocks", (wrong, wrong))
    value = pictures("uint8")
    opened = open_on_device(graph, Device("cpu"))
    assert not opening._blocks
    assert np.array_equal(opened.run(value), plain("uint8").run(None, {"input": value})[0])


def test_what_another_thread_finds_out_meanwhile_is_no_word_on_what_is_tried_here(
    untried: pytest.MonkeyPatch,
) -> None:
    graph, cpu = catalog.shipped_graph("uint8", "fp32"), Device("cpu")
    open_on_device(graph, cpu).close()
    (right,) = opening._blocks
    wrong = next(block for block in BLOCKS if block != right)
    untried.setattr(opening, "_blocks", (wrong, right))
    as_it_is = opening._open_as_it_is

    def beside_another(*how: Any) -> Session:
        session = as_it_is(*how)
        untried.setattr(opening, "_open_as_it_is", as_it_is)
        open_on_device(graph, cpu).close()
        return session

    untried.setattr(opening, "_open_as_it_is", beside_another)
    late, value = open_on_device(graph, cpu), pictures("uint8")
    off = late.run(value).astype(int) - plain("uint8").run(None, {"input": value})[0]
    assert np.abs(off).max() <= 1
    assert list(opening._blocks) == [right]


def test_other_processors_and_precisions_and_graphs_run_as_they_are(
    untried: pytest.MonkeyPatch,
) -> None:
    def blocked_form(graph: catalog.Graph) -> Session | None:
        return opening._open_blocked(graph, None, None, ["CPUExecutionProvider"], None)

    graph = catalog.shipped_graph("uint8", "fp32")
    assert blocked_form(catalog.foreign_graph(graph.data)) is None
    assert blocked_form(catalog.shipped_graph("uint8", "fp16")) is None
    assert blocked_form(graph) is not None
    untried.setattr("platform.machine", lambda: "arm64")
    assert blocked_form(graph) is None


def test_an_onnx_runtime_without_such_kernels_gets_the_plain_graph(
    untried: pytest.MonkeyPatch,
) -> None:
    unknown = "an operator that is not there"

    def without(plain: catalog.Graph, block: int) -> catalog.Graph:
        graph = blocked_graph(plain, block)
        data = graph.data.replace(b"QuickGelu", b"SlowGelus")
        return catalog.Graph(unknown, data, form=graph.form)

    untried.setattr(blocked, "blocked_graph", without)
    foreign = catalog.Graph(unknown, without(catalog.shipped_graph("uint8", "fp32"), 16).data)
    with pytest.raises(GraphError, match=unknown):
        open_on_device(foreign, Device("cpu"))
    with Upscaler(device="cpu") as upscale:
        assert not opening._blocks
        assert upscale(np.zeros((8, 8, 3), np.uint8)).shape == (16, 16, 3)


def test_a_frame_of_1080_lines_is_one_tile_and_a_large_picture_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda: 16 << 30)
    with Upscaler(device="cpu") as upscaler:
        tiles = [
            upscaler.work(kind_of(np.zeros((*size, 3), np.uint8))).plan().tiles
            for size in ((1080, 1920), (4000, 4000))
        ]
    assert tiles[0] == 1
    assert tiles[1] > 16, "of half a GiB each"
