"""Devices by name, their options and budgets, and which ONNX Runtime there is to drive them."""

from __future__ import annotations

import importlib.metadata
import sys
import types
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from fake_runtime import CUDA, DML, FakeOptions, FakeRuntime

from liveaction_onnx import (
    OptionError,
    RuntimeMissingError,
    devices,
    memory,
    processors,
    runtime,
)
from liveaction_onnx.devices import Device

GIB = 1 << 30


@pytest.mark.parametrize(
    ("text", "device", "provider"),
    [
        ("cpu", Device("cpu"), "CPUExecutionProvider"),
        ("cuda", Device("cuda", 0), CUDA),
        ("cuda:0", Device("cuda", 0), CUDA),
        ("cuda:12", Device("cuda", 12), CUDA),
        ("dml", Device("dml", devices.FASTEST), DML),
        ("dml:0", Device("dml", 0), DML),
        ("dml:1", Device("dml", 1), DML),
    ],
)
def test_a_device_is_named_by_its_kind_and_number(text: str, device: Device, provider: str) -> None:
    parsed = devices.parse_device(text)
    assert parsed == device
    assert device.provider == provider


def test_auto_is_no_device_yet() -> None:
    assert devices.parse_device("auto") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "gpu",
        "CUDA",
        "cuda:",
        "cuda:-1",
        "cuda:x",
        "cuda:1:2",
        "cpu:0",
        "cuda 1",
        "auto:0",
        " cpu",
    ],
)
def test_what_names_no_device_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="device: expected auto, cpu, cuda, cuda:N, dml or dml:N"):
        devices.parse_device(text)


@pytest.mark.parametrize("value", [None, 0, b"cuda", ("cuda", 1)])
def test_what_is_no_text_is_refused(value: object) -> None:
    with pytest.raises(OptionError, match="device: expected auto"):
        devices.parse_device(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("device", "text"),
    [
        (Device("cuda"), "cuda:0"),
        (Device("dml", 0), "dml:0"),
        (Device("dml", 2), "dml:2"),
        (devices.unnumbered("dml"), "dml"),
        (Device("cpu"), "cpu"),
    ],
)
def test_a_device_prints_as_it_is_named(device: Device, text: str) -> None:
    assert str(device) == text
    assert devices.parse_device(text) == device


def test_a_provider_without_a_short_name_is_a_device_of_its_own() -> None:
    device = devices.of_provider("OpenVINOExecutionProvider")
    assert str(device) == device.provider == "OpenVINOExecutionProvider"
    assert devices.of_provider(CUDA) == Device("cuda")


