"""Pixel formats: each that ffmpeg knows is taken for what it is, and its numbers are kept."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
import pytest
from clips import clip, ffmpeg, frame_size, frames, listing
from numpy.typing import NDArray

from liveaction_onnx import OptionError, Upscaler, VideoOptions, upscale_video
from liveaction_onnx.colour import Colour, from_rgb, to_rgb
from liveaction_onnx.footage import examine
from liveaction_onnx.layouts import Layout, layout_of
from liveaction_onnx.pipe import upscale_y4m
from liveaction_onnx.treatment import plan

Array = NDArray[Any]

BT709 = Colour("bt709", "tv", "bt709", "bt709", "left", ())
GBR = replace(BT709, matrix="gbr", range="pc")
SIZE = 16
HELD = {"444": (1, 1), "422": (2, 1), "420": (2, 2)}
"""Px across and down that share a sample of chroma."""

RED = (204, 51, 85)
"""A colour whose channels are told apart."""


@cache
def readable() -> dict[str, str]:
    """The pixel formats that this ffmpeg converts from, and their flags."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-pix_fmts"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {name: flags for flags, name in re.findall(r"^(I\S{4}) (\w+) ", told, re.M)}


def coded() -> list[Layout]:
    """Those of luma and chroma."""
    found = [layout_of(name) for name in readable()]
    return [layout for layout in found if not layout.rgb and not layout.grey]


def sizes(zeros: Path, names: Sequence[str], width: int, height: int) -> Array:
    """Bytes of a frame of each format, as ffmpeg's reader of raw frames counts them."""
    inputs, maps = [], []
    for number, name in enumerate(names):
        inputs += ["-f", "rawvideo", "-pix_fmt", name, "-s", f"{width}x{height}", "-i", str(zeros)]
        maps += ["-map", str(number)]
    told = ffmpeg(*inputs, *maps, "-c", "copy", "-frames:v", "1", "-f", "framecrc", "-").decode()
    rows = [line.split(",") for line in told.splitlines() if not line.startswith("#")]
    found = {int(row[0]): int(row[4]) for row in rows}
    return np.array([found[number] for number in range(len(names))])


def test_chroma_is_shared_as_frames_are_laid_out(tmp_path: Path) -> None:
    """A single column of 4:2:2 takes as many bytes as two: so it shows which px share a sample."""
    zeros = tmp_path / "zeros"
    zeros.write_bytes(bytes(1024))
    layouts = coded()
    names = [layout.name for layout in layouts]
    assert len(names) > 100
    whole = sizes(zeros, names, 4, 4)
    shared = []
    for one, two in (((1, 4), (2, 4)), ((4, 1), (4, 2))):
        alone = 4 * sizes(zeros, names, *one) == whole
        pairs = 2 * sizes(zeros, names, *two) == whole
        shared.append(np.where(alone, 1, np.where(pairs, 2, 4)).tolist())
    found = dict(zip(names, zip(*shared, strict=True), strict=True))
    assert {layout.name: layout.shared for layout in layouts} == found
    for layout in layouts:
        kept = np.array(HELD[layout.chroma])
        assert layout.chroma == "420" or (kept <= layout.shared).all(), layout
        assert layout.shared == (4, 4) or (kept <= layout.shared).all(), layout


def test_bits_are_those_of_the_name() -> None:
    """Where it has a number of bits in it; greys and RGB, too."""
    for name in readable():
        said = re.search(r"(?:p|gray|ya|y2|xyz|bayer_....)(8|9|1[0246])(?:msb)?[lb]e$", name)
        if said:
            assert layout_of(name).depth == int(said[1]), name
    packed = {"v30xle": 10, "xv30le": 10, "xv36le": 12, "xv48le": 16, "nv20le": 10, "p010le": 10}
    packed |= {"y216le": 16, "rgb48le": 16, "rgba64be": 16, "x2rgb10le": 10, "bayer_rggb8": 8}
    assert {name: layout_of(name).depth for name in packed} == packed


