"""A set that grows while it is trained on: each part is read once, none is waited for."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_set import records

from model.arrivals import Arrivals
from model.packed import write_set
from model.patches import Pool
from model.records import PackedError

CPU = torch.device("cpu")


def arrivals(folder: Path) -> Arrivals:
    return Arrivals(folder, np.random.default_rng(0), CPU, 8)


def soon(growing: Arrivals) -> Pool | None:
    """What comes within some seconds."""
    growing.looked = 0.0
    for _ in range(1000):
        if (pool := growing.take()) is not None:
            return pool
        time.sleep(0.01)
    return None


def test_parts_that_come_later_are_taken_once(tmp_path: Path) -> None:
    first, *others = records(3)
    write_set(tmp_path, [first], lossless=True)
    growing = arrivals(tmp_path)
    pool = growing.there()
    assert len(pool.clean) == 1
    assert growing.take() is None
    write_set(tmp_path, others, lossless=True)
    new = soon(growing)
    assert new is not None
    assert len(new.clean) == 2
    pool.take(new)
    assert len(pool.clean) == 3
    assert len(pool.degraded) == 6
    growing.looked = 0.0
    assert growing.take() is None
    assert growing.coming is None


def test_a_part_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    write_set(tmp_path, records(1), lossless=True)
    growing = arrivals(tmp_path)
    growing.there()
    (tmp_path / "part-007.zip").write_bytes(b"half a part")
    with pytest.raises(PackedError, match="part-007"):
        soon(growing)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PackedError, match="holds no part"):
        arrivals(tmp_path).there()
