"""Fetching of pinned packages from mirrors, resumable, checked by sha256."""

from __future__ import annotations

import hashlib
import urllib.request
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError

from model.photos import Package

MIRROR = "https://deb.debian.org/debian"
BLOCK_BYTES = 1 << 20
TIMEOUT_S = 60
TRIES = 2
"""Tries of each mirror."""


class FetchError(OSError):
    """A package that no mirror gives."""


def fetch(package: Package, folder: Path, mirrors: Sequence[str] | None = None) -> Path:
    """Have a package in a folder, whole and checked, and return its path.

    What is there is checked; what is missing comes from the first of the mirrors (URLs, `file:`
    too) that has it. A download that was cut short goes on from `NAME.part`. One whose sha256 is
    wrong is deleted and fetched once more from its start. Raises FetchError where no mirror gives
    the package.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / package.file_name
    if path.is_file():
        if _sha256(path) == package.sha256:
            return path
        path.unlink()
    part = path.with_name(path.name + ".part")
    reasons: list[str] = []
    for mirror in mirrors or [MIRROR]:
        url = f"{mirror.rstrip('/')}/{package.pool_path}"
        if _fetch_from(url, part, package, reasons):
            part.replace(path)
            return path
    raise FetchError(f"{package.file_name} could not be had: " + "; ".join(reasons))


def _fetch_from(url: str, part: Path, package: Package, reasons: list[str]) -> bool:
    """Whether `part` is the package now; if not, `reasons` says why."""
    for _ in range(TRIES):
        try:
            _download(url, part, package.bytes)
        except (HTTPException, OSError, ValueError) as error:
            reasons.append(f"{url}: {error}")
            if isinstance(error, HTTPError):
                return False  # asking again would not help
            continue
        found = _sha256(part)
        if found == package.sha256:
            return True
        part.unlink()
        reasons.append(f"{url}: expected sha256 {package.sha256}, found {found}")
    return False


def _download(url: str, part: Path, size: int) -> None:
    """Append to `part` what it lacks of the `size` bytes behind the URL."""
    have = part.stat().st_size if part.is_file() else 0
    if have > size:
        part.unlink()
        have = 0
    if have == size:
        return
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
        goes_on = have > 0 and getattr(answer, "status", None) == 206
        with part.open("ab" if goes_on else "wb") as out:
            while block := answer.read(BLOCK_BYTES):
                out.write(block)
    if (ended := part.stat().st_size) < size:
        raise OSError(f"the connection ended after {ended} of {size} bytes")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
