"""What is done to one video: what was found in it, what is assumed, and what was chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from liveaction_onnx import asking, breaks, choosing, ffmpeg, fields, footage, seeking
from liveaction_onnx.clock import UNTOLD_RATE
from liveaction_onnx.colour import Colour, colour_of, from_rgb, target_colour, to_rgb
from liveaction_onnx.cuts import ROUNDED_S, Cut, Span
from liveaction_onnx.decoding import Decoder
from liveaction_onnx.encoders import Encoding
from liveaction_onnx.errors import OptionError
from liveaction_onnx.fields import Lines
from liveaction_onnx.footage import Footage
from liveaction_onnx.layouts import Layout, layout_of
from liveaction_onnx.mastering import mastering
from liveaction_onnx.muxing import origin_s
from liveaction_onnx.streams import Streams, choose_streams
from liveaction_onnx.video_options import VideoOptions

_DYNAMIC = ("Dolby Vision", "HDR10+", "2094-40")
"""Words for what changes from scene to scene of HDR."""


@dataclass(frozen=True)
class Treatment:
    """The plan of one video."""

    footage: Footage
    target: Path
    options: VideoOptions
    colour: Colour
    lines: Lines
    deinterlace: Literal["no", "frame", "field"]
    undouble: bool
    encoding: Encoding
    streams: Streams
    cut: Cut
    seek_s: Fraction
    """From where reading begins, in seconds after the start of the file."""

    scale: int

    @property
    def source_layout(self) -> Layout:
        """The pixel format of the source."""
        return layout_of(self.footage.shown.format)

    @property
    def deep(self) -> bool:
        """Whether frames go with 16 bits, for the source has more than 8."""
        return self.source_layout.depth > 8

    def filters_in(self, skip: int = 0, peak: int = 0) -> list[str]:
        """The filters of ffmpeg from the source's frames to RGB.

        Without the first `skip`, of which the latest is shown at `peak`, in ticks of the source:
        where the pixel format changes midway, ffmpeg begins to count anew.
        """
        chain = []
        if self.deinterlace != "no":
            chain.append(fields.deinterlacing(self.deinterlace, self.lines))
        if self.undouble:
            chain.append(fields.undoubling(self.lines))
        if self.span.begin_s is not None:  # as the decoder does, but before the work of turning
            begin = float(self.span.begin_s - ROUNDED_S)  # to RGB what reading begins too early
            chain.append(f"select=isnan(t)+gte(t\\,{begin:.7f})")
        if skip:
            chain.append(f"select=gte(n\\,{skip})+gt(pts\\,{peak})")
        shown = self.footage.shown
        height = shown.height // 2 if self.undouble else shown.height
        lacking = self.source_layout.lacking(shown.width, height)
        return [*chain, to_rgb(self.colour, self.source_layout, lacking=lacking)]

    def decoder(
        self,
        filters: Sequence[str],
        *,
        goes_on: tuple[int, int] | None = None,
        skip: int = 0,
    ) -> Decoder:
        """Start decoding the frames that are taken; the arguments are `Decoder`'s."""
        source = [*seeking.seeking(self.seek_s), *ffmpeg.reading(self.footage.path)]
        return Decoder(
            [*source, "-map", f"0:{self.footage.video.index}"],
            filters,
            deep=self.deep,
            name=str(self.footage.path),
            span=self.span,
            restarting=self.footage.format in breaks.RESTARTING,
            accept_damage=self.options.accept_damage,
            goes_on=goes_on,
            skip=skip,
        )

    def filters_out(self) -> str:
        """The filters of ffmpeg from RGB to what is encoded."""
        unsaid = self.encoding.encoder.ranges == "unsaid"
        return from_rgb(
            self.made, self.encoding.layout, deep=self.deep, sar=self.sar, unsaid=unsaid
        )

    @property
    def made(self) -> Colour:
        """The colour of the target."""
        only_limited = self.encoding.encoder.ranges == "tv"
        return target_colour(self.colour, self.encoding.layout, only_limited=only_limited)

    @property
    def sar(self) -> Fraction:
        """Width of a px of the target by its height; 0 where the source does not say."""
        sar = self.footage.shown.sar
        return (sar or Fraction(1)) / 2 if self.undouble else sar

    @property
    def notes(self) -> tuple[str, ...]:
        """What the caller should know, a sentence each."""
        colour, lines, side = self.colour, self.lines, self.footage.side_data
        notes = list(self.streams.warnings)
        if colour.assumed:
            said = ", ".join(colour.assumed)
            taken = ", ".join(getattr(colour, name) for name in colour.assumed)
            notes.append(f"the source does not say its {said}: taken for {taken}")
        if self.deinterlace == "no" and not self.undouble:
            notes += [lines.advice] if lines.advice else []
        elif "auto" in (self.options.deinterlace, self.options.undouble):
            done = [f"deinterlaced ({lines.order})"] if self.deinterlace != "no" else []
            done += [f"doubled lines taken away ({lines.doubled})"] if self.undouble else []
            notes.append(f"{' and '.join(done)}: that is certain")
        if self.source_layout.xyz:
            notes.append("its XYZ is taken to BT.709's primaries, beyond which colours are cut")
        if self.source_layout.alpha or self.footage.video.alpha:
            notes.append("the transparency of the video is left out")
        if any("captions" in entry for entry in side):
            notes.append(
                "closed captions inside the video are left out: they are part of its pictures"
            )
        if any(name in entry for entry in side for name in _DYNAMIC):
            notes.append("dynamic HDR metadata is left out")
        if mastering(side) and not self.encoding.mastering:
            codec = self.encoding.codec
            notes.append(f"the HDR metadata of the display is left out: {codec} takes none")
        return tuple(notes)

    @property
    def span(self) -> Span:
        """Which of the source's frames are taken."""
        return self.cut.span(self.footage.start_s)

    @property
    def origin_s(self) -> Fraction:
        """The time of the source that is 0 in the target."""
        return origin_s(self.footage, self.cut)

    @property
    def frames(self) -> int | None:
        """About how many frames the target has."""
        length, rate = self.footage.duration_s, self.footage.rate or UNTOLD_RATE
        if length is None:
            return None
        length -= self.cut.start_s or 0
        if self.cut.duration_s is not None:
            length = min(length, self.cut.duration_s)
        return max(1, round(length * rate) * (2 if self.deinterlace == "field" else 1))

    def report(self) -> dict[str, Any]:
        """What was found, assumed and chosen, for printing."""
        shown, seen = self.footage.shown, self.footage
        height = shown.height // 2 if self.undouble else shown.height
        rate = seen.rate or "an unknown number of"
        return {
            "source": str(seen.path),
            "target": str(self.target),
            "container": f"{seen.format} to {self.encoding.container}",
            "video": f"{seen.video.codec}, {shown.format}, {shown.width} x {shown.height} px",
            "rate": f"{rate} frames a second, {self.frames or 'unknown'} frames or so",
            "aspect of a px": str(shown.sar or "not said"),
            "rotation": f"{seen.rotation:g} degrees" if seen.rotation else "none",
            "colour": str(self.colour),
            "lines": str(self.lines),
            "deinterlace": self.deinterlace,
            "undouble": "yes" if self.undouble else "no",
            "encoded": f"{shown.width * self.scale} x {height * self.scale} px, {self.encoding}",
            "tagged": str(self.made).partition(" (")[0],
            "streams": [str(one.stream) for one in self.streams.kept],
            "notes": list(self.notes),
        }


