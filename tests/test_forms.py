"""Which device, precision and form of a model is opened, and what is said about it."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from fake_runtime import CPU, CUDA, DML, FakeRuntime, failing, off_by

from liveaction_onnx import (
    ClosedError,
    DeviceFailedError,
    DeviceUnavailableError,
    ModelNotFoundError,
    OptionError,
    Upscaler,
    catalog,
    devices,
    forms,
    opening,
    upscale,
)
from liveaction_onnx.blocked import BLOCKS

Use = Callable[..., FakeRuntime]

BYTES = np.zeros((4, 4, 3), np.uint8)
FLOATS = np.zeros((4, 4, 3), np.float32)


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Use:
    """A fake runtime with these providers, on a machine without a GPU, with nothing told yet."""

    def install(*providers: str, gpu: bool = False) -> FakeRuntime:
        fake = FakeRuntime(*providers)
        monkeypatch.setattr(opening, "onnxruntime", lambda: fake)
        # as after a first picture
        monkeypatch.setattr(opening, "_blocks", BLOCKS[:1])
        monkeypatch.setattr(forms, "_told", set())
        monkeypatch.setattr(devices, "has_gpu", lambda: gpu)
        return fake

    return install


def precision_of(up: Upscaler) -> tuple[str, str]:
    return up.device, up.facts.precision


def test_auto_takes_cuda_in_fp16_where_that_works(use: Use) -> None:
    use(CUDA)
    assert precision_of(Upscaler()) == ("cuda:0", "fp16")


def test_auto_takes_fp32_where_fp16_is_wrong(use: Use, caplog: pytest.LogCaptureFixture) -> None:
    runtime = use(CUDA)
    runtime.faults[CUDA] = off_by(10, "fp16")
    with caplog.at_level(logging.INFO):
        up = Upscaler()
    assert precision_of(up) == ("cuda:0", "fp32")
    [record] = caplog.records
    assert "running on cuda:0 fp32; passed over: fp16: cuda:0: its result" in record.message


def test_cuda_takes_fp32_where_fp16_is_wrong(use: Use) -> None:
    runtime = use(CUDA)
    runtime.faults[CUDA] = off_by(10, "fp16")
    assert precision_of(Upscaler(device="cuda")) == ("cuda:0", "fp32")


def test_fp16_that_is_asked_for_is_not_replaced(use: Use) -> None:
    runtime = use(CUDA)
    runtime.faults[CUDA] = off_by(10, "fp16")
    with pytest.raises(DeviceUnavailableError, match="off by"):
        Upscaler(device="cuda", precision="fp16")


def test_fp32_that_is_asked_for_is_used(use: Use) -> None:
    use(CUDA)
    assert precision_of(Upscaler(device="cuda", precision="fp32")) == ("cuda:0", "fp32")


@pytest.mark.parametrize("device", ["dml", "cpu"])
def test_other_devices_run_in_fp32(use: Use, device: str) -> None:
    use(DML)
    assert Upscaler(device=device).facts.precision == "fp32"


def test_every_form_of_a_model_has_the_precision_that_was_found(use: Use) -> None:
    runtime = use(CUDA)
    runtime.faults[CUDA] = off_by(10, "fp16")
    up = Upscaler()
    up(FLOATS)
    assert {s.facts.precision for s in up._forms._sessions.values()} == {"fp32"}


def test_cuda_with_a_number_is_that_device(use: Use) -> None:
    runtime = use(CUDA)
    assert Upscaler(device="cuda:1").device == "cuda:1"
    assert runtime.opened[0]["providers"][0][1]["device_id"] == "1"


@pytest.mark.parametrize("device", ["cuda", "cuda:1", "dml"])
def test_a_device_that_is_named_is_never_replaced(use: Use, device: str) -> None:
    runtime = use(CUDA, DML)
    runtime.falls_back = {CUDA, DML}
    with pytest.raises(DeviceUnavailableError, match="fell back"):
        Upscaler(device=device)


def test_a_named_device_without_its_provider_names_the_command(
    use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    use()
    monkeypatch.setattr(devices, "installed_wheels", lambda: {"onnxruntime": "1.30.0"})
    with pytest.raises(DeviceUnavailableError) as caught:
        Upscaler(device="cuda")
    assert str(caught.value) == (
        "cuda:0: the installed onnxruntime 1.30.0 has no CUDAExecutionProvider; "
        'run: pip uninstall -y onnxruntime && pip install "liveaction-onnx[cuda]"'
    )


def test_directml_on_linux_says_where_it_is(use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    use()
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(DeviceUnavailableError, match="DirectML exists on Windows only"):
        Upscaler(device="dml")


@pytest.mark.parametrize(("gpu", "level"), [(True, logging.WARNING), (False, logging.INFO)])
def test_auto_falls_back_and_says_so_once_and_loudly_where_there_is_a_gpu(
    use: Use, caplog: pytest.LogCaptureFixture, gpu: bool, level: int
) -> None:
    runtime = use(CUDA, gpu=gpu)
    runtime.falls_back = {CUDA}
    with caplog.at_level(logging.DEBUG):
        assert [Upscaler().device for _ in range(2)] == ["cpu", "cpu"]
    [record] = caplog.records
    assert (record.name, record.levelno) == ("liveaction_onnx", level)
    assert record.message.startswith("running on cpu fp32; passed over: cuda:0: ONNX Runtime fell")


def test_a_device_that_is_not_there_is_tried_in_one_precision(use: Use) -> None:
    runtime = use(CUDA)
    runtime.falls_back = {CUDA}
    Upscaler()
    assert runtime.events == ["preload", f"open {CUDA}", f"open {CPU}"]


def test_a_device_that_fails_in_every_precision_is_passed_over_with_each_reason(
    use: Use, caplog: pytest.LogCaptureFixture
) -> None:
    runtime = use(CUDA)
    runtime.faults[CUDA] = failing("CUDA failure 2: out of memory")
    with caplog.at_level(logging.INFO):
        assert Upscaler().device == "cpu"
    assert "fp16: cuda:0: " in caplog.text
    assert "fp32: cuda:0: " in caplog.text


def test_nothing_is_said_where_the_best_device_works(
    use: Use, caplog: pytest.LogCaptureFixture
) -> None:
    use(CUDA)
    with caplog.at_level(logging.DEBUG):
        Upscaler()
    assert caplog.records == []


def test_auto_tries_directml_on_windows(use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    use(DML)
    monkeypatch.setattr(sys, "platform", "win32")
    assert Upscaler().device == "dml"


def test_a_foreign_graph_is_tried_once_on_each_device(use: Use) -> None:
    runtime = use(CUDA)
    runtime.faults[CUDA] = off_by(10)
    up = Upscaler(catalog.shipped_graph("uint8", "fp32").data)
    assert up.device == "cpu"
    assert runtime.events.count(f"open {CUDA}") == 1


def test_a_foreign_graph_that_fails_on_a_named_device_is_refused(use: Use) -> None:
    runtime = use(CUDA)
    runtime.faults[CUDA] = off_by(10)
    with pytest.raises(DeviceUnavailableError, match="off by"):
        Upscaler(catalog.shipped_graph("uint8", "fp32").data, device="cuda")


def test_integer_colour_goes_to_a_form_of_its_own_and_all_else_to_floats(use: Use) -> None:
    runtime = use()
    up = Upscaler(device="cpu")
    cases: list[tuple[Any, str]] = [
        (BYTES, "uint8"),
        (FLOATS, "float32"),
        (BYTES.astype("<u2"), "uint16"),
        (BYTES.astype(">u2"), "uint16"),
        (BYTES[..., 0], "float32"),
        (BYTES[..., 0].astype(np.uint16), "float32"),
        (BYTES[None], "uint8"),
        (BYTES, "uint8"),
    ]
    for image, dtype in cases:
        runtime.shapes.clear()
        up(image)
        [shape] = runtime.shapes
        assert (shape[1] if dtype == "float32" else shape[3]) == 3
        assert dtype in up._forms._sessions
    assert set(up._forms._sessions) == {"uint8", "uint16", "float32"}


def test_a_form_is_opened_when_it_is_first_needed_and_kept(use: Use) -> None:
    runtime = use()
    up = Upscaler(device="cpu")
    opened = [len(runtime.opened)]
    for image in (BYTES, BYTES, FLOATS, FLOATS, BYTES):
        up(image)
        opened.append(len(runtime.opened))
    assert opened == [1, 1, 1, 2, 2, 2]


def test_a_form_is_opened_once_where_threads_ask_for_it_at_once(use: Use) -> None:
    runtime = use()
    up = Upscaler(device="cpu")
    together = threading.Barrier(4, timeout=10)

    def ask() -> None:
        together.wait()
        up(FLOATS)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(runtime.opened) == 2


def test_a_second_form_is_verified_on_its_device_too(use: Use) -> None:
    runtime = use(CUDA)
    up = Upscaler()
    runtime.faults[CUDA] = off_by(10)
    with pytest.raises(DeviceFailedError, match="off by"):
        up(FLOATS)


def test_a_foreign_graph_has_one_form_for_all(use: Use) -> None:
    runtime = use()
    up = Upscaler(catalog.shipped_graph("float32", "fp32").data, device="cpu")
    up(BYTES)
    up(FLOATS)
    assert len(runtime.opened) == 1


def test_every_form_is_closed(use: Use) -> None:
    use()
    up = Upscaler(device="cpu")
    up(FLOATS)
    up.close()
    for image in (BYTES, FLOATS):
        with pytest.raises(ClosedError):
            up(image)
    for session in up._forms._sessions.values():
        with pytest.raises(ClosedError):
            session.run(BYTES[None])


def test_a_form_that_was_never_opened_stays_so_after_closing(use: Use) -> None:
    runtime = use()
    up = Upscaler(device="cpu")
    up.close()
    with pytest.raises(ClosedError):
        up(FLOATS)
    assert len(runtime.opened) == 1


def test_providers_take_the_place_of_a_device(use: Use) -> None:
    runtime = use(CUDA)
    up = Upscaler(providers=[CUDA, CPU])
    up(FLOATS)
    assert precision_of(up) == ("cuda:0", "fp32")
    assert up.providers == [CUDA, CPU]
    assert [call["providers"] for call in runtime.opened] == [[CUDA, CPU]] * 2


def test_providers_run_in_fp16_where_that_is_asked_for(use: Use) -> None:
    use(CUDA)
    assert Upscaler(providers=[CUDA], precision="fp16").facts.precision == "fp16"


def test_session_options_are_passed_on_for_a_device(use: Use) -> None:
    runtime = use(CUDA)
    options = runtime.SessionOptions()
    Upscaler(device="cuda", session_options=options)
    assert runtime.opened[0]["options"] is options


def test_an_unknown_provider_is_refused(use: Use) -> None:
    use(CUDA)
    with pytest.raises(DeviceUnavailableError, match="NoSuchProvider is not in this ONNX Runtime"):
        Upscaler(providers=["NoSuchProvider"])


SESSION = object()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "cpu", "providers": [CPU]}, "device, providers and session exclude each other"),
        ({"device": "cuda", "session": SESSION}, "device, providers and session exclude"),
        ({"session": SESSION, "providers": [CPU]}, "session excludes providers"),
        ({"session": SESSION, "provider_options": [{}]}, "session excludes providers"),
        ({"session": SESSION, "session_options": object()}, "session excludes providers"),
        ({"provider_options": [{}]}, "provider_options goes with providers"),
        ({"device": "tpu"}, "device: expected auto, cpu, cuda"),
        ({"model": b"graph", "precision": "fp16"}, "precision: a foreign graph has one of its own"),
        ({"session": SESSION}, r"session: expected an onnxruntime\.InferenceSession, got object"),
        ({"session": SESSION, "precision": "fp16"}, "precision: a session has one of its own"),
        ({"session_options": 5}, r"session_options: expected onnxruntime\.SessionOptions, got int"),
        ({"providers": []}, "providers: expected at least one"),
        ({"providers": CPU}, "providers: expected a list .* got 'CPUExecutionProvider'"),
        ({"providers": 5}, "providers: expected a list .* got 5"),
        ({"providers": [5]}, "providers: expected a list .* got 5"),
        ({"providers": [()]}, r"providers: expected a list .* got \(\)"),
        ({"providers": [(CPU, 5)]}, "providers: expected a list .* 5"),
        ({"providers": [CPU], "provider_options": 5}, "provider_options: .* got 5"),
        ({"providers": [CPU], "provider_options": [5]}, "provider_options: .* got .5."),
        ({"providers": [CPU], "provider_options": [{}, {}]}, "a dict for each provider"),
    ],
)
def test_arguments_that_exclude_each_other_are_refused(
    use: Use, options: dict[str, Any], message: str
) -> None:
    use(CUDA)
    with pytest.raises(OptionError, match=message):
        Upscaler(**options)


@pytest.mark.parametrize(
    "asked",
    [
        {"model": bytearray(b"graph")},
        {"device": ["cpu"]},
        {"precision": ["fp16"]},
        {"color_order": ["bgr"]},
        {"device": "tpu"},
    ],
)
def test_the_function_refuses_what_the_class_refuses(use: Use, asked: dict[str, Any]) -> None:
    use()
    for call in (partial(Upscaler, **asked), partial(upscale, BYTES, **asked)):
        with pytest.raises(OptionError, match=f"{next(iter(asked))}: expected"):
            call()


def test_a_model_of_no_possible_name_is_not_found(use: Use) -> None:
    use()
    with pytest.raises(ModelNotFoundError, match="cannot be read"):
        Upscaler("a\0b.onnx", device="cpu")
