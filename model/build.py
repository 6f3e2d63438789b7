"""Build the shipped graphs from weights on disk: `python -m model.build`.

Four forms of one network go to `liveaction_onnx/graphs/`, each with its facts in its metadata,
beside `index.json` (name, licence and sha256 of each, which the package checks before it runs one)
and `golden.npz` (a patch and what the fp32 graph makes of it on the CPU, which a GPU must reproduce
before it is believed).
"""

from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from model.span import BLOCKS, CHANNELS, SCALE, Convolution, SpanWeights, read_weights

NAME = "liveaction-2x"
VERSION = "1.0"
LICENCE = "Apache-2.0"
SOURCE = (
    "trained by model/ of liveaction_onnx from openly licensed photographs (model/CARD.md), "
    "started from the SPAN authors' 2x 48-channel weights (github.com/hongyuanyu/SPAN, Apache-2.0)"
)
DESCRIPTION = (
    "SPAN 2x, 48 channels, for live-action video: takes away compression, blur and halos, "
    "keeps grain"
)

OPSET = 17  # DirectML takes up to 20
IR_VERSION = 8
HALO = 1 + 3 * BLOCKS + 1 + 1
"""Receptive radius in input px: 21 convolutions of 3x3 in a row."""

WORKSPACE_BYTES_PER_PX = {"fp32": 1150, "fp16": 600}
"""Memory that a run takes per input px. fp32: 1,050 measured with ONNX Runtime 1.32 on the CPU
without its memory patterns (with them 2,060), windows of 542 x 542 px; fp16: half of it, as its
feature maps are."""

ROOT = Path(__file__).resolve().parent.parent
WEIGHTS = ROOT / "model" / "weights" / f"{NAME}.npz"
GRAPHS = ROOT / "liveaction_onnx" / "graphs"


@dataclass(frozen=True)
class Form:
    """One shipped form of the network."""

    dtype: str
    """"float32": NCHW in [0, 1], the field's convention. "uint8": NHWC, conversion and rounding
    inside the graph."""

    precision: str
    """"fp32" or "fp16": what the convolutions compute in. Inputs and outputs keep `dtype`."""

    @property
    def file(self) -> str:
        return f"{NAME}-{self.dtype}-{self.precision}.onnx"

    @property
    def layout(self) -> str:
        return "NHWC" if self.dtype == "uint8" else "NCHW"


FORMS = tuple(
    Form(dtype, precision) for dtype in ("float32", "uint8") for precision in ("fp32", "fp16")
)


