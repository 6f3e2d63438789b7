"""Make the training data: `python -m model.frames --out DIR`.

Three stages, each of which goes on where it was stopped: fetch the packages of `packages.tsv` to
DIR/debs, extract the photographs of `photos.tsv` to DIR/photos, and cut, degrade and pack them to
DIR/train and DIR/valid. Another `--seed` adds other crops and draws to DIR/train.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from model.deb import DebError
from model.extract import extract_package
from model.fetch import MIRROR, FetchError, fetch
from model.pack import make_train, make_valid, run_in_order
from model.photos import Package, Photo, read_packages, read_photos, write_photos
from model.rcc import ResourceError

STAGES = ("fetch", "extract", "pack")


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    stages = [options.stage] if options.stage else STAGES
    asked = set(options.packages.split(",")) if options.packages else set()
    packages = _choose(read_packages(), asked)
    photos = read_photos()
    debs, pictures = options.out / "debs", options.out / "photos"
    if "fetch" in stages and not fetch_all(packages, debs, options.mirror, asked):
        return 1
    if "extract" in stages:
        extract_all(packages, photos, debs, pictures, options.jobs)
    if "pack" in stages:
        pack_all(packages, photos, pictures, options)
    return 0


def fetch_all(
    packages: Sequence[Package], debs: Path, mirrors: Sequence[str], asked: set[str]
) -> bool:
    """Fetch packages; one that no mirror holds is told of, and fatal only if it was asked for."""
    for package in packages:
        try:
            print(f"{package.key}, {package.bytes / 1e6:.0f} MB", flush=True)
            print(f"  {fetch(package, debs, mirrors)}", flush=True)
        except FetchError as error:
            if asked:
                print(f"error: {error}", file=sys.stderr)
                return False
            print(f"going on without {package.key}: {error}", flush=True)
    return True


def extract_all(
    packages: Sequence[Package], photos: Sequence[Photo], debs: Path, pictures: Path, jobs: int
) -> None:
    """Extract the photographs of the packages that are there, and list what lies in `pictures`."""
    pictures.mkdir(parents=True, exist_ok=True)
    by_package: dict[str, list[Photo]] = defaultdict(list)
    for photo in photos:
        by_package[photo.package].append(photo)
    work = [
        (package.key, debs / package.file_name, by_package[package.key], pictures)
        for package in packages
    ]
    for lines in run_in_order(_extract, work, min(jobs, len(work))):
        print("\n".join(lines), flush=True)
    there = [photo for photo in photos if (pictures / photo.name).is_file()]
    write_photos(pictures / "photos.tsv", there)
    print(f"{len(there)} of {len(photos)} photographs are there")


def pack_all(
    packages: Sequence[Package],
    photos: Sequence[Photo],
    pictures: Path,
    options: argparse.Namespace,
) -> None:
    """Pack what the split says of the photographs that are there."""
    keys = {package.key for package in packages}
    there = [
        (index, photo)
        for index, photo in enumerate(photos)
        if photo.package in keys and (pictures / photo.name).is_file()
    ]
    sides = {
        split: [(index, photo) for index, photo in there if photo.split == split]
        for split in ("train", "valid")
    }
    if options.valid_draws:
        make_valid(
            options.out / "valid",
            sides["valid"],
            pictures,
            draws=options.valid_draws,
            jobs=options.jobs,
        )
    if options.targets:
        make_train(
            options.out / "train",
            sides["train"],
            pictures,
            targets=options.targets,
            draws=options.draws,
            seed=options.seed,
            jobs=options.jobs,
            first_part=options.first_part,
        )


def _extract(work: tuple[str, Path, list[Photo], Path]) -> list[str]:
    """Extract one package; return what there is to say of it."""
    key, deb, photos, pictures = work
    if not deb.is_file():
        return [f"{key}: {deb.name} is not there, {len(photos)} photographs are left out"]
    try:
        complaints = extract_package(deb, photos, pictures)
    except (DebError, ResourceError) as error:
        return [f"{key}: {error}"]
    return [f"{key}: {len(photos) - len(complaints)} of {len(photos)} photographs", *complaints]


def _choose(packages: list[Package], asked: set[str]) -> list[Package]:
    unknown = asked - {package.package for package in packages}
    if unknown:
        names = ", ".join(sorted({package.package for package in packages}))
        sys.exit(f"error: no package {', '.join(sorted(unknown))} in the list; there are {names}")
    return [package for package in packages if not asked or package.package in asked]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m model.frames", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of all that is made")
    parser.add_argument("--packages", help="names of packages, with commas; default: all")
    parser.add_argument(
        "--mirror", action="append", help=f"default: {MIRROR}; several may be given"
    )
    parser.add_argument("--targets", type=int, default=1000, help="crops of the training set")
    parser.add_argument("--draws", type=int, default=3, help="degraded draws of each crop")
    parser.add_argument("--valid-draws", type=int, default=3, help="the same for validation")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first-part", type=int, default=0, help="least number of a new part")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--stage", choices=STAGES, help="only this one")
    return parser


if __name__ == "__main__":
    sys.exit(main())
