"""The words of the command line, as argparse takes them."""

from __future__ import annotations

import argparse
import logging
import re
import sys
import warnings
from fractions import Fraction
from pathlib import Path
from typing import Literal

import liveaction_onnx as la
from liveaction_onnx.colour import MATRICES, RANGES
from liveaction_onnx.encoders import ENCODERS
from liveaction_onnx.picture import MAX_PIXELS
from liveaction_onnx.video_options import VideoOptions

logger = logging.getLogger("liveaction_onnx")

_NUMBER = re.compile(r"\d{1,12}(\.\d{0,12})?|\.\d{1,12}", re.ASCII)
"""Digits alone: a fraction takes an exponent at its word, and a billion of them would not end."""

_EPILOG = """\
commands:
  liveaction-onnx doctor              what of this machine can run a graph, and what is missing
  liveaction-onnx models              the models that have a name, their licence and hash
  liveaction-onnx models get NAME     fetch one of them
  liveaction-onnx pipe                yuv4mpeg on stdin to yuv4mpeg on stdout

A video that was interrupted goes on where it was by the same command. The first Ctrl+C finishes the
segment at hand, the second stops at once.

exit codes: 0 all done, 1 some failed, 2 wrong usage, 3 no such device or no ONNX Runtime,
130 interrupted.
A file named like a command, or with a leading '-', is given as ./doctor or ./-name."""


