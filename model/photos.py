"""The committed lists of the recipe: packages, the photographs in them, and their licences.

`packages.tsv` pins each package by its sha256; `photos.tsv` names each photograph, who made it,
what licence it is under, where that is said ("copyright" is `usr/share/doc/PACKAGE/copyright`),
and on which side of the split it stands. The lists are the truth: nothing is chosen when the recipe
runs.

A path "A!B" is the file B inside the Qt resource file A; of an .edj the largest JPEG is meant.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal, get_args

HERE = Path(__file__).resolve().parent
PACKAGES = HERE / "packages.tsv"
PHOTOS = HERE / "photos.tsv"

ALLOWED = re.compile(
    r"CC0-1\.0|public-domain|BSD-[23]-Clause|MIT|Apache-2\.0|CC-BY(-SA)?-[1-4]\.[05]", re.ASCII
)
"""Licences a photograph may have: each one that its expression names must be of these."""

Split = Literal["train", "valid"]


class ListError(ValueError):
    """A line of the lists that breaks their rules."""


@dataclass(frozen=True)
class Package:
    """One Debian package, pinned."""

    package: str
    version: str
    suite: str
    pool_path: str
    bytes: int
    sha256: str

    @property
    def key(self) -> str:
        """Name and version, by which a photograph names its package."""
        return f"{self.package}_{self.version}"

    @property
    def file_name(self) -> str:
        """Name of the .deb on disk: that of the pool."""
        return self.pool_path.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class Photo:
    """One photograph of a package; sizes in px, detail in dB (lower is more, see `detail_db`)."""

    name: str
    package: str
    path: str
    width: int
    height: int
    detail_db: float
    split: Split
    licence: str
    author: str
    source: str

    @property
    def member(self) -> str:
        """Path of the file in the package."""
        return self.path.split("!")[0]


def licence_is_allowed(licence: str) -> bool:
    """Whether every licence of an expression such as "Apache-2.0 AND BSD-3-Clause" is allowed."""
    return all(ALLOWED.fullmatch(part) for part in re.split(r" (?:AND|OR) ", licence))


def needs_attribution(licence: str) -> bool:
    """Whether the licence asks that the author be named."""
    return "CC-BY" in licence


def read_packages(path: Path = PACKAGES) -> list[Package]:
    """Packages of the list, in its order."""
    return [
        Package(**{**row, "bytes": int(row["bytes"])})  # type: ignore[arg-type]
        for row in _rows(path)
    ]


def read_photos(path: Path = PHOTOS) -> list[Photo]:
    """Photographs of the list, in its order; raises ListError where one breaks the rules."""
    photos = [_photo(row) for row in _rows(path)]
    if len({photo.name for photo in photos}) != len(photos):
        raise ListError(f"{path.name}: two photographs have one name")
    return photos


def write_photos(path: Path, photos: Iterable[Photo]) -> None:
    """Write a list that `read_photos` reads."""
    with path.open("w", newline="", encoding="utf-8") as out:
        names = [field.name for field in fields(Photo)]
        writer = csv.writer(out, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE)
        writer.writerow(names)
        writer.writerows([getattr(photo, name) for name in names] for photo in photos)


def _photo(row: dict[str, str]) -> Photo:
    split = row["split"]
    if split not in get_args(Split):
        raise ListError(f"{row['name']}: expected the split train or valid, found {split!r}")
    if not licence_is_allowed(row["licence"]):
        raise ListError(
            f"{row['name']}: the licence {row['licence']!r} is not one of those allowed"
        )
    if needs_attribution(row["licence"]) and not row["author"]:
        raise ListError(f"{row['name']}: {row['licence']} asks for the author, and none is named")
    if re.fullmatch(r"[\w.-]+", row["name"], re.ASCII) is None:
        raise ListError(f"{row['name']!r} cannot be the name of a file")
    numbers = {
        "width": int(row["width"]),
        "height": int(row["height"]),
        "detail_db": float(row["detail_db"]),
    }
    return Photo(**{**row, **numbers})  # type: ignore[arg-type]


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