def through(source: str, chains: Sequence[str]) -> Array:
    """(N, SIZE, SIZE, 3) in [0, 1]: what each chain of filters makes of ffmpeg's own frame."""
    made = []
    for first in range(0, len(chains), 40):
        some = chains[first : first + 40]
        ends = [f"{chain},format=rgb48le[o{number}]" for number, chain in enumerate(some)]
        starts = "".join(f"[i{number}]" for number in range(len(some)))
        graph = f"{source},split={len(some)}{starts};"
        graph += ";".join(f"[i{number}]{end}" for number, end in enumerate(ends)) + ";"
        graph += starts.replace("i", "o") + f"vstack=inputs={len(some)}"
        words = ["-filter_complex", graph, "-frames:v", "1", "-f", "rawvideo", "-"]
        made.append(np.frombuffer(ffmpeg(*words), "<u2") / 65535)
    return np.concatenate(made).reshape(-1, SIZE, SIZE, 3)


def test_a_colour_comes_through_every_format() -> None:
    names = [name for name, flags in readable().items() if flags[1] == "O"]
    layouts = [layout_of(name) for name in names if "xyz" not in name]
    layouts = [layout for layout in layouts if layout.depth >= 8 and not layout.grey]
    assert len(layouts) > 140
    convert = "scale=out_color_matrix=bt709:out_range={}:flags=accurate_rnd,format={},{}"
    chains = []
    for layout in layouts:
        limits = "pc" if layout.rgb or "yuvj" in layout.name else "tv"
        colour = GBR if layout.rgb else replace(BT709, range=limits)
        chains.append(convert.format(limits, layout.name, to_rgb(colour, layout)))
    red = f"color=0x{bytes(RED).hex()}:size={SIZE}x{SIZE},format=gbrp"
    seen = through(red, chains)[:, 8, 8] * 255
    for layout, colour in zip(layouts, seen, strict=True):
        assert np.abs(colour - RED).max() <= 4, layout


def test_packed_pixels_are_read_as_planes_of_the_same_numbers() -> None:
    """Random ones; ffmpeg packs them without loss, as it converts neither chroma nor bits."""
    digits = {(1, 1): "444", (2, 1): "422", (2, 2): "420"}
    names, chains = [], []
    for layout in coded():
        if layout.shared in digits and readable()[layout.name][1] == "O":
            deep = f"{layout.depth}le" if layout.depth > 8 else ""
            plain = f"yuv{digits[layout.shared]}p{deep}"
            any_number = f"{2**layout.depth - 1}*random(1)"
            made = f"format={plain},geq={any_number}:{any_number}:{any_number}"
            if layout.name != plain and "yuvj" not in layout.name:
                names.append(layout.name)
                chains.append(f"{made},format={layout.name},{to_rgb(BT709, layout)}")
                chains.append(f"{made},{to_rgb(BT709, layout_of(plain))}")
    assert len(names) > 70
    seen = through(f"testsrc2=size={SIZE}x{SIZE}", chains)
    for name, packed, planes in zip(names, seen[::2], seen[1::2], strict=True):
        assert packed.std() > 0.1
        assert np.array_equal(packed, planes), name


def test_nvenc_gets_the_numbers_of_other_encoders() -> None:
    plain, packed = layout_of("yuv420p10le"), layout_of("p010le")
    colours = f"testsrc2=size={SIZE}x{SIZE},format=rgb24"
    ends = [
        f"{from_rgb(BT709, to, deep=False, sar=Fraction(1), unsaid=False)},{to_rgb(BT709, plain)}"
        for to in (plain, packed)
    ]
    assert np.array_equal(*through(colours, ends))


GREYS = ["gray", "ya8", *(f"gray{bits}le" for bits in (9, 10, 12, 14, 16)), "gray16be", "ya16le"]


