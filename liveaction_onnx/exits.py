"""The exit codes of the command line."""

from __future__ import annotations

from liveaction_onnx.errors import (
    DeviceUnavailableError,
    LiveactionError,
    OptionError,
    PausedError,
    RuntimeMissingError,
)

OK, FAILED, USAGE, NO_DEVICE = 0, 1, 2, 3

INTERRUPTED = 130
"""As shells have it of what Ctrl+C ends."""


def code_of(error: LiveactionError) -> int:
    """What the command line ends with where an error ends it."""
    match error:
        case PausedError():
            return INTERRUPTED
        case DeviceUnavailableError() | RuntimeMissingError():
            return NO_DEVICE
        case OptionError():
            return USAGE
        case _:
            return FAILED
