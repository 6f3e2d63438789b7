"""The shipped graph on what weights of its kind have failed at, and its golden patch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from bench.patterns import Array, patterns, psnr
from liveaction_onnx import Upscaler, catalog
from liveaction_onnx.belief import check_golden
from liveaction_onnx.devices import Device
from liveaction_onnx.opening import open_on_device

PATTERNS = list(patterns())


@pytest.fixture(scope="module")
def up() -> Iterator[Upscaler]:
    with Upscaler(device="cpu") as upscaler:
        yield upscaler


@pytest.mark.parametrize("pattern", PATTERNS)
def test_fine_patterns_of_full_contrast_do_not_become_noise(up: Upscaler, pattern: Array) -> None:
    """With the SPAN authors' weights a change of 60 dB moves all of some, to 5 dB."""
    nudge = np.random.default_rng(1).normal(0, 1e-3, pattern.shape)
    nudged = np.clip(pattern + nudge, 0, 1).astype(np.float32)
    assert psnr(up(nudged), up(pattern)) > 35


def test_small_text_stays_legible(up: Upscaler) -> None:
    text = PATTERNS[0]
    means = up(text).reshape(96, 2, 96, 2, 3).mean(axis=(1, 3))
    assert psnr(means, text) > 25


@pytest.mark.parametrize("pattern", PATTERNS)
def test_half_precision_holds_on_them_too(up: Upscaler, pattern: Array) -> None:
    with Upscaler(device="cpu", precision="fp16") as half:
        assert psnr(half(pattern), up(pattern)) > 50


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_every_form_gives_the_golden_patch(dtype: str, precision: str) -> None:
    graph = catalog.shipped_graph(dtype, precision)
    session = open_on_device(graph, Device("cpu"))
    assert check_golden(session, graph) <= 1
    session.close()


def test_sixteen_bits_are_what_floats_give_to_the_level() -> None:
    image = np.random.default_rng(4).integers(0, 65536, (9, 12, 3)).astype(np.uint16)
    image = image.repeat(4, axis=0).repeat(4, axis=1)
    with Upscaler(device="cpu") as up:
        wanted = up((image / 65535).astype(np.float32)) * np.float64(65535)
        assert np.abs(up(image) - wanted).max() <= 1.5
