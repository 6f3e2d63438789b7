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
    FfmpegError,
    GraphError,
    GraphHashError,
    LiveactionError,
    ModelNotFoundError,
    OptionError,
    PausedError,
    PictureError,
    PictureTooLargeError,
    RuntimeMissingError,
    TargetError,
    TargetExistsError,
    UnfinishedError,
    VideoDamagedError,
    VideoError,
)
from liveaction_onnx.graph import GraphFacts
from liveaction_onnx.upscaler import Upscaler, upscale

if TYPE_CHECKING:
    from liveaction_onnx.images import upscale_image
    from liveaction_onnx.video_options import VideoOptions
    from liveaction_onnx.videos import VideoReport, upscale_video

__all__ = [
    "DEFAULT_MODEL",
    "ArrayError",
    "CancelledError",
    "ClosedError",
    "DeviceFailedError",
    "DeviceMemoryError",
    "DeviceUnavailableError",
    "DownloadError",
    "FfmpegError",
    "GraphError",
    "GraphFacts",
    "GraphHashError",
    "LiveactionError",
    "ModelNotFoundError",
    "OptionError",
    "PausedError",
    "PictureError",
    "PictureTooLargeError",
    "RuntimeMissingError",
    "TargetError",
    "TargetExistsError",
    "UnfinishedError",
    "Upscaler",
    "VideoDamagedError",
    "VideoError",
    "VideoOptions",
    "VideoReport",
    "upscale",
    "upscale_image",
    "upscale_video",
]

__version__ = "0.1.0"


_OF_FILES = {
    "VideoOptions": "video_options",
    "VideoReport": "videos",
    "upscale_image": "images",
    "upscale_video": "videos",
}


def __getattr__(name: str) -> Any:
    """Import what works on files at its first use: it brings more than arrays need."""
    if name in _OF_FILES:
        from importlib import import_module

        return getattr(import_module(f"liveaction_onnx.{_OF_FILES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
