"""Sessions: what ONNX Runtime is asked for, and when a device is believed. Its GPUs are faked."""

from __future__ import annotations

import logging
import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from fake_runtime import (
    CPU,
    CUDA,
    DML,
    Array,
    FakeEPFailError,
    FakeInference,
    FakeOptions,
    FakePart,
    FakeRuntime,
    failing,
    not_a_number,
)
from onnx import TensorProto, helper

from liveaction_onnx import (
    CancelledError,
    ClosedError,
    DeviceFailedError,
    DeviceMemoryError,
    DeviceUnavailableError,
    GraphError,
    OptionError,
    catalog,
    devices,
    memory,
    opening,
    pixels,
    placement,
    planning,
)
from liveaction_onnx.blocked import BLOCKS
from liveaction_onnx.catalog import Graph, shipped_graph
from liveaction_onnx.devices import Device
from liveaction_onnx.opening import adopt, open_on_device, open_with_providers
from liveaction_onnx.placement import Placement


def install(monkeypatch: pytest.MonkeyPatch, *providers: str) -> FakeRuntime:
    """Put a fake in the place of ONNX Runtime."""
    runtime = FakeRuntime(*providers)
    monkeypatch.setattr(opening, "onnxruntime", lambda: runtime)
    monkeypatch.setattr(opening, "_blocks", BLOCKS[:1])  # as after a first picture
    return runtime


def off_by_ten_levels(result: Array, precision: str) -> Array:
    top = np.iinfo(result.dtype).max if result.dtype.kind == "u" else 1
    ten = top * np.float32(10 / 255)
    return np.where(result > top / 2, result - ten, result + ten).astype(result.dtype)


def black(result: Array, precision: str) -> Array:
    return np.zeros_like(result)


out_of_memory = failing("CUDA failure 2: out of memory ; GPU=0")
no_kernel = failing("CUDA failure 209: no kernel image is available")


def convolution(dtype: int) -> Graph:
    """A graph of one convolution in a type of floats."""
    value = [helper.make_tensor_value_info(n, dtype, [1, 3, "height", "width"]) for n in "xy"]
    numbers = np.eye(3, dtype=helper.tensor_dtype_to_np_dtype(dtype))[..., None, None]
    kernel = onnx.numpy_helper.from_array(numbers, "w")
    node = helper.make_node("Conv", ["x", "w"], ["y"])
    graph = helper.make_graph([node], "convolution", value[:1], value[1:], [kernel])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return Graph("convolution.onnx", made.SerializeToString())


def foreign_graph(size: int | None = None, factor: str = "Identity") -> Graph:
    """A graph that makes of a picture itself; its scale of 1 is found by a probe."""
    sides: list[Any] = [size, size] if size else ["height", "width"]
    value = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 3, *sides]) for n in "xy"]
    node = helper.make_node(factor, ["x"], ["y"])
    graph = helper.make_graph([node], "foreign", value[:1], value[1:])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return Graph("foreign.onnx", made.SerializeToString())


def picture(height: int = 6, width: int = 8) -> Array:
    return np.zeros((1, height, width, 3), np.uint8)


