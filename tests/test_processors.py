"""How many processors are ours: by affinity, and by the quotas of both kinds of control groups."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from liveaction_onnx import cgroups, processors


@pytest.fixture(autouse=True)
def eight(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine of eight processors without control groups, whose folder is given."""
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    monkeypatch.setattr(cgroups, "ROOT", tmp_path / "groups")
    monkeypatch.setattr(cgroups, "OWN", tmp_path / "cgroup")
    return tmp_path


def grouped(folder: Path, own: str, files: dict[str, str]) -> None:
    (folder / "cgroup").write_text(own)
    for name, text in files.items():
        path = folder / "groups" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_all_are_ours_where_nothing_says_otherwise() -> None:
    assert processors.usable() == 8
    assert processors.threads() is None


def test_affinity_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {1, 5, 6}, raising=False)
    assert processors.usable() == processors.threads() == 3


def test_a_system_without_affinity_has_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    assert processors.threads() is None


@pytest.mark.parametrize(
    ("own", "files", "count"),
    [
        ("0::/\n", {"cpu.max": "200000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "max 100000\n"}, 8),
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "1000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "9900000 100000\n"}, 8),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000", "a/cpu.max": "300000 100000"}, 3),
        ("0::/on/the/host\n", {"cpu.max": "400000 100000\n"}, 4),
        ("0::/\n", {"cpu.max": "nonsense\n"}, 8),
        (
            "3:cpu,cpuacct:/\n0::/\n",
            {"cpu/cpu.cfs_quota_us": "200000\n", "cpu/cpu.cfs_period_us": "100000\n"},
            2,
        ),
        (
            "3:cpu:/x\n1:memory:/x\n",
            {"cpu/x/cpu.cfs_quota_us": "-1\n", "cpu/x/cpu.cfs_period_us": "100000\n"},
            8,
        ),
    ],
)
def test_the_tightest_quota_counts(
    eight: Path, own: str, files: dict[str, str], count: int
) -> None:
    grouped(eight, own, files)
    assert processors.usable() == count
    assert processors.threads() == (count if count < 8 else None)
