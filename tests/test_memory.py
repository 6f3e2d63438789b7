"""How much memory a container leaves us, by the files of either version of control groups."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from liveaction_onnx import cgroups, memory

GIB = 1 << 30

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="control groups are Linux's")


@pytest.fixture(autouse=True)
def sixteen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine with 16 GiB free, whose control groups lie in the folder that is given."""
    monkeypatch.setattr(memory, "_meminfo_available", lambda: 16 * GIB)
    monkeypatch.setattr(cgroups, "ROOT", tmp_path / "groups")
    monkeypatch.setattr(cgroups, "OWN", tmp_path / "cgroup")
    return tmp_path


def first(limit: int | str, used: int, cached: int = 0) -> dict[str, str]:
    """The files of a group of version 1."""
    return {
        "memory.limit_in_bytes": f"{limit}\n",
        "memory.usage_in_bytes": f"{used}\n",
        "memory.stat": f"cache 7\ntotal_inactive_file {cached}\n",
    }


def second(limit: int | str, used: int, cached: int = 0) -> dict[str, str]:
    """The same of version 2."""
    return {
        "memory.max": f"{limit}\n",
        "memory.current": f"{used}\n",
        "memory.stat": f"anon 7\ninactive_file {cached}\n",
    }


@pytest.mark.parametrize(
    ("own", "groups", "free"),
    [
        ("0::/\n", {"": second(4 * GIB, GIB)}, 3 * GIB),
        ("0::/\n", {"": second(4 * GIB, 3 * GIB, cached=GIB)}, 2 * GIB),
        ("0::/\n", {"": second("max", GIB)}, 16 * GIB),
        ("0::/\n", {"": second(2 * GIB, 3 * GIB)}, 0),
        ("0::/a/b\n", {"a/b": second("max", 0), "a": second(5 * GIB, GIB)}, 4 * GIB),
        ("0::/on/the/host\n", {"": second(4 * GIB, GIB)}, 3 * GIB),
        ("9:memory:/x\n", {"memory/x": first(4 * GIB, 2 * GIB, cached=GIB)}, 3 * GIB),
        ("9:memory:/on/the/host\n3:cpu:/\n", {"memory": first(2 * GIB, GIB)}, GIB),
        ("9:memory:/\n0::/\n", {"memory": first((1 << 63) - 4096, GIB)}, 16 * GIB),
        ("3:cpu:/\n", {"memory": first(2 * GIB, GIB)}, 16 * GIB),
        ("nonsense", {}, 16 * GIB),
    ],
)
def test_what_the_tightest_group_leaves(
    sixteen: Path, own: str, groups: dict[str, dict[str, str]], free: int
) -> None:
    (sixteen / "cgroup").write_text(own)
    for folder, files in groups.items():
        place = sixteen / "groups" / folder
        place.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (place / name).write_text(text)
    assert memory.available_bytes() == free


def test_a_group_that_does_not_tell_of_its_caches_is_believed(sixteen: Path) -> None:
    (sixteen / "cgroup").write_text("0::/\n")
    (sixteen / "groups").mkdir()
    for name, text in second(4 * GIB, GIB).items():
        if name != "memory.stat":
            (sixteen / "groups" / name).write_text(text)
    assert memory.available_bytes() == 3 * GIB


def test_without_control_groups_all_that_is_free_counts() -> None:
    assert memory.available_bytes() == 16 * GIB
