"""Build the shipped graphs from weights on disk: `python -m model.build`.

Four forms of one network go to `liveaction_onnx/graphs/`, each with its facts in its metadata,
beside `index.json` (name, licence and sha256 of each, which the package checks before it runs one),
`golden.npz` (a patch and what the fp32 graph makes of it on the CPU, which a GPU must reproduce
before it is believed), and graphs without weights, which the package puts in: the forms of 16 bits,
and those for the CPU (see `model.blocked`).
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

from model.span import BLOCKS, SCALE, Convolution, SpanWeights, read_weights

NAME = "liveaction-2x"
VERSION = "1.0"
LICENCE = "Apache-2.0"
SOURCE = (
    "trained by model/ of liveaction_onnx from openly licensed photographs (model/CARD.md), "
    "started from, and blended with a tenth of, the SPAN authors' 2x 48-channel weights "
    "(github.com/hongyuanyu/SPAN, Apache-2.0)"
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

RIM = 5
"""Px to be mirrored in beyond the rim of a picture: with fewer, flat fields of strong colours are
more than a level off there."""

ROOT = Path(__file__).resolve().parent.parent
WEIGHTS = ROOT / "model" / "weights" / f"{NAME}.npz"
GRAPHS = ROOT / "liveaction_onnx" / "graphs"


@dataclass(frozen=True)
class Form:
    """One shipped form of the network."""

    dtype: str
    """"float32": NCHW in [0, 1], the field's convention. "uint8" and "uint16": NHWC, conversion and
    rounding inside the graph."""

    precision: str
    """"fp32" or "fp16": what the convolutions compute in. Inputs and outputs keep `dtype`."""

    @property
    def file(self) -> str:
        return f"{NAME}-{self.dtype}-{self.precision}.onnx"

    @property
    def layout(self) -> str:
        return "NCHW" if self.dtype == "float32" else "NHWC"

    @property
    def levels(self) -> int:
        """The greatest value of an integer px."""
        return int(np.iinfo(self.dtype).max)


FORMS = tuple(
    Form(dtype, precision) for dtype in ("float32", "uint8") for precision in ("fp32", "fp16")
)
DEEP = tuple(Form("uint16", precision) for precision in ("fp32", "fp16"))
"""Forms that are written without their weights: those of the uint8 forms are theirs."""

ELEMENTS = {
    "float32": TensorProto.FLOAT,
    "uint8": TensorProto.UINT8,
    "uint16": TensorProto.UINT16,
}


class Net:
    """The nodes of a graph under construction; each method adds one and returns the name of its
    output.
    """

    opsets: tuple[tuple[str, int], ...] = (("", OPSET),)

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

    def convolve(
        self, x: str, name: str, convolution: Convolution, *, plus: str | None = None
    ) -> str:
        """A convolution that keeps the size, with `plus` added to it."""
        size = convolution.kernel.shape[2]
        inputs = [x, self.weight(f"{name}.kernel", convolution.kernel)]
        if convolution.bias.any():
            inputs.append(self.weight(f"{name}.bias", convolution.bias))
        made = self.node("Conv", *inputs, kernel_shape=[size, size], pads=[size // 2] * 4)
        return made if plus is None else self.node("Add", made, plus)

    def weight(self, name: str, value: NDArray[Any]) -> str:
        return self.constant(name, value.astype(self.kernel_type))

    def silu(self, x: str) -> str:
        return self.node("Mul", x, self.node("Sigmoid", x))

    def plus_half(self, c: str, x: str) -> str:
        """The sum c + x/2."""
        return self.node("Add", c, self.node("Mul", x, self.scalar("half", 0.5, self.kernel_type)))

    def scalar(self, name: str, value: float, dtype: np.dtype[np.generic]) -> str:
        return self.constant(name, np.array(value, dtype))


class Bare(Net):
    """Nodes whose weights are names only."""

    def weight(self, name: str, value: NDArray[Any]) -> str:
        return name


def trunk(net: Net, weights: SpanWeights, x: str) -> str:
    """The network from (n, 3, h, w), mean taken off, in [-1, 1], to 12 channels of that size: row
    and column within a px of the input, then colour.

    Convolutions with nothing between them are one. The first is so with each of the three that take
    it: that of the first block becomes one of 5x5 over three colours instead of 3x3 over 48 maps, a
    twentieth less to compute in all; beyond the edge of the picture it sees zeros, where the two
    see zeros twice, which is felt as far as the zeros are.

    The 1x1 convolution over the concatenation of four feature maps is written as a sum of four,
    each taken as soon as its map exists: the same numbers, but the maps need not live on beside
    their concatenation, which nearly halves the memory of a run.
    """
    first, *inner, body, merge, last = weights.convolutions
    nothing = np.zeros_like(merge.bias)
    to_first, to_body, to_end, to_once = (
        Convolution(part, nothing) for part in np.split(merge.kernel, 4, axis=1)
    )
    early = joined(first, Convolution(to_first.kernel, merge.bias))
    merged = net.convolve(x, "merge0", early)
    half = np.float32(0.5)
    for block in range(BLOCKS):
        once, twice, third = inner[3 * block : 3 * block + 3]
        once = once if block else joined(first, once)
        a = net.silu(net.convolve(x, f"block{block}.0", once))
        b = net.silu(net.convolve(a, f"block{block}.1", twice))
        c = net.convolve(b, f"block{block}.2", Convolution(third.kernel * half, third.bias * half))
        # (c + x/2) * tanh(c) is what SPAN writes as (2c + x) * (sigmoid(2c) - 1/2): near 0, where
        # most of it lies, that difference loses the digits that half precision has
        gate = net.node("Tanh", c)
        if block == 0:
            halved = Convolution(first.kernel * half, first.bias * half)
            x = net.node("Mul", net.convolve(x, "first", halved, plus=c), gate)
            merged = net.convolve(x, "merge2", to_end, plus=merged)
        else:
            x = net.node("Mul", net.plus_half(c, x), gate)
    merged = net.convolve(a, "merge3", to_once, plus=merged)
    order = np.arange(3 * SCALE**2).reshape(3, SCALE, SCALE).transpose(1, 2, 0).ravel()
    by_place = Convolution(last.kernel[order], last.bias[order])
    return net.convolve(
        net.convolve(x, "merge1", joined(body, to_body), plus=merged), "last", by_place
    )


def joined(first: Convolution, second: Convolution) -> Convolution:
    """Two convolutions as one: their kernels' sides k and l become k + l - 1.

    Summed one by one, so that every machine gets the same bits.
    """
    outs, _, side, _ = second.kernel.shape
    ins, each = first.kernel.shape[1:3]
    kernel = np.zeros((outs, ins, *[each + side - 1] * 2))
    bias = second.bias.astype(np.float64)
    for between, y, x in np.ndindex(second.kernel.shape[1:]):
        weight = second.kernel[:, between, y, x].astype(np.float64)
        kernel[:, :, y : y + each, x : x + each] += (
            weight[:, None, None, None] * first.kernel[between]
        )
        bias += weight * first.bias[between]
    return Convolution(kernel.astype(np.float32), bias.astype(np.float32))


def build(
    weights: SpanWeights, form: Form, weights_sha256: str, rim: int | None = RIM
) -> onnx.ModelProto:
    """The graph of one form, checked by `onnx.checker`, with its facts in the metadata."""
    model = _assembled(Net(form.precision), weights, form, weights_sha256, rim)
    onnx.checker.check_model(model, full_check=True)
    return model


def bare(weights: SpanWeights, form: Form, weights_sha256: str) -> onnx.ModelProto:
    """The graph of one form without its weights; it runs once they are put in."""
    return _assembled(Bare(form.precision), weights, form, weights_sha256, RIM)


def _assembled(
    net: Net, weights: SpanWeights, form: Form, weights_sha256: str, rim: int | None
) -> onnx.ModelProto:
    x = head(net, form, weights)
    if form.precision == "fp16":
        x = net.node("Cast", x, to=TensorProto.FLOAT16)
    y = net.node("DepthToSpace", trunk(net, weights, x), blocksize=SCALE, mode="DCR")
    if form.precision == "fp16":
        y = net.node("Cast", y, to=TensorProto.FLOAT)
    y = clipped(net, y)
    if form.layout == "NHWC":
        net.node("Transpose", in_levels(net, form, y), perm=[0, 2, 3, 1])
    return finish(net, form, weights_sha256, rim)


def clipped(net: Net, y: str) -> str:
    """Values in single precision, cut to [0, 1]."""
    single = np.dtype(np.float32)
    return net.node("Clip", y, net.scalar("zero", 0, single), net.scalar("one", 1, single))


def in_levels(net: Net, form: Form, y: str) -> str:
    """Values in [0, 1] as a form's integers, rounded to nearest."""
    levels = net.scalar("unit_to_level", form.levels, np.dtype(np.float32))
    return net.node("Cast", net.node("Round", net.node("Mul", y, levels)), to=ELEMENTS[form.dtype])


