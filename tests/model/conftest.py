"""Tests of the recipe run where the recipe can: where `[train]` is installed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

BUILD_ALONE = {"test_build.py"}
"""What needs no more than `[test]` brings."""

HERE = Path(__file__).parent
if all(find_spec(package) for package in ("scipy", "ssimulacra2", "torch")):
    collect_ignore: list[str] = []
else:
    collect_ignore = [path.name for path in HERE.glob("test_*.py") if path.name not in BUILD_ALONE]
