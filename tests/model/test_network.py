"""The trainable network: the same numbers as the graph, and weights that survive the way there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from model.build import Form, build
from model.network import from_weights, to_weights
from model.span import AUTHORS, SpanWeights, read_ncnn, read_npz, read_weights, write_npz


@pytest.fixture(scope="module")
def weights() -> SpanWeights:
    return read_ncnn(AUTHORS)


def same(a: SpanWeights, b: SpanWeights) -> bool:
    pairs = zip(a.convolutions, b.convolutions, strict=True)
    return np.array_equal(a.mean, b.mean) and all(
        np.array_equal(x.kernel, y.kernel) and np.array_equal(x.bias, y.bias) for x, y in pairs
    )


def test_the_network_makes_what_the_graph_makes_edges_included(weights: SpanWeights) -> None:
    image = np.random.default_rng(0).random((2, 3, 18, 22), dtype=np.float32) * 0.2 + 0.4
    graph = build(weights, Form("float32", "fp32"), "").SerializeToString()
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    expected = session.run(None, {"input": image})[0]
    with torch.no_grad():
        made = from_weights(weights)(torch.from_numpy(image)).clamp(0, 1).numpy()
    assert expected.shape == (2, 3, 36, 44)
    assert expected.std() > 0.01
    assert np.abs(made - expected).max() < 1e-4


def test_weights_go_into_the_network_and_come_back_as_they_were(weights: SpanWeights) -> None:
    assert same(to_weights(from_weights(weights).state_dict()), weights)


def test_the_network_has_the_parameters_of_span() -> None:
    network = from_weights(read_ncnn(AUTHORS))
    assert sum(parameter.numel() for parameter in network.parameters()) == 410_700


def test_weights_on_disk_come_back_as_they_were(weights: SpanWeights, tmp_path: Path) -> None:
    write_npz(tmp_path / "a.npz", weights)
    write_npz(tmp_path / "b.npz", weights)
    assert same(read_weights(tmp_path / "a.npz"), weights)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.mark.parametrize("gone", ["mean", "kernel07", "bias21"])
def test_a_file_with_something_missing_is_refused(gone: str, tmp_path: Path) -> None:
    write_npz(tmp_path / "whole.npz", read_ncnn(AUTHORS))
    with np.load(tmp_path / "whole.npz") as arrays:
        kept = {name: arrays[name] for name in arrays.files if name != gone}
    np.savez(tmp_path / "part.npz", **kept)
    with pytest.raises(ValueError, match="not the weights of a SPAN"):
        read_npz(tmp_path / "part.npz")
