"""Which encoder a target gets, and whether it takes what it is told."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from pathlib import Path

from liveaction_onnx import ffmpeg
from liveaction_onnx.encoders import CONTAINERS, ENCODERS, Encoder, Encoding
from liveaction_onnx.errors import FfmpegError, OptionError, TargetError
from liveaction_onnx.layouts import CHROMAS, Layout, layout_of
from liveaction_onnx.video_options import VideoOptions

_OPTION = re.compile(r"^ {2}-(\S+) +<\w+> +E..V", re.MULTILINE)
"""An option of encoders of video as ffmpeg lists them."""

_OF_ALL = "AVCodecContext AVOptions:\n"
"""What ffmpeg's list of those that all encoders have begins with."""

_OF_FFMPEG = frozenset(["q", "qscale", "tag", "force_key_frames"])
"""Options that ffmpeg itself takes for an encoder."""

_NOT_TAKEN = re.compile(
    r"\[warning\] .*(Unknown option|Error parsing option|Invalid value for|has not been used for)"
)
"""What ffmpeg says where an encoder goes on without something that it was told."""


def choose(target: Path, source: Layout, options: VideoOptions, *, mastering: str = "") -> Encoding:
    """Choose how a target is encoded, and see that this ffmpeg can do it.

    Chroma and bits of the source are kept or raised, unless the options name a `pix_fmt`.

    Raises
    ------
    TargetError
        Where the ending of the target is that of no container that we write.
    OptionError
        Where the codec is unknown, does not go into the container, cannot hold the picture, or the
        encoder refuses what it is told.
    """
    container = container_of(target)
    codec = options.codec or default_codec(target)
    refuse_misfit(codec, target)
    _refuse_unknown(codec, options)
    layout = layout_of(options.pix_fmt) if options.pix_fmt else _fitting(codec, source)
    encoding = _encoding(codec, layout, container, options)
    if codec == "x265":
        encoding = replace(encoding, mastering=mastering)
    _try(encoding)
    return encoding


def check(codec: str, options: VideoOptions) -> None:
    """See that an encoder takes what it is told, for pictures of one layout that it holds at least.

    Raises
    ------
    OptionError
        Where it does not, whatever the source is.
    """
    encoder = _known(codec)
    _refuse_unknown(codec, options)
    refusals = []
    for name in [options.pix_fmt] if options.pix_fmt else encoder.layouts:
        try:
            _try(_encoding(codec, layout_of(name), encoder.containers[0], options))
        except OptionError as error:
            refusals.append(error)
        else:
            return
    raise refusals[0]


def _encoding(codec: str, layout: Layout, container: str, options: VideoOptions) -> Encoding:
    further = dict(options.encoder_options)
    return Encoding(codec, layout, container, options.crf, options.preset, further)


def container_of(target: Path) -> str:
    """What is written, by the ending of the target's name.

    Raises
    ------
    TargetError
        Where it is that of no container that we write.
    """
    container = CONTAINERS.get(target.suffix.lower())
    if container is None:
        raise TargetError(f"{target}: expected a name that ends in {', '.join(CONTAINERS)}")
    return container


def default_target(source: Path, scale: int) -> Path:
    """`<stem>_2x` beside the source, in its container where that is one that we write, else .mkv.

    >>> default_target(Path("a.avi"), 2).name
    'a_2x.mkv'
    """
    suffix = source.suffix if source.suffix.lower() in CONTAINERS else ".mkv"
    return source.with_name(f"{source.stem}_{scale}x{suffix}")


def default_codec(target: Path) -> str:
    """The codec of a target for which none is named."""
    return "vp9" if container_of(target) == "webm" else "x265"


def refuse_misfit(codec: str, target: Path) -> None:
    """Raise OptionError where a codec does not go into the container of a target."""
    encoder = _known(codec)
    if container_of(target) not in encoder.containers:
        fits = [end for end, name in CONTAINERS.items() if name in encoder.containers]
        raise OptionError(
            f"codec: {codec} does not go into {target.suffix}; choose {', '.join(fits)} or another"
        )


def _known(codec: str) -> Encoder:
    if codec not in ENCODERS:
        raise OptionError(f"codec: expected one of {', '.join(ENCODERS)}, got {codec!r}")
    return ENCODERS[codec]


def _refuse_unknown(codec: str, options: VideoOptions) -> None:
    """Raise OptionError for what the encoder has not; ffmpeg would go on without it."""
    encoder, pix_fmt = ENCODERS[codec], options.pix_fmt
    if options.crf is not None and not encoder.quality:
        raise OptionError(f"crf: {codec} is without loss and has none; leave it out")
    if options.preset is not None and not encoder.preset:
        raise OptionError(f"preset: {codec} has none; leave it out")
    if pix_fmt and pix_fmt not in encoder.layouts:
        raise OptionError(f"pix_fmt: {codec} holds {', '.join(encoder.layouts)}, not {pix_fmt!r}")
    for name in options.encoder_options:
        if name.partition(":")[0] not in _options_of(encoder.name):
            raise OptionError(
                f"encoder_options: {codec} cannot encode here with {name!r}, an option that it has "
                f"not: ffmpeg -h encoder={encoder.name} lists those that it has"
            )


@cache
def _options_of(encoder: str) -> frozenset[str]:
    """The options of an encoder of ffmpeg: its own, and those that all have."""
    own = ffmpeg.run(["-h", f"encoder={encoder}"], stdout=True)[1].decode("utf-8", "replace")
    full = ffmpeg.run(["-h", "full"], stdout=True)[1].decode("utf-8", "replace")
    every = full.replace("\r", "").partition(_OF_ALL)[2].partition("\n\n")[0]
    return _OF_FFMPEG.union(_OPTION.findall(own), _OPTION.findall(every))


def _fitting(codec: str, source: Layout) -> Layout:
    """The layout that loses nothing and adds the least; of equals the one preferred."""
    encoder = ENCODERS[codec]
    wanted = CHROMAS.index(source.chroma)
    fit = [
        layout
        for layout in map(layout_of, encoder.layouts)
        if CHROMAS.index(layout.chroma) >= wanted
        and layout.depth >= source.depth
        and (not layout.rgb or source.rgb)
    ]
    if not fit:
        raise OptionError(
            f"codec: {codec} holds {', '.join(encoder.layouts)} and would lose some of "
            f"{source.name}: choose another codec, or name a pix_fmt to lose it knowingly"
        )
    alike = [layout for layout in fit if layout.rgb == source.rgb] or fit
    return min(alike, key=lambda layout: CHROMAS.index(layout.chroma))  # of equals the first


def _try(encoding: Encoding) -> None:
    """Encode a grey frame: whatever the encoder refuses is known before any work is done."""
    picture = f"color=gray:size=256x256:rate=25,format={encoding.layout.name}"
    command = ["-f", "lavfi", "-i", picture, "-frames:v", "1", *encoding.arguments()]
    try:
        said, _ = ffmpeg.run([*command, "-f", encoding.encoder.segment, ffmpeg.NOWHERE])
    except FfmpegError as error:
        raise OptionError(
            f"codec: {encoding.codec} cannot encode here: {error} (it was told {encoding})"
        ) from error
    for line in said:
        if _NOT_TAKEN.search(line):
            told = line.partition("[warning] ")[2].partition(". The most likely")[0]
            raise OptionError(
                f"encoder_options: {encoding.codec} cannot encode here with all of them: {told}"
            )
