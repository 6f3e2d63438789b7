"""The pool of a packed set that may still grow: what comes is read while training goes on."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

from model import patches
from model.packed import list_parts, read_parts, some_parts

EVERY_S = 2.0
"""Between two looks at the folder."""


class Arrivals:
    """The parts of a folder of a packed set, each read once. Parts appear whole, by renaming."""

    def __init__(
        self, folder: Path, rng: np.random.Generator, device: torch.device, smallest: int
    ) -> None:
        self.folder, self.rng, self.device, self.smallest = folder, rng, device, smallest
        self.known: set[Path] = set()
        self.looked = 0.0
        self.reader = ThreadPoolExecutor(1)
        self.coming: Future[patches.Pool] | None = None

    def there(self) -> patches.Pool:
        """What is there now; raises `PackedError` where nothing is."""
        parts = some_parts(self.folder)
        self.known.update(parts)
        return self._read(parts)

    def take(self) -> patches.Pool | None:
        """What has come and been read since; it does not wait. Raises what the reader met."""
        if self.coming is None:
            now = time.monotonic()
            if now - self.looked >= EVERY_S:
                self.looked = now
                if parts := self._unknown():
                    self.coming = self.reader.submit(self._read, parts)
        elif self.coming.done():
            read, self.coming = self.coming.result(), None
            return read
        return None

    def _unknown(self) -> list[Path]:
        parts = [part for part in list_parts(self.folder) if part not in self.known]
        self.known.update(parts)
        return parts

    def _read(self, parts: list[Path]) -> patches.Pool:
        return patches.pool(read_parts(parts), self.rng, self.device, self.smallest)
