"""Doubles live-action video frames: exact tiles, honest devices, no torch.

>>> import numpy as np
>>> import liveaction_onnx as la
>>> la.upscale(np.zeros((90, 160, 3), np.uint8)).shape
(180, 320, 3)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from liveaction_onnx.catalog import DEFAULT_MODEL
from liveaction_onnx.errors import (
    ArrayError,
    CancelledError,
    ClosedError,
    DeviceFailedError,
    DeviceMemoryError,
    DeviceUnavailableError,
    DownloadError,
    GraphError,
    GraphHashError,
    LiveactionError,
    ModelNotFoundError,
    OptionError,
    PictureError,
    PictureTooLargeError,
    RuntimeMissingError,
    TargetError,
    TargetExistsError,
)
from liveaction_onnx.graph import GraphFacts
from liveaction_onnx.upscaler import Upscaler, upscale

if TYPE_CHECKING:
    from liveaction_onnx.images import upscale_image

__all__ = [
    "DEFAULT_MODEL",
    "ArrayError",
    "CancelledError",
    "ClosedError",
    "DeviceFailedError",
    "DeviceMemoryError",
    "DeviceUnavailableError",
    "DownloadError",
    "GraphError",
    "GraphFacts",
    "GraphHashError",
    "LiveactionError",
    "ModelNotFoundError",
    "OptionError",
    "PictureError",
    "PictureTooLargeError",
    "RuntimeMissingError",
    "TargetError",
    "TargetExistsError",
    "Upscaler",
    "upscale",
    "upscale_image",
]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import what works on files at its first use: it brings Pillow, which arrays do not need."""
    if name == "upscale_image":
        from liveaction_onnx.images import upscale_image

        return upscale_image
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
