"""What bench/levers.py opens and runs: really on the CPU, and on CUDA as far as its calls go."""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest
from fake_runtime import CPU, CUDA, Array, FakeInference, FakeOptions, FakeRuntime, off_by

from bench import levers
from bench.contenders.process import ONCE, Turn
from bench.contenders.rounds import Ratio
from bench.cuda import gpu, report, roster, rounds
from bench.cuda.gpu import Best
from bench.cuda.lever import IN_A_ROW, Lever
from bench.cuda.place import Place, UnavailableError, heard
from bench.cuda.report import Found
from bench.cuda.roster import TENSORRT, TENSORRT_RTX, TENSORRT_RTX_PACKAGE
from bench.cuda.rounds import Sized, Times, compare
from bench.speed import frame_of
from liveaction_onnx import catalog, opening
from liveaction_onnx.devices import Device

WIDTH, HEIGHT = 64, 48
FRAME = frame_of(WIDTH, HEIGHT)

OURS = {
    "device_id": "0",
    "arena_extend_strategy": "kSameAsRequested",
    "cudnn_conv_algo_search": "HEURISTIC",
    "cudnn_conv_use_max_workspace": "1",
    "use_tf32": "1",
}
"""The provider options of the library for its fp16 form."""

ON_CPU = ["again", "float32", "io-binding", "batch-2", "batch-4", "sessions-2", "sessions-3"]
"""Levers that run there, besides the baseline."""


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turns of one run."""
    monkeypatch.setattr(rounds, "ON_GPU", ONCE)


def lever(name: str) -> Lever:
    return next(each for each in roster.levers() if each.name == name)


class Value:
    """A tensor on a device of the fake runtime: its memory is of this machine all the same."""

    def __init__(self, log: list[str], shape: Any, dtype: Any, kind: str, index: int) -> None:
        self.log, self.place = log, f"{kind}:{index}"
        self.memory = np.zeros(shape, dtype)
        log.append(f"value {shape} {np.dtype(dtype)} {self.place}")

    def device_name(self) -> str:
        return self.place.partition(":")[0]

    def update_inplace(self, value: Array) -> None:
        assert value.shape == self.memory.shape
        assert value.dtype == self.memory.dtype
        self.log.append(f"update {self.place}")
        self.memory[:] = value

    def numpy(self) -> Array:
        self.log.append(f"copy from {self.place}")
        return self.memory.copy()


class Binding:
    """What is bound to which value."""

    def __init__(self, log: list[str]) -> None:
        self.log = log
        self.bound: dict[str, Value] = {}

    def bind_ortvalue_input(self, name: str, value: Value) -> None:
        self.log.append(f"bind input {name} {value.place}")
        self.bound[name] = value

    def bind_ortvalue_output(self, name: str, value: Value) -> None:
        self.log.append(f"bind output {name} {value.place}")
        self.bound[name] = value


class Inference(FakeInference):
    """A session that knows bindings."""

    runtime: Runtime

    def io_binding(self) -> Binding:
        return Binding(self.runtime.log)

    def run(self, names: None, feeds: dict[str, Array], options: Any = None) -> list[Array]:
        self.runtime.log.append("run")
        return super().run(names, feeds, options)

    def run_with_iobinding(self, binding: Binding) -> None:
        self.runtime.log.append("run bound")
        [result] = super().run(None, {"input": binding.bound["input"].memory})
        binding.bound["output"].memory[:] = result


class Options(FakeOptions):
    """Session options that a device of a plugin can be given to."""

    def __init__(self) -> None:
        super().__init__()
        self.plugin: tuple[list[Any], dict[str, str]] | None = None

    def add_provider_for_devices(self, found: list[Any], options: dict[str, str]) -> None:
        self.plugin = found, options


class Runtime(FakeRuntime):
    """The module, as far as levers use it."""

    SessionOptions = Options

    def __init__(self, *providers: str, refused: str = "") -> None:
        super().__init__(*providers)
        self.refused = refused
        self.log: list[str] = []
        self.forms: list[tuple[str, str]] = []
        self.ep_devices: list[Any] = []
        self.OrtValue = SimpleNamespace(
            ortvalue_from_shape_and_type=lambda *words: Value(self.log, *words)
        )

    def InferenceSession(  # noqa: N802
        self,
        source: str | bytes,
        sess_options: Any = None,
        providers: Any = None,
        provider_options: Any = None,
        enable_fallback: int = 1,
    ) -> Inference:
        assert isinstance(source, bytes)
        plugin: Any = getattr(sess_options, "plugin", None)
        wanted = providers or [(plugin[0][0].ep_name, plugin[1])]
        self.opened.append(
            {"options": sess_options, "providers": wanted, "fallback": enable_fallback}
        )
        if self.refused in wanted[0][1]:
            raise RuntimeError(f"Unknown provider option:\n '{self.refused}'")
        if wanted[0][0] in self.falls_back:
            os.write(2, b"\x1b[0;93mlibcudnn.so.9: cannot open\x1b[m\n")
        opened = Inference(self, source, sess_options, wanted[0][0])
        self.forms.append((opened.get_inputs()[0].type, opened.precision))
        return opened

    def register_execution_provider_library(self, name: str, path: str) -> None:
        self.events.append(f"register {name} {path}")
        self.ep_devices += [SimpleNamespace(ep_name=name, number=n) for n in range(2)]

    def get_ep_devices(self) -> list[Any]:
        return self.ep_devices


def place(runtime: Runtime, index: int = 0) -> Place:
    return Place(runtime, Device("cuda", index), WIDTH, HEIGHT)


def called(runtime: Runtime, name: str, index: int = 0) -> Array:
    """What a lever gives where it is opened and runs once."""
    one = lever(name)
    one.open(place(runtime, index))
    [result] = one.run(FRAME)
    one.close()
    return result


def test_on_the_cpu_levers_give_what_the_baseline_gives(
    capsys: pytest.CaptureFixture[str],
) -> None:
    levers.main(["--size", "64x48", "--rounds", "2", "--device", "cpu"])
    out = capsys.readouterr().out
    said = json.loads(out.splitlines()[-1])["levers"]["64x48"]
    assert list(said["times"]) == ON_CPU
    for name, times in said["times"].items():
        assert times["differs"] <= 1, name
        assert len(times["seconds"]) == len(times["baseline"]) == 2
        assert said["fps"][name] > 0
        assert said["ratios"][name]["least"] <= said["ratios"][name]["greatest"]
    cuda_alone = {each.name for each in roster.levers()} - {"baseline", *ON_CPU}
    assert said["left_out"] == dict.fromkeys(cuda_alone, "it is for cuda only")
    assert "- nhwc: not at 64x48: it is for cuda only\n" in out
    assert "778,464 flop for an input px" in out


@pytest.mark.parametrize("name", ON_CPU)
def test_every_result_is_of_its_own_frame_and_stays(name: str) -> None:
    golden, expected = catalog.golden()
    one = lever(name)
    one.open(Place(onnxruntime, Device("cpu"), golden.shape[1], golden.shape[0]))
    first = one.run(golden)
    other = one.run(golden[::-1])
    one.close()
    assert len(first) == len(other) == one.frames
    for made in first:
        np.testing.assert_allclose(made.astype(float), expected, atol=1)
    for made in other:
        assert np.abs(made.astype(float) - expected).max() > 20


def test_the_baseline_opens_what_the_library_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime, library = Runtime(CUDA), FakeRuntime(CUDA)
    called(runtime, "baseline")
    monkeypatch.setattr(opening, "onnxruntime", lambda: library)
    opening.open_on_device(catalog.shipped_graph("uint8", "fp16"), Device("cuda"))
    [ours], [theirs] = runtime.opened, library.opened
    assert ours["providers"] == theirs["providers"] == [(CUDA, OURS)]
    assert ours["options"].enable_mem_pattern is theirs["options"].enable_mem_pattern is False
    assert ours["options"].free_dimensions == theirs["options"].free_dimensions == {}
    assert ours["fallback"] == 0
    assert runtime.forms == [("tensor(uint8)", "fp16")]
    assert runtime.log == ["run"]


@pytest.mark.parametrize(
    ("name", "changed", "form"),
    [
        ("again", {}, ("tensor(uint8)", "fp16")),
        ("fp32", {"use_tf32": "0"}, ("tensor(uint8)", "fp32")),
        ("float32", {}, ("tensor(float)", "fp16")),
        ("io-binding", {}, ("tensor(uint8)", "fp16")),
        ("cuda-graph", {"enable_cuda_graph": "1"}, ("tensor(uint8)", "fp16")),
        ("nhwc", {"prefer_nhwc": "1"}, ("tensor(uint8)", "fp16")),
        ("exhaustive", {"cudnn_conv_algo_search": "EXHAUSTIVE"}, ("tensor(uint8)", "fp16")),
        ("no-tensor-cores", {"use_tf32": "0"}, ("tensor(uint8)", "fp16")),
        ("tf32", {"use_tf32": "1"}, ("tensor(uint8)", "fp32")),
        ("tf32-nhwc", {"use_tf32": "1", "prefer_nhwc": "1"}, ("tensor(uint8)", "fp32")),
        ("fused-bias", {"fuse_conv_bias": "1"}, ("tensor(uint8)", "fp16")),
        (
            "nhwc-fused-bias",
            {"fuse_conv_bias": "1", "prefer_nhwc": "1"},
            ("tensor(uint8)", "fp16"),
        ),
    ],
)
def test_a_lever_changes_what_it_says(
    name: str, changed: dict[str, str], form: tuple[str, str]
) -> None:
    runtime = Runtime(CUDA)
    result = called(runtime, name, index=1)
    [opened] = runtime.opened
    assert opened["providers"] == [(CUDA, OURS | {"device_id": "1"} | changed)]
    assert opened["fallback"] == 0
    assert opened["options"].enable_mem_pattern is False
    fixed = {"batch": 1, "height": HEIGHT, "width": WIDTH} if name == "cuda-graph" else {}
    assert opened["options"].free_dimensions == fixed
    assert runtime.forms == [form]
    wanted = called(Runtime(CUDA), "baseline").astype(float)
    np.testing.assert_allclose(result.astype(float), wanted, atol=1)


@pytest.mark.parametrize("name", ["io-binding", "cuda-graph"])
def test_bound_memory_is_filled_before_a_run_and_copied_after_it(name: str) -> None:
    runtime = Runtime(CUDA)
    one = lever(name)
    one.open(place(runtime, index=1))
    opening = [
        "value (1, 48, 64, 3) uint8 cuda:1",
        "value (1, 96, 128, 3) uint8 cuda:1",
        "bind input input cuda:1",
        "bind output output cuda:1",
    ]
    assert runtime.log == opening
    results = [one.run(frame)[0] for frame in (FRAME, np.ascontiguousarray(FRAME[::-1]))]
    assert runtime.log == opening + 2 * ["update cuda:1", "run bound", "copy from cuda:1"]
    assert (results[0] != results[1]).any()


@pytest.mark.parametrize(("name", "count"), [("batch-2", 2), ("batch-4", 4)])
def test_a_batch_is_one_run(name: str, count: int) -> None:
    runtime = Runtime(CUDA)
    one = lever(name)
    one.open(place(runtime))
    assert len(one.run(FRAME)) == one.frames == count
    assert runtime.shapes == [(count, HEIGHT, WIDTH, 3)]


@pytest.mark.parametrize(("name", "count"), [("sessions-2", 2), ("sessions-3", 3)])
def test_sessions_are_at_work_at_once(name: str, count: int) -> None:
    runtime = Runtime(CUDA)
    together = threading.Barrier(count, timeout=30)  # breaks where they take turns
    runtime.pause = together.wait
    one = lever(name)
    one.open(place(runtime))
    assert len(one.run(FRAME)) == one.frames == count * IN_A_ROW
    one.close()
    assert runtime.most_running == count
    assert [each["providers"] for each in runtime.opened] == count * [[(CUDA, OURS)]]


def test_tensorrt_comes_before_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    monkeypatch.setitem(sys.modules, TENSORRT_RTX_PACKAGE, None)
    runtime = Runtime(TENSORRT, TENSORRT_RTX, CUDA)
    called(runtime, "tensorrt", index=1)
    called(runtime, "tensorrt-rtx", index=1)
    cuda = (CUDA, OURS | {"device_id": "1"})
    assert [each["providers"] for each in runtime.opened] == [
        [(TENSORRT, {"device_id": "1", "trt_fp16_enable": "1"}), cuda],
        [(TENSORRT_RTX, {"device_id": "1"}), cuda],
    ]
    assert runtime.forms == 2 * [("tensor(uint8)", "fp16")]


def test_tensorrt_for_rtx_is_taken_as_a_plugin_too(monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = SimpleNamespace(get_ep_name=lambda: TENSORRT_RTX, get_library_path=lambda: "/rtx.so")
    monkeypatch.setitem(sys.modules, TENSORRT_RTX_PACKAGE, plugin)
    runtime = Runtime()
    for _ in range(2):
        called(runtime, "tensorrt-rtx", index=1)
    assert runtime.events == [f"register {TENSORRT_RTX} /rtx.so"]
    for opened in runtime.opened:
        [[device], options] = opened["options"].plugin
        assert (device.number, options, opened["fallback"]) == (1, {}, 0)
    with pytest.raises(UnavailableError, match=f"{TENSORRT_RTX} finds 2 devices"):
        lever("tensorrt-rtx").open(place(runtime, index=2))


def test_what_is_refused_or_missing_is_told_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for package in ("tensorrt", TENSORRT_RTX_PACKAGE):
        monkeypatch.setitem(sys.modules, package, None)
    runtime = Runtime(TENSORRT, CUDA, refused="prefer_nhwc")
    runtime.falls_back = {TENSORRT}
    found = compare(place(runtime), roster.levers(), FRAME, rounds=1)
    there = f"{TENSORRT_RTX} is not in this ONNX Runtime, which has {TENSORRT}, {CUDA}, {CPU}"
    assert found.left_out.pop("tensorrt-rtx").startswith(f"{there}; as a plugin: ")
    lost = f"ONNX Runtime fell back to {CPU}: libcudnn.so.9: cannot open"
    refused = dict.fromkeys(
        ["nhwc", "tf32-nhwc", "nhwc-fused-bias"], "Unknown provider option: 'prefer_nhwc'"
    )
    assert found.left_out == {**refused, "tensorrt": lost}
    others = {each.name for each in roster.levers()} - {"baseline", *refused}
    assert set(found.times) == others - {"tensorrt", "tensorrt-rtx"}
    assert max(each.differs or 0 for each in found.times.values()) <= 1


def test_without_cuda_everything_has_a_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runtime = Runtime()
    monkeypatch.setattr(runtime, "__version__", "1.0", raising=False)
    for room in (levers, report):
        monkeypatch.setattr(room, "onnxruntime", lambda: runtime)
    monkeypatch.setattr(gpu, "best", lambda index: "no torch")
    monkeypatch.setattr(gpu, "card", lambda index: "no card")
    levers.main(["--size", "64x48", "--only", "nhwc"])
    out = capsys.readouterr().out
    said = json.loads(out.splitlines()[-1])
    missing = f"{CUDA} is not in this ONNX Runtime, which has {CPU}"
    assert said["levers"]["64x48"]["left_out"] == dict.fromkeys(
        ["baseline", "again", "nhwc"], missing
    )
    assert said["roofline"] == {"missing": "no torch", "flop_s": {"64x48": {}}}
    assert "No roofline of a GPU: no torch." in out
    assert runtime.events == ["preload"]


def test_a_lever_that_fails_at_work_is_told_and_closed() -> None:
    runtime = Runtime(CUDA)
    baseline, failing = lever("baseline"), lever("batch-2")
    closed = []

    def run(frame: Array) -> list[Array]:
        if len(runtime.shapes) > 3:
            raise RuntimeError("CUDA out of memory")
        return Lever.run(failing, frame)

    failing.run = run  # type: ignore[method-assign]
    failing.close = lambda: closed.append(True)  # type: ignore[method-assign]
    found = compare(place(runtime), [baseline, failing], FRAME, rounds=1)
    assert found.left_out == {"batch-2": "CUDA out of memory"}
    assert found.times == {}
    assert closed == [True]


def test_what_came_out_of_each_lever_is_told_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    """A run that is cut off loses its table."""
    runtime = Runtime(CUDA, refused="prefer_nhwc")
    compare(place(runtime), [lever("baseline"), lever("fp32"), lever("nhwc")], FRAME, rounds=1)
    fp32, nhwc = (line for line in capsys.readouterr().err.splitlines() if line.startswith("  "))
    assert re.fullmatch(r"  [\d.]+ fps, [\d.]+ \([\d.]+ to [\d.]+\), differs by [01]", fp32)
    assert nhwc == "  not to be had: Unknown provider option: 'prefer_nhwc'"


def test_a_wrong_result_shows() -> None:
    runtime = Runtime(CUDA)
    runtime.faults[CUDA] = off_by(9, "fp32")
    found = compare(place(runtime), [lever("baseline"), lever("fp32")], FRAME, rounds=1)
    assert found.times["fp32"].differs == 9


def test_the_order_of_turns_moves_on() -> None:
    runtime = Runtime(CUDA)
    order: list[str] = []

    def noted(name: str) -> Lever:
        one = lever(name)
        run: Callable[[Array], list[Array]] = one.run

        def noting(frame: Array) -> list[Array]:
            order.append(name)
            return run(frame)

        one.run = noting  # type: ignore[method-assign]
        return one

    compare(place(runtime), [noted("baseline"), noted("again")], FRAME, rounds=3)
    warm = ["baseline"] * 2 + ["again"] * 2
    assert order == [*warm, "again", "baseline", "baseline", "again", "again", "baseline"]


def test_seconds_are_of_one_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([10.0, 11.0, 13.0, 20.0, 24.0])
    monkeypatch.setattr("bench.cuda.rounds.time.perf_counter", lambda: next(ticks))
    monkeypatch.setattr(rounds, "ON_GPU", Turn(frames=8))
    four = SimpleNamespace(frames=4, run=lambda frame: None)
    assert rounds.timed(four, FRAME) == (13 - 10) / 8  # type: ignore[arg-type]
    monkeypatch.setattr(rounds, "ON_GPU", Turn(least_s=4))
    assert rounds.timed(four, FRAME) == (24 - 20) / 4  # type: ignore[arg-type]


def test_the_table_shows_rates_ratios_and_shares() -> None:
    sized = Sized(
        100, 50, {"again": Times([0.5, 1.0], [1.0, 1.0], 0), "nhwc": Times([2.0], [1.0], 1)}
    )
    sized.left_out["tf32"] = "refused"
    chosen = [lever(name) for name in ("baseline", "again", "tf32", "nhwc")]
    flop_s = 2 * 389_232 * 100 * 50
    best = Best("A GPU", 4 * flop_s, flop_s, 1e9)
    found = Found(chosen, {"100x50": sized}, 2, Device("cuda", 1), "a card", best)
    made = report.section(found)
    assert [tuple(map(str, row)) for row in made.rows] == [
        ("baseline", "1.0", "1", "-"),
        ("again", "1.3", "0.75 (0.50 to 1.00)", "0"),
        ("nhwc", "0.5", "2.00 (2.00 to 2.00)", "1"),
    ]
    assert "- tf32: the fp32 form in TF32\n- tf32: not at 100x50: refused\n" in made.how
    assert "baseline 0.0 TFLOP/s at 100x50 (25 %), again 0.0 TFLOP/s at 100x50 (33 %)" in made.how
    assert "cuda:1, a card" in made.how
    said = json.loads(json.dumps(report.raw(found)))
    assert said["levers"]["100x50"]["ratios"]["again"] == vars(Ratio(0.75, 0.5, 1.0))
    assert said["roofline"]["flop_s"]["100x50"]["baseline"] == flop_s


class FakeTorch:
    """PyTorch on a GPU on which every work takes a second."""

    __version__ = "2"
    float16, float32, uint8 = "fp16", "fp32", "bytes"

    def __init__(self, devices: int) -> None:
        self.now, self.tf32 = 0.0, SimpleNamespace(allow_tf32=True)
        self.products: list[tuple[str, bool]] = []
        self.cuda = SimpleNamespace(
            device_count=lambda: devices,
            synchronize=lambda device: None,
            get_device_name=lambda device: f"GPU {device[1]}",
        )
        self.backends = SimpleNamespace(cuda=SimpleNamespace(matmul=self.tf32))

    def device(self, kind: str, index: int) -> tuple[str, int]:
        return kind, index

    def ones(self, shape: Any, *, dtype: str, device: Any) -> Any:
        return SimpleNamespace(copy_=lambda source: self.work())

    def randn(self, shape: Any, *, dtype: str, device: Any) -> Any:
        return SimpleNamespace(dtype=dtype)

    def matmul(self, a: Any, b: Any, *, out: Any) -> None:
        self.products.append((a.dtype, self.tf32.allow_tf32))
        self.work()

    def work(self) -> None:
        self.now += 1


def test_a_gpu_is_measured_by_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = FakeTorch(devices=2)
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setattr("bench.cuda.gpu.time.perf_counter", lambda: torch.now)
    flop = 2.0 * 10**3
    assert gpu.measured(1, side=10, copy_mib=1) == Best("GPU 1", flop, flop, 2 << 20)
    assert set(torch.products) == {("fp16", False), ("fp32", False)}
    assert gpu.measured(2) == "torch 2 sees 2 CUDA devices"


def test_without_torch_there_is_no_roofline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    said = gpu.measured(0)
    assert isinstance(said, str)
    assert said.endswith("pip install torch")
    monkeypatch.setattr(sys, "executable", "false")
    assert gpu.best(0) == "it ended with 1"
    monkeypatch.setenv("PATH", "")
    assert gpu.card(0) == ""


def test_it_is_measured_where_python_finds_the_bench(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(words: list[str], *, cwd: Path, **more: Any) -> Any:
        assert (cwd / words[2].replace(".", "/")).with_suffix(".py").is_file()
        return SimpleNamespace(stdout='{"missing": "a GPU"}\n')

    monkeypatch.setattr("bench.cuda.gpu.subprocess.run", run)
    assert gpu.best(0) == "a GPU"


def test_what_is_heard_is_let_through(capfd: pytest.CaptureFixture[str]) -> None:
    with heard() as said:
        os.write(2, b"\x1b[1;31m no cuDNN \x1b[m\n\n")
    assert said == ["no cuDNN"]
    assert "no cuDNN" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--only", "nobody"], "expected names among ['baseline', 'again'"),
        (["--device", "dml"], "expected cuda, cuda:N or cpu"),
        (["--device", "cuda:x"], "expected auto, cpu, cuda"),
        (["--size", "large"], "invalid literal"),
        (["--rounds", "0"], "a round at least"),
    ],
)
def test_what_makes_no_sense_is_refused(
    words: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        levers.parse(words)
    assert expected in capsys.readouterr().err


def test_onnx_runtime_does_not_go_on_elsewhere(capfd: pytest.CaptureFixture[str]) -> None:
    here = Place(onnxruntime, Device("cpu"), WIDTH, HEIGHT)
    nonsense: Any = [0]
    with pytest.raises(ValueError, match="must be either strings"):
        here.session(("uint8", "fp32"), CPU, here.options(), nonsense)
    assert "Falling back" not in capfd.readouterr().out


def test_the_calls_that_the_cpu_does_not_need_exist() -> None:
    for name in ("add_free_dimension_override_by_name", "add_provider_for_devices"):
        assert callable(getattr(onnxruntime.SessionOptions, name))
    for name in ("register_execution_provider_library", "get_ep_devices", "preload_dlls"):
        assert callable(getattr(onnxruntime, name))
