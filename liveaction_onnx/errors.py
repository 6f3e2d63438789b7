"""Every error that the package raises.

LiveactionError
├── ArrayError               (ValueError)       an array that is no image we take
├── OptionError              (ValueError)       an argument, or two that exclude each other
├── CancelledError                              the caller's `cancel` was set
│   └── PausedError                             the caller's `pause` was: what is done will be used
├── ClosedError              (RuntimeError)     an Upscaler used after close()
├── RuntimeMissingError      (ImportError)      no usable ONNX Runtime is installed
├── DeviceUnavailableError   (RuntimeError)     the device asked for cannot run the graph, and why
│   └── DeviceFailedError                       it is there, but runs the graph wrong or not at all
├── DeviceMemoryError        (MemoryError)      out of memory even with the smallest tile
├── GraphError               (ValueError)       broken, of the wrong shape, or its facts are unknown
│   └── GraphHashError                          its bytes are not the ones that were recorded
├── ModelNotFoundError       (FileNotFoundError) no such model name or file
├── DownloadError            (OSError)          a graph could not be fetched whole
├── PictureError             (ValueError)       a file that is no picture we can read
│   └── PictureTooLargeError                    more pixels than the limit allows
├── VideoError               (ValueError)       a file that is no video we can read
│   └── VideoDamagedError                       it ends before its time, or its times go back
├── UnfinishedError          (RuntimeError)     an unfinished run of other settings lies there
├── FfmpegError              (RuntimeError)     ffmpeg failed, with its last words
└── TargetError              (OSError)          a target that cannot be written
    └── TargetExistsError    (FileExistsError)  it exists, and overwriting was not asked for
"""


class LiveactionError(Exception):
    """The base of every error raised by this package."""


class ArrayError(LiveactionError, ValueError):
    """An array has the wrong rank, channels, dtype or values."""


class OptionError(LiveactionError, ValueError):
    """An argument is out of its range, or two arguments exclude each other."""


class CancelledError(LiveactionError):
    """The work was given up because the caller's `cancel` was set."""


class PausedError(CancelledError):
    """Work on a video was put off because the caller's `pause` was set; the same call goes on."""


class ClosedError(LiveactionError, RuntimeError):
    """An Upscaler was used after it had been closed."""


class RuntimeMissingError(LiveactionError, ImportError):
    """ONNX Runtime is not installed, or what is installed of it does not work."""


class DeviceUnavailableError(LiveactionError, RuntimeError):
    """The device that was asked for cannot run the graph."""


class DeviceFailedError(DeviceUnavailableError):
    """The device is there, but it fails at running the graph, or its result is wrong."""


class DeviceMemoryError(LiveactionError, MemoryError):
    """Even the smallest tile does not fit in the memory of the device."""


class GraphError(LiveactionError, ValueError):
    """A graph is broken, has a shape that we cannot run, or lacks a fact that we need."""


class GraphHashError(GraphError):
    """The bytes of a graph are not the ones that were recorded for its name."""


class ModelNotFoundError(LiveactionError, FileNotFoundError):
    """There is no model of that name, and no file at that path."""


class DownloadError(LiveactionError, OSError):
    """A graph could not be fetched, or what came was not the graph."""


class PictureError(LiveactionError, ValueError):
    """A file is not a picture that we can read, or is damaged."""


class PictureTooLargeError(PictureError):
    """A picture claims more pixels than the limit allows."""


class VideoError(LiveactionError, ValueError):
    """A file is not a video that we can read, or changes in a way that we cannot follow."""


class VideoDamagedError(VideoError):
    """The video of a file ends before the time that it states, or its times go back midway."""


class UnfinishedError(LiveactionError, RuntimeError):
    """At the target lies an unfinished run that this one cannot go on with."""


class FfmpegError(LiveactionError, RuntimeError):
    """An ffmpeg process failed."""


class TargetError(LiveactionError, OSError):
    """A target cannot be written."""


class TargetExistsError(TargetError, FileExistsError):
    """A target exists already, and overwriting it was not asked for."""
