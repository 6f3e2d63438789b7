"""A stream of yuv4mpeg frames in, a stream of them out: a link in a chain of video tools."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import IO, Any

from numpy.typing import NDArray

from liveaction_onnx import carrier, ffmpeg
from liveaction_onnx.colour import Colour, colour_of, from_rgb, to_rgb
from liveaction_onnx.decoding import Decoder
from liveaction_onnx.errors import VideoError
from liveaction_onnx.footage import Footage, Shown
from liveaction_onnx.layouts import Layout, layout_of
from liveaction_onnx.listing import Stream
from liveaction_onnx.streaming import Outlet, finished
from liveaction_onnx.upscaler import Cancel, Upscaler

HEADER_BYTES = 4096
WAITING = 2
"""Results that may wait to be sent."""

_MAGIC, _FRAME = b"YUV4MPEG2 ", b"FRAME"
_CHROMA = {"420jpeg": "center", "420mpeg2": "left", "420paldv": "topleft"}
_FIELDS = {"t": "T", "b": "B"}
_FORMAT = re.compile(r"(?P<planes>420|411|422|440|444|mono)(?P<depth>p?\d+)?$")

logger = logging.getLogger("liveaction_onnx")


def upscale_y4m(
    source: IO[bytes],
    target: IO[bytes],
    *,
    upscaler: Upscaler,
    matrix: str = "auto",
    limits: str = "auto",
    reuse: bool = True,
    cancel: Cancel | None = None,
) -> int:
    """Upscale a yuv4mpeg stream into another, of the same pixel format and rate.

    Parameters
    ----------
    source, target
        Files of the operating system, such as `sys.stdin.buffer` and `sys.stdout.buffer`, of which
        nothing has been read.
    upscaler
        The Upscaler to use, which works on RGB.
    matrix, limits
        As `matrix` and `range` of `VideoOptions`; yuv4mpeg has no word for a matrix.
    reuse
        Whether what has not changed since the last frame is taken from there.
    cancel
        A `threading.Event` or its like; looked at twenty times a second.

    Returns
    -------
    frames
        How many frames went through.

    Raises
    ------
    VideoError
        Where `source` is no yuv4mpeg stream, holds no frame, or ends within one; the whole ones
        were passed on.
    FfmpegError
        Where ffmpeg fails, for one because nobody takes what it writes.
    """
    source = getattr(source, "raw", source)
    head = _head(source)
    footage = parse_header(head)
    if footage.shown.fields != "P":
        logger.warning(
            "the stream says that it is interlaced: moving edges that look like combs stay so; "
            "deinterlace it before, by ffmpeg's -vf bwdif for one"
        )
    colour = colour_of(footage, matrix=matrix, limits=limits)
    layout = layout_of(footage.shown.format)
    lacking = layout.lacking(footage.shown.width, footage.shown.height)
    reading = [*ffmpeg.allowing("yuv4mpegpipe"), "-f", "yuv4mpegpipe", "-i", "pipe:0"]
    decoder = Decoder(
        reading,
        [to_rgb(colour, layout, lacking=lacking)],
        deep=layout.depth > 8,
        name="the stream",
        stdin=True,
    )
    feeder = _Feeder(head, source, decoder.process, _frame_bytes(footage))
    feeder.start()
    writer = _writer(footage, colour, layout, upscaler.facts.scale, target)
    send = partial(_send, writer, footage.rate)
    outlet = Outlet(send, writer.kill, waiting=WAITING, name="sender")
    stream = partial(upscaler.stream, cancel=cancel, reuse=reuse)
    frames = 0
    try:
        with closing(decoder.through(stream)) as results, finished(outlet):
            for _, big in results:
                outlet.put(big)
                frames += 1
    finally:
        writer.stop()
    if feeder.fault or not frames:
        raise VideoError(
            f"the stream {feeder.fault or 'holds no frame'}: {frames} whole ones were passed on"
        )
    return frames


def _writer(
    footage: Footage, colour: Colour, layout: Layout, scale: int, target: IO[bytes]
) -> ffmpeg.Process:
    """The ffmpeg that takes raw frames, as `carrier` has them, and writes yuv4mpeg."""
    out = from_rgb(
        colour,
        layout,
        deep=layout.depth > 8,
        sar=footage.shown.sar,
        unsaid=False,
        lacking=layout.lacking(scale * footage.shown.width, scale * footage.shown.height),
    )
    command = ["-r", str(footage.rate), "-f", "matroska", "-i", "pipe:0", "-vf", out]
    command += ["-chroma_sample_location", colour.chroma, "-strict", "-1"]
    return ffmpeg.Process([*command, "-f", "yuv4mpegpipe", "pipe:1"], stdin=True, stdout=target)


def _send(writer: ffmpeg.Process, rate: Fraction, results: Iterator[NDArray[Any]]) -> None:
    number = -1
    for number, big in enumerate(results):
        if not number:
            writer.send(carrier.head(big.shape, big.dtype, rate))
        writer.send(carrier.before_frame(number, big.nbytes))
        writer.send(big)
    if number >= 0:
        writer.finish()


class _Feeder(threading.Thread):
    """Hands a stream on to ffmpeg, which would say nothing of a frame that is cut short."""

    def __init__(
        self, head: bytes, source: IO[bytes], process: ffmpeg.Process, frame_bytes: int
    ) -> None:
        super().__init__(name="feeder", daemon=True)
        self._head, self._source, self._sink = head, source, process.stdin
        self._frame_bytes = frame_bytes
        self.fault = ""
        """What is wrong with the stream; known before ffmpeg is told of its end."""

    def run(self) -> None:
        """Hand over frame by frame."""
        try:
            self._send(self._head)
            while self._frame():
                pass
            self._sink.close()
        except (OSError, ValueError):
            return  # it has ended; whoever reads from it learns why

    def _frame(self) -> bool:
        """Hand over one frame, and tell whether others may follow."""
        head = b""
        while not head.endswith(b"\n"):
            more = self._source.read(1 if head else len(_FRAME))
            if not more:
                self.fault = "ends within a frame" if head else ""
                return False
            head += more
            if len(head) > HEADER_BYTES or not head.startswith(_FRAME[: len(head)]):
                self.fault = "has something else where a frame should begin"
                return False
        self._send(head)
        left = self._frame_bytes
        while left:
            some = self._source.read(min(left, ffmpeg.PIPE_BYTES))
            if not some:
                self.fault = "ends within a frame"
                return False
            self._send(some)
            left -= len(some)
        return True

    def _send(self, data: bytes) -> None:
        while data:
            data = data[self._sink.write(data) :]


def _frame_bytes(footage: Footage) -> int:
    """Bytes of a frame, without its own first line."""
    shown, layout = footage.shown, layout_of(footage.shown.format)
    across, down = layout.shared
    px = shown.width * shown.height
    if not layout.grey:
        px += 2 * -(-shown.width // across) * -(-shown.height // down)
    return px * (2 if layout.depth > 8 else 1)


def _head(source: IO[bytes]) -> bytes:
    """The first line of a yuv4mpeg stream, and not a byte more."""
    head = b""
    while not head.endswith(b"\n"):
        byte = source.read(1)
        if not byte or len(head) >= HEADER_BYTES or not _MAGIC.startswith(head[: len(_MAGIC)]):
            raise VideoError(
                "the stream is no yuv4mpeg: it has to begin with 'YUV4MPEG2', as ffmpeg's "
                "-f yuv4mpegpipe and vspipe's -c y4m write it"
            )
        head += byte
    return head


def parse_header(head: bytes) -> Footage:
    """What the first line of a yuv4mpeg stream says.

    Raises
    ------
    VideoError
        Where it lacks a size or a rate, or has a pixel format that is not known here.
    """
    words = head[len(_MAGIC) :].decode("ascii", "replace").split()
    fields = {word[0]: word[1:] for word in words if not word.startswith("X")}
    extras = dict(word[1:].split("=", 1) for word in words if word.startswith("X") and "=" in word)
    try:
        width, height = int(fields["W"]), int(fields["H"])
        rate = Fraction(fields["F"].replace(":", "/"))
        ratio = fields.get("A", "0:0")
        sar = Fraction(0) if ratio.endswith(":0") else Fraction(ratio.replace(":", "/"))
        name = fields.get("C", "420jpeg")
        chroma = _CHROMA.get(name, "")
        found = _FORMAT.match("420" if chroma else name)
        if found is None or not rate or min(width, height) < 1:
            raise ValueError(f"the pixel format {name}")
    except (KeyError, ValueError, ZeroDivisionError) as error:
        raise VideoError(f"the yuv4mpeg stream's first line is not understood: {error}") from error
    depth = int((found["depth"] or "8").removeprefix("p"))
    deep = f"{depth}le" if depth > 8 else ""
    pixels = f"gray{deep}" if found["planes"] == "mono" else f"yuv{found['planes']}p{deep}"
    video = Stream(0, "Video", "rawvideo", "", ())
    order = _FIELDS.get(fields.get("I", ""), "P")
    limits = {"FULL": "pc", "LIMITED": "tv"}.get(extras.get("COLORRANGE", ""), "")
    return Footage(
        path=Path("-"),
        format="yuv4mpegpipe",
        start_s=Fraction(0),
        duration_s=None,
        streams=(video,),
        video=video,
        shown=Shown(0, 1, pixels, chroma, sar, width, height, order),
        base=1 / rate,
        rate=rate,
        range=limits,
        matrix="",
        primaries="",
        transfer="",
        side_data=(),
        rotation=0.0,
        apple={},
    )
