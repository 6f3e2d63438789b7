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
    """Give the commit that this tree is of, "-dirty" behind it where files differ from it that a
    figure could depend on; "" outside of git.
    """
    try:
        name = _git("describe", "--always", "--exclude=*")
        # figures are written into documents: those do not make the next ones differ
        changed = _git("diff", "--name-only", "HEAD", "--", ":/", ":(top,exclude)*.md")
    except (OSError, subprocess.CalledProcessError):
        return ""
    return f"{name}-dirty" if changed else name


def _git(*words: str) -> str:
    here = Path(__file__).parent
    done = subprocess.run(["git", *words], cwd=here, capture_output=True, text=True, check=True)
    return done.stdout.strip()
