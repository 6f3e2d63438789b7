"""A contender at work: the process that `worker.py` runs in, seen from here."""

from __future__ import annotations

import subprocess
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from bench.contenders.worker import receive, send

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

PATIENCE_S = 30
"""How long a process may take to end once it is told to."""

ANSWER_S = 600
"""How long it may take over what it is asked: a frame at 1080p takes the slowest half a minute."""

Frame = NDArray[np.uint8]


class MissingError(Exception):
    """The contender's runtime is not installed."""


class FailedError(Exception):
    """The contender has failed, or its process has ended."""


@dataclass(frozen=True)
class Turn:
    """How much a contender does in a turn."""

    frames: int = 1
    """At least, one after another."""

    least_s: float = 0
    """For how long at least."""


ONCE = Turn()


@dataclass(frozen=True)
class Run:
    """A frame upscaled, once or again and again."""

    seconds: float
    """A frame."""

    peak_bytes: int
    """The most memory that the process has had until then; 0 where the system does not tell."""

    result: Frame | None
    """(2H, 2W, 3), where it was asked for."""


class Worker:
    """A process with one contender open in it, which works only while it is asked."""

    def __init__(self, python: Sequence[str], asked: dict[str, Any], model: bytes) -> None:
        """Start it by a command that takes Python's `-c`, and open the contender.

        Raises
        ------
        MissingError
            Where the command or the runtime is not there.
        FailedError
            Where the runtime cannot open the model.
        """
        source = (HERE / "worker.py").read_text(encoding="utf-8")
        self._folder = tempfile.TemporaryDirectory()
        self._said = Path(self._folder.name, "stderr")
        try:
            with self._said.open("wb") as said:
                self._process = subprocess.Popen(
                    [*python, "-c", source],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=said,
                    cwd=ROOT,
                )
        except OSError as error:
            self._folder.cleanup()
            raise MissingError(str(error)) from error
        runtimes = (HERE / "runtimes.py").read_text(encoding="utf-8")
        try:
            header, _ = self._ask(asked | {"do": "open", "source": runtimes}, model)
        except BaseException:
            self.close()
            raise
        self.about: dict[str, Any] = header["about"]
        """Versions, provider, and what else the contender tells of itself."""

    def run(self, frame: Frame, turn: Turn = ONCE, *, keep: bool = False) -> Run:
        """Upscale (H, W, 3); the result comes back only where it is to be kept."""
        height, width = frame.shape[:2]
        asked = {"do": "run", "height": height, "width": width, "keep": keep} | asdict(turn)
        header, data = self._ask(asked, frame.tobytes())
        result = None
        if keep:
            result = np.frombuffer(data, np.uint8).reshape(2 * height, 2 * width, 3)
        return Run(header["seconds"], header["peak_bytes"], result)

    def _ask(self, header: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
        requests, replies = self._process.stdin, self._process.stdout
        assert requests
        assert replies
        watch = threading.Timer(ANSWER_S, self._process.kill)
        watch.start()
        try:
            send(requests, header, data)
            reply, result = receive(replies)
        except (OSError, EOFError) as error:
            late = watch.finished.is_set()
            self._process.kill()
            status = self._process.wait()
            how = f"gave no answer in {ANSWER_S} s" if late else f"ended with {status}"
            raise FailedError(f"its process {how}: {self._last()}") from error
        finally:
            watch.cancel()
        if "missing" in reply:
            raise MissingError(reply["missing"])
        if "failed" in reply:
            raise FailedError(reply["failed"])
        return reply, result

    def _last(self) -> str:
        """The last line that it has said."""
        lines = self._said.read_text(encoding="utf-8", errors="replace").splitlines()
        return lines[-1] if lines else ""

    def close(self) -> None:
        """End the process."""
        try:
            self._process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
