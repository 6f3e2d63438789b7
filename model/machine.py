"""What a figure was measured on."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

VECTORS = {"avx512_bf16": "AVX-512 bf16", "avx512f": "AVX-512", "avx2": "AVX2"}
"""Instructions that a processor's speed depends on, by Linux's names for them, the best first."""


def processor(information: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's name, and the best of `VECTORS` that it has: names alone do not tell."""
    try:
        lines = information.read_text().splitlines()
    except OSError:
        return platform.processor()
    told = {name.strip(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    flags = told.get("flags", "").split()
    vectors = next((f" with {name}" for flag, name in VECTORS.items() if flag in flags), "")
    return told.get("model name", "") + vectors


def commit() -> str:
    """Give the commit that this tree is of, "-dirty" behind it where files differ from it; ""
    outside of git.
    """
    words = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(
            words, cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()
