"""Frames into the segments of a journal, in a thread of their own."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from functools import partial
from typing import Any

from numpy.typing import NDArray

from liveaction_onnx.clock import UNTOLD_RATE
from liveaction_onnx.decoding import Frame
from liveaction_onnx.encoders import Encoding
from liveaction_onnx.journal import Journal
from liveaction_onnx.segments import SegmentWriter
from liveaction_onnx.streaming import Outlet, Workers

WAITING = 2
"""Frames that may wait for the encoder."""


class Writer:
    """Encodes frames as they are put; records each segment that is whole in the journal.

    While an encoder finishes a segment, that of the next one works already.
    """

    def __init__(
        self, journal: Journal, encoding: Encoding, filters: str, segment_frames: int
    ) -> None:
        """`filters` lead from RGB to what is encoded."""
        self._journal, self._encoding, self._filters = journal, encoding, filters
        self._segment_frames = segment_frames
        self._open: SegmentWriter | None = None
        self._finishing: tuple[SegmentWriter, Future[None]] | None = None
        self._finisher = Workers(1)
        self._last: Frame | None = None
        self._peak = journal.segments[-1].peak if journal.segments else None
        self._outlet = Outlet(self._work, self._kill, waiting=WAITING, name="writer")

    def put(self, frame: Frame, pixels: NDArray[Any]) -> None:
        """Hand over the result of a frame (H, W, 3); nobody may write to it after.

        Raises
        ------
        FfmpegError, TargetError
            Where an earlier one could not be written.
        """
        self._outlet.put((frame, pixels))

    def finish(self) -> None:
        """Wait until all is written and recorded, the last segment too, however short it is.

        Raises
        ------
        FfmpegError, TargetError
            Where something could not be written.
        """
        self._outlet.finish()
        self._finisher.stop()

    def stop(self) -> None:
        """Give up what is not recorded yet, at once."""
        self._outlet.stop()
        self._finisher.stop()

    def _kill(self) -> None:
        for segment in self._segments():
            segment.kill()

    def _segments(self) -> list[SegmentWriter]:
        """Those that an encoder works on."""
        finishing = self._finishing
        both = (self._open, finishing[0] if finishing else None)
        return [segment for segment in both if segment is not None]

    def _work(self, tasks: Iterator[tuple[Frame, NDArray[Any]]]) -> None:
        try:
            for task in tasks:
                self._encode(*task)
            self._hand_over()
            self._wait()
        finally:
            for segment in self._segments():
                segment.stop()

    def _encode(self, frame: Frame, pixels: NDArray[Any]) -> None:
        if self._open is None:
            self._open = SegmentWriter(
                self._journal.new_file(f".{self._encoding.encoder.segment}"),
                self._encoding,
                self._filters,
                shape=pixels.shape,
                dtype=pixels.dtype,
                per_second=frame.clock.per_second,
                rate=frame.clock.rate or UNTOLD_RATE,
            )
        self._open.write(frame.ticks, pixels)
        self._last = frame
        self._peak = frame.pts if self._peak is None else max(self._peak, frame.pts)
        if len(self._open.times) == self._segment_frames:
            self._hand_over()

    def _hand_over(self) -> None:
        """Let the open segment be finished beside the next one; of such there is one at a time."""
        segment, last = self._open, self._last
        if segment is None or last is None or self._peak is None:
            return
        segment.close_input()
        self._wait()
        end, anchor = last.ticks + last.duration, last.clock.anchor or 0
        record = partial(self._record, segment, end, anchor, self._peak)
        recorded = self._finisher.submit(record)
        self._finishing, self._open = (segment, recorded), None

    def _record(self, segment: SegmentWriter, end: int, anchor: int, peak: int) -> None:
        segment.finish()
        self._journal.add(segment.path, segment.times, end, anchor, peak)

    def _wait(self) -> None:
        if self._finishing is not None:
            self._finishing[1].result()
            self._finishing = None
