"""The recipe of the shipped graphs, against the network written down once more in plain numpy."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from model.build import FORMS, GRAPHS, WEIGHTS, Form, write_all
from model.span import AUTHORS, Convolution, SpanWeights, kernel_shapes, read_ncnn, read_weights

Array = NDArray[Any]

MANY = pytest.mark.parametrize("form", FORMS, ids=lambda form: f"{form.dtype}-{form.precision}")


def convolve(x: Array, convolution: Convolution) -> Array:
    """(in, h, w) to (out, h, w), zeros beyond the edge."""
    size = convolution.kernel.shape[2]
    return inside(np.pad(x, [(0, 0), *[(size // 2, size // 2)] * 2]), convolution)


def inside(x: Array, convolution: Convolution) -> Array:
    """(in, h, w) to (out, h - k + 1, w - k + 1)."""
    size = convolution.kernel.shape[2]
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(1, 2))
    summed: Array = np.einsum("ihwyx,oiyx->ohw", windows, convolution.kernel, optimize=True)
    return summed + convolution.bias[:, None, None]


def sigmoid(x: Array) -> Array:
    result: Array = 0.5 + 0.5 * np.tanh(x / 2)  # the same, without overflow
    return result


def span(image: Array, weights: SpanWeights) -> Array:
    """(h, w, 3) in [0, 1] to (2h, 2w, 3), as the authors of SPAN define their network.

    But for the edge: the first convolution goes on beyond it, over zeros, for the second to see.
    """
    layers = iter(weights.convolutions)
    colours: Array = (image - weights.mean).transpose(2, 0, 1)
    wide = inside(np.pad(colours, [(0, 0), (2, 2), (2, 2)]), next(layers))
    x = first = wide[:, 1:-1, 1:-1]
    ends, activations = [], []
    for block in range(6):
        once = convolve(x, next(layers)) if block else inside(wide, next(layers))
        once = once * sigmoid(once)
        twice = convolve(once, next(layers))
        twice = twice * sigmoid(twice)
        last = convolve(twice, next(layers))
        x = (last + x) * (sigmoid(last) - 0.5)
        ends.append(x)
        activations.append(once)
    body = convolve(x, next(layers))
    merged = convolve(np.concatenate([first, body, ends[0], activations[5]]), next(layers))
    planes = convolve(merged, next(layers))
    height, width = image.shape[:2]
    shuffled = planes.reshape(3, 2, 2, height, width).transpose(3, 1, 4, 2, 0)
    result: Array = shuffled.reshape(2 * height, 2 * width, 3)
    return result


def patch() -> NDArray[np.uint8]:
    """Make (24, 20, 3) of ramps, an edge and faint noise: what photographs consist of."""
    rows, columns = np.mgrid[:24, :20]
    planes = np.stack([60 + columns * 4, 150 - rows * 3, 80 + rows * 2 + columns], axis=-1)
    planes[8:, 12:] += 45
    planes += np.random.default_rng(5).integers(-3, 4, planes.shape)
    return planes.astype(np.uint8)


def run(data: bytes, value: Array) -> Array:
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    result: Array = session.run(None, {"input": value})[0]
    return result


def committed(form: Form) -> bytes:
    return (GRAPHS / form.file).read_bytes()


def made_by(form: Form, image: NDArray[np.uint8]) -> Array:
    """What a shipped form makes of (h, w, 3), as (2h, 2w, 3) in levels of 255."""
    levels: Array
    if form.dtype == "uint8":
        levels = run(committed(form), image[None])[0].astype(np.float64)
    else:
        planes = (image / np.float32(255)).transpose(2, 0, 1)
        levels = run(committed(form), planes[None])[0].transpose(1, 2, 0) * np.float64(255)
    return levels


@pytest.fixture(scope="module")
def weights() -> SpanWeights:
    return read_weights(WEIGHTS)


@pytest.fixture(scope="module")
def expected(weights: SpanWeights) -> Array:
    """What numpy makes of the patch, in levels of 255."""
    result = span(patch() / 255, weights)
    assert result.std() > 0.05, "a picture, not a flat field"
    return np.clip(result, 0, 1) * 255


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("graphs") / "new"
    write_all(WEIGHTS, folder)
    return folder


@MANY
def test_a_shipped_form_is_the_network_of_its_authors(form: Form, expected: Array) -> None:
    allowed = {
        ("float32", "fp32"): 1e-4 * 255,
        ("uint8", "fp32"): 0.51,
        ("float32", "fp16"): 1.5,
        ("uint8", "fp16"): 1.5,
    }
    off = np.abs(made_by(form, patch()) - expected).max()
    assert off < allowed[form.dtype, form.precision]


def test_the_network_doubles_a_picture_and_keeps_its_colours(expected: Array) -> None:
    """The yardstick itself, measured: the mean of 2 x 2 px has to be near the px."""
    means = expected.reshape(24, 2, 20, 2, 3).mean(axis=(1, 3))
    assert np.abs(means - patch()).mean() < 6


@MANY
def test_a_form_takes_batches(form: Form) -> None:
    image = patch()
    value: Array = np.stack([image, image[::-1]])
    if form.dtype == "float32":
        value = (value / np.float32(255)).transpose(0, 3, 1, 2)
    both, one = run(committed(form), value), run(committed(form), value[1:])
    assert len(both) == 2
    assert np.allclose(both[1], one[0], atol=1e-3)


@MANY
def test_what_comes_out_is_clipped_to_the_range(form: Form) -> None:
    board = (np.indices((24, 24)) // 3).sum(axis=0) % 2 * 255
    result = made_by(form, np.stack([board] * 3, axis=-1).astype(np.uint8))
    assert result.min() >= 0
    assert result.max() <= 255


@MANY
def test_a_rebuilt_form_is_the_committed_one_to_the_byte(form: Form, rebuilt: Path) -> None:
    assert (rebuilt / form.file).read_bytes() == committed(form)


def test_the_rebuilt_index_and_golden_patch_are_the_committed_ones(rebuilt: Path) -> None:
    assert (rebuilt / "index.json").read_text() == (GRAPHS / "index.json").read_text()
    with np.load(rebuilt / "golden.npz") as new, np.load(GRAPHS / "golden.npz") as old:
        assert set(new) == set(old) == {"patch", "expected"}
        assert np.array_equal(new["patch"], old["patch"])
        assert np.abs(new["expected"].astype(int) - old["expected"]).max() <= 1


def test_the_folder_holds_what_the_recipe_writes_and_nothing_else(rebuilt: Path) -> None:
    assert {path.name for path in GRAPHS.iterdir()} == {path.name for path in rebuilt.iterdir()}


def test_the_index_has_the_hash_of_each_form() -> None:
    index = json.loads((GRAPHS / "index.json").read_text())
    entries = index["forms"] + index["deep"] + index["cpu"]
    hashes = {entry["file"]: entry["sha256"] for entry in entries}
    files = [path for path in GRAPHS.iterdir() if path.suffix == ".onnx"]
    assert hashes == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_golden_patch_is_what_the_cpu_makes_of_it() -> None:
    with np.load(GRAPHS / "golden.npz") as golden:
        fresh = run(committed(Form("uint8", "fp32")), golden["patch"][None])[0]
        off = fresh.astype(int) - golden["expected"]
    assert np.abs(off).max() <= 1, "another CPU may round a level otherwise"
    assert (off != 0).mean() < 0.001


@MANY
def test_every_form_reproduces_the_golden_patch_as_a_device_has_to(form: Form) -> None:
    """Where a sound CPU does not, no device could, and what is compared is not the device."""
    with np.load(GRAPHS / "golden.npz") as golden:
        off = np.abs(made_by(form, golden["patch"]) - golden["expected"]).max()
    rounding = 0.5 if form.dtype == "float32" else 0
    assert off - rounding <= {"fp32": 1, "fp16": 3}[form.precision]


def test_the_golden_result_is_a_picture_of_the_golden_patch() -> None:
    with np.load(GRAPHS / "golden.npz") as golden:
        patch, expected = golden["patch"], golden["expected"]
    means = expected.reshape(len(patch), 2, -1, 2, 3).mean(axis=(1, 3))
    assert np.abs(means - patch).max() < 64, "noise where there was none"


@MANY
def test_the_checker_finds_no_fault(form: Form) -> None:
    onnx.checker.check_model(onnx.load_from_string(committed(form)), full_check=True)


@MANY
def test_sizes_of_the_output_have_names_of_their_own(form: Form) -> None:
    graph = onnx.load_from_string(committed(form)).graph

    def names(value: onnx.ValueInfoProto) -> list[str]:
        return [side.dim_param for side in value.type.tensor_type.shape.dim]

    (given,), (made,) = graph.input, graph.output
    sides = slice(2, 4) if form.layout == "NCHW" else slice(1, 3)
    assert all(names(given)[sides])
    assert all(names(made)[sides])
    assert not set(names(given)[sides]) & set(names(made)[sides])


@MANY
def test_the_facts_are_in_the_metadata(form: Form) -> None:
    stated = {
        entry.key: entry.value for entry in onnx.load_from_string(committed(form)).metadata_props
    }
    known = {
        "name": "liveaction-2x",
        "scale": "2",
        "halo": "21",
        "layout": form.layout,
        "dtype": form.dtype,
        "precision": form.precision,
        "licence": "Apache-2.0",
        "weights_sha256": hashlib.sha256(WEIGHTS.read_bytes()).hexdigest(),
    }
    assert stated | known == stated
    assert stated["source"]
    assert stated["version"]
    assert int(stated["workspace_bytes_per_px"]) > 0


@MANY
def test_a_form_is_small(form: Form) -> None:
    assert len(committed(form)) < 2 << 20


@MANY
def test_the_kernels_have_the_precision_that_the_form_states(form: Form) -> None:
    tensors = onnx.load_from_string(committed(form)).graph.initializer
    kernels = {
        tensor.data_type for tensor in tensors if len(tensor.dims) == 4 and tensor.dims[0] > 1
    }
    wanted = onnx.TensorProto.FLOAT16 if form.precision == "fp16" else onnx.TensorProto.FLOAT
    assert kernels == {wanted}


def test_the_weights_have_the_shapes_of_the_network(weights: SpanWeights) -> None:
    assert [layer.kernel.shape for layer in weights.convolutions] == kernel_shapes()
    assert [layer.bias.shape for layer in weights.convolutions] == [
        shape[:1] for shape in kernel_shapes()
    ]
    assert weights.mean == pytest.approx([0.4488, 0.4371, 0.4040], abs=0.01)


@pytest.mark.parametrize("kept", [0, 8, 12, 14, 1000, -2, -1])
def test_weights_that_are_cut_off_are_refused(tmp_path: Path, kept: int) -> None:
    (tmp_path / "short.bin").write_bytes(AUTHORS.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"tag|buffer is smaller"):
        read_ncnn(tmp_path / "short.bin")


def test_weights_with_something_behind_them_are_refused(tmp_path: Path) -> None:
    (tmp_path / "long.bin").write_bytes(AUTHORS.read_bytes() + b"\0\0\0\0")
    with pytest.raises(ValueError, match="4 bytes left over"):
        read_ncnn(tmp_path / "long.bin")


def test_weights_with_another_tag_are_refused(tmp_path: Path) -> None:
    raw = bytearray(AUTHORS.read_bytes())
    raw[12:16] = bytes(4)
    (tmp_path / "plain.bin").write_bytes(raw)
    with pytest.raises(ValueError, match=r"expected the fp16 tag .* at byte 12, found 0x0"):
        read_ncnn(tmp_path / "plain.bin")
