"""The control groups of Linux that this process is in: what a container may take of its machine."""

from __future__ import annotations

from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")


def folders(controller: str) -> list[Path]:
    """The folders of this process's groups that limit what a controller such as "cpu" or "memory"
    is for, and of all groups that these lie in; of either version, as files say that are there.
    """
    try:
        lines = OWN.read_text().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        controllers, _, path = line.partition(":")[2].partition(":")
        if controllers and controller not in controllers.split(","):
            continue
        base = ROOT / controller if controllers else ROOT
        own = Path(path.strip().lstrip("/"))
        # in a container the path may be the host's, and only the root, its last parent, be there
        found += [base / own, *(base / parent for parent in own.parents)]
    return found


def numbers(folder: Path, *files: str) -> tuple[int, ...] | None:
    """The numbers that files of a group hold, one after another; None where one is not there, or is
    "max": nothing is limited.
    """
    try:
        return tuple(int(word) for file in files for word in (folder / file).read_text().split())
    except (OSError, ValueError):
        return None


def number(folder: Path, file: str) -> int | None:
    """The one number that a file of a group holds; None as for `numbers`."""
    found = numbers(folder, file)
    return found[0] if found else None