def head(net: Net, form: Form, weights: SpanWeights) -> str:
    """What `trunk` takes, in single precision, of a form's input."""
    x, single = "input", np.dtype(np.float32)
    if form.layout == "NHWC":
        x = net.node("Cast", net.node("Transpose", x, perm=[0, 3, 1, 2]), to=TensorProto.FLOAT)
        x = net.node("Mul", x, net.scalar("level_to_unit", 1 / form.levels, single))
    return net.node("Sub", x, net.constant("mean", weights.mean.reshape(1, 3, 1, 1)))


def finish(net: Net, form: Form, weights_sha256: str, rim: int | None) -> onnx.ModelProto:
    """Nodes, inputs, outputs and facts as a model.

    The output's free dimensions have names of their own: with the input's names ONNX Runtime may
    try to reuse a buffer of the wrong size (microsoft/onnxruntime#14582).
    """
    net.nodes[-1].output[0] = "output"

    def value(name: str, height: str, width: str) -> onnx.ValueInfoProto:
        shape: list[str | int] = (
            ["batch", height, width, 3] if form.layout == "NHWC" else ["batch", 3, height, width]
        )
        return helper.make_tensor_value_info(name, ELEMENTS[form.dtype], shape)

    inputs, outputs = (
        [value("input", "height", "width")],
        [value("output", "height_2x", "width_2x")],
    )
    graph = helper.make_graph(net.nodes, NAME, inputs, outputs, list(net.constants.values()))
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid(domain, version) for domain, version in net.opsets],
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
    helper.set_model_props(model, facts | ({} if rim is None else {"rim": str(rim)}))
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
    from model.blocked import blocked

    weights = read_weights(weights_file)
    weights_sha256 = hashlib.sha256(weights_file.read_bytes()).hexdigest()
    folder.mkdir(parents=True, exist_ok=True)

    def written(form: Form, model: onnx.ModelProto, file: str) -> dict[str, str]:
        data = model.SerializeToString(deterministic=True)
        (folder / file).write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        print(f"{file}  {len(data):,} bytes  {digest}")
        return {"file": file, "dtype": form.dtype, "precision": form.precision, "sha256": digest}

    forms = [written(form, build(weights, form, weights_sha256), form.file) for form in FORMS]
    deep = [written(form, bare(weights, form, weights_sha256), form.file) for form in DEEP]
    single = [form for form in (*FORMS, *DEEP) if form.precision == "fp32"]
    for_cpu = [
        written(form, blocked(weights, form, weights_sha256), f"{NAME}-{form.dtype}-cpu.onnx")
        for form in single
    ]
    plain = next(form for form in single if form.dtype == "uint8")
    np.savez_compressed(
        folder / "golden.npz", allow_pickle=False, **golden((folder / plain.file).read_bytes())
    )
    index = {
        "name": NAME,
        "version": VERSION,
        "licence": LICENCE,
        "description": DESCRIPTION,
        "forms": forms,
        "deep": deep,
        "cpu": for_cpu,
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
