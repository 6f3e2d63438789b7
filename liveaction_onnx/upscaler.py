"""Upscaler: an image array in, an image array out; a stream of frames in, a stream out."""

from __future__ import annotations

import os
import threading
from collections.abc import Hashable, Iterable, Iterator, Sequence
from functools import cache, partial
from typing import Any, Literal, Self, cast

from numpy.typing import NDArray

from liveaction_onnx import catalog, pixels
from liveaction_onnx.forms import open_forms
from liveaction_onnx.graph import GraphFacts
from liveaction_onnx.opening import Providers
from liveaction_onnx.options import one_of, sides, whole
from liveaction_onnx.pixels import ColorOrder, Kind
from liveaction_onnx.planning import Progress as Progress
from liveaction_onnx.planning import Tiling, Work
from liveaction_onnx.reuse import Reuse
from liveaction_onnx.streaming import AnyOf, overlapped
from liveaction_onnx.streaming import Cancel as Cancel

Array = NDArray[Any]
Precision = Literal["auto", "fp32", "fp16"]
Rim = Literal["mirror", "none"]


class Upscaler:
    """A graph kept open on a device, to double many pictures. Safe to use from several threads.

    Parameters
    ----------
    model
        A name that `liveaction-onnx models` lists, a path to an .onnx file, or its bytes. A graph
        of your own is run as it is: trust it as you trust a program.
    device
        "auto", "cuda", "cuda:1", "dml", "dml:1" or "cpu". "auto" takes the first of them that
        works and logs why it passed one over; one that is named is used or refused.
    providers, provider_options, session_options
        As `onnxruntime.InferenceSession` takes them; `providers` in place of `device`.
    session
        An `onnxruntime.InferenceSession` of your own, in place of all of the above.
    tile
        The greatest tile in input px, overlap not counted: a number, or (height, width). None:
        the whole picture, or what fits in the memory of the device.
    overlap
        Context in input px on every side of a tile. None: the halo of the graph, with which a
        tiled result equals the whole one. With less, results are blended where they overlap.
    precision
        "fp32", "fp16", or "auto": fp16 on CUDA, fp32 elsewhere.
    halo
        Receptive radius in input px of a graph that does not state its own.
    rim
        "mirror": beyond its rim a picture goes on as its mirror image. "none": the graph sees
        its own padding there, as when it is run bare.
    color_order
        "rgb", or "bgr" as OpenCV has it.

    Raises
    ------
    RuntimeMissingError
        Where no ONNX Runtime is installed.
    DeviceUnavailableError
        Where the device cannot run the graph, with the reason and the command that mends it.
    ModelNotFoundError, GraphError
        Where there is no such graph, or it is none that takes and gives one RGB picture.
    OptionError
        Where an argument is out of its range.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | bytes = catalog.DEFAULT_MODEL,
        *,
        device: str = "auto",
        providers: Providers | None = None,
        provider_options: Sequence[dict[str, Any]] | None = None,
        session_options: Any = None,
        session: Any = None,
        tile: int | tuple[int, int] | None = None,
        overlap: int | None = None,
        precision: Precision = "auto",
        halo: int | None = None,
        rim: Rim = "mirror",
        color_order: ColorOrder = "rgb",
    ) -> None:
        one_of("precision", precision, ("auto", "fp32", "fp16"))
        one_of("rim", rim, ("mirror", "none"))
        one_of("color_order", color_order, ("rgb", "bgr"))
        self._tiling = Tiling(
            core=sides(tile), overlap=whole("overlap", overlap, 0), mirror=rim == "mirror"
        )
        self._color_order: ColorOrder = color_order
        self._forms = open_forms(
            model,
            device=device,
            providers=providers,
            provider_options=provider_options,
            session_options=session_options,
            session=session,
            precision=precision,
            halo=whole("halo", halo, 0),
        )

    @property
    def facts(self) -> GraphFacts:
        """What the graph says about itself."""
        return self._forms.first.facts

    @property
    def digest(self) -> str:
        """SHA-256 of the graph's bytes; "" for a session of the caller's own."""
        return self._forms.digest

    @property
    def tiling(self) -> str:
        """What was asked of tiles, in words that differ where results may."""
        return str(self._tiling)

    @property
    def device(self) -> str:
        """The device in use, such as "cuda:0" or "cpu"."""
        return str(self._forms.first.device)

    @property
    def providers(self) -> list[str]:
        """The execution providers in use, as ONNX Runtime names them."""
        return self._forms.first.providers

    def __call__(
        self,
        image: Array,
        out: Array | None = None,
        progress: Progress | None = None,
        cancel: Cancel | None = None,
    ) -> Array:
        """Upscale a picture, or a batch of them.

        Parameters
        ----------
        image : (H, W), (H, W, C) or (N, H, W, C)
            Gray, RGB or RGBA (C of 1, 3 or 4); uint8, uint16, or float16 or float32 in [0, 1].
        out
            An array for the result.
        progress
            Called as `progress(done, total)`, in tiles. Counts anew where memory ran out.
        cancel
            A `threading.Event` or its like; looked at twenty times a second.

        Returns
        -------
        out : (sH, sW), (sH, sW, C) or (N, sH, sW, C)
            The picture at `facts.scale` times its size, s, in the dtype that came.

        Raises
        ------
        ArrayError
            Where `image` or `out` is none of these. Nothing has been written then.
        CancelledError
            Where `cancel` was set. `out` is unfinished then.
        DeviceMemoryError
            Where not even the smallest tile fits.
        """
        work = self.work(pixels.kind_of(image))
        return work.make(image, out, progress=progress, cancel=cancel)

    def work(self, kind: Kind) -> Work:
        """What makes results of pictures of one kind; for what does more with them than a call."""
        session = self._forms.best_for(kind.best_dtype)
        through = partial(pixels.through, session.facts, kind, self._color_order)
        return Work(kind, session, self._tiling, through)

    def stream(
        self, frames: Iterable[Array], cancel: Cancel | None = None, *, reuse: bool = False
    ) -> Iterator[Array]:
        """Upscale frames one after another.

        While frames are run, the next is taken from `frames` and prepared, and the caller works
        on the last: on the CPU two are run at once, each with half of the processors, where there
        is memory for both. At most three are on their way, and each has to stay as it is until
        its result has come. Frames may differ in size.

        Parameters
        ----------
        frames
            Arrays as `__call__` takes them.
        cancel
            A `threading.Event` or its like; looked at twenty times a second.
        reuse
            Compute only what has changed since the frame before, and take the rest from its
            result; what comes is the same. A frame that equals the one before it gives the same
            array once more, and does not count as on its way. Results are read-only then, for
            later ones are made of them.

        Yields
        ------
        frame
            The results, in the order of `frames`. Errors are those of `__call__`.
        """
        if reuse:
            return Reuse(self).stream(frames, cancel)
        gone = threading.Event()
        either = AnyOf(gone, cancel)

        def made(frame: Array) -> Array:
            return self.work(pixels.kind_of(frame)).make(frame, cancel=either, aside=True)

        return overlapped(made, frames, gone)

    def close(self) -> None:
        """Give back the memory of the graph. Runs under way in other threads end in ClosedError."""
        self._forms.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


@cache
def _shared(
    model: Hashable, device: str, color_order: ColorOrder, precision: Precision
) -> Upscaler:
    return Upscaler(cast(str, model), device=device, color_order=color_order, precision=precision)


def shared_upscaler() -> Upscaler:
    """The Upscaler that `upscale` makes at its first call, with nothing asked for, and keeps."""
    return _shared(catalog.DEFAULT_MODEL, "auto", "rgb", "auto")


def upscale(
    image: Array,
    *,
    out: Array | None = None,
    model: str | os.PathLike[str] | bytes = catalog.DEFAULT_MODEL,
    device: str = "auto",
    precision: Precision = "auto",
    color_order: ColorOrder = "rgb",
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> Array:
    """Upscale a picture, or a batch, with an `Upscaler` that is made at the first call and kept.

    `image` is (H, W), (H, W, C) or (N, H, W, C), with C of 1, 3 or 4; uint8, uint16, or float16 or
    float32 in [0, 1]. What comes back has `scale` times its height and width, 2 by default, and
    the same dtype and channels. Parameters and errors are those of `Upscaler` and of calling it.

    >>> import numpy as np
    >>> upscale(np.zeros((4, 6, 3), np.uint8)).shape
    (8, 12, 3)
    """
    asked = cast(Hashable, model), device, color_order, precision
    known = all(isinstance(each, Hashable) for each in asked)
    make = _shared if known else _shared.__wrapped__  # refuses it, as it is none of what it takes
    return make(*asked)(image, out, progress, cancel)