def plan(source: Path, target: Path | None, options: VideoOptions, scale: int) -> Treatment:
    """Look at a source and plan what is done to it.

    Raises
    ------
    VideoError
        Where the source is no video that we read.
    VideoDamagedError
        Where it is recordings put end to end, unless that is accepted.
    OptionError
        Where an option cannot be followed.
    TargetError
        Where the target's ending is that of no container.
    """
    cut = asking.part(options)
    seen = footage.examine(source)
    seeking.refuse_empty(cut, seen)
    target = choosing.default_target(source, scale) if target is None else target
    colour = colour_of(seen, matrix=options.matrix, limits=options.range)
    source_layout = layout_of(seen.shown.format)
    encoding = choosing.choose(target, source_layout, options, mastering=mastering(seen.side_data))
    _refuse_odd_results(seen, encoding, scale)
    lines = _examine_lines(seen)
    streams = choose_streams(seen, encoding)
    deinterlace, undouble = mended(options, lines)
    if seen.rotation % 180 and (deinterlace != "no" or undouble):
        raise OptionError(
            f"{source}: it is turned by {seen.rotation:g} degrees, and its lines stand upright; "
            "turn it first to have them mended"
        )
    if cut.duration_s is None and not options.accept_damage:  # before the work, not midway
        breaks.refuse_broken(source, seen.format, seen.video.index)
    return Treatment(
        footage=seen,
        target=target,
        options=options,
        colour=colour,
        lines=lines,
        deinterlace=deinterlace,
        undouble=undouble,
        encoding=encoding,
        streams=streams,
        cut=cut,
        seek_s=seeking.seek_s(seen, cut),
        scale=scale,
    )


def _refuse_odd_results(seen: Footage, encoding: Encoding, scale: int) -> None:
    """A graph of 3x can give odd sides, which fewer samples of chroma do not divide."""
    sides = scale * seen.shown.width, scale * seen.shown.height
    if encoding.layout.chroma != "444" and any(side % 2 for side in sides):
        raise OptionError(
            f"pix_fmt: {sides[0]} x {sides[1]} px are no even numbers, as "
            f"{encoding.layout.name} needs them; name one of 4:4:4, such as yuv444p"
        )


def _examine_lines(seen: Footage) -> Lines:
    shown = seen.shown
    upright = seen.rotation % 180 == 0
    return fields.examine(
        seen.path,
        flags=shown.fields,
        duration_s=seen.duration_s,
        width=shown.width if upright else shown.height,
        height=shown.height if upright else shown.width,
        stream=f"0:{seen.video.index}",
        as_shown=upright,
    )


def mended(options: VideoOptions, lines: Lines) -> tuple[Literal["no", "frame", "field"], bool]:
    """Whether to deinterlace and to undouble: as asked, or with "auto" what is certain."""
    deinterlace = options.deinterlace
    if deinterlace == "auto":
        interlaced = lines.order in ("tff", "bff") and lines.order_certain
        deinterlace = "frame" if interlaced else "no"
    doubled = lines.doubled != "no"
    undouble = options.undouble == "yes" or (options.undouble == "auto" and lines.doubled_certain)
    if options.undouble == "yes" and not doubled:
        raise OptionError(
            "undouble: the lines of the source were not found to be doubled; leave it out"
        )
    return deinterlace, undouble and doubled