@pytest.mark.parametrize("limits", ["tv", "pc"])
@pytest.mark.parametrize("name", GREYS)
def test_grey_is_read_and_written_in_its_own_range(name: str, limits: str) -> None:
    layout = layout_of(name)
    top = 2**layout.depth - 1
    values = np.linspace(0.1, 0.9, SIZE * SIZE).reshape(SIZE, SIZE)
    colour = replace(BT709, range=limits)
    scaled = values * top if limits == "pc" else (16 + 219 * values) * 2 ** (layout.depth - 8)
    dtype = "u1" if layout.depth == 8 else ">u2" if name.endswith("be") else "<u2"
    numbers = np.rint(scaled).astype(dtype)
    data = np.stack([numbers] * 2, -1).astype(dtype) if layout.alpha else numbers
    raw = ["-f", "rawvideo", "-s", f"{SIZE}x{SIZE}", "-pix_fmt"]
    deep = layout.depth > 8
    packed, kind, most = ("rgb48le", "<u2", 65535) if deep else ("rgb24", "u1", 255)
    chain = f"setparams=range={limits},{to_rgb(colour, layout)}"
    out = [*raw, packed, "-"]
    seen = ffmpeg(*raw, name, "-i", "-", "-vf", chain, *out, data=data.tobytes())
    rgb = np.frombuffer(seen, kind).reshape(SIZE, SIZE, 3)
    rounding = 0.5 / min(top, 219 * 2 ** (layout.depth - 8)) + 0.5 / most
    assert np.abs(rgb / most - values[..., None]).max() <= 1.01 * rounding
    plain = replace(layout, alpha=False, name=name.replace("ya", "gray").replace("gray8", "gray"))
    back = from_rgb(colour, plain, deep=deep, sar=Fraction(1), unsaid=False)
    made = ffmpeg(*raw, packed, "-i", "-", "-vf", back, *raw, plain.name, "-", data=seen)
    assert np.abs(np.frombuffer(made, dtype).reshape(SIZE, SIZE) - numbers.astype(int)).max() <= 1


SOFT = "testsrc2=size={}:rate=25:duration=0.12,format=yuv444p,hue=s=0.3,gblur=sigma=4"
"""Without 4:4:4 it would have even sides, whatever is asked."""


@pytest.mark.parametrize("name", ["yuv420p", "yuv411p", "yuv422p10le", "yuv420p16le"])
def test_odd_sides_are_written_and_read_again(name: str) -> None:
    """A smooth picture of 65 x 49 px, as graphs of 3x make them of streams."""
    layout = layout_of(name)
    rows, columns = np.mgrid[0:49, 0:65]
    rgb = np.stack([60 + columns, 90 + rows, 180 - rows - columns / 2], -1) * 257
    lacking = layout.lacking(65, 49)
    out = from_rgb(BT709, layout, deep=True, sar=Fraction(1), unsaid=False, lacking=lacking)
    raw = ["-f", "rawvideo", "-s", "65x49", "-pix_fmt"]
    given = rgb.astype("<u2")
    made = ffmpeg(*raw, "rgb48le", "-i", "-", "-vf", out, *raw, name, "-", data=given.tobytes())
    back = to_rgb(BT709, layout, lacking=lacking) + ",format=rgb48le"
    seen = ffmpeg(*raw, name, "-i", "-", "-vf", back, *raw, "rgb48le", "-", data=made)
    off = np.frombuffer(seen, "<u2").reshape(49, 65, 3) - rgb
    assert np.abs(off).max() / 257 <= 3


RAMP = 1.5
"""Levels a px."""


