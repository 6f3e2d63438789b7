"""What an NVIDIA GPU does at best, by PyTorch: `python -m bench.cuda.gpu INDEX`; the last line is
JSON.

The rates of matrix products in fp16 and in fp32, and of copies in its memory. `best` runs it in a
process of its own, so that nothing of it stays on the GPU.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

SIDE = 8192
"""Of the matrices."""

COPY_MIB = 1024
"""Of the memory that is copied: beyond any cache."""

REPEATS = 10


@dataclass(frozen=True)
class Best:
    """What a GPU does at best."""

    name: str
    fp16_flop_s: float

    fp32_flop_s: float
    """Without TF32."""

    copy_bytes_s: float
    """Bytes read and bytes written together."""


def card(index: int) -> str:
    """The name of a GPU and the version of its driver; "" where nvidia-smi does not tell."""
    words = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run([*words, f"--id={index}"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def best(index: int) -> Best | str:
    """Measure it; or why that cannot be done here."""
    words = [sys.executable, "-m", __name__, str(index)]
    done = subprocess.run(
        words, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False
    )
    try:
        found = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        return (done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"])[-1]
    return str(found["missing"]) if "missing" in found else Best(**found)


def measured(index: int, *, side: int = SIDE, copy_mib: int = COPY_MIB) -> Best | str:
    """Measure it in this process; or why that cannot be done here."""
    try:
        torch: Any = import_module("torch")
    except ImportError as error:
        return f"{error}: pip install torch"
    if torch.cuda.device_count() <= index:
        return f"torch {torch.__version__} sees {torch.cuda.device_count()} CUDA devices"
    torch.backends.cuda.matmul.allow_tf32 = False
    device = torch.device("cuda", index)

    def product(dtype: Any) -> float:
        # of all zeros or ones they would be a tenth faster
        a, b, c = (torch.randn((side, side), dtype=dtype, device=device) for _ in range(3))
        return 2 * side**3 / least_s(lambda: torch.matmul(a, b, out=c), wait)

    def wait() -> None:
        torch.cuda.synchronize(device)

    source, target = (
        torch.ones(copy_mib << 20, dtype=torch.uint8, device=device) for _ in range(2)
    )
    copy_s = least_s(lambda: target.copy_(source), wait)
    return Best(
        name=torch.cuda.get_device_name(device),
        fp16_flop_s=product(torch.float16),
        fp32_flop_s=product(torch.float32),
        copy_bytes_s=2 * (copy_mib << 20) / copy_s,
    )


def least_s(work: Callable[[], object], wait: Callable[[], None]) -> float:
    """The least time of several, each waited for; the first is not counted."""
    seconds = []
    for _ in range(REPEATS + 1):
        wait()
        started = time.perf_counter()
        work()
        wait()
        seconds.append(time.perf_counter() - started)
    return min(seconds[1:])


def main() -> None:
    """Measure here."""
    found = measured(int(sys.argv[1]))
    print(json.dumps({"missing": found} if isinstance(found, str) else asdict(found)))


if __name__ == "__main__":
    main()
