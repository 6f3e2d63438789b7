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

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from model.nodes import Bare, Net
from model.span import BLOCKS, SCALE, SpanWeights, read_weights
from model.trunk import trunk

NAME = "liveaction-2x"
VERSION = "1.0"
LICENCE = "Apache-2.0"
SOURCE = (
    "trained by model/ of liveaction_onnx from openly licensed photographs (model/CARD.md), "
    "started from, and blended with, the SPAN authors' 2x 48-channel weights "
    "(github.com/hongyuanyu/SPAN, Apache-2.0)"
)
DESCRIPTION = (
    "SPAN 2x, 48 channels, for live-action video: takes away compression, blur and halos, "
    "keeps grain"
)

IR_VERSION = 8
HALO = 1 + 3 * BLOCKS + 1 + 1
"""Receptive radius in input px: 21 convolutions of 3x3 in a row."""

WORKSPACE_BYTES_PER_PX = {"fp32": 1150, "fp16": 600}
"""Memory that a run takes per input px. fp32: 1,050 measured with ONNX Runtime 1.32 on the CPU
without its memory patterns (with them 2,060), windows of 542 x 542 px; fp16: half of it, as its
feature maps are."""

RIM = 4
"""Px to be mirrored in beyond the rim of a picture: with fewer, flat fields of strong colours are
more than a level off there, of 343 colours four."""

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
    return net.node("Clip", y, net.scalar("zero", 0), net.scalar("one", 1))


def in_levels(net: Net, form: Form, y: str) -> str:
    """Values in [0, 1] as a form's integers, rounded to nearest."""
    levels = net.scalar("unit_to_level", form.levels)
    return net.node("Cast", net.node("Round", net.node("Mul", y, levels)), to=ELEMENTS[form.dtype])


def head(net: Net, form: Form, weights: SpanWeights) -> str:
    """What `trunk` takes, in single precision, of a form's input."""
    x = "input"
    if form.layout == "NHWC":
        x = net.node("Cast", net.node("Transpose", x, perm=[0, 3, 1, 2]), to=TensorProto.FLOAT)
        x = net.node("Mul", x, net.scalar("level_to_unit", 1 / form.levels))
    return net.node("Sub", x, net.constant("mean", weights.mean.reshape(1, 3, 1, 1)))


def finish(net: Net, form: Form, weights_sha256: str, rim: int | None) -> onnx.ModelProto:
    """Nodes, inputs, outputs and facts as a model.

    The output's free dimensions have names of their own: with the input's names ONNX Runtime may
    try to reuse a buffer of the wrong size (microsoft/onnxruntime#14582).
    """
    net.nodes[-1].output[0] = "output"

    def value(name: str, *sides: str) -> onnx.ValueInfoProto:
        shape: list[str | int] = [*sides, 3] if form.layout == "NHWC" else [3, *sides]
        return helper.make_tensor_value_info(name, ELEMENTS[form.dtype], ["batch", *shape])

    given, made = value("input", "height", "width"), value("output", "height_2x", "width_2x")
    graph = helper.make_graph(net.nodes, NAME, [given], [made], list(net.constants.values()))
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
    arrays = golden((folder / plain.file).read_bytes())
    np.savez_compressed(folder / "golden.npz", **arrays)  # type: ignore[arg-type] # as in `span`
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
