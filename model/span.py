"""The weights of a SPAN network, read from disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

AUTHORS = Path(__file__).parent / "weights" / "spanx2_ch48.bin"
"""The weights of SPAN's authors: where training starts, and what ours are held against."""

CHANNELS = 48
BLOCKS = 6
SCALE = 2

_FP16_TAG = 0x01306B47
"""What ncnn writes before weights kept as fp16."""


@dataclass(frozen=True)
class Convolution:
    """One convolution: `kernel` (out, in, k, k) and `bias` (out,), both float32."""

    kernel: Array
    bias: Array


@dataclass(frozen=True)
class SpanWeights:
    """What a SPAN 2x network of 48 channels needs to run."""

    mean: Array
    """(3,) RGB mean in [0, 1], taken off the input."""

    convolutions: tuple[Convolution, ...]
    """The 22 convolutions in the order in which they run: 1 + 6 * 3 + 1, the 1x1 over 192 channels,
    the last."""


def kernel_shapes() -> list[tuple[int, int, int, int]]:
    """The shapes (out, in, k, k) of the 22 kernels, in order."""
    c = CHANNELS
    body = [(c, c, 3, 3)] * (3 * BLOCKS + 1)
    return [(c, 3, 3, 3), *body, (c, 4 * c, 1, 1), (3 * SCALE**2, c, 3, 3)]


def read_weights(path: Path) -> SpanWeights:
    """Read weights from a `.npz` that `write_npz` wrote, or from the `.bin` of an ncnn model."""
    return read_npz(path) if path.suffix == ".npz" else read_ncnn(path)


def write_npz(path: Path, weights: SpanWeights) -> None:
    """Write `mean`, `kernel00`, `bias00`, `kernel01` ..., all float32; the same bytes each time."""
    arrays = {"mean": weights.mean}
    for k, convolution in enumerate(weights.convolutions):
        arrays |= {f"kernel{k:02}": convolution.kernel, f"bias{k:02}": convolution.bias}
    # without `allow_pickle`, that mypy takes the arrays for: numpy 1 would store it as one of them
    np.savez(path, **arrays)  # type: ignore[arg-type]


def read_npz(path: Path) -> SpanWeights:
    """Read what `write_npz` wrote; ValueError where shapes are not those of the network."""
    with np.load(path) as arrays:
        shapes = kernel_shapes()
        wanted: dict[str, tuple[int, ...]] = {"mean": (3,)}
        for k, shape in enumerate(shapes):
            wanted |= {f"kernel{k:02}": shape, f"bias{k:02}": shape[:1]}
        found = {name: arrays[name].shape for name in arrays.files}
        if found != wanted:
            raise ValueError(f"{path}: not the weights of a SPAN 2x network of 48 channels")
        layers = (Convolution(arrays[f"kernel{k:02}"], arrays[f"bias{k:02}"]) for k in range(22))
        return SpanWeights(arrays["mean"], tuple(layers))


def read_ncnn(path: Path) -> SpanWeights:
    """Read the `.bin` of an ncnn model whose kernels are fp16 and whose biases are fp32.

    That network takes (x - mean) * 255; the factor goes into the first kernel.
    """
    raw = path.read_bytes()
    mean, position = np.frombuffer(raw, "<f4", 3).copy(), 12
    convolutions = []
    for shape in kernel_shapes():
        tag = int.from_bytes(raw[position : position + 4], "little")
        if tag != _FP16_TAG:
            raise ValueError(
                f"{path}: expected the fp16 tag {_FP16_TAG:#x} at byte {position}, found {tag:#x}"
            )
        position += 4
        count = int(np.prod(shape))
        kernel = np.frombuffer(raw, "<f2", count, position).astype(np.float32).reshape(shape)
        position += (2 * count + 3) // 4 * 4
        bias = np.frombuffer(raw, "<f4", shape[0], position).copy()
        position += 4 * shape[0]
        convolutions.append(Convolution(kernel, bias))
    if position != len(raw):
        raise ValueError(
            f"{path}: {len(raw) - position} bytes left over: not a SPAN 2x model of 48 channels"
        )
    first = convolutions[0]
    convolutions[0] = Convolution(first.kernel * np.float32(255), first.bias)
    return SpanWeights(mean, tuple(convolutions))