@pytest.mark.parametrize("size", [(64, 52), (65, 49), (66, 50), (67, 51)])
@pytest.mark.parametrize("name", ["yuv420p", "yuv422p", "yuv440p", "yuv411p", "yuv410p"])
def test_chroma_lies_where_it_lay_at_any_size(name: str, size: tuple[int, int]) -> None:
    """Samples lie at the first of their px, and in the middle of their rows: MPEG-2's, and zimg's
    for the rest. Two slopes, across and down, say where they came to lie.
    """
    width, height = size
    layout = layout_of(name)
    across, down = layout.shared
    columns, rows = across * np.arange(-(-width // across)), down * np.arange(-(-height // down))
    u, v = np.broadcast_arrays(
        80 + RAMP * (rows + (down - 1) / 2)[:, None], 80 + RAMP * columns[None]
    )
    planes = [np.full((height, width), 126.0), u, v]
    data = b"".join(np.rint(plane).astype(np.uint8).tobytes() for plane in planes)
    bt601 = replace(BT709, matrix="smpte170m")
    chain = to_rgb(bt601, layout, lacking=layout.lacking(*size))
    words = ["-f", "rawvideo", "-pix_fmt", name, "-s", f"{width}x{height}", "-i", "-", "-vf", chain]
    raw = ffmpeg(*words, "-f", "rawvideo", "-", data=data)
    rgb = np.frombuffer(raw, np.uint8).reshape(height, width, 3) / 255
    luma = rgb @ (0.299, 0.587, 0.114)
    inside = (slice(8, -8), slice(8, -8))
    blue = (128 + 224 / 1.772 * (rgb[..., 2] - luma))[inside].mean(1)
    red = (128 + 224 / 1.402 * (rgb[..., 0] - luma))[inside].mean(0)
    wanted = 80 + RAMP * np.arange(max(size))
    assert np.abs(blue - wanted[8 : height - 8]).max() < RAMP / 2
    assert np.abs(red - wanted[8 : width - 8]).max() < RAMP / 2


def exact(path: Path) -> Array:
    """(N, H, W, 3) in [0, 255], by numbers that are not rounded on the way."""
    whole = "scale=flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp,format=yuv444p16le"
    height, width = frame_size(path)
    raw = ffmpeg("-i", str(path), "-vf", whole, "-f", "rawvideo", "-")
    luma, *chroma = np.moveaxis(np.frombuffer(raw, "<u2").reshape(-1, 3, height, width), 1, 0)
    y = (luma / 256 - 16) / 219
    u, v = ((plane / 256 - 128) / 224 for plane in chroma)
    rgb = [y + 1.402 * v, y - 0.344136 * u - 0.714136 * v, y + 1.772 * u]
    return 255 * np.stack(rgb, -1)


@pytest.mark.parametrize(
    ("pix_fmt", "codec", "size", "name"),
    [
        ("yuv410p", "svq1", "94x74", "a.mov"),
        ("yuv411p", "ffvhuff", "66x50", "a.avi"),
        ("yuv411p", "ffvhuff", "65x49", "a.avi"),
        ("yuv410p", "ffv1", "66x52", "a.mkv"),
        ("yuv420p", "ffv1", "65x49", "a.mkv"),
        ("yuv422p10le", "ffv1", "65x49", "a.mkv"),
        ("yuv440p", "ffv1", "65x49", "a.mkv"),
    ],
)
def test_samples_of_chroma_without_all_of_their_px(
    tmp_path: Path, up: Upscaler, pix_fmt: str, codec: str, size: str, name: str
) -> None:
    source, target = tmp_path / name, tmp_path / "b.mkv"
    ffmpeg("-f", "lavfi", "-i", SOFT.format(size), "-pix_fmt", pix_fmt, "-c:v", codec, str(source))
    assert examine(source).shown.format == pix_fmt
    upscale_video(source, target, VideoOptions(codec="ffv1", matrix="bt601"), upscaler=up)
    given, made = exact(source), exact(target)
    assert f"{given.shape[2]}x{given.shape[1]}" == size
    assert made.shape[1:3] == tuple(2 * side for side in given.shape[1:3])
    assert np.abs(made.mean((0, 1, 2)) - given.mean((0, 1, 2))).max() < 1
    assert np.abs(made[:, ::2, ::2] - given).mean() < 2


@pytest.mark.parametrize("size", ["64x48", "66x50", "65x49"])
def test_four_px_of_a_row_share_chroma_in_a_stream(tmp_path: Path, up: Upscaler, size: str) -> None:
    words = ["-pix_fmt", "yuv411p", "-f", "yuv4mpegpipe", "-"]
    (tmp_path / "a.y4m").write_bytes(ffmpeg("-f", "lavfi", "-i", SOFT.format(size), *words))
    with (tmp_path / "a.y4m").open("rb") as source, (tmp_path / "b.y4m").open("wb") as target:
        assert upscale_y4m(source, target, upscaler=up) == 3
    given, made = (exact(tmp_path / name) for name in ("a.y4m", "b.y4m"))
    assert np.abs(made.mean((0, 1, 2)) - given.mean((0, 1, 2))).max() < 0.7


@pytest.mark.parametrize(
    ("pix_fmt", "encoded"),
    [
        ("v30xle", "yuv444p10le"),
        ("xv30le", "yuv444p10le"),
        ("uyva", "yuv444p10le"),
        ("vuya", "yuv444p10le"),
        ("ayuv", "yuv444p10le"),
        ("yuyv422", "yuv422p10le"),
        ("yuv440p", "yuv444p10le"),
        ("uyyvyy411", "yuv422p10le"),
        ("nv12", "yuv420p10le"),
    ],
)
def test_chroma_of_packed_pixels_is_kept(tmp_path: Path, pix_fmt: str, encoded: str) -> None:
    source = tmp_path / "a.nut"
    raw = bytes(64 * 48 * 8)
    words = ["-f", "rawvideo", "-pix_fmt", pix_fmt, "-s", "64x48", "-i", "-", "-frames:v", "1"]
    ffmpeg(*words, "-c", "copy", str(source), data=raw)
    work = plan(source, None, VideoOptions(), 2)
    assert (work.source_layout.name, work.encoding.layout.name) == (pix_fmt, encoded)


def test_xyz_of_digital_cinema_becomes_rgb(tmp_path: Path, up: Upscaler) -> None:
    source, target = tmp_path / "a.mxf", tmp_path / "b.mkv"
    film = SOFT.format("64x48").replace("25", "24") + ",format=rgb48le,format=xyz12le"
    code = ["-c:v", "libopenjpeg", "-cinema_mode", "2k_24"]
    ffmpeg("-f", "lavfi", "-i", film, "-pix_fmt", "xyz12le", *code, str(source))
    report = upscale_video(source, target, VideoOptions(codec="ffv1"), upscaler=up)
    assert [note for note in report.notes if note.startswith("its XYZ is")]
    assert examine(target).shown.format == "gbrp12le"
    given, made = (frames(path, "rgb48le").astype(float) / 257 for path in (source, target))
    assert np.abs(made[:, ::2, ::2] - given).max() <= 1


def test_floating_point_is_told_to_be_too_much(tmp_path: Path) -> None:
    source = tmp_path / "a.nut"
    words = ["-f", "rawvideo", "-pix_fmt", "gbrpf32le", "-s", "64x48", "-i", "-"]
    ffmpeg(*words, "-c", "copy", str(source), data=bytes(64 * 48 * 12))
    with pytest.raises(OptionError, match="would lose some of gbrpf32le"):
        plan(source, None, VideoOptions(codec="ffv1"), 2)


GLASS = SOFT.format("64x48") + ",format=rgba,colorchannelmixer=aa=0.5"


@pytest.mark.parametrize("suffix", [".mkv", ".webm"])
@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("libvpx-vp9 -pix_fmt yuva420p", "a.webm"),
        ("libvpx-vp9 -pix_fmt yuva420p", "a.mkv"),
        ("libvpx -pix_fmt yuva420p -auto-alt-ref 0", "a.webm"),
        ("qtrle -pix_fmt argb", "a.mov"),
        ("ffv1 -pix_fmt yuva444p", "a.mkv"),
    ],
)
def test_transparency_is_told_to_be_left_out(
    tmp_path: Path, up: Upscaler, code: str, name: str, suffix: str
) -> None:
    source, target = tmp_path / name, tmp_path / f"b{suffix}"
    ffmpeg("-f", "lavfi", "-i", GLASS, "-c:v", *code.split(), str(source))
    report = upscale_video(source, target, VideoOptions(codec="vp9"), upscaler=up)
    assert "the transparency of the video is left out" in report.notes
    assert not any("alpha_mode" in line.lower() for line in listing(target))


def test_of_what_is_opaque_no_transparency_is_told(tmp_path: Path) -> None:
    source = clip(tmp_path / "a.webm", seconds=0.2, codec=("libvpx-vp9",))
    notes = plan(source, None, VideoOptions(), 2).notes
    assert not any("transparency" in note for note in notes)
