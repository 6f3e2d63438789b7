"""On an NVIDIA GPU itself: what CUDA makes of pictures is what the CPU makes of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from PIL import Image

import liveaction_onnx as la
from liveaction_onnx import devices

OTTERS = Path(__file__).parents[1] / "bench" / "pictures" / "otters.jpg"

pytestmark = pytest.mark.skipif(
    "CUDAExecutionProvider" not in onnxruntime.get_available_providers() or not devices.has_gpu(),
    reason="needs an NVIDIA GPU, and onnxruntime-gpu",
)


def photograph(width: int, height: int) -> NDArray[np.uint8]:
    with Image.open(OTTERS) as picture:
        return np.asarray(picture.convert("RGB").resize((width, height)))


def noise(width: int, height: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


Precision = Literal["fp16", "fp32"]


@pytest.fixture(scope="module", params=["fp16", "fp32"])
def precision(request: pytest.FixtureRequest) -> Precision:
    asked: Precision = request.param
    return asked


@pytest.fixture(scope="module")
def cuda(precision: Precision) -> la.Upscaler:
    return la.Upscaler(device="cuda", precision=precision)


@pytest.mark.parametrize("make", [photograph, noise])
@pytest.mark.parametrize("size", [(64, 64), (300, 40), (641, 359), (1280, 720)])
def test_pictures_are_those_of_the_cpu(
    cuda: la.Upscaler, make: Callable[[int, int], NDArray[np.uint8]], size: tuple[int, int]
) -> None:
    picture = make(*size)
    assert cuda.providers[0] == "CUDAExecutionProvider"
    wanted = la.Upscaler(device="cpu")(picture).astype(int)
    assert np.abs(cuda(picture) - wanted).max() <= 1


@pytest.mark.parametrize("level", [0, 1, 128, 254, 255])
def test_flat_fields_stay(cuda: la.Upscaler, level: int) -> None:
    made = cuda(np.full((200, 300, 3), level, np.uint8))
    assert np.abs(made.astype(int) - level).max() <= 1


def test_tiles_make_the_same_picture(cuda: la.Upscaler, precision: Precision) -> None:
    picture = photograph(640, 360)
    tiled = la.Upscaler(device="cuda", precision=precision, tile=(128, 96))
    assert np.abs(tiled(picture).astype(int) - cuda(picture)).max() <= 1
