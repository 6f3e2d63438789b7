"""What is shown of work on its way."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NoReturn

from tqdm import tqdm

from liveaction_onnx.videos import Progress, VideoReport

TELL_EVERY_S = 1.0
"""Between two rows on the progress of a video."""


def moving(bar: tqdm[NoReturn]) -> Callable[[int, int], None]:
    """Make a `progress(done, total)` that moves a bar."""

    def progress(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)

    return progress


def reused_percent(at: VideoReport | Progress) -> float:
    """Of the px, how many had not to be computed."""
    return round(100 * (1 - at.computed_px / at.px), 1) if at.px else 0.0


def shares(done: VideoReport) -> dict[str, Any]:
    """What of a video came from an earlier run, and from earlier frames."""
    return {"resumed_frames": done.resumed_frames, "reused": reused_percent(done)}


class Watcher:
    """Shows how far a video is."""

    def __init__(
        self,
        name: str,
        *,
        hidden: bool,
        tell: Callable[[dict[str, Any]], None] | None,
    ) -> None:
        """Show a bar unless it is `hidden`; `tell` takes a row of figures every now and then."""
        self._tell = tell
        self._bar = tqdm(desc=name, unit="frame", leave=False, disable=hidden, smoothing=0.1)
        self._told = 0.0

    def __call__(self, at: Progress) -> None:
        """Show how far it is."""
        reused = reused_percent(at)
        if self._tell and time.monotonic() - self._told >= TELL_EVERY_S:
            self._told = time.monotonic()
            self._tell(
                {"done": at.done, "total": at.total, "resumed": at.resumed, "reused": reused}
            )
        if not self._bar.n and at.resumed:
            self._bar.initial = self._bar.n = at.resumed
        self._bar.total = at.total
        if reused >= 0.1:
            self._bar.set_postfix_str(f"{reused} % reused", refresh=False)
        self._bar.update(at.done - self._bar.n)

    def __enter__(self) -> Watcher:
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()