@pytest.mark.parametrize(
    ("platform", "kinds"),
    [("win32", ["cuda", "dml", "cpu"]), ("linux", ["cuda", "cpu"]), ("darwin", ["cuda", "cpu"])],
)
def test_auto_tries_the_best_first_and_directml_on_windows_alone(
    monkeypatch: pytest.MonkeyPatch, platform: str, kinds: list[str]
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    assert [device.kind for device in devices.candidates()] == kinds


@pytest.mark.parametrize(
    ("kind", "precisions"), [("cuda", ("fp16", "fp32")), ("dml", ("fp32",)), ("cpu", ("fp32",))]
)
def test_half_precision_is_tried_on_cuda_alone(kind: str, precisions: tuple[str, ...]) -> None:
    assert devices.precisions(kind) == precisions


@pytest.mark.parametrize(("precision", "tf32"), [("fp32", "0"), ("fp16", "1")])
def test_cuda_takes_cudnn_at_its_word_and_computes_fp32_without_tf32(
    precision: str, tf32: str
) -> None:
    """fp16 has no tensor cores without leave for TF32, of which it makes no other use."""
    options = devices.provider_options(Device("cuda", 1), precision)
    assert options["device_id"] == "1"
    assert options["cudnn_conv_algo_search"] == "HEURISTIC"
    assert options["use_tf32"] == tf32
    assert options["arena_extend_strategy"] == "kSameAsRequested"


def test_directml_is_told_its_adapter_or_to_take_the_fastest_and_the_cpu_nothing() -> None:
    """Of an adapter and a preference ONNX Runtime takes the adapter alone."""
    fastest = devices.provider_options(devices.unnumbered("dml"), "fp32")
    assert fastest == {"performance_preference": "high_performance"}
    assert devices.provider_options(Device("dml", 2), "fp32") == {"device_id": "2"}
    assert devices.provider_options(Device("dml", 0), "fp32") == {"device_id": "0"}
    assert devices.provider_options(Device("cpu"), "fp32") == {}


def test_directml_runs_in_order_without_memory_patterns_at_stated_sizes() -> None:
    options: FakeOptions = devices.session_options(
        FakeRuntime(), "dml", {"height": 64, "width": 48}
    )
    assert options.enable_mem_pattern is False
    assert options.execution_mode == "sequential"
    assert options.free_dimensions == {"height": 64, "width": 48}


@pytest.mark.parametrize("kind", ["cuda", "cpu"])
def test_other_devices_keep_dimensions_free(kind: str) -> None:
    options: FakeOptions = devices.session_options(FakeRuntime(), kind, {"height": 64})
    assert options.enable_mem_pattern is False
    assert options.execution_mode == "parallel"
    assert options.free_dimensions == {}


@pytest.mark.parametrize("kind", ["cpu", "cuda", "dml"])
def test_threads_of_the_cpu_do_not_wait_awake_for_long(kind: str) -> None:
    entries = devices.session_options(FakeRuntime(), kind, {}).entries
    if kind == "cpu":
        assert 0 < int(entries["session.intra_op.spin_duration_us"]) <= 1000
    else:
        assert "session.intra_op.spin_duration_us" not in entries


@pytest.mark.parametrize(("kind", "told"), [("cpu", False), ("cuda", True), ("dml", True)])
def test_other_devices_than_the_cpu_tell_what_they_leave_to_it(kind: str, told: bool) -> None:
    entries = devices.session_options(FakeRuntime(), kind, {}).entries
    assert ("session.record_ep_graph_assignment_info" in entries) == told


@pytest.mark.parametrize(("kind", "threads"), [("cpu", 3), ("cuda", 0), ("dml", 0)])
def test_the_cpu_has_as_many_threads_as_processors_are_ours(
    monkeypatch: pytest.MonkeyPatch, kind: str, threads: int
) -> None:
    monkeypatch.setattr(processors, "threads", lambda: 3)
    assert devices.session_options(FakeRuntime(), kind, {}).intra_op_num_threads == threads
    monkeypatch.setattr(processors, "threads", lambda: None)
    assert devices.session_options(FakeRuntime(), kind, {}).intra_op_num_threads == 0


@pytest.mark.parametrize(
    ("free", "budget"),
    [
        (None, devices.CPU_BUDGET_BYTES),
        (64 * GIB, devices.CPU_BUDGET_BYTES),
        (400 << 20, 200 << 20),
        (0, 64 << 20),
    ],
)
def test_the_cpu_gets_half_of_what_is_free_within_limits(
    monkeypatch: pytest.MonkeyPatch, free: int | None, budget: int
) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda: free)
    assert devices.budget_bytes(Device("cpu"), 9 * GIB, 0) == budget


@pytest.mark.parametrize(
    ("free", "whole", "granted"),
    [
        (64 * GIB, 2 * GIB, True),
        (64 * GIB, devices.CPU_WHOLE_BYTES + 1, False),
        (3 * GIB, 2 * GIB, False),
        (None, 2 * GIB, False),
    ],
)
def test_a_picture_is_run_whole_where_memory_is_plenty(
    monkeypatch: pytest.MonkeyPatch, free: int | None, whole: int, granted: bool
) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda: free)
    budget = devices.budget_bytes(Device("cpu"), whole, 0)
    assert budget >= whole if granted else budget == devices.CPU_BUDGET_BYTES


@pytest.mark.parametrize(
    ("free", "tile", "budget"),
    [
        (64 * GIB, 1 * GIB, 1 * GIB),
        (64 * GIB, 64 << 20, devices.CPU_BUDGET_BYTES),
        (64 * GIB, 8 * GIB, devices.CPU_WHOLE_BYTES),
        (1 * GIB, 1 * GIB, GIB // 2),
        (None, 1 * GIB, devices.CPU_BUDGET_BYTES),
    ],
)
def test_tiles_of_many_channels_get_more_of_it(
    monkeypatch: pytest.MonkeyPatch, free: int | None, tile: int, budget: int
) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda: free)
    assert devices.budget_bytes(Device("cpu"), 9 * GIB, tile) == budget


