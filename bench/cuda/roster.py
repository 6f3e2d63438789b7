"""Every lever by its name, TensorRT among them, which is opened in ways of its own."""

from __future__ import annotations

import contextlib
from importlib import import_module
from typing import Any

from bench.cuda.lever import EVERYWHERE, Batch, Bound, Floats, Lever, Threads
from bench.cuda.place import Place, Providers, UnavailableError

BASELINE, AGAIN = "baseline", "again"

TENSORRT = "TensorrtExecutionProvider"
TENSORRT_RTX = "NvTensorRTRTXExecutionProvider"
TENSORRT_RTX_PACKAGE = "onnxruntime_ep_nv_tensorrt_rtx"


class TensorRT(Lever):
    """TensorRT, and CUDA for what it does not take."""

    def start(self, place: Place) -> None:
        with contextlib.suppress(ImportError):
            import_module("tensorrt")  # loads its libraries, where they came as a wheel
        super().start(place)

    def providers(self, place: Place) -> Providers:
        own = {"device_id": str(place.device.index), "trt_fp16_enable": "1"}
        return [(TENSORRT, own), *super().providers(place)]


class TensorRTRTX(Lever):
    """TensorRT for RTX, built into ONNX Runtime or as a plugin of it."""

    def providers(self, place: Place) -> Providers:
        there = place.ort.get_available_providers()
        own = {"device_id": str(place.device.index)}
        rest = [each for each in super().providers(place) if each[0] in there]
        return [(TENSORRT_RTX, own), *rest]

    def session(self, place: Place, dtype: str = "uint8", options: Any = None) -> Any:
        try:
            plugin = import_module(TENSORRT_RTX_PACKAGE)
        except ImportError as error:
            try:
                return super().session(place, dtype, options)
            except UnavailableError as without:
                raise UnavailableError(f"{without}; as a plugin: {error}") from error
        ort, name = place.ort, plugin.get_ep_name()
        if not any(each.ep_name == name for each in ort.get_ep_devices()):
            ort.register_execution_provider_library(name, plugin.get_library_path())
        found = [each for each in ort.get_ep_devices() if each.ep_name == name]
        if not found[place.device.index :]:
            raise UnavailableError(f"{name} finds {len(found)} devices")
        options = options or place.options()
        options.add_provider_for_devices([found[place.device.index]], {})
        form = dtype, self.precision or place.precision
        return place.session(form, name, options, None)


def levers() -> list[Lever]:
    """All of them, closed; the baseline first."""
    search = "cudnn_conv_algo_search"
    return [
        Lever(BASELINE, "what the library does now", EVERYWHERE),
        Lever(AGAIN, "the same in a second session: how much of a ratio is chance", EVERYWHERE),
        Lever("fp32", "the fp32 form", precision="fp32"),
        Floats("float32", "the form of float32 planes, converted by numpy", EVERYWHERE),
        Bound("io-binding", "input and output kept on the device between runs", EVERYWHERE),
        Bound(
            "cuda-graph",
            "the same at a fixed size, captured once and replayed",
            changed={"enable_cuda_graph": "1"},
            fixed=True,
        ),
        Lever("nhwc", "channels last within the graph", changed={"prefer_nhwc": "1"}),
        Lever("no-tensor-cores", "without tensor cores", changed={"use_tf32": "0"}),
        Lever("exhaustive", "cuDNN's algorithms by a search", changed={search: "EXHAUSTIVE"}),
        Lever("tf32", "the fp32 form in TF32", precision="fp32", changed={"use_tf32": "1"}),
        Lever(
            "tf32-nhwc",
            "the same, channels last",
            precision="fp32",
            changed={"use_tf32": "1", "prefer_nhwc": "1"},
        ),
        Lever("fused-bias", "biases within the convolutions", changed={"fuse_conv_bias": "1"}),
        Lever(
            "nhwc-fused-bias",
            "the same, channels last",
            changed={"fuse_conv_bias": "1", "prefer_nhwc": "1"},
        ),
        *(
            Batch(f"batch-{count}", f"{count} frames in one run", EVERYWHERE, frames=count)
            for count in (2, 4)
        ),
        *(
            Threads(f"sessions-{count}", f"{count} sessions at once", EVERYWHERE, threads=count)
            for count in (2, 3)
        ),
        TensorRT("tensorrt", "TensorRT in fp16"),
        TensorRTRTX("tensorrt-rtx", "TensorRT for RTX in fp16"),
    ]
