"""The ffmpeg binary of imageio-ffmpeg; the only room that starts a process.

Its own commands run here: names go as `file:` addresses, so that nothing in them is parsed, and
only formats that hold video in one file are opened, so that no playlist or script is followed.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from numpy.typing import NDArray

from liveaction_onnx import children
from liveaction_onnx.errors import FfmpegError, TargetError
from liveaction_onnx.streaming import finished

FORMATS = (
    "matroska,webm,mov,mp4,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,vvc,av1,obu,vc1,ivf,flv,asf,"
    "ogg,nut,mxf,gxf,dv,rm,wtv,yuv4mpegpipe"
)
"""ffmpeg's names of the formats that are opened."""

NOWHERE = "NUL" if sys.platform == "win32" else "/dev/null"
"""A target that takes all and keeps nothing."""

PIPE_BYTES = 1 << 20
_TAIL_LINES = 12
_LEVEL = re.compile(r"\[(panic|fatal|error)\] ")
_WHO = re.compile(r"\[[^]]+ @ (0x)?[0-9a-f]+\] ")

Listen = Callable[[str], None]

_HIDDEN: dict[str, Any] = {}
"""How a process is started that has nothing to show: on Windows each would open a console, where
its parent has none."""

_APART: dict[str, Any] = {"process_group": 0}
"""The same, of one that the keys of the terminal do not reach."""

if sys.platform == "win32":
    _HIDDEN = {"creationflags": subprocess.CREATE_NO_WINDOW}
    _APART = {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}


def executable() -> str:
    """The path of the binary; IMAGEIO_FFMPEG_EXE names another.

    Raises
    ------
    FfmpegError
        Where there is none.
    """
    import imageio_ffmpeg

    try:
        found = str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise FfmpegError(
            f"no ffmpeg was found: {error}; run pip install imageio-ffmpeg, or set "
            "IMAGEIO_FFMPEG_EXE to one"
        ) from error
    named_alone = os.path.basename(found) == found  # and is looked for by the system
    return found if named_alone else os.path.abspath(found)


def version() -> str:
    """What the binary says of itself in its first line."""
    done = answer([executable(), "-hide_banner", "-version"])
    return done.stdout.decode("utf-8", "replace").partition("\n")[0].strip()


def address(path: Path) -> str:
    """A file as ffmpeg is told of it, so that nothing in its name has a meaning."""
    return f"file:{path.absolute()}"


def reading(path: Path) -> list[str]:
    """The options that open a file to be read, and nothing that it might refer to."""
    return [*allowing(), "-i", address(path)]


def allowing(formats: str = FORMATS) -> list[str]:
    """The options of an input by which it can neither reach a network nor open other files."""
    return ["-protocol_whitelist", "file,pipe", "-format_whitelist", formats]


