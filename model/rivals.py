"""What is measured side by side: graphs, resamplers and the SPAN authors' own weights."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL
from PIL import Image

import liveaction_onnx as la
from model.build import FORMS, GRAPHS, NAME, Form, build
from model.metrics import Picture, Upscale
from model.span import AUTHORS, read_ncnn


@dataclass(frozen=True)
class Rival:
    """One upscaler under a name."""

    name: str

    identity: str
    """SHA-256 of the graph, or the resampler and its version: equal ones give equal results."""

    open: Callable[[], AbstractContextManager[Upscale]]
    """Opens it; what comes takes (h, w, 3) uint8 to (2h, 2w, 3) uint8."""


def graph(name: str, data: bytes) -> Rival:
    """Give the rival that an .onnx file's bytes are, on the CPU."""

    @contextmanager
    def opened() -> Iterator[Upscale]:
        with la.Upscaler(data, device="cpu") as upscaler:
            yield upscaler

    return Rival(name, hashlib.sha256(data).hexdigest(), opened)


def graphs(files: Sequence[tuple[str, Path]] | None, reference: Path | None) -> list[Rival]:
    """Give the graphs of these names and files, or the one that ships; last the reference."""
    every = list(files or [(NAME, GRAPHS / FORMS[0].file)])
    every += [("reference", reference)] if reference else []
    return [graph(name, path.read_bytes()) for name, path in every]


def span() -> Rival:
    """Give the SPAN authors' weights, as a float32 graph."""
    model = build(read_ncnn(AUTHORS), Form("float32", "fp32"), "", rim=None)
    return graph("SPAN", model.SerializeToString(deterministic=True))


def resamplers() -> list[Rival]:
    """Give Pillow's BICUBIC (Catmull-Rom) and LANCZOS (three lobes)."""
    return [_resampler("bicubic"), _resampler("lanczos")]


def resized(picture: Picture, factor: float, kernel: str) -> Picture:
    """Resize (h, w, 3) by a factor with "bicubic" or "lanczos"."""
    size = (round(picture.shape[1] * factor), round(picture.shape[0] * factor))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling[kernel.upper()]))


def bicubic(picture: Picture) -> Picture:
    """Twice the size by Catmull-Rom: what upscalers are held against."""
    return resized(picture, 2, "bicubic")


def _resampler(kernel: str) -> Rival:
    @contextmanager
    def opened() -> Iterator[Upscale]:
        yield lambda picture: resized(picture, 2, kernel)

    return Rival(kernel, f"Pillow {PIL.__version__} {kernel}", opened)
