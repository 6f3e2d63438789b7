"""Frames of a video as arrays, each with its time."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from liveaction_onnx import breaks
from liveaction_onnx.breaks import Break
from liveaction_onnx.clock import UNTOLD_RATE, Clock
from liveaction_onnx.cuts import WHOLE, Span
from liveaction_onnx.errors import VideoError
from liveaction_onnx.ffmpeg import Process
from liveaction_onnx.footage import Shown, parse_config, parse_shown

READ_AHEAD = 2
"""Frames that may wait to be computed."""

Array = NDArray[Any]


@dataclass(frozen=True)
class Frame:
    """One frame."""

    ticks: int
    """When it is shown, in ticks of the clock."""

    duration: int
    """How long, in the same."""

    pixels: Array
    """(H, W, 3) uint8 or uint16 RGB."""

    pts: int
    """When it is shown, in ticks of the source."""

    clock: Clock


class Decoder:
    """Decodes a video from its first frame to its last; iterate once."""

    def __init__(
        self,
        source: Sequence[str],
        filters: Sequence[str],
        *,
        deep: bool,
        name: str,
        stdin: bool = False,
        span: Span = WHOLE,
        goes_on: tuple[int, int] | None = None,
        skip: int = 0,
        restarting: bool = False,
        accept_damage: bool = False,
    ) -> None:
        """Start decoding.

        Parameters
        ----------
        source
            ffmpeg's options for the input, and which of its streams is decoded.
        filters
            ffmpeg's filters, of which the last gives rgb24, or rgb48le where `deep`.
        name
            What the source is called in errors.
        stdin
            Whether the source comes through the pipe `stdin`.
        span
            The frames that are given; decoding ends with the last of them.
        goes_on
            `Clock.anchor` and `Clock.last` of an earlier run, of which this one skips the frames.
        skip
            How many of these the filters leave.
        restarting
            Whether the clock of the source may begin anew midway.
        accept_damage
            Whether to go on where it does, or goes back.
        """
        self.deep = deep
        self.clock: Clock | None = None
        """Known once the first frame has come."""
        self.first: Shown | None = None
        self.whole = False
        """Whether the source goes on after the end of the span, which then is not cut short."""
        self.broken: Break | None = None
        """Where the times first go back, or leap ahead."""
        self._name, self._span, self._goes_on = name, span, goes_on or (None, None)
        self._restarting, self._accept_damage, self._skip = restarting, accept_damage, skip
        self._heard: queue.SimpleQueue[Shown | None] = queue.SimpleQueue()
        """What is said of each frame, which is before it is written; None at the end."""
        self._last_pts: int | None = None
        self._amid = False
        """Whether reading begins amid pictures that refer to others, and none has come whole."""
        command = [*source, "-copyts", "-fps_mode", "passthrough"]
        # At a time base that is the rate's, ffmpeg complains of frames that are off it.
        command += ["-enc_time_base", "1/1000000"]
        command += ["-vf", ",".join([*filters, "showinfo=checksum=0"]), "-f", "rawvideo", "pipe:1"]
        self.process = Process(
            command,
            stdin=stdin,
            stdout=True,
            listen=self._listen,
            silent=lambda: self._heard.put(None),
        )
        self._amid = restarting and "-ss" in source

    def __iter__(self) -> Generator[Frame]:
        """Give the frames in the order in which they are shown.

        Raises
        ------
        VideoError
            Where the size of the picture changes midway.
        VideoDamagedError
            Where times go back or leap ahead midway, unless that is accepted.
        FfmpegError
            Where ffmpeg fails.
        """
        try:
            while (shown := self._heard.get()) is not None:
                pixels = self._read(shown)
                if pixels is None:
                    break
                clock, pts = self._time(shown)
                self.whole = self._span.over(pts * clock.base)
                if self.whole:
                    return
                if self._span.before(pts * clock.base):
                    continue
                if self._skip:
                    self._skip -= 1
                    continue
                yield self._frame(shown, pixels, clock, pts)
            self.process.finish()
        finally:
            self.process.stop()

    def ahead(self, count: int) -> Generator[Frame]:
        """Give the same frames, while a thread decodes up to `count` more. Close it to stop."""
        waiting: queue.Queue[Frame | BaseException | None] = queue.Queue(count)
        gone = threading.Event()

        def offer(item: Frame | BaseException | None) -> None:
            while not gone.is_set():
                with contextlib.suppress(queue.Full):
                    waiting.put(item, timeout=0.2)
                    return

        def work() -> None:
            end: BaseException | None = None
            try:
                for frame in self:
                    offer(frame)
                    if gone.is_set():
                        break
            except BaseException as error:  # handed to whoever takes the frames
                end = error
            offer(end)

        thread = threading.Thread(target=work, name="decoder", daemon=True)
        thread.start()
        try:
            while (item := waiting.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            gone.set()
            self.process.kill()  # the thread may be waiting for its frames
            thread.join()

    def through(
        self, stream: Callable[[Iterator[Array]], Iterator[Array]]
    ) -> Generator[tuple[Frame, Array]]:
        """Give each frame with what `stream` makes of its pixels, while a thread decodes more.

        `stream` is `Upscaler.stream` or its like. Close it to stop, before the source ends too.
        """
        frames = self.ahead(READ_AHEAD)
        taken: deque[Frame] = deque()

        def pixels() -> Iterator[Array]:
            for frame in frames:
                taken.append(frame)
                yield frame.pixels

        results = cast("Generator[Array]", stream(pixels()))
        try:
            for result in results:
                yield taken.popleft(), result
        finally:
            self.process.kill()
            results.close()
            frames.close()

    def _listen(self, line: str) -> None:
        shown = parse_shown(line)
        if shown is not None:
            if self._amid:
                self.process.complaints.clear()
                self._amid = False
            self._heard.put(shown)
        elif self.clock is None and (config := parse_config(line)) is not None:
            self.clock = Clock(*config, *self._goes_on)

    def _read(self, shown: Shown) -> Array | None:
        pixels = np.empty((shown.height, shown.width, 3), "<u2" if self.deep else "u1")
        view = pixels.data.cast("B")
        have = 0
        while have < len(view):
            got: int = self.process.stdout.readinto(view[have:])  # type: ignore[attr-defined]
            if not got:
                return None
            have += got
        return pixels

    def _time(self, shown: Shown) -> tuple[Clock, int]:
        """The clock, and when a frame is shown, in ticks of the source."""
        clock = self.clock
        if clock is None:
            raise VideoError(f"{self._name}: ffmpeg tells of no time base")
        pts = shown.pts
        if pts is None:  # of a source without times
            step = max(1, round(1 / ((clock.rate or UNTOLD_RATE) * clock.base)))
            pts = 0 if self._last_pts is None else self._last_pts + step
        self._last_pts = pts
        return clock, pts

    def _frame(self, shown: Shown, pixels: Array, clock: Clock, pts: int) -> Frame:
        first = self.first = self.first or shown
        if (shown.width, shown.height) != (first.width, first.height):
            raise VideoError(
                f"{self._name}: its size changes from {first.width} x {first.height} to "
                f"{shown.width} x {shown.height} midway: cut it there, and take the parts apart"
            )
        if clock.last is not None and self.broken is None:
            before_s, own_s = clock.seconds(clock.last), pts * clock.base
            self.broken = breaks.between(before_s, own_s, restarting=self._restarting)
            if self.broken and not self._accept_damage:
                raise self.broken.refused(self._name)
        ticks = clock.ticks(pts)
        duration = round(shown.duration * clock.base * clock.per_second) or clock.frame_ticks
        if self._span.end_s is not None:
            duration = min(duration, round(self._span.end_s * clock.per_second) - ticks)
        return Frame(ticks, max(1, duration), pixels, pts, clock)
