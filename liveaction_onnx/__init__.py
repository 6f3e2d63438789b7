"""Doubles live-action video frames: exact tiles, honest devices, no torch.

>>> import numpy as np
>>> import liveaction_onnx as la
>>> la.upscale(np.zeros((90, 160, 3), np.uint8)).shape
(180, 320, 3)
"""

from __future__ import annotations

from liveaction_onnx.catalog import DEFAULT_MODEL
from liveaction_onnx.errors import (
    ArrayError,
    CancelledError,
    ClosedError,
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
from liveaction_onnx.images import upscale_image
from liveaction_onnx.upscaler import Upscaler, upscale

__all__ = [
    "DEFAULT_MODEL",
    "ArrayError",
    "CancelledError",
    "ClosedError",
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
