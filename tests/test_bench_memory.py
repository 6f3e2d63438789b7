"""That bench/memory.py counts what a command takes, and not what its caller has."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from bench.memory import peak_bytes

NOTHING = [sys.executable, "-c", ""]


def test_what_the_caller_has_is_not_counted() -> None:
    held = np.ones(300 << 20, np.uint8)
    assert peak_bytes(NOTHING) < 100 << 20 < held.nbytes


def test_what_the_command_takes_is() -> None:
    assert peak_bytes([sys.executable, "-c", "len(bytearray(b'x') * (200 << 20))"]) > 200 << 20


def test_a_command_that_fails_is_an_error() -> None:
    with pytest.raises(Exception, match="exit status 1"):
        peak_bytes([sys.executable, "-c", "raise SystemExit(1)"])
