"""One contender in a process of its own: frames come on stdin, results and times go to stdout.

Runs by itself (`python -c "<the text of this file>"`) in any Python that has numpy: some contenders
need another Python than ours, or a root of their own, which cannot see this repository.

A message is the length of its header (4 bytes, little-endian), the header (JSON), and as many bytes
as the header's "bytes" says:

- {"do": "open", "source", "kind", "threads", ...} with a model: `source` is the text of runtimes.py
  beside this file, `kind` a key of its KINDS, and the rest what that takes. Gives {"about": {...}},
  or {"missing": why} where the runtime is not installed;
- {"do": "run", "height", "width", "frames", "least_s", "keep"} with a frame, (height, width, 3)
  uint8 RGB, which is upscaled so many times at least, for so many seconds at least. Gives
  {"seconds", "peak_bytes"}, seconds a frame, and with "keep" the result besides.

What fails gives {"failed": why}. The end of stdin ends the process.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

Header = dict[str, Any]
Upscale = Callable[[NDArray[Any]], NDArray[Any]]


def send(pipe: IO[bytes], header: Header, data: bytes = b"") -> None:
    """Write one message."""
    text = json.dumps(header | {"bytes": len(data)}).encode()
    pipe.write(len(text).to_bytes(4, "little") + text)
    pipe.write(data)
    pipe.flush()


def receive(pipe: IO[bytes]) -> tuple[Header, bytes]:
    """Read one message; EOFError where the other side is gone."""
    header: Header = json.loads(_exactly(pipe, int.from_bytes(_exactly(pipe, 4), "little")))
    return header, _exactly(pipe, header["bytes"])


def _exactly(pipe: IO[bytes], count: int) -> bytes:
    data = pipe.read(count)
    if len(data) < count:
        raise EOFError(f"expected {count} bytes, got {len(data)}")
    return data


def peak_bytes() -> int:
    """The most memory that this process has had; 0 where the system does not tell."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return 0


def opened(header: Header, model: bytes) -> tuple[Upscale, Header]:
    """Open a contender, on so many of this process's processors: not all runtimes can be told."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: header["threads"]])
    runtimes = ModuleType("runtimes")
    exec(compile(header["source"], "runtimes.py", "exec"), runtimes.__dict__)
    upscale, about = runtimes.KINDS[header["kind"]](model, header)
    about["versions"]["python"] = platform.python_version()
    return upscale, {"about": about}


def timed(upscale: Upscale, header: Header, data: bytes) -> tuple[Header, bytes]:
    """Upscale a frame, again and again, and say what that took."""
    height, width = header["height"], header["width"]
    frame = np.frombuffer(data, np.uint8).reshape(height, width, 3).copy()
    count, seconds, started = 0, 0.0, time.perf_counter()
    while not count or count < header["frames"] or seconds < header["least_s"]:
        result = upscale(frame)
        count += 1
        seconds = time.perf_counter() - started
    wanted = (2 * height, 2 * width, 3)
    if result.shape != wanted or result.dtype != np.uint8:
        raise ValueError(f"expected {wanted} uint8, got {result.shape} {result.dtype}")
    found = {"seconds": seconds / count, "peak_bytes": peak_bytes()}
    return found, result.tobytes() if header["keep"] else b""


def serve(requests: IO[bytes], replies: IO[bytes]) -> None:
    """Answer until the requests end."""
    header, model = receive(requests)
    try:
        upscale, about = opened(header, model)
    except ModuleNotFoundError as error:
        return send(replies, {"missing": str(error)})
    except Exception as error:  # whatever a runtime raises is the answer
        return send(replies, {"failed": f"{type(error).__name__}: {error}"})
    send(replies, about)
    while True:
        try:
            header, data = receive(requests)
        except EOFError:
            return None
        try:
            send(replies, *timed(upscale, header, data))
        except Exception as error:
            send(replies, {"failed": f"{type(error).__name__}: {error}"})


def main() -> None:
    """Serve on this process's own pipes; what else would go to stdout goes to stderr."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, replies)


if __name__ == "__main__":
    main()
