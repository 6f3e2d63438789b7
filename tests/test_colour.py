"""Colour through the whole path: what comes out is what went in, and is tagged as it is."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import ffmpeg, listing
from numpy.typing import NDArray

from liveaction_onnx import OptionError, Upscaler, VideoError, VideoOptions, upscale_video
from liveaction_onnx.colour import colour_of
from liveaction_onnx.footage import Footage, Shown, examine
from liveaction_onnx.listing import Stream
from liveaction_onnx.mastering import mastering

Array = NDArray[Any]

LUMA = {"smpte170m": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020nc": (0.2627, 0.0593)}
"""Weights of red and blue in luma, by ITU-R BT.601, BT.709 and BT.2020."""

BARS = [(180, 180, 180), (180, 180, 16), (16, 180, 180), (16, 180, 16), (180, 16, 180)]
BARS += [(180, 16, 16), (16, 16, 180), (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)]
BARS += [(0, 255, 255), (255, 0, 255), (255, 255, 255), (0, 0, 0), (235, 120, 40)]


def patches() -> Array:
    """(96, 128, 3) in [0, 255]: colour bars over random colours, in fields of 8 px."""
    rng = np.random.default_rng(1)
    bars = np.repeat(np.array(BARS, float), 8, axis=0)[None].repeat(48, 0)
    noise = rng.uniform(0, 255, (6, 16, 3)).repeat(8, 0).repeat(8, 1)
    return np.concatenate([bars, noise])


def to_yuv(rgb: Array, matrix: str, limits: str, bits: int) -> list[Array]:
    """Planes of RGB in [0, 255], by the definition of the matrix and range, rounded."""
    kr, kb = LUMA[matrix]
    r, g, b = (rgb[..., k] / 255 for k in range(3))
    y = kr * r + (1 - kr - kb) * g + kb * b
    u, v = (b - y) / (2 - 2 * kb), (r - y) / (2 - 2 * kr)
    top, scale = 2**bits - 1, 2 ** (bits - 8)
    if limits == "pc":
        planes = [y * top, u * top + 2 ** (bits - 1), v * top + 2 ** (bits - 1)]
    else:
        planes = [(16 + 219 * y) * scale, (128 + 224 * u) * scale, (128 + 224 * v) * scale]
    return [np.clip(np.rint(plane), 0, top) for plane in planes]


def to_rgb(planes: list[Array], matrix: str, limits: str, bits: int) -> Array:
    """The inverse of `to_yuv`, cut to [0, 255] and not rounded."""
    kr, kb = LUMA[matrix]
    top, scale = 2**bits - 1, 2 ** (bits - 8)
    y, u, v = (plane.astype(float) for plane in planes)
    if limits == "pc":
        y, u, v = y / top, (u - 2 ** (bits - 1)) / top, (v - 2 ** (bits - 1)) / top
    else:
        y, u, v = (y / scale - 16) / 219, (u / scale - 128) / 224, (v / scale - 128) / 224
    r, b = y + (2 - 2 * kr) * v, y + (2 - 2 * kb) * u
    g = (y - kr * r - kb * b) / (1 - kr - kb)
    cut: Array = np.clip(np.stack([r, g, b], -1), 0, 1) * 255
    return cut


def write(path: Path, planes: list[Array], pix_fmt: str, *tags: str) -> Path:
    """A lossless video of three equal frames of these planes, with tags of the container.

    ffmpeg converts what an encoder is told is full range, so the tags come after it.
    """
    dtype = np.uint8 if pix_fmt[-2:] != "le" else np.dtype("<u2")
    data = 3 * b"".join(plane.astype(dtype).tobytes() for plane in planes)
    height, width = planes[0].shape
    words = ["-f", "rawvideo", "-pix_fmt", pix_fmt, "-s", f"{width}x{height}", "-i", "-"]
    plain = path.with_suffix(".untagged.mkv")
    ffmpeg(*words, "-c:v", "ffv1", str(plain), data=data)
    ffmpeg("-i", str(plain), "-c", "copy", *tags, str(path))
    plain.unlink()
    return path


def planes_of(path: Path, pix_fmt: str, shape: tuple[int, int]) -> list[Array]:
    """The planes of the first frame as they are stored; chroma as large as luma."""
    raw = ffmpeg("-i", str(path), "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", pix_fmt, "-")
    values = np.frombuffer(raw, np.uint8 if pix_fmt[-2:] != "le" else "<u2")
    height, width = shape
    if "444" in pix_fmt:
        return list(values.reshape(3, height, width))
    luma, chroma = np.split(values, [height * width])
    halves = chroma.reshape(2, height // 2, width // 2)
    return [luma.reshape(height, width), *halves.repeat(2, 1).repeat(2, 2)]


def tags(matrix: str, limits: str, primaries: str = "bt709", curve: str = "bt709") -> list[str]:
    told = ["-color_range", limits, "-colorspace", matrix]
    return [*told, "-color_primaries", primaries, "-color_trc", curve]


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("limits", ["tv", "pc"])
@pytest.mark.parametrize("matrix", list(LUMA))
def test_colour_survives_in_444(
    tmp_path: Path, up: Upscaler, matrix: str, limits: str, bits: int
) -> None:
    depth = "10le" if bits == 10 else ""
    planes = to_yuv(patches(), matrix, limits, bits)
    source = write(tmp_path / "a.mkv", planes, f"yuv444p{depth}", *tags(matrix, limits))
    target = tmp_path / "b.mkv"
    report = upscale_video(source, target, VideoOptions(codec="ffv1"), upscaler=up)
    assert report.notes == (), "all is said, so nothing is assumed"
    made = planes_of(target, f"yuv444p{depth}", (192, 256))
    off = to_rgb(made, matrix, limits, bits)
    off -= to_rgb(planes, matrix, limits, bits).repeat(2, 0).repeat(2, 1)
    assert np.abs(off).mean() <= 0.5
    assert np.abs(off).max() <= 2
    line = next(text for text in listing(target) if "Video:" in text)
    named = "bt709" if matrix == "bt709" else f"{matrix}/bt709/bt709"
    assert f"({limits}, {named}" in line


@pytest.mark.parametrize("limits", ["tv", "pc"])
@pytest.mark.parametrize("matrix", list(LUMA))
@pytest.mark.parametrize("bits", [8, 10])
def test_no_colour_is_moved_in_420(
    tmp_path: Path, up: Upscaler, matrix: str, limits: str, bits: int
) -> None:
    depth = "10le" if bits == 10 else ""
    rows, columns = np.mgrid[0:96, 0:128]
    soft = np.stack([40 + columns, 60 + rows, 200 - columns / 2 - rows / 2], -1)
    luma, *chroma = to_yuv(soft, matrix, limits, bits)
    small = [np.rint(plane.reshape(48, 2, 64, 2).mean((1, 3))) for plane in chroma]
    given = [luma, *small]
    source = write(tmp_path / "a.mkv", given, f"yuv420p{depth}", *tags(matrix, limits))
    target = tmp_path / "b.mkv"
    upscale_video(source, target, VideoOptions(codec="ffv1"), upscaler=up)
    made = to_rgb(planes_of(target, f"yuv420p{depth}", (192, 256)), matrix, limits, bits)
    wide = [luma, *(plane.repeat(2, 0).repeat(2, 1) for plane in small)]
    wanted = to_rgb(wide, matrix, limits, bits).repeat(2, 0).repeat(2, 1)
    bias = (made - wanted)[8:-8, 8:-8].mean((0, 1))
    assert np.abs(bias).max() <= 0.3


@pytest.mark.parametrize("codec", ["x264", "x265", "vp9", "svtav1"])
@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_tags_are_in_every_codec_and_container(
    tmp_path: Path, up: Upscaler, codec: str, suffix: str
) -> None:
    planes = to_yuv(patches(), "bt709", "tv", 8)
    small = [planes[0], *(plane[::2, ::2] for plane in planes[1:])]
    source = write(tmp_path / "a.mkv", small, "yuv420p", *tags("bt709", "tv"))
    target = tmp_path / f"b{suffix}"
    upscale_video(source, target, VideoOptions(codec=codec), upscaler=up)
    line = next(text for text in listing(target) if "Video:" in text)
    assert "(tv, bt709" in line


def shown(width: int, height: int, pix_fmt: str = "yuv420p") -> Shown:
    return Shown(0, 1, pix_fmt, "left", Fraction(1), width, height, "P")


def footage(first: Shown, rate: str = "24", **said: str) -> Footage:
    words = {"range": "", "matrix": "", "primaries": "", "transfer": ""} | said
    video = Stream(0, "Video", "h264", "", ())
    return Footage(
        path=Path("a.mkv"),
        format="matroska",
        start_s=Fraction(0),
        duration_s=None,
        streams=(video,),
        video=video,
        shown=first,
        base=Fraction(1, 1000),
        rate=Fraction(rate),
        side_data=(),
        rotation=0.0,
        apple={},
        **words,
    )


@pytest.mark.parametrize(
    ("width", "height", "rate", "matrix"),
    [
        (720, 480, "30000/1001", "smpte170m"),
        (720, 576, "25", "bt470bg"),
        (640, 360, "25", "bt470bg"),
        (1024, 576, "24", "bt470bg"),
        (1280, 534, "24", "bt709"),
        (960, 720, "24", "bt709"),
        (3840, 2160, "24", "bt709"),
    ],
)
def test_a_silent_source_is_taken_by_its_size(
    width: int, height: int, rate: str, matrix: str
) -> None:
    colour = colour_of(footage(shown(width, height), rate))
    assert (colour.matrix, colour.range) == (matrix, "tv")
    assert colour.assumed == ("matrix", "range", "primaries", "transfer")
    assert "assumed" in str(colour)


def test_what_the_source_says_wins_and_the_caller_over_it() -> None:
    said = footage(shown(720, 576), range="pc", matrix="bt709", primaries="bt709", transfer="bt709")
    assert colour_of(said).matrix == "bt709"
    assert colour_of(said).assumed == ()
    assert colour_of(said, matrix="bt601", limits="tv").matrix == "smpte170m"
    assert colour_of(said, matrix="bt601", limits="tv").range == "tv"


def test_primaries_tell_of_the_matrix() -> None:
    assert colour_of(footage(shown(64, 48), primaries="bt2020")).matrix == "bt2020nc"


def test_jpeg_formats_are_full_range() -> None:
    assert colour_of(footage(shown(64, 48, "yuvj420p"))).range == "pc"


def test_a_matrix_that_cannot_be_read_is_told() -> None:
    with pytest.raises(VideoError, match="ictcp"):
        colour_of(footage(shown(64, 48), matrix="ictcp"))


def test_words_for_no_colour_are_refused() -> None:
    for words in ({"matrix": "bt999"}, {"limits": "half"}):
        with pytest.raises(OptionError, match="expected one of"):
            colour_of(footage(shown(64, 48)), **words)


def test_rgb_goes_into_rgb_to_the_bit(tmp_path: Path, up: Upscaler) -> None:
    values = np.rint(patches())
    source = write(tmp_path / "a.mkv", [values[..., k] for k in (1, 2, 0)], "gbrp")
    target = tmp_path / "b.mkv"
    upscale_video(source, target, VideoOptions(codec="ffv1"), upscaler=up)
    raw = ffmpeg("-i", str(target), "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    made = np.frombuffer(raw, np.uint8).reshape(192, 256, 3)
    assert np.array_equal(made, values.repeat(2, 0).repeat(2, 1))


@pytest.mark.parametrize("curve", ["smpte2084", "arib-std-b67"])
def test_hdr_keeps_its_curve_and_its_bits(tmp_path: Path, up: Upscaler, curve: str) -> None:
    planes = to_yuv(patches(), "bt2020nc", "tv", 10)
    hdr = tags("bt2020nc", "tv", "bt2020", curve)
    source = write(tmp_path / "a.mkv", planes, "yuv444p10le", *hdr)
    report = upscale_video(source, tmp_path / "b.mkv", upscaler=up)
    assert report.notes == ()
    made = examine(tmp_path / "b.mkv")
    assert (made.transfer, made.primaries, made.matrix) == (curve, "bt2020", "bt2020nc")
    assert made.shown.format == "yuv444p10le"


DISPLAY = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"


def test_the_graded_display_is_told_on(tmp_path: Path, up: Upscaler) -> None:
    source, target = tmp_path / "a.mkv", tmp_path / "b.mkv"
    params = f"log-level=error:hdr10=1:master-display={DISPLAY}:max-cll=1000,400"
    params += ":colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:range=limited"
    pattern = "testsrc2=size=64x48:duration=0.2,format=yuv420p10le"
    ffmpeg("-f", "lavfi", "-i", pattern, "-c:v", "libx265", "-x265-params", params, str(source))
    assert upscale_video(source, target, upscaler=up).notes == ()
    told = f"master-display={DISPLAY}:max-cll=1000,400"
    assert mastering(examine(source).side_data) == told
    assert mastering(examine(target).side_data) == told
    report = upscale_video(source, tmp_path / "c.mkv", VideoOptions(codec="vp9"), upscaler=up)
    assert report.notes == ("the HDR metadata of the display is left out: vp9 takes none",)