@pytest.mark.parametrize(
    ("free", "budget"),
    [(None, devices.GPU_BUDGET_BYTES), (24 * GIB, 12 * GIB), (1 << 20, 64 << 20)],
)
def test_cuda_gets_half_of_what_is_free_on_that_device(
    monkeypatch: pytest.MonkeyPatch, free: int | None, budget: int
) -> None:
    asked: list[int] = []

    def cuda_free_bytes(index: int) -> int | None:
        asked.append(index)
        return free

    monkeypatch.setattr(memory, "cuda_free_bytes", cuda_free_bytes)
    assert devices.budget_bytes(Device("cuda", 3), 9 * GIB, 0) == budget
    assert asked == [3]


@pytest.mark.parametrize("kind", ["cpu", "cuda"])
def test_for_a_small_picture_nobody_is_asked_what_is_free(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """What it needs is granted anyhow."""

    def asked(*index: int) -> int:
        raise AssertionError

    monkeypatch.setattr(memory, "available_bytes", asked)
    monkeypatch.setattr(memory, "cuda_free_bytes", asked)
    assert devices.budget_bytes(Device(kind), 64 << 20, 0) == 64 << 20
    with pytest.raises(AssertionError):
        devices.budget_bytes(Device(kind), (64 << 20) + 1, 0)


def test_directml_whose_memory_cannot_be_told_gets_a_fixed_budget() -> None:
    assert devices.budget_bytes(Device("dml"), 9 * GIB, 0) == devices.GPU_BUDGET_BYTES


@pytest.mark.skipif(sys.platform != "linux", reason="it is read from /proc")
def test_free_memory_is_the_least_of_the_machine_and_its_control_group(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "_meminfo_available", lambda: 5 * GIB)
    for group, wanted in ((None, 5 * GIB), (3 * GIB, 3 * GIB), (9 * GIB, 5 * GIB)):
        monkeypatch.setattr(memory, "_cgroup_available", lambda group=group: group)
        assert memory.available_bytes() == wanted


def test_free_memory_is_told_in_bytes() -> None:
    free = memory.available_bytes()
    assert free is None or free > 1 << 20


@pytest.mark.parametrize(
    ("platform", "free", "gpu"),
    [("win32", None, True), ("linux", None, False), ("linux", GIB, True)],
)
def test_a_gpu_is_one_that_a_driver_tells_of(
    monkeypatch: pytest.MonkeyPatch, platform: str, free: int | None, gpu: bool
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(memory, "cuda_free_bytes", lambda index: free)
    assert devices.has_gpu() is gpu


def test_a_provider_that_is_missing_names_the_wheel_that_is_there_and_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(devices, "installed_wheels", lambda: {"onnxruntime": "1.30.0"})
    assert devices.why_no_provider("cuda") == (
        "the installed onnxruntime 1.30.0 has no CUDAExecutionProvider; "
        'run: pip uninstall -y onnxruntime && pip install "liveaction-onnx[cuda]"'
    )


def test_directml_elsewhere_than_on_windows_says_where_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    why = devices.why_no_provider("dml")
    assert why == "DirectML exists on Windows only; use cuda or cpu"


def test_directml_missing_on_windows_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(devices, "installed_wheels", lambda: {"onnxruntime": "1.30.0"})
    assert devices.why_no_provider("dml").endswith('pip install "liveaction-onnx[directml]"')


COMMANDS = [f'pip install "liveaction-onnx[{extra}]"' for extra in ("cpu", "cuda", "directml")]


@pytest.fixture
def fresh_import() -> Iterator[None]:
    """ONNX Runtime is imported anew by the test, and by what comes after it."""
    runtime.onnxruntime.cache_clear()
    yield
    runtime.onnxruntime.cache_clear()


def wheels(monkeypatch: pytest.MonkeyPatch, **versions: str) -> None:
    found = {name.replace("_", "-"): version for name, version in versions.items()}
    monkeypatch.setattr(runtime, "installed_wheels", lambda: found)


@pytest.mark.usefixtures("fresh_import")
def test_without_onnx_runtime_the_error_names_the_three_commands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wheels(monkeypatch)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(RuntimeMissingError, match="ONNX Runtime is not installed") as caught:
        runtime.onnxruntime()
    for command in COMMANDS:
        assert command in str(caught.value)
    assert isinstance(caught.value, ImportError)


@pytest.mark.usefixtures("fresh_import")
def test_a_gutted_wheel_is_to_be_reinstalled(monkeypatch: pytest.MonkeyPatch) -> None:
    wheels(monkeypatch, onnxruntime="1.30.0")
    monkeypatch.setitem(sys.modules, "onnxruntime", types.ModuleType("onnxruntime"))
    with pytest.raises(RuntimeMissingError, match="pip install --force-reinstall onnxruntime"):
        runtime.onnxruntime()


@pytest.mark.usefixtures("fresh_import")
def test_two_wheels_give_a_warning_that_names_both(monkeypatch: pytest.MonkeyPatch) -> None:
    wheels(monkeypatch, onnxruntime="1.30.0", onnxruntime_gpu="1.30.0")
    with pytest.warns(
        RuntimeWarning, match="onnxruntime and onnxruntime-gpu are installed"
    ) as told:
        runtime.onnxruntime()
    assert "pip uninstall -y onnxruntime onnxruntime-gpu" in str(told[0].message)
    for command in COMMANDS:
        assert command in str(told[0].message)


@pytest.mark.usefixtures("fresh_import")
def test_two_wheels_that_gutted_each_other_are_both_to_be_removed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wheels(monkeypatch, onnxruntime="1.30.0", onnxruntime_gpu="1.30.0")
    monkeypatch.setitem(sys.modules, "onnxruntime", types.ModuleType("onnxruntime"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(RuntimeMissingError, match="uninstall -y onnxruntime onnxruntime-gpu"):
            runtime.onnxruntime()


@pytest.mark.usefixtures("fresh_import")
def test_onnx_runtime_is_imported_once(monkeypatch: pytest.MonkeyPatch) -> None:
    wheels(monkeypatch, onnxruntime="1.30.0")
    assert runtime.onnxruntime() is runtime.onnxruntime() is sys.modules["onnxruntime"]


@dataclass
class Distribution:
    """What the metadata of an installed wheel tell."""

    metadata: dict[str, str]
    version: str


def test_wheels_of_onnx_runtime_are_known_by_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["onnxruntime_gpu", "ONNXRuntime", "onnxruntime-extensions", "onnx", "ort-nightly-gpu"]
    found = [Distribution({"Name": name}, "1.2.3") for name in names]
    monkeypatch.setattr(importlib.metadata, "distributions", lambda: found)
    assert runtime.installed_wheels() == {
        "onnxruntime": "1.2.3",
        "onnxruntime-gpu": "1.2.3",
        "ort-nightly-gpu": "1.2.3",
    }


def test_libraries_are_loaded_once() -> None:
    """What other threads print meanwhile is lost."""
    fake = FakeRuntime(CUDA)
    fake.preload_says = "Failed to load cudnn"
    assert runtime.preload_cuda(fake) == runtime.preload_cuda(fake) == "Failed to load cudnn\n"
    assert fake.events == ["preload"]


def test_what_preloading_prints_comes_back(capfd: pytest.CaptureFixture[str]) -> None:
    fake = FakeRuntime(CUDA)
    fake.preload_says = "Failed to load cudnn"
    assert runtime.preload_cuda(fake) == "Failed to load cudnn\n"
    assert capfd.readouterr() == ("", "")


def test_an_onnx_runtime_that_cannot_preload_is_left_alone() -> None:
    assert runtime.preload_cuda(types.ModuleType("onnxruntime")) == ""


def test_onnx_runtime_is_quiet_for_a_while_and_then_as_it_was() -> None:
    fake = FakeRuntime(CUDA)
    with runtime.quiet_runtime(fake):
        assert fake.severities == [4]
    assert fake.severities == [4, 2]
