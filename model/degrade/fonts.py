"""Fonts of this machine that can write Latin text, found and not listed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import lru_cache
from importlib.metadata import distributions
from pathlib import Path

import numpy as np
from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
_SUFFIXES = (".ttf", ".otf", ".ttc")
_FEW = 8
"""Below so many fonts of the system, those of installed packages are looked for too."""
_TRIES = 20


def _by_fontconfig() -> list[str]:
    if shutil.which("fc-list") is None:
        return []
    try:
        done = subprocess.run(
            ["fc-list", "--format", "%{file}\\n"], capture_output=True, text=True, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return done.stdout.splitlines() if done.returncode == 0 else []


def _folders() -> list[Path]:
    home = Path.home()
    if sys.platform == "win32":
        roots = [Path(os.environ.get("WINDIR", "C:/Windows")) / "Fonts"]
        return [*roots, home / "AppData/Local/Microsoft/Windows/Fonts"]
    if sys.platform == "darwin":
        return [Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library/Fonts"]
    return [
        *(Path("/usr/share/fonts"), Path("/usr/local/share/fonts")),
        *(home / ".local/share/fonts", home / ".fonts"),
    ]


def _in_folders() -> list[str]:
    return [
        str(path)
        for folder in _folders()
        if folder.is_dir()
        for path in folder.rglob("*")
        if path.suffix.lower() in _SUFFIXES
    ]


def _in_packages() -> list[str]:
    return [
        str(file.locate())
        for package in distributions()
        for file in package.files or ()
        if file.suffix.lower() in _SUFFIXES
    ]


@lru_cache(maxsize=1)
def found() -> tuple[str, ...]:
    """Paths of all font files found: of the system, and of installed packages where it has few."""
    paths = set(_by_fontconfig()) | set(_in_folders())
    if len(paths) < _FEW:
        paths |= set(_in_packages())
    return tuple(sorted(p for p in paths if p.lower().endswith(_SUFFIXES) and Path(p).is_file()))


def _open(path: str, size_px: int) -> ImageFont.FreeTypeFont:
    # Pillow's other layout is there on some machines only, and places letters otherwise.
    return ImageFont.truetype(path, size_px, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=4096)
def writes_latin(path: str) -> bool:
    """Whether letters look like letters in this font: not one sign for all, no dingbats."""
    try:
        font = _open(path, 40)
        boxes = {c: font.getbbox(c) for c in "AaelmoiHx."}
        shapes = {bytes(font.getmask(c)) for c in "AaelmoHx"}
    except (OSError, ValueError):
        return False
    wide = {c: b[2] - b[0] for c, b in boxes.items()}
    high = {c: b[3] - b[1] for c, b in boxes.items()}
    return (
        len(shapes) == 8
        and min(high.values()) > 0
        and wide["m"] >= wide["i"]
        and high["l"] > 1.1 * high["x"]
        and high["H"] > 1.1 * high["x"]
        and high["."] < 0.6 * high["x"]
    )


def draw_font(
    rng: np.random.Generator, size_px: int, among: tuple[str, ...] = ()
) -> tuple[Font, str]:
    """Draw a font that writes Latin, of `among` or of all found; Pillow's own if none does."""
    paths = among or found()
    for place in rng.permutation(len(paths))[:_TRIES]:
        path = paths[int(place)]
        if writes_latin(path):
            return _open(path, size_px), Path(path).stem
    return ImageFont.load_default(size_px), "default"