class Process:
    """A running ffmpeg. What it says is read as it comes, so that it never waits for a reader.

    It runs in a process group of its own, for Ctrl+C to reach its parent alone; where the parent is
    killed, its pipes break and end it. Not in a session of its own: Linux would share the
    processors half and half between that and what is computed.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        stdin: IO[bytes] | bool = False,
        stdout: IO[bytes] | bool = False,
        listen: Listen | None = None,
        silent: Callable[[], None] | None = None,
        folder: Path | None = None,
    ) -> None:
        """Start it, in a folder. `stdin` and `stdout` are files, or True for a pipe.

        `listen` gets each line that it says, and `silent` is called after the last.

        Raises
        ------
        FfmpegError
            Where it cannot be started.
        """
        command = [executable(), "-hide_banner", "-nostdin", "-nostats", "-v", "level+info", "-y"]
        command += arguments
        self.complaints: list[str] = []
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._listen, self._silent = listen, silent
        with children.starting(self), _told(command):
            self._process = subprocess.Popen(
                command,
                stdin=_end(stdin),
                stdout=_end(stdout),
                stderr=subprocess.PIPE,
                bufsize=0,
                pipesize=PIPE_BYTES,
                cwd=folder,
                **_APART,
            )
        self._listener = threading.Thread(target=self._hear, name="ffmpeg's words", daemon=True)
        self._listener.start()

    @property
    def stdin(self) -> IO[bytes]:
        """The pipe that it reads from."""
        assert self._process.stdin is not None  # asked for at the start
        return self._process.stdin

    @property
    def stdout(self) -> IO[bytes]:
        """The pipe that it writes to."""
        assert self._process.stdout is not None  # asked for at the start
        return self._process.stdout

    def send(self, data: bytes | NDArray[Any]) -> None:
        """Write all of it to the pipe that it reads from.

        Raises
        ------
        FfmpegError
            Where it has ended, with its last words.
        """
        left = memoryview(data if isinstance(data, bytes) else data.data).cast("B")
        try:
            while left:
                left = left[self.stdin.write(left) :]
        except (OSError, ValueError) as error:
            self.finish()
            raise FfmpegError(f"ffmpeg ended too early: {self.last_words()}") from error

    def finish(self) -> None:
        """Wait for its end, after all has been read or written.

        Raises
        ------
        FfmpegError
            Where it failed, with its last words.
        """
        with contextlib.suppress(BrokenPipeError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        code = self._process.wait()
        self._close()
        if code:
            raise FfmpegError(f"ffmpeg ended with {code}: {self.last_words()}")

    def kill(self) -> None:
        """End it at once, from any thread; another may be waiting at its pipes, which end too."""
        self._process.kill()

    def stop(self) -> None:
        """End it at once, whatever it is doing, and let go of its pipes."""
        self._process.kill()
        self._process.wait()
        self._close()

    def last_words(self) -> str:
        """What it said of its failure, or the last that it said."""
        said = self.complaints[:2] or list(self._tail)[-3:]
        return "; ".join(said) or "it said nothing"

    def _hear(self) -> None:
        assert self._process.stderr is not None
        try:
            for line in iter(self._process.stderr.readline, b""):
                text = line.decode("utf-8", "replace").rstrip()
                self._tail.append(text)
                if _LEVEL.search(text) and len(self.complaints) < 1000:
                    self.complaints.append(_LEVEL.sub("", _WHO.sub("", text), count=1))
                if self._listen is not None:
                    self._listen(text)
        finally:
            if self._silent is not None:
                self._silent()

    def _close(self) -> None:
        self._listener.join()
        self.close_pipes()

    def close_pipes(self) -> None:
        """Let go of its pipes; without a word to it, in a process that has copies of them."""
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            with contextlib.suppress(BrokenPipeError):
                if pipe is not None:
                    pipe.close()


@contextlib.contextmanager
def _told(command: Sequence[str]) -> Iterator[None]:
    """Raise what keeps a program from being started as FfmpegError."""
    try:
        yield
    except OSError as error:
        raise FfmpegError(
            f"{command[0]} cannot be started: {error.strerror}; IMAGEIO_FFMPEG_EXE may name another"
        ) from error


def _end(given: IO[bytes] | bool) -> IO[bytes] | int:
    if isinstance(given, bool):
        return subprocess.PIPE if given else subprocess.DEVNULL
    return given


def run(
    arguments: Sequence[str], *, stdout: bool = False, folder: Path | None = None
) -> tuple[list[str], bytes]:
    """Run it to its end, in a folder; give the lines that it said, and what it wrote to its output.

    Raises
    ------
    FfmpegError
        Where it failed.
    """
    said: list[str] = []
    process = Process(arguments, stdout=stdout, listen=said.append, folder=folder)
    with finished(process):
        written = process.stdout.read() if stdout else b""
    return said, written


def of_target(error: FfmpegError, folder: Path) -> FfmpegError | TargetError:
    """The error of writing into a folder: a full disk is the target's fault, not ffmpeg's."""
    if "No space left on device" in str(error):
        return TargetError(f"{folder}: the disk is full: {error}")
    return error


def answer(command: Sequence[str], data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """What a short command gives for what is fed to it, whether it goes well or not."""
    with _told(command):
        return subprocess.run(command, input=data, capture_output=True, check=False, **_HIDDEN)