class Net:
    """The nodes of a graph under construction; each method adds one and returns the name of its
    output.
    """

    def __init__(self, precision: str) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}
        self.kernel_type = np.dtype(np.float16 if precision == "fp16" else np.float32)

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        self.constants.setdefault(name, numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, op: str, *inputs: str, **attributes: Any) -> str:
        output = f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [output], **attributes))
        return output

    def convolve(self, x: str, name: str, convolution: Convolution, *, bias: bool = True) -> str:
        size = convolution.kernel.shape[2]
        inputs = [x, self.constant(f"{name}.kernel", convolution.kernel.astype(self.kernel_type))]
        if bias:
            inputs.append(self.constant(f"{name}.bias", convolution.bias.astype(self.kernel_type)))
        return self.node("Conv", *inputs, kernel_shape=[size, size], pads=[size // 2] * 4)

    def silu(self, x: str) -> str:
        return self.node("Mul", x, self.node("Sigmoid", x))

    def scalar(self, name: str, value: float, dtype: np.dtype[np.generic]) -> str:
        return self.constant(name, np.array(value, dtype))


def trunk(net: Net, weights: SpanWeights, x: str) -> str:
    """The network from (n, 3, h, w), mean taken off, in [-1, 1], to (n, 3, 2h, 2w).

    The 1x1 convolution over the concatenation of four feature maps is written as a sum of four 1x1
    convolutions, each taken as soon as its map exists: the same numbers, but the maps need not live
    on beside their concatenation, which nearly halves the memory of a run (2.1 instead of 3.7 kB
    per input px with memory patterns) and is no slower.
    """
    convolutions = iter(weights.convolutions)
    merge, last = weights.convolutions[-2:]
    x = net.convolve(x, "first", next(convolutions))

    def part(k: int, y: str, merged: str | None) -> str:
        kernel = merge.kernel[:, CHANNELS * k : CHANNELS * (k + 1)]
        term = net.convolve(y, f"merge{k}", Convolution(kernel, merge.bias), bias=merged is None)
        return term if merged is None else net.node("Add", term, merged)

    half = net.scalar("half", 0.5, net.kernel_type)
    merged = part(0, x, None)
    for block in range(BLOCKS):
        a = net.silu(net.convolve(x, f"block{block}.0", next(convolutions)))
        b = net.silu(net.convolve(a, f"block{block}.1", next(convolutions)))
        c = net.convolve(b, f"block{block}.2", next(convolutions))
        attention = net.node("Sub", net.node("Sigmoid", c), half)
        x = net.node("Mul", net.node("Add", c, x), attention)
        if block == 0:
            merged = part(2, x, merged)
        if block == BLOCKS - 1:
            merged = part(3, a, merged)
    merged = part(1, net.convolve(x, "body", next(convolutions)), merged)
    return net.node("DepthToSpace", net.convolve(merged, "last", last), blocksize=SCALE, mode="CRD")


def build(weights: SpanWeights, form: Form, weights_sha256: str) -> onnx.ModelProto:
    """The graph of one form, checked by `onnx.checker`, with its facts in the metadata."""
    net, byte = Net(form.precision), form.dtype == "uint8"
    single = np.dtype(np.float32)
    x = "input"
    if byte:
        x = net.node("Cast", net.node("Transpose", x, perm=[0, 3, 1, 2]), to=TensorProto.FLOAT)
        x = net.node("Mul", x, net.scalar("byte_to_unit", 1 / 255, single))
    x = net.node("Sub", x, net.constant("mean", weights.mean.reshape(1, 3, 1, 1)))
    if form.precision == "fp16":
        x = net.node("Cast", x, to=TensorProto.FLOAT16)
    y = trunk(net, weights, x)
    if form.precision == "fp16":
        y = net.node("Cast", y, to=TensorProto.FLOAT)
    y = net.node("Clip", y, net.scalar("zero", 0, single), net.scalar("one", 1, single))
    if byte:
        y = net.node("Round", net.node("Mul", y, net.scalar("unit_to_byte", 255, single)))
        y = net.node("Transpose", net.node("Cast", y, to=TensorProto.UINT8), perm=[0, 2, 3, 1])
    net.nodes[-1].output[0] = "output"
    return finish(net, form, weights_sha256)


def finish(net: Net, form: Form, weights_sha256: str) -> onnx.ModelProto:
    """Nodes, inputs, outputs and facts as a checked model.

    The output's free dimensions have names of their own: with the input's names ONNX Runtime may
    try to reuse a buffer of the wrong size (microsoft/onnxruntime#14582).
    """
    element = TensorProto.UINT8 if form.dtype == "uint8" else TensorProto.FLOAT

    def value(name: str, height: str, width: str) -> onnx.ValueInfoProto:
        shape: list[str | int] = (
            ["batch", height, width, 3] if form.layout == "NHWC" else ["batch", 3, height, width]
        )
        return helper.make_tensor_value_info(name, element, shape)

    inputs, outputs = (
        [value("input", "height", "width")],
        [value("output", "height_2x", "width_2x")],
    )
    graph = helper.make_graph(net.nodes, NAME, inputs, outputs, list(net.constants.values()))
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="liveaction_onnx",
    )
    facts = {
        "name": NAME,
        "version": VERSION,
        "scale": str(SCALE),
        "halo": str(HALO),
        "layout": form.layout,
        "dtype": form.dtype,
        "precision": form.precision,
        "workspace_bytes_per_px": str(WORKSPACE_BYTES_PER_PX[form.precision]),
        "licence": LICENCE,
        "source": SOURCE,
        "weights_sha256": weights_sha256,
    }
    helper.set_model_props(model, facts)
    onnx.checker.check_model(model, full_check=True)
    return model


def golden_patch() -> NDArray[np.uint8]:
    """Make a patch (48, 64, 3) of ramps, edges, lines and noise, which nobody has rights in."""
    rng = np.random.default_rng(20261123)
    rows, columns = np.mgrid[0:48, 0:64].astype(np.float64)
    patch = np.stack([columns * 4, rows * 5, 255 - columns * 2 - rows * 2], axis=-1)
    patch[8:40, 30:34] = (200, 60, 60)
    patch[20:22] = patch[20:22] * 0.7 + 20
    patch[24:, 40:] += rng.normal(0, 25, (24, 24, 3))
    levels: NDArray[np.uint8] = np.clip(np.rint(patch), 0, 255).astype(np.uint8)
    return levels


def golden(graph: bytes) -> dict[str, NDArray[np.uint8]]:
    """The patch and what `graph` (uint8, fp32) makes of it on the CPU."""
    import onnxruntime

    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    patch = golden_patch()
    return {"patch": patch, "expected": session.run(None, {"input": patch[None]})[0][0]}


def write_all(weights_file: Path, folder: Path) -> None:
    """Write the graphs, `index.json` and `golden.npz` to `folder`."""
    weights = read_weights(weights_file)
    weights_sha256 = hashlib.sha256(weights_file.read_bytes()).hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for form in FORMS:
        data = build(weights, form, weights_sha256).SerializeToString(deterministic=True)
        (folder / form.file).write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        entries.append(
            {"file": form.file, "dtype": form.dtype, "precision": form.precision, "sha256": digest}
        )
        print(f"{form.file}  {len(data):,} bytes  {digest}")
        if (form.dtype, form.precision) == ("uint8", "fp32"):
            np.savez_compressed(folder / "golden.npz", allow_pickle=False, **golden(data))
    index = {
        "name": NAME,
        "version": VERSION,
        "licence": LICENCE,
        "description": DESCRIPTION,
        "forms": entries,
    }
    (folder / "index.json").write_text(json.dumps(index, indent=1) + "\n")


def main() -> None:
    """Build what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--weights",
        type=Path,
        default=WEIGHTS,
        help="a .npz of model.train, or an ncnn .bin (default: %(default)s)",
    )
    parser.add_argument(
        "--out", type=Path, default=GRAPHS, help="folder to write to (default: %(default)s)"
    )
    options = parser.parse_args()
    write_all(options.weights, options.out)


if __name__ == "__main__":
    main()
