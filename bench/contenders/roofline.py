"""What this machine could do at best: `python -m bench.contenders.roofline SIDE MIB THREADS`.

The rate of sgemm, by numpy's BLAS, and of copies in memory, both on so many threads; the last line
is JSON. `rates` runs it in a process of its own.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from liveaction_onnx import catalog
from liveaction_onnx.protobuf import graph_of, initializers, sizes
from model.build import WEIGHTS
from model.span import read_weights

SIDE = 2048
"""Of the matrices, which the caches hold in good part: 50 MB for the three."""

COPY_MIB = 1024
"""Of an array that is copied: beyond any cache."""

REPEATS = 7

FLOP_PER_MULTIPLY_ADD = 2


@dataclass(frozen=True)
class Rates:
    """What the machine does at best."""

    sgemm_flop_s: float

    copy_bytes_s: float
    """Bytes read and bytes written together."""


def rates(threads: int, *, side: int = SIDE, copy_mib: int = COPY_MIB) -> Rates:
    """Measure them, with the processor's own BLAS kernels whatever the environment asks for."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS_")}
    environment |= {
        f"{name}_NUM_THREADS": str(threads) for name in ("OPENBLAS", "OMP", "MKL", "VECLIB")
    }
    words = [sys.executable, "-m", __name__, str(side), str(copy_mib), str(threads)]
    done = subprocess.run(
        words,
        env=environment,
        cwd=Path(__file__).parents[2],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return Rates(**json.loads(done.stdout.splitlines()[-1]))


@cache
def multiply_adds() -> int:
    """Multiply-adds of the shipped graph's convolutions for one input px, at whose size all run.

    Those of a direct convolution: Winograd's, which some contenders use, makes do with fewer.
    """
    tensors = initializers(graph_of(catalog.shipped_graph("float32", "fp32").data))
    return sum(math.prod(sizes(each)) for name, each in tensors.items() if name.endswith(".kernel"))


def usual_multiply_adds() -> int:
    """The same of the network as it is usually exported, with none of its convolutions joined."""
    return sum(convolution.kernel.size for convolution in read_weights(WEIGHTS).convolutions)


def flop_s(px: int, seconds: float) -> float:
    """The rate at which the shipped graph runs a frame of so many px in that time."""
    return FLOP_PER_MULTIPLY_ADD * multiply_adds() * px / seconds


def _best_s(work: Callable[[], object]) -> float:
    """The least time of several, the first of which is not counted."""
    seconds = []
    for _ in range(REPEATS + 1):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return min(seconds[1:])


def _sgemm_flop_s(side: int) -> float:
    rng = np.random.default_rng(0)
    a, b = (rng.random((side, side), np.float32) for _ in range(2))
    c = np.empty_like(a)
    return FLOP_PER_MULTIPLY_ADD * side**3 / _best_s(lambda: np.matmul(a, b, out=c))


def _copy_bytes_s(mib: int, threads: int) -> float:
    source = np.ones((threads, (mib << 20) // threads // 4), np.float32)
    target = np.zeros_like(source)
    with ThreadPoolExecutor(threads) as pool:
        seconds = _best_s(lambda: list(pool.map(np.copyto, target, source)))
    return 2 * source.nbytes / seconds


def main() -> None:
    """Measure here."""
    side, mib, threads = map(int, sys.argv[1:])
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    print(
        json.dumps(
            {"sgemm_flop_s": _sgemm_flop_s(side), "copy_bytes_s": _copy_bytes_s(mib, threads)}
        )
    )


if __name__ == "__main__":
    main()