class TestCuda:
    def test_it_is_asked_for_what_makes_it_fast_and_exact(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        runtime = install(monkeypatch, CUDA)
        open_on_device(shipped_graph("uint8", "fp32"), Device("cuda", 1))
        options = runtime.opened_on(CUDA)[0]["providers"][0][1]
        assert options["device_id"] == "1"
        assert options["cudnn_conv_algo_search"] == "HEURISTIC"
        assert options["use_tf32"] == "0"

    @pytest.mark.parametrize(
        ("graph", "tf32"),
        [
            (shipped_graph("uint8", "fp16"), "1"),
            (shipped_graph("float32", "fp16"), "1"),
            (shipped_graph("uint16", "fp32"), "0"),
            (convolution(TensorProto.FLOAT16), "1"),
            (convolution(TensorProto.FLOAT), "0"),
            (foreign_graph(), "0"),
        ],
    )
    def test_half_precision_has_tensor_cores_and_full_precision_is_full(
        self, monkeypatch: pytest.MonkeyPatch, graph: Graph, tf32: str
    ) -> None:
        """ONNX Runtime takes `use_tf32` for leave to use them in any precision."""
        runtime = install(monkeypatch, CUDA)
        open_on_device(graph, Device("cuda"))
        assert runtime.opened_on(CUDA)[0]["providers"][0][1]["use_tf32"] == tf32

    def test_what_was_run_once_may_be_run_again_in_the_memory_that_it_left_taken(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """ONNX Runtime keeps it, and the driver counts it as gone."""
        runtime = install(monkeypatch, CUDA)
        opened = open_on_device(shipped_graph("uint8", "fp16"), Device("cuda"))
        per_px = opened.facts.workspace_bytes_per_px
        kind, tiling = pixels.kind_of(picture(400, 600)[0]), planning.Tiling(None, None, True)
        whole_px = math.prod(tiling.plan(kind, opened).window_px)

        def free(index: int) -> int:
            kept = max(shape[1] * shape[2] for shape in runtime.shapes)
            return per_px * (5 * whole_px // 2 - kept)

        monkeypatch.setattr(memory, "cuda_free_bytes", free)
        first = tiling.plan(kind, opened)
        assert first.tiles == 1
        opened.run(picture(*first.window_px))
        assert tiling.plan(kind, opened) == first
        assert tiling.plan(pixels.kind_of(picture(800, 600)[0]), opened).tiles > 1

    def test_a_run_ends_where_it_is_cancelled(self, monkeypatch: pytest.MonkeyPatch) -> None:
        install(monkeypatch, CUDA)
        opened = open_on_device(shipped_graph("uint8", "fp16"), Device("cuda"))
        cancel = threading.Event()
        with opened.options(cancel) as options:
            opened.run(picture(), options)
            cancel.set()
            with pytest.raises(CancelledError):  # noqa: PT012
                while True:
                    opened.run(picture(), options)

    def test_its_libraries_are_loaded_before_the_first_session(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        runtime = install(monkeypatch, CUDA)
        open_on_device(shipped_graph("uint8", "fp32"), Device("cuda"))
        assert runtime.events[:2] == ["preload", f"open {CUDA}"]

    def test_the_cpu_loads_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        runtime = install(monkeypatch, CUDA)
        open_on_device(shipped_graph("uint8", "fp32"), Device("cpu"))
        assert runtime.events == [f"open {CPU}"]

    def test_an_onnx_runtime_that_cannot_load_them_will_do(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        install(monkeypatch, CUDA)
        monkeypatch.delattr(FakeRuntime, "preload_dlls")
        opened = open_on_device(shipped_graph("uint8", "fp32"), Device("cuda"))
        assert opened.providers == [CUDA, CPU]

    def test_what_loading_prints_stays_off_stdout(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        runtime = install(monkeypatch, CUDA)
        runtime.preload_says = "Failed to load libcudnn.so.9"
        open_on_device(shipped_graph("uint8", "fp32"), Device("cuda"))
        assert capsys.readouterr().out == ""

    def test_what_loading_prints_is_in_the_error(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        runtime = install(monkeypatch, CUDA)
        runtime.preload_says = "Failed to load libcudnn.so.9"
        runtime.falls_back = {CUDA}
        with pytest.raises(DeviceUnavailableError, match=r"Failed to load libcudnn\.so\.9"):
            open_on_device(shipped_graph("uint8", "fp32"), Device("cuda"))
        assert capsys.readouterr().out == ""

    def test_a_silent_fallback_is_no_success(self, monkeypatch: pytest.MonkeyPatch) -> None:
        install(monkeypatch, CUDA).falls_back = {CUDA}
        with pytest.raises(DeviceUnavailableError, match=f"cuda:0: .*fell back to {CPU}") as caught:
            open_on_device(shipped_graph("uint8", "fp32"), Device("cuda"))
        assert "nvidia-smi" in str(caught.value)

    def test_a_run_that_fails_is_an_error_and_not_a_slow_one_on_the_cpu(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """ONNX Runtime would go on there by itself, where a provider fails at a node."""
        runtime = install(monkeypatch, CUDA)
        opened = open_on_device(shipped_graph("uint8", "fp32"), Device("cuda"))

        def refuses(result: Array, precision: str) -> Array:
            raise FakeEPFailError(
                "HEURISTIC_QUERY_FAILED ; \n\n with the cudnn frontend json:\n{...}"
            )

        runtime.faults = {CUDA: refuses}
        with pytest.raises(DeviceFailedError, match=r"cuda:0, input .*: HEURISTIC_QUERY_FAILED ;$"):
            opened.run(picture(20, 30))
        assert capsys.readouterr().out == ""
        assert opened.providers[0] == CUDA

    def test_providers_that_fail_at_opening_are_told_apart_from_a_graph_that_is_wrong(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        runtime = install(monkeypatch, CUDA)
        runtime.faults = {CUDA: no_kernel}
        with pytest.raises(DeviceFailedError, match=f"{CUDA}: .*no kernel image"):
            open_with_providers(foreign_graph(), [CUDA, CPU])
        broken = Graph("broken.onnx", b"no graph")
        with pytest.raises(GraphError):
            open_with_providers(broken, [CUDA, CPU])

    def test_onnx_runtime_is_quiet_only_while_it_opens(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        runtime = install(monkeypatch, CUDA)
        open_on_device(shipped_graph("uint8", "fp32"), Device("cuda"))
        assert runtime.severities == [4, 2]

    def test_a_provider_that_is_not_there_is_an_error_with_a_command(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        install(monkeypatch)
        with pytest.raises(DeviceUnavailableError, match="pip install") as caught:
            open_on_device(shipped_graph("uint8", "fp32"), Device("cuda"))
        assert CUDA in str(caught.value)


class TestBelief:
    @pytest.mark.parametrize("precision", ["fp32", "fp16"])
    @pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
    def test_a_right_result_is_believed(
        self, monkeypatch: pytest.MonkeyPatch, dtype: str, precision: str
    ) -> None:
        install(monkeypatch, CUDA)
        opened = open_on_device(shipped_graph(dtype, precision), Device("cuda"))
        assert (opened.facts.dtype, opened.facts.precision) == (dtype, precision)

    @pytest.mark.parametrize("precision", ["fp32", "fp16"])
    @pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
    @pytest.mark.parametrize("fault", [off_by_ten_levels, black, no_kernel, out_of_memory])
    def test_a_wrong_result_or_none_is_not(
        self, monkeypatch: pytest.MonkeyPatch, dtype: str, precision: str, fault: Any
    ) -> None:
        install(monkeypatch, CUDA).faults[CUDA] = fault
        with pytest.raises(DeviceFailedError, match="cuda:0"):
            open_on_device(shipped_graph(dtype, precision), Device("cuda"))

    def test_how_far_it_is_off_is_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        install(monkeypatch, CUDA).faults[CUDA] = off_by_ten_levels
        with pytest.raises(DeviceFailedError, match=r"off by (9|10|11)\.. levels"):
            open_on_device(shipped_graph("uint8", "fp32"), Device("cuda"))

    def test_nan_is_not_believed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        install(monkeypatch, CUDA).faults[CUDA] = not_a_number
        with pytest.raises(DeviceFailedError, match="off by nan"):
            open_on_device(shipped_graph("float32", "fp32"), Device("cuda"))

    @pytest.mark.parametrize("size", [None, 20])
    def test_a_foreign_graph_is_compared_with_the_cpu(
        self, monkeypatch: pytest.MonkeyPatch, size: int | None
    ) -> None:
        runtime = install(monkeypatch, CUDA)
        opened = open_on_device(foreign_graph(size), Device("cuda"))
        assert opened.facts.scale == 1
        runtime.faults[CUDA] = off_by_ten_levels
        with pytest.raises(DeviceFailedError, match="off by 10"):
            open_on_device(foreign_graph(size), Device("cuda"))

    def test_a_broken_graph_is_not_the_devices_fault(self, monkeypatch: pytest.MonkeyPatch) -> None:
        install(monkeypatch, CUDA)
        with pytest.raises(GraphError, match=r"broken\.onnx"):
            open_on_device(Graph("broken.onnx", b"no graph at all"), Device("cuda"))

    def test_the_cpu_is_believed_without_a_run(self, monkeypatch: pytest.MonkeyPatch) -> None:
        runtime = install(monkeypatch)
        open_on_device(shipped_graph("uint8", "fp32"), Device("cpu"))
        assert not runtime.shapes


class TestErrors:
    @pytest.mark.parametrize(
        "text",
        [
            "CUDA failure 2: out of memory ; GPU=0",
            "BFCArena::AllocateRawInternal: Failed to allocate memory for requested buffer",
            "std::bad_alloc",
            "bad allocation",
            "CUBLAS_STATUS_ALLOC_FAILED",
            "DmlCommittedResourceAllocator: 8007000E Not enough memory resources",
        ],
    )
    def test_out_of_memory_is_known_by_its_words(
        self, monkeypatch: pytest.MonkeyPatch, text: str
    ) -> None:
        runtime = install(monkeypatch, CUDA)
        opened = open_on_device(shipped_graph("uint8", "fp32"), Device("cuda"))

        runtime.faults[CUDA] = failing(text)
        with pytest.raises(DeviceMemoryError, match=r"cuda:0, input \(1, 6, 8, 3\)") as caught:
            opened.run(picture())
        assert isinstance(caught.value.__cause__, RuntimeError)

    def test_any_other_failure_is_the_devices_where_the_graph_ran_on_it_before(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        runtime = install(monkeypatch, CUDA)
        opened = open_on_device(shipped_graph("uint8", "fp32"), Device("cuda"))
        runtime.faults[CUDA] = no_kernel
        with pytest.raises(DeviceFailedError, match="no kernel image") as caught:
            opened.run(picture())
        assert isinstance(caught.value.__cause__, RuntimeError)

    def test_a_closed_session_says_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        install(monkeypatch)
        opened = open_on_device(shipped_graph("uint8", "fp32"), Device("cpu"))
        opened.close()
        with pytest.raises(ClosedError):
            opened.run(picture())
        with pytest.raises(ClosedError):
            _ = opened.providers

    def test_the_graphs_file_is_named_where_it_cannot_be_opened(self) -> None:
        with pytest.raises(GraphError, match=r"bad\.onnx: ONNX Runtime cannot open it"):
            open_on_device(Graph("bad.onnx", b"\x08\x08"), Device("cpu"))


class TestThreads:
    def test_runs_of_one_session_go_one_at_a_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        runtime = install(monkeypatch, CUDA)
        opened = open_on_device(shipped_graph("uint8", "fp32"), Device("cuda"))
        runtime.pause = partial(time.sleep, 0.01)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(opened.run, [picture()] * 8))
        assert runtime.most_running == 1

    def test_two_sessions_on_the_cpu_may_run_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        install(monkeypatch)
        first, second = (
            open_on_device(shipped_graph("uint8", "fp32"), Device("cpu")) for _ in range(2)
        )
        assert first._lock is not second._lock

    def test_two_sessions_on_directml_never_run_at_once(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        runtime = install(monkeypatch, DML)
        both = [open_on_device(shipped_graph("uint8", "fp32"), Device("dml")) for _ in range(2)]
        runtime.pause = partial(time.sleep, 0.01)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda k: both[k % 2].run(picture()), range(8)))
        assert runtime.most_running == 1

    def test_a_session_on_directml_does_not_open_while_another_runs(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A graph that states no scale is run once, to find it."""
        runtime = install(monkeypatch, DML)
        running = open_on_device(shipped_graph("uint8", "fp32"), Device("dml"))
        begun, finish = threading.Event(), threading.Event()

        def hold(result: Array, precision: str) -> Array:
            if result.dtype == np.uint8:
                begun.set()
                finish.wait(5)
            return result

        runtime.faults[DML] = hold
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(running.run, picture())
            assert begun.wait(5)
            second = pool.submit(open_on_device, foreign_graph(), Device("dml"))
            with pytest.raises(TimeoutError):
                second.result(0.3)
            at_once = runtime.most_running
            finish.set()
            first.result(5)
            second.result(5)
        assert at_once == 1


class TestDirectMl:
    def test_it_runs_in_order_and_without_memory_patterns(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        runtime = install(monkeypatch, DML)
        open_on_device(shipped_graph("uint8", "fp32"), Device("dml", 2))
        for call in runtime.opened_on(DML):
            assert call["providers"] == [(DML, {"device_id": "2"})]
            assert call["options"].enable_mem_pattern is False
            assert call["options"].execution_mode == "sequential"

    @pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
    def test_it_is_told_the_sizes_of_windows(
        self, monkeypatch: pytest.MonkeyPatch, dtype: str
    ) -> None:
        runtime = install(monkeypatch, DML)
        opened = open_on_device(shipped_graph(dtype, "fp32"), Device("dml"))
        opened.run(np.zeros(opened.facts.input_shape(6, 8), dtype))
        batch, height, width = opened.facts.free_dimensions
        sizes = runtime.opened_on(DML)[-1]["options"].free_dimensions
        assert sizes == {batch: 1, height: 6, width: 8}

    def test_it_is_opened_anew_only_where_the_shape_changes(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        runtime = install(monkeypatch, DML)
        opened = open_on_device(shipped_graph("uint8", "fp32"), Device("dml"))
        before = len(runtime.opened)
        for size in [(6, 8), (6, 8), (6, 8), (8, 6), (8, 6)]:
            assert opened.run(picture(*size)).shape == (1, size[0] * 2, size[1] * 2, 3)
        assert len(runtime.opened) - before == 2

    def test_cuda_and_cpu_are_never_opened_anew(self, monkeypatch: pytest.MonkeyPatch) -> None:
        runtime = install(monkeypatch, CUDA)
        for device in (Device("cuda"), Device("cpu")):
            opened = open_on_device(shipped_graph("uint8", "fp32"), device)
            before = len(runtime.opened)
            opened.run(picture(6, 8))
            opened.run(picture(8, 6))
            assert len(runtime.opened) == before

    def test_a_graph_of_one_size_is_not_opened_anew(self, monkeypatch: pytest.MonkeyPatch) -> None:
        runtime = install(monkeypatch, DML)
        opened = open_on_device(foreign_graph(20), Device("dml"))
        before = len(runtime.opened)
        opened.run(np.zeros((1, 3, 20, 20), np.float32))
        assert len(runtime.opened) == before

    def test_with_the_callers_options_which_are_told_no_sizes_it_is_not_opened_anew(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        runtime = install(monkeypatch, DML)
        graph, options = shipped_graph("uint8", "fp32"), runtime.SessionOptions()
        for opened in (
            open_on_device(graph, Device("dml"), options=options),
            open_with_providers(graph, [DML], options=options),
        ):
            before = len(runtime.opened)
            opened.run(picture(6, 8))
            opened.run(picture(8, 6))
            assert len(runtime.opened) == before

    def test_a_device_that_was_lost_is_taken_up_again(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A new session alone brings it back, at the size that was open too."""
        runtime = install(monkeypatch, DML)
        opened = open_on_device(shipped_graph("uint8", "fp32"), Device("dml"))
        opened.run(picture(6, 8))
        runtime.faults[DML] = failing("887A0005 The GPU device instance has been suspended")
        with pytest.raises(DeviceFailedError, match="887A0005"):
            opened.run(picture(6, 8))
        runtime.faults.clear()
        before = len(runtime.opened)
        assert opened.run(picture(6, 8)).shape == (1, 12, 16, 3)
        assert len(runtime.opened) - before == 1

    def test_a_device_that_is_lost_where_it_is_opened_anew_is_not_the_graphs_fault(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        runtime = install(monkeypatch, DML)
        opened = open_on_device(shipped_graph("uint8", "fp32"), Device("dml"))

        def fail(*arguments: Any, **options: Any) -> Any:
            raise RuntimeError("887A0005 The GPU device instance has been suspended")

        monkeypatch.setattr(runtime, "InferenceSession", fail)
        with pytest.raises(DeviceFailedError, match="887A0005"):
            opened.run(picture(30, 30))

    def test_a_closed_one_is_not_opened_anew(self, monkeypatch: pytest.MonkeyPatch) -> None:
        install(monkeypatch, DML)
        opened = open_on_device(shipped_graph("uint8", "fp32"), Device("dml"))
        opened.close()
        with pytest.raises(ClosedError):
            opened.run(picture(3, 3))

    def test_no_memory_to_open_anew_is_a_lack_of_memory_and_passes(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        runtime = install(monkeypatch, DML)
        opened = open_on_device(shipped_graph("uint8", "fp32"), Device("dml"))
        original = FakeRuntime.InferenceSession

        def fail(*arguments: Any, **options: Any) -> Any:
            raise RuntimeError("8007000E Not enough memory resources are available")

        monkeypatch.setattr(runtime, "InferenceSession", fail)
        with pytest.raises(DeviceMemoryError):
            opened.run(picture(30, 30))
        monkeypatch.setattr(runtime, "InferenceSession", original.__get__(runtime))
        assert opened.run(picture(6, 8)).shape == (1, 12, 16, 3)


class TestProviders:
    def test_they_are_handed_on_as_they_are(self, monkeypatch: pytest.MonkeyPatch) -> None:
        runtime = install(monkeypatch, CUDA)
        opened = open_with_providers(
            shipped_graph("uint8", "fp32"), [(CUDA, {"use_tf32": "1"}), CPU]
        )
        assert runtime.opened[0]["providers"] == [(CUDA, {"use_tf32": "1"}), CPU]
        assert opened.providers == [CUDA, CPU]
        assert runtime.events == ["preload", f"open {CUDA}"]

    @pytest.mark.parametrize("provider", [CUDA, DML])
    def test_a_wrong_result_of_theirs_is_not_believed_either(
        self, monkeypatch: pytest.MonkeyPatch, provider: str
    ) -> None:
        install(monkeypatch, provider).faults[provider] = black
        with pytest.raises(DeviceFailedError, match="its result on a known patch is off by"):
            open_with_providers(shipped_graph("uint8", "fp16"), [provider, CPU])

    @pytest.mark.parametrize("name", ["Tensorrt", "NvTensorRTRTX"])
    def test_others_of_nvidia_get_their_libraries_too(
        self, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        provider = f"{name}ExecutionProvider"
        runtime = install(monkeypatch, provider)
        open_with_providers(shipped_graph("uint8", "fp32"), [provider])
        assert runtime.events == ["preload", f"open {provider}"]

    def test_the_device_has_the_number_that_they_name(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        install(monkeypatch, CUDA)
        graph = shipped_graph("uint8", "fp32")
        assert str(open_with_providers(graph, [(CUDA, {"device_id": "1"})]).device) == "cuda:1"
        options = [{"device_id": "1"}]
        opened = open_with_providers(graph, [CUDA], provider_options=options)
        assert str(opened.device) == "cuda:1"

    def test_one_that_is_not_there_is_named_beside_those_that_are(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        install(monkeypatch, CUDA)
        with pytest.raises(DeviceUnavailableError, match=f"{DML} .* has {CUDA}, {CPU}"):
            open_with_providers(shipped_graph("uint8", "fp32"), [DML, CPU])

    def test_a_silent_fallback_is_no_success(self, monkeypatch: pytest.MonkeyPatch) -> None:
        install(monkeypatch, CUDA).falls_back = {CUDA}
        with pytest.raises(DeviceUnavailableError, match=f"{CUDA} was asked for"):
            open_with_providers(shipped_graph("uint8", "fp32"), [CUDA, CPU])

    def test_none_at_all_are_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        install(monkeypatch)
        with pytest.raises(OptionError, match="providers"):
            open_with_providers(shipped_graph("uint8", "fp32"), [])

    def test_one_that_has_no_short_name_keeps_its_own(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        install(monkeypatch, "CoreMLExecutionProvider")
        opened = open_with_providers(shipped_graph("uint8", "fp32"), ["CoreMLExecutionProvider"])
        assert str(opened.device) == "CoreMLExecutionProvider"


class TestPlacement:
    """What ONNX Runtime leaves to the CPU is said."""

    def test_operators_that_the_cpu_computes_are_named(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        runtime = install(monkeypatch, CUDA)
        runtime.parts = [
            FakePart(CUDA, "Conv", "Mul"),
            FakePart(CPU, "QLinearConv"),
            FakePart(CPU, "Hardmax", "QLinearConv"),
            FakePart(CPU, "Shape", "Gather"),
        ]
        open_on_device(foreign_graph(), Device("cuda"))
        [record] = caplog.records
        assert (record.name, record.levelno) == ("liveaction_onnx", logging.WARNING)
        assert "foreign.onnx on cuda:0: the CPU computes Hardmax, QLinearConv," in record.message

    @pytest.mark.parametrize(
        "parts", [[], [FakePart(CUDA, "Conv"), FakePart(CPU, "Shape", "Gather", "Concat")]]
    )
    def test_nothing_is_said_of_shapes(
        self,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
        parts: list[FakePart],
    ) -> None:
        install(monkeypatch, CUDA).parts = parts
        open_on_device(foreign_graph(), Device("cuda"))
        assert not caplog.records

    def test_a_device_that_takes_nothing_of_a_graph_is_not_used(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        core_ml = "CoreMLExecutionProvider"
        runtime = install(monkeypatch, CUDA, core_ml)
        runtime.parts = [FakePart(CPU, "Conv"), FakePart(CPU, "Shape")]
        with pytest.raises(
            DeviceUnavailableError, match=r"cuda:0: .* runs foreign.onnx on the CPU"
        ):
            open_on_device(foreign_graph(), Device("cuda"))
        with pytest.raises(DeviceUnavailableError, match=f"{core_ml}: .* on the CPU all the same"):
            open_with_providers(shipped_graph("uint8", "fp32"), [core_ml])

    def test_an_older_runtime_or_options_of_the_callers_say_nothing(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        runtime = install(monkeypatch, CUDA)
        runtime.parts = [FakePart(CUDA, "Conv"), FakePart(CPU, "Hardmax")]
        open_on_device(foreign_graph(), Device("cuda"), options=FakeOptions())
        runtime.tells_parts = False
        open_on_device(foreign_graph(), Device("cuda"))
        assert not caplog.records

    def test_onnx_runtime_tells_it(self) -> None:
        options = onnxruntime.SessionOptions()
        options.add_session_config_entry(devices.TELL_PLACEMENT, "1")
        data = convolution(TensorProto.FLOAT).data
        inference = onnxruntime.InferenceSession(data, options, providers=[CPU])
        tells = hasattr(inference, "get_provider_graph_assignment_info")  # 1.24 and newer
        expected = Placement(("Conv",), elsewhere=False) if tells else Placement()
        assert placement.placement(inference) == expected


class TestAdopted:
    def test_a_callers_session_is_taken_as_it_is(self) -> None:
        data = shipped_graph("uint8", "fp32").data
        inference = onnxruntime.InferenceSession(data, providers=[CPU])
        opened = adopt(inference, None)
        assert (str(opened.device), opened.facts.halo) == ("cpu", 21)
        assert opened.run(picture()).shape == (1, 12, 16, 3)

    def test_the_callers_word_on_the_halo_counts(self) -> None:
        inference = onnxruntime.InferenceSession(foreign_graph().data, providers=[CPU])
        assert adopt(inference, None).facts.halo is None
        assert adopt(inference, 3).facts.halo == 3

    def test_a_session_on_directml_may_be_adopted(self) -> None:
        runtime = FakeRuntime(DML)
        inference = FakeInference(runtime, shipped_graph("uint8", "fp32").data, None, DML)
        opened = adopt(inference, None)
        assert str(opened.device) == "dml:0"
        assert opened.run(picture()).shape == (1, 12, 16, 3)
        assert runtime.opened == []


def test_golden_is_what_the_cpu_makes_of_it() -> None:
    patch, expected = catalog.golden()
    opened = open_on_device(shipped_graph("uint8", "fp32"), Device("cpu"))
    assert np.abs(opened.run(patch[None])[0].astype(int) - expected).max() <= 1


def test_a_graph_with_weights_beside_it_is_opened_from_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path.parent)
    loaded = onnx.load_from_string(shipped_graph("uint8", "fp32").data)
    onnx.save(
        loaded, tmp_path / "a.onnx", save_as_external_data=True, location="w.bin", size_threshold=0
    )
    opened = open_on_device(catalog.foreign_graph(tmp_path / "a.onnx"), Device("cpu"))
    assert opened.run(picture()).shape == (1, 12, 16, 3)
