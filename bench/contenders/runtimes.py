"""What each contender's runtime makes of a model: a function from a frame to its double.

Needs numpy and the one runtime that is asked for, and is sent to the worker as text; only what runs
our own code imports it. A frame is (H, W, 3) uint8 RGB, its double (2H, 2W, 3) uint8.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Upscale = Callable[[Array], Array]
Asked = dict[str, Any]
Opened = tuple[Upscale, dict[str, Any]]
"""What upscales, and what there is to tell of it: versions, provider."""


def planes(frame: Array) -> Array:
    """(H, W, 3) uint8 to (1, 3, H, W) float32 in [0, 1]."""
    scaled = frame.astype(np.float32) / 255
    return np.ascontiguousarray(scaled.transpose(2, 0, 1)[None])


def levels(planes: Array) -> Array:
    """(1, 3, H, W) in about [0, 1] to (H, W, 3) uint8."""
    scaled = planes[0].astype(np.float32, copy=False).clip(0, 1)  # slow in float16
    scaled = np.round(scaled * 255).astype(np.uint8)
    return np.ascontiguousarray(scaled.transpose(1, 2, 0))


def repeat(model: bytes, asked: Asked) -> Opened:
    """Each px four times: no rival, but something to test the rest by."""

    def upscale(frame: Array) -> Array:
        return frame.repeat(2, axis=0).repeat(2, axis=1)

    return upscale, {"versions": {"numpy": np.__version__}, "model": len(model)}


def ours(model: bytes, asked: Asked) -> Opened:
    """`liveaction_onnx.Upscaler` as it is; the number of threads is told where it is not all."""
    la, ort = import_module("liveaction_onnx"), import_module("onnxruntime")
    options = None
    if not asked["all_threads"]:
        devices = import_module("liveaction_onnx.devices")
        options = devices.session_options(ort, asked["device"], {})
        options.intra_op_num_threads = asked["threads"]
    upscaler = la.Upscaler(device=asked["device"], session_options=options)
    return upscaler, {
        "versions": {"liveaction-onnx": la.__version__, "onnxruntime": ort.__version__},
        "provider": upscaler.providers[0],
    }


def onnxruntime(model: bytes, asked: Asked) -> Opened:
    """ONNX Runtime with a session as it is by default, whole or in tiles."""
    ort = import_module("onnxruntime")
    providers = ["CPUExecutionProvider"]
    if asked["device"] == "cuda":
        ort.preload_dlls()
        providers.insert(0, "CUDAExecutionProvider")
    options = ort.SessionOptions()
    if not asked["all_threads"]:
        options.intra_op_num_threads = asked["threads"]
    # Its fallback is off: it would go on on the CPU, and be taken for the GPU.
    session = ort.InferenceSession(model, options, providers=providers, enable_fallback=0)
    if session.get_providers()[0] != providers[0]:
        raise RuntimeError(f"{providers[0]} is not to be had")
    (wanted,) = session.get_inputs()
    dtype = np.float16 if "float16" in wanted.type else np.float32

    def run(value: Array) -> Array:
        result: Array = session.run(None, {wanted.name: value.astype(dtype, copy=False)})[0]
        return result

    def upscale(frame: Array) -> Array:
        return levels(in_tiles(run, planes(frame), asked.get("tiles")))

    about = {
        "versions": {"onnxruntime": ort.__version__},
        "provider": session.get_providers()[0],
    }
    return upscale, about


def in_tiles(run: Upscale, image: Array, tiles: dict[str, Any] | None) -> Array:
    """Run (1, 3, H, W) in tiles with some of what is around them, which is then cut off."""
    if tiles is None:
        return run(image)
    height, width = image.shape[2:]
    around = tiles["overlap"]
    result = np.zeros((1, 3, 2 * height, 2 * width), np.float32)
    for top, bottom in spans(height, tiles["side"], tiles["even"]):
        for left, right in spans(width, tiles["side"], tiles["even"]):
            y, x = max(top - around, 0), max(left - around, 0)
            big = run(np.ascontiguousarray(image[..., y : bottom + around, x : right + around]))
            result[..., 2 * top : 2 * bottom, 2 * left : 2 * right] = big[
                ..., 2 * (top - y) : 2 * (bottom - y), 2 * (left - x) : 2 * (right - x)
            ]
    return result


def spans(length: int, side: int, even: bool) -> Iterator[tuple[int, int]]:
    """Cut a length into parts of at most `side`: all but the last of `side`, or all about alike.

    >>> list(spans(300, 256, False)), list(spans(300, 256, True))
    ([(0, 256), (256, 300)], [(0, 150), (150, 300)])
    """
    step = -(-length // -(-length // side)) if even else side
    for start in range(0, length, step):
        yield start, min(start + step, length)


def openvino(model: bytes, asked: Asked) -> Opened:
    """OpenVINO, compiled for the size of the first frame, for one frame at a time."""
    ov = import_module("openvino")
    core = ov.Core()
    device = "CPU"
    default = core.get_property(device, "INFERENCE_PRECISION_HINT").to_string()
    if not asked["precision"] and default == "f32":
        raise RuntimeError("it is f32 here, which has a line of its own")
    config = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": asked["threads"]}
    if asked["precision"]:
        config["INFERENCE_PRECISION_HINT"] = asked["precision"]
    compiled: dict[tuple[int, ...], Any] = {}

    def upscale(frame: Array) -> Array:
        image = planes(frame)
        if image.shape not in compiled:
            network = core.read_model(model, b"")
            network.reshape(list(image.shape))
            compiled[image.shape] = core.compile_model(network, device, config)
        result: Array = compiled[image.shape](image, share_outputs=True)[0]
        return levels(result)

    return upscale, {
        "versions": {"openvino": ov.__version__.partition("-")[0]},
        "provider": f"{device} in {asked['precision'] or default}",
    }


def ncnn(model: bytes, asked: Asked) -> Opened:
    """The runtime of many upscalers, ncnn, on the CPU in fp32, all else as it is by default."""
    runtime = import_module("ncnn")
    net = runtime.Net()
    net.opt.num_threads = asked["threads"]
    for name in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage", "bf16_packed"):
        setattr(net.opt, f"use_{name}", False)
    with tempfile.TemporaryDirectory() as folder:
        param, weights = Path(folder) / "net.param", Path(folder) / "net.bin"
        param.write_text(asked["param"])
        weights.write_bytes(model)
        if net.load_param(str(param)) or net.load_model(str(weights)):
            raise RuntimeError("ncnn cannot load the network")
    mean = [255 * value for value in asked["mean"]]

    def upscale(frame: Array) -> Array:
        height, width = frame.shape[:2]
        rgb = runtime.Mat.PixelType.PIXEL_RGB
        image = runtime.Mat.from_pixels(np.ascontiguousarray(frame), rgb, width, height)
        image.substract_mean_normalize(mean, [1 / 255] * 3)
        extractor = net.create_extractor()
        extractor.input("input", image)
        failed, result = extractor.extract("output")
        if failed:
            raise RuntimeError(f"ncnn gives {failed}")
        return levels(np.asarray(result)[None])

    return upscale, {"versions": {"ncnn": runtime.__version__}, "provider": "CPU"}


def vapoursynth(model: bytes, asked: Asked) -> Opened:
    """A plugin of vs-mlrt on whole frames, converted by VapourSynth; frames in sequence."""
    vs = import_module("vapoursynth")
    core = vs.core
    core.num_threads = asked["threads"]
    plugin = getattr(core, asked["plugin"], None)
    if plugin is None:
        raise ModuleNotFoundError(f"no plugin {asked['plugin']} in VapourSynth")
    settings: dict[str, Any] = {"provider": asked["device"].upper()}
    if asked["plugin"] == "ov":
        config = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": asked["threads"]}
        settings = {"device": asked["device"].upper(), "config": lambda: config}
    now: dict[str, Array] = {}

    def filled(n: int, f: Any) -> Any:
        made = f.copy()
        for plane in range(3):
            np.asarray(made[plane])[:] = now["frame"][..., plane]
        return made

    def clip_of(height: int, width: int) -> Any:
        clip = core.std.BlankClip(format=vs.RGB24, width=width, height=height, length=1 << 20)
        clip = core.std.ModifyFrame(clip, clip, filled)
        clip = core.resize.Bicubic(clip, format=vs.RGBS)
        clip = plugin.Model(
            clip, network_path=model, path_is_serialization=True, num_streams=1, **settings
        )
        return core.resize.Bicubic(clip, format=vs.RGB24)

    clips: dict[tuple[int, int], Any] = {}
    count = 0

    def upscale(frame: Array) -> Array:
        nonlocal count
        height, width = frame.shape[:2]
        if (height, width) not in clips:
            clips[height, width] = clip_of(height, width)
        now["frame"] = frame
        with clips[height, width].get_frame(count) as got:
            count += 1  # a frame that was asked for before would come from its cache
            return np.stack([np.asarray(got[plane]) for plane in range(3)], axis=-1)

    told = {key: _text(value) for key, value in plugin.Version().items()}
    runtime = {"ort": "onnxruntime", "ov": "openvino"}[asked["plugin"]]
    versions = {
        "vapoursynth": str(vs.__version__.release_major),
        "vs-mlrt": told["version"].removeprefix("v"),
        runtime: told[f"{runtime}_version"].partition("-")[0],
    }
    return upscale, {"versions": versions, "provider": asked["device"].upper()}


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def pytorch(model: bytes, asked: Asked) -> Opened:
    """The trainable network, eager and channels last; half and compiled where that is asked."""
    torch, network = import_module("torch"), import_module("model.network")
    torch.set_num_threads(asked["threads"])
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "weights.npz"
        file.write_bytes(model)
        net = network.from_weights(import_module("model.span").read_weights(file))
    net = net.eval().to(asked["device"], memory_format=torch.channels_last)
    dtype = torch.float32
    if asked["half"]:
        dtype = torch.float16
        net.half()
        net.convolutions[-1].float()  # the network has its last layer in full precision
        net = torch.compile(net)

    def upscale(frame: Array) -> Array:
        with torch.inference_mode():
            image = torch.from_numpy(frame).to(asked["device"]).permute(2, 0, 1)[None]
            image = image.to(dtype).div(255).contiguous(memory_format=torch.channels_last)
            result = net(image).clamp(0, 1).mul(255).round().to(torch.uint8)
            pixels: Array = result[0].permute(1, 2, 0).contiguous().cpu().numpy()
        return pixels

    return upscale, {"versions": {"torch": torch.__version__}, "provider": asked["device"]}


KINDS: dict[str, Callable[[bytes, Asked], Opened]] = {
    "repeat": repeat,
    "ours": ours,
    "onnxruntime": onnxruntime,
    "openvino": openvino,
    "ncnn": ncnn,
    "vapoursynth": vapoursynth,
    "pytorch": pytorch,
}
