"""Made photographs and the containers they come in, for the tests of the training data."""

from __future__ import annotations

import io
import struct
import tarfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.photos import Photo

Picture = NDArray[np.uint8]

PHOTO = Photo("p.x", "p_1", "usr/x.jpg", 64, 48, 30.0, "train", "MIT", "A", "copyright")


def scene(height: int, width: int, seed: int = 0) -> Picture:
    """Left half flat grey, right half fine coloured texture."""
    rng = np.random.default_rng(seed)
    picture = np.full((height, width, 3), 120, np.uint8)
    texture = rng.integers(0, 256, (height // 4 + 1, width // 8 + 1, 3), dtype=np.uint8)
    big = np.asarray(
        Image.fromarray(texture).resize((width - width // 2, height), Image.Resampling.NEAREST)
    )
    picture[:, width // 2 :] = big
    return picture


def jpeg(picture: Picture, quality: int = 95) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "JPEG", quality=quality, subsampling="4:4:4")
    return out.getvalue()


def png(picture: Picture, **options: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG", **options)
    return out.getvalue()


def make_deb(path: Path, files: dict[str, bytes], suffix: str = ".xz") -> Path:
    """A package with these files: an ar archive of a version, an empty control and the data."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode=f"w:{suffix[1:]}") as tar:  # type: ignore[call-overload]
        for name, content in files.items():
            entry = tarfile.TarInfo(f"./{name}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
        link = tarfile.TarInfo("./usr/link.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    members = {
        "debian-binary": b"2.0\n",
        "control.tar.xz": b"odd",
        f"data.tar{suffix}": data.getvalue(),
    }
    with path.open("wb") as out:
        out.write(b"!<arch>\n")
        for name, content in members.items():
            out.write(f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode())
            out.write(content + b"\n" * (len(content) % 2))
    return path


def make_rcc(files: dict[str, bytes], version: int = 3) -> bytes:
    """A Qt resource file of one folder "pics" with these files; every second one is compressed."""
    names, blobs = bytearray(), bytearray()

    def add_name(name: str) -> int:
        at = len(names)
        names.extend(struct.pack(">HI", len(name), 0) + name.encode("utf-16-be"))
        return at

    time = b"" if version == 1 else bytes(8)
    tree = struct.pack(">IH2I", 0, 2, 1, 1) + time
    tree += struct.pack(">IH2I", add_name("pics"), 2, len(files), 2) + time
    for number, (name, content) in enumerate(files.items()):
        if number % 2:
            content = struct.pack(">I", len(content)) + zlib.compress(content)
        tree += struct.pack(">IH2HI", add_name(name), number % 2, 0, 0, len(blobs)) + time
        blobs += struct.pack(">I", len(content)) + content
    start = 20
    offsets = (start, start + len(tree), start + len(tree) + len(blobs))
    return b"qres" + struct.pack(">4I", version, *offsets) + tree + bytes(blobs) + bytes(names)
