"""Models that do not ship, fetched by name: whole and checked, or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from liveaction_onnx import catalog
from liveaction_onnx.errors import DownloadError, ModelNotFoundError


def fetch(
    name: str, *, progress: Callable[[int, int], None] | None = None, url: str | None = None
) -> Path:
    """Fetch a model by name, once, and give its path.

    It is downloaded under a temporary name, checked against the recorded sha256, and only then
    renamed.

    Parameters
    ----------
    name
        One of the names in `catalog.models()`.
    progress
        Called with the bytes that have come and the bytes expected.
    url
        A mirror to fetch it from instead of its author's address.

    Raises
    ------
    ModelNotFoundError
        Where the name is not known.
    DownloadError
        Where it cannot be fetched, or what came is something else. Nothing is left behind.
    """
    model = catalog.find(name)
    if model is None or model.shipped:
        names = ", ".join(m.name for m in catalog.models() if not m.shipped)
        why = "ships in the package" if model else "is not known"
        raise ModelNotFoundError(f"the model {name!r} {why}; there is to fetch: {names}")
    try:
        import pooch
    except ImportError as error:
        raise DownloadError(
            'fetching needs pooch; run: pip install "liveaction-onnx[models]"'
        ) from error
    pooch.get_logger().setLevel("ERROR")
    target, bar = catalog.cached_path(model), _Bar(progress) if progress else False
    try:
        found = pooch.retrieve(
            url or model.url,
            known_hash=f"sha256:{model.sha256}",
            fname=target.name,
            path=target.parent,
            downloader=pooch.HTTPDownloader(progressbar=bar, timeout=30),
        )
    except Exception as error:  # pooch lets through what requests, urllib3 and the system raise
        raise DownloadError(
            f"{name} could not be fetched whole from {url or model.url}: {error}"
        ) from error
    with contextlib.suppress(OSError):  # it was fetched before, by another user
        os.chmod(found, 0o644)  # pooch leaves it to be read by who fetched it alone
    return Path(found)


class _Bar:
    """What pooch expects of a progress bar, in terms of `progress(done, total)`."""

    def __init__(self, progress: Callable[[int, int], None]) -> None:
        self.progress, self.total, self.done = progress, 0, 0

    def update(self, count: int) -> None:
        self.done += count
        if self.total:  # pooch counts whole chunks, the last one too
            self.done = min(self.done, self.total)
        self.progress(self.done, self.total)

    def reset(self) -> None:
        self.done = 0

    def close(self) -> None:
        """Nothing to close."""
