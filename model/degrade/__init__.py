"""Degradations of live-action video for training 2x upscalers; a package that stands alone."""

from model.degrade.draw import Pair, degrade
from model.degrade.ffmpeg import FfmpegError
from model.degrade.settings import Settings

__all__ = ["FfmpegError", "Pair", "Settings", "degrade"]