def upscale_parser() -> argparse.ArgumentParser:
    """The parser of what upscales files."""
    parser = argparse.ArgumentParser(
        prog="liveaction-onnx",
        description="Double pictures and videos: remove compression, blur and halos, keep grain "
        "and colour.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("inputs", nargs="+", metavar="IN", help="picture and video files, folders, or patterns")
    add(
        "-o",
        "--output",
        type=Path,
        metavar="OUT",
        help="a file for one input, or a folder (default: <stem>_2x.<ext> beside each)",
    )
    add_device(parser)
    add(
        "--max-pixels",
        type=int,
        default=MAX_PIXELS,
        metavar="N",
        help="refuse pictures that claim more px (default: %(default)s)",
    )
    add("-y", "--overwrite", action="store_true", help="replace targets that exist")
    add("-q", "--quiet", action="store_true", help="print errors only")
    add("-v", "--verbose", action="count", default=0, help="print what is done; twice: even more")
    add("--json", action="store_true", help="print JSON: a line a file, and of videos its progress")
    add("--dry-run", action="store_true", help="print what would be done, and do nothing")
    add("-V", "--version", action="version", version=f"%(prog)s {la.__version__}")
    _add_video(parser)
    return parser


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add what says where and by which graph."""
    add = parser.add_argument
    add(
        "-d",
        "--device",
        default="auto",
        help="cpu, cuda, cuda:N, dml or dml:N (default: auto, the first of cuda, dml and cpu that "
        "works)",
    )
    add(
        "-t",
        "--tile",
        type=int,
        metavar="PX",
        help="greatest side of a tile in input px (default: what fits in memory)",
    )
    add(
        "--overlap",
        type=int,
        metavar="PX",
        help="context around a tile in input px (default: what makes tiles equal the whole)",
    )
    add(
        "--precision",
        default="auto",
        choices=("auto", "fp32", "fp16"),
        help="default: auto, fp16 on cuda and fp32 elsewhere",
    )
    add(
        "--model",
        default=la.DEFAULT_MODEL,
        help="a name from `models`, or an .onnx file (default: %(default)s)",
    )


def add_colour(parser: argparse._ActionsContainer) -> None:
    """Add what says how a video's numbers are read."""
    parser.add_argument(
        "--matrix",
        default="auto",
        choices=("auto", *MATRICES),
        help="of colour, where the source is wrong or silent (default: auto, what it says)",
    )
    parser.add_argument(
        "--range",
        default="auto",
        choices=("auto", *RANGES),
        help="tv: limited, pc: full, likewise (default: auto)",
    )


def pipe_parser() -> argparse.ArgumentParser:
    """The parser of `pipe`."""
    parser = argparse.ArgumentParser(
        prog="liveaction-onnx pipe",
        description="Read yuv4mpeg on stdin, write it doubled on stdout: "
        "ffmpeg -i IN -f yuv4mpegpipe - | liveaction-onnx pipe | ffmpeg -i - OUT",
    )
    add_device(parser)
    add_colour(parser)
    return parser


def _add_video(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("videos")
    _add_encoder(group)
    add_colour(group)
    add = group.add_argument
    add(
        "--deinterlace",
        choices=("no", "auto", "frame", "field"),
        help="frame: to as many frames, field: to twice as many, auto: frame where it is certain "
        "(default: no)",
    )
    add("--undouble", action="store_true", help="take doubled lines away first")
    add(
        "--auto",
        action="store_true",
        help="deinterlace and undouble where it is certain, and say so",
    )
    add("--start", type=_time, metavar="TIME", help="from here on: seconds, or HH:MM:SS")
    add("--duration", type=_time, metavar="TIME", help="take only so much, likewise")
    add(
        "--preview",
        type=_length,
        metavar="S",
        help="so many seconds beside a plain resize, to choose settings by",
    )
    add(
        "--segment",
        type=int,
        metavar="FRAMES",
        help="the most that an interruption can lose (default: 24 on cpu, else 240)",
    )
    add("--no-reuse", action="store_true", help="compute again what has not changed")
    add("--restart", action="store_true", help="drop what an earlier run has done")
    add("--accept-damage", action="store_true", help="take what there is of a source cut short")


def _add_encoder(group: argparse._ActionsContainer) -> None:
    add = group.add_argument
    add(
        "-c",
        "--codec",
        choices=tuple(ENCODERS),
        metavar="CODEC",
        help=f"{', '.join(ENCODERS)} (default: x265; vp9 for .webm)",
    )
    add(
        "--crf",
        type=int,
        metavar="N",
        help=f"constant quality, lower is better (defaults: {_of_codecs('quality', 'default')})",
    )
    add(
        "--preset",
        help="the codec's speed, or ProRes's profile "
        f"(defaults: {_of_codecs('preset', 'default_preset')})",
    )
    add(
        "--pix-fmt",
        metavar="NAME",
        help="a pixel format of ffmpeg's (default: one that keeps the source's chroma and bits)",
    )
    add(
        "-e",
        "--encoder-option",
        action="append",
        default=[],
        type=_pair,
        metavar="KEY=VALUE",
        help="a further option of ffmpeg's encoder; may be repeated",
    )


def _of_codecs(option: str, default: str) -> str:
    """What the codecs have as their default, such as `x265 18, x264 16`."""
    return ", ".join(
        f"{codec} {getattr(encoder, default)}"
        for codec, encoder in ENCODERS.items()
        if getattr(encoder, option)
    )


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"expected KEY=VALUE, got {text!r}")
    return name.lstrip("-"), value


def _length(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"expected seconds, got {text!r}")
    return seconds


def _time(text: str) -> Fraction:
    """Seconds, minutes and seconds, or hours, minutes and seconds.

    >>> _time("1:02:03.5"), _time("90")
    (Fraction(7447, 2), Fraction(90, 1))
    """
    words = text.split(":")
    if len(words) > 3 or not all(_NUMBER.fullmatch(word) for word in words):
        raise argparse.ArgumentTypeError(f"expected seconds or HH:MM:SS, got {text!r}")
    return sum((Fraction(word) * 60**k for k, word in enumerate(reversed(words))), Fraction(0))


def video_options(options: argparse.Namespace) -> VideoOptions:
    """What the words say of a video."""
    otherwise: Literal["auto", "no"] = "auto" if options.auto else "no"
    return VideoOptions(
        codec=options.codec,
        crf=options.crf,
        preset=options.preset,
        pix_fmt=options.pix_fmt,
        encoder_options=dict(options.encoder_option),
        matrix=options.matrix,
        range=options.range,
        deinterlace=options.deinterlace or otherwise,
        undouble="yes" if options.undouble else otherwise,
        start_s=options.start,
        duration_s=options.duration,
        accept_damage=options.accept_damage,
        reuse=not options.no_reuse,
        segment_frames=options.segment,
    )


def log(options: argparse.Namespace) -> None:
    """Have what the library tells printed, as far as it is asked for."""
    levels = {0: logging.WARNING, 1: logging.INFO}
    level = logging.ERROR if options.quiet else levels.get(options.verbose, logging.DEBUG)
    logging.basicConfig(level=level, format="liveaction-onnx: %(message)s", stream=sys.stderr)
    warnings.showwarning = _warned


def _warned(message: Warning | str, *where: object, **more: object) -> None:
    """Tell a warning, as Pillow has them for odd files, as all is told: without lines of code."""
    logger.warning("%s", str(message).strip())


def upscaler(options: argparse.Namespace) -> la.Upscaler:
    """The Upscaler that is asked for."""
    return la.Upscaler(
        options.model,
        device=options.device,
        tile=options.tile,
        overlap=options.overlap,
        precision=options.precision,
    )
