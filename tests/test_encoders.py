"""Encoders: what they are told is taken or refused before any work, and containers hold them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from clips import clip, ffmpeg, nearest, times

from liveaction_onnx import (
    OptionError,
    TargetError,
    Upscaler,
    VideoOptions,
    asking,
    upscale_video,
)
from liveaction_onnx.choosing import check, choose
from liveaction_onnx.cli import main
from liveaction_onnx.encoders import CONTAINERS, ENCODERS, Encoding
from liveaction_onnx.exits import FAILED, OK, USAGE
from liveaction_onnx.footage import examine
from liveaction_onnx.layouts import layout_of

SOFTWARE = [codec for codec in ENCODERS if "nvenc" not in codec]
PLAIN = layout_of("yuv420p")


@pytest.mark.parametrize(
    ("codec", "name", "value", "match"),
    [
        ("x264", "x265-params", "crf=51", "x264 cannot encode here with 'x265-params'"),
        ("ffv1", "crf", "3", "ffv1 cannot encode here with 'crf'"),
        ("prores", "crf", "3", "prores cannot encode here with 'crf'"),
        ("vp9", "x264-params", "crf=3", "vp9 cannot encode here with 'x264-params'"),
        ("x265", "nosuch", "1", "x265 cannot encode here with 'nosuch'"),
        ("x264", "vf", "negate", "x264 cannot encode here with 'vf'"),
        ("x264", "map", "0", "x264 cannot encode here with 'map'"),
        ("x264", "r", "10", "x264 cannot encode here with 'r'"),
        ("x264", "x264-params", "nosuch=1", "Error parsing option 'nosuch = 1'"),
        ("x264", "x264-params", "me=zigzag:keyint=20", "Error parsing option 'me = zigzag'"),
        ("x264", "tune", "nosuch", "invalid tune|preset/tune"),
        ("x265", "x265-params", "nosuch=1", "Unknown option: nosuch"),
        ("x265", "x265-params", "me=zigzag", "Invalid value for me: zigzag"),
        ("svtav1", "svtav1-params", "nosuch=1", "Error parsing option nosuch: 1"),
        ("svtav1", "svtav1-params", "tune=99", "cannot encode here: "),
    ],
)
def test_what_an_encoder_would_do_without_is_refused(
    codec: str, name: str, value: str, match: str
) -> None:
    asked = VideoOptions(codec=codec, encoder_options={name: value})
    with pytest.raises(OptionError, match=match):
        choose(Path("b.mkv"), PLAIN, asked)
    with pytest.raises(OptionError, match=match):
        check(codec, asked)


@pytest.mark.parametrize(
    ("codec", "options"),
    [
        ("x264", {"tune": "film", "x264-params": "keyint=20:me=umh"}),
        ("x264", {"b:v": "3M", "maxrate": "4M", "bufsize": "4M", "threads": "2"}),
        ("x265", {"x265-params": "aq-mode=3:no-sao=1", "g": "20"}),
        ("svtav1", {"svtav1-params": "tune=0:film-grain=8"}),
        ("vp9", {"auto-alt-ref": "1", "lag-in-frames": "12"}),
        ("ffv1", {"coder": "1", "context": "1"}),
        ("prores", {"profile:v": "standard", "vendor": "apl0"}),
    ],
)
def test_what_an_encoder_takes_is_taken(codec: str, options: dict[str, str]) -> None:
    asked = VideoOptions(codec=codec, encoder_options=options)
    told = choose(Path("b.mkv"), PLAIN, asked).arguments()
    for name, value in options.items():
        at = told.index(f"-{name}")
        assert told[at + 1].endswith(value)


def test_options_for_layouts_that_a_source_may_have_are_no_wrong_usage() -> None:
    baseline = VideoOptions(encoder_options={"profile": "baseline"})
    check("x264", baseline)
    with pytest.raises(OptionError, match="cannot encode here"):
        check("x264", replace(baseline, pix_fmt="yuv444p"))


@pytest.mark.parametrize(("name", "tag"), [("yuv422p10le", b"apch"), ("yuv444p10le", b"ap4h")])
def test_prores_is_called_what_it_is(tmp_path: Path, name: str, tag: bytes) -> None:
    """422 HQ holds half of chroma, and 4444 all: editors go by the name."""
    encoding, film = Encoding("prores", layout_of(name), "mov"), tmp_path / "a.mov"
    picture = f"testsrc2=size=64x64:rate=25:duration=0.04,format={name}"
    ffmpeg("-f", "lavfi", "-i", picture, *encoding.arguments(), str(film))
    assert tag in film.read_bytes()


@pytest.mark.parametrize("codec", SOFTWARE)
def test_containers_hold_what_goes_into_them(tmp_path: Path, codec: str) -> None:
    """Every layout of every codec in each of its containers, and no codec in the others."""
    encoder = ENCODERS[codec]
    for name in encoder.layouts:
        encoding = Encoding(codec, layout_of(name), encoder.containers[0])
        segment = tmp_path / f"a.{encoder.segment}"
        picture = f"testsrc2=size=256x256:rate=25:duration=0.08,format={name}"
        ffmpeg("-f", "lavfi", "-i", picture, *encoding.arguments(), str(segment))
        for container in encoder.containers:
            whole = tmp_path / f"b.{container}"
            ffmpeg("-i", str(segment), "-c", "copy", "-f", container, str(whole))
            held, meant = layout_of(examine(whole).shown.format), encoding.layout
            if (codec, meant.chroma) == ("prores", "444"):  # as 4444, which has 12 bits
                meant = replace(meant, depth=12)
            for fact in ("chroma", "depth", "rgb"):
                assert getattr(held, fact) == getattr(meant, fact), (held, container)
            assert len(times(whole)) == 2
    for suffix in CONTAINERS:
        if CONTAINERS[suffix] not in encoder.containers:
            with pytest.raises(OptionError, match=f"{codec} does not go into {suffix}"):
                choose(Path(f"b{suffix}"), PLAIN, VideoOptions(codec=codec))


PAIRS = [
    (codec, suffix)
    for codec in SOFTWARE
    for suffix, container in CONTAINERS.items()
    if container in ENCODERS[codec].containers
]


@pytest.mark.slow
@pytest.mark.parametrize(("codec", "suffix"), PAIRS)
def test_every_pair_that_is_planned_is_written(
    tmp_path: Path, up: Upscaler, codec: str, suffix: str
) -> None:
    source, target = clip(tmp_path / "a.mkv", seconds=0.2, sound=True), tmp_path / f"b{suffix}"
    report = upscale_video(source, target, VideoOptions(codec=codec), upscaler=up)
    assert len(times(target)) == report.frames == 5


USAGES = [
    ["--crf", "99"],
    ["--segment", "0"],
    ["--duration", "0"],
    ["-c", "vp9", "--preset", "x"],
    ["-c", "ffv1", "--crf", "3"],
    ["-c", "x264", "-e", "x265-params=crf=3"],
    ["-c", "svtav1", "-o", "b.mov"],
    ["--pix-fmt", "rgb24"],
    ["--preview", "1", "--crf", "99"],
]


@pytest.mark.parametrize("words", USAGES, ids=" ".join)
def test_wrong_usage_ends_the_command_before_anything_is_done(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.mkv").write_bytes(b"no video")
    (tmp_path / "c.png").write_bytes(b"no picture")
    output = [] if "-o" in words else ["-o", "out"]
    files = ["a.mkv"] if "-o" in words else ["c.png", "a.mkv"]
    assert main([*files, *output, "-d", "cpu", *words]) == USAGE
    assert capsys.readouterr().err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mkv", "c.png"]


def test_what_one_video_cannot_be_treated_with_is_its_own_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nearest.onnx").write_bytes(nearest())
    clip(Path("a.mkv"), seconds=0.2)
    clip(Path("b.mkv"), seconds=0.2, width=66)
    clip(Path("c.mov"), seconds=0.2)
    words = ["-d", "cpu", "--model", "nearest.onnx", "-q", "-c", "svtav1"]
    assert main(["c.mov", "a.mkv", *words]) == FAILED
    assert "svtav1 does not go into .mov" in capsys.readouterr().err
    assert Path("a_2x.mkv").exists()
    assert main(["b.mkv", "--undouble", *words]) == FAILED
    assert main(["b.mkv", "--start", "5", *words]) == FAILED
    assert main(["b.mkv", *words]) == OK


def test_crf_of_one_of_two_codecs_is_no_wrong_usage(tmp_path: Path) -> None:
    """60 is one of VP9 and none of x265, and the ending of each source tells which it gets."""
    sources = [tmp_path / "a.webm", tmp_path / "b.mkv"]
    asking.check(sources, None, VideoOptions(crf=60))
    asking.check(sources[:1], None, VideoOptions(crf=60))
    with pytest.raises(OptionError):
        asking.check(sources[1:], None, VideoOptions(crf=60))
    with pytest.raises(TargetError, match="ends in"):
        asking.check(sources, tmp_path / "b.xyz", VideoOptions())
