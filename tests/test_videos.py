"""A video file to a video file: times, shape, streams."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import clip, ffmpeg, frame_size, frames, listing, nearest, times

from liveaction_onnx import FfmpegError, OptionError, Upscaler, VideoOptions, upscale_video
from liveaction_onnx.fields import Doubled, Lines, Order
from liveaction_onnx.footage import examine
from liveaction_onnx.listing import Stream
from liveaction_onnx.muxing import check
from liveaction_onnx.streams import Kept, Streams
from liveaction_onnx.treatment import mended, plan

FAST = VideoOptions(codec="x264", preset="ultrafast")
EXACT = VideoOptions(codec="ffv1")


def off(one: list[Fraction], other: list[Fraction]) -> float:
    """The greatest difference of two lists of times, in milliseconds."""
    assert len(one) == len(other)
    return max(float(abs(a - b)) * 1000 for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    "rate",
    [
        "24000/1001",
        "25",
        pytest.param("30000/1001", marks=pytest.mark.slow),
        pytest.param("60", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("source_ends", [".mkv", ".mp4"])
@pytest.mark.parametrize("target_ends", [".mkv", ".mp4"])
def test_times_of_constant_rates(
    tmp_path: Path, up: Upscaler, rate: str, source_ends: str, target_ends: str
) -> None:
    source = clip(tmp_path / f"a{source_ends}", rate=rate, seconds=1.5, sound=True)
    target = tmp_path / f"b{target_ends}"
    report = upscale_video(source, target, FAST, upscaler=up)
    assert report.frames == len(times(source))
    assert off(times(target), times(source)) <= 1
    assert off(times(target, "a:0"), times(source, "a:0")) <= 1
    if target_ends == ".mp4":
        ideal = [times(target)[0] + k / Fraction(rate) for k in range(report.frames)]
        assert off(times(target), ideal) < 0.1, "exact where the source has milliseconds only"


@pytest.mark.parametrize("codec", ["x264", "x265", "vp9", "svtav1", "ffv1"])
def test_every_codec_keeps_frames_and_times(tmp_path: Path, up: Upscaler, codec: str) -> None:
    source = clip(tmp_path / "a.mkv", rate="24000/1001", seconds=2)
    target = tmp_path / "b.mkv"
    options = VideoOptions(codec=codec, segment_frames=10)
    upscale_video(source, target, options, upscaler=up)
    assert off(times(target), times(source)) <= 1
    seen = frames(target).astype(int)
    wanted = frames(source).astype(int).repeat(2, 1).repeat(2, 2)
    assert np.abs(seen - wanted).mean() < 2.5
    for k in range(0, len(seen), 7):
        apart = np.abs(wanted - seen[k]).mean((1, 2, 3))
        assert abs(int(apart.argmin()) - k) <= 3, "each is its own frame, not another"


def variable(path: Path) -> Path:
    """Frames of different lengths, with B-frames, from half a second on, and sound."""
    kept = "select=not(mod(n\\,7))+lt(n\\,40)*not(mod(n\\,2))+gt(n\\,70),setpts=PTS+0.5/TB"
    return clip(path, "-vf", kept, "-fps_mode", "vfr", rate="30", seconds=3, sound=True)


@pytest.mark.parametrize("source_ends", [".mkv", ".mp4"])
@pytest.mark.parametrize("target_ends", [".mkv", ".mp4"])
@pytest.mark.parametrize("codec", ["x264", "x265"])
def test_times_of_a_variable_rate(
    tmp_path: Path, up: Upscaler, source_ends: str, target_ends: str, codec: str
) -> None:
    source, target = variable(tmp_path / f"a{source_ends}"), tmp_path / f"b{target_ends}"
    options = VideoOptions(codec=codec, segment_frames=7)
    upscale_video(source, target, options, upscaler=up)
    assert len({b - a for a, b in zip(times(source), times(source)[1:], strict=False)}) > 2
    assert off(times(target), times(source)) <= 1
    assert off(times(target, "a:0"), times(source, "a:0")) <= 1


def test_a_transport_stream_begins_at_nothing_in_step(tmp_path: Path, up: Upscaler) -> None:
    source, target = clip(tmp_path / "a.ts", sound=True), tmp_path / "b.mkv"
    upscale_video(source, target, FAST, upscaler=up)
    assert times(source)[0] > 1, "its clock begins somewhere"
    first = min(times(source)[0], times(source, "a:0")[0])
    assert off(times(target), [time - first for time in times(source)]) <= 1
    assert off(times(target, "a:0"), [time - first for time in times(source, "a:0")]) <= 1


@pytest.mark.parametrize("container", ["mpegts", "vob"])
def test_frames_shown_before_the_first_keyframe_begin_at_nothing(
    tmp_path: Path, up: Upscaler, container: str
) -> None:
    """As films of discs and of television do, whose start ffmpeg takes for that of the keyframe."""
    mpeg2 = ("mpeg2video", "-bf", "2", "-g", "12")
    stream = clip(tmp_path / "a.m2v", "-f", "mpeg2video", codec=mpeg2).read_bytes()
    group = bytearray(stream[stream.index(b"\0\0\1\xb3", 4) :])
    group[group.index(b"\0\0\1\xb8") + 7] |= 0x40  # closed: all can be decoded
    (tmp_path / "b.m2v").write_bytes(group)
    source = tmp_path / f"b.{container}"
    words = ["-fflags", "+genpts", "-r", "25", "-i", str(tmp_path / "b.m2v"), "-c", "copy"]
    ffmpeg(*words, "-f", container, str(source))
    done = upscale_video(source, tmp_path / "c.mkv", VideoOptions(codec="x264"), upscaler=up)
    assert times(done.target) == [Fraction(n, 25) for n in range(done.frames)]


def test_one_frame_begins_at_nothing(tmp_path: Path, up: Upscaler) -> None:
    """A transport stream of a single frame may not say where it starts."""
    source, pattern = tmp_path / "a.ts", "testsrc2=size=64x48:rate=25"
    ffmpeg("-f", "lavfi", "-i", pattern, "-frames:v", "1", "-c:v", "mpeg2video", str(source))
    told = listing(source)
    assert any("mpegts" in line for line in told)
    assert any("Duration: N/A, bitrate" in line for line in told)
    target = tmp_path / "b.mkv"
    upscale_video(source, target, FAST, upscaler=up)
    assert times(target) == [0]


def test_a_stream_without_times(tmp_path: Path, up: Upscaler) -> None:
    source, target = clip(tmp_path / "a.h264", rate="25"), tmp_path / "b.mkv"
    upscale_video(source, target, FAST, upscaler=up)
    assert off(times(target), [Fraction(k, 25) for k in range(25)]) <= 1


def test_an_edit_list_is_followed(tmp_path: Path, up: Upscaler) -> None:
    whole = clip(tmp_path / "whole.mp4", "-g", "5", seconds=2, sound=True)
    source, target = tmp_path / "a.mp4", tmp_path / "b.mp4"
    ffmpeg("-ss", "0.5", "-i", str(whole), "-c", "copy", str(source))  # cut between keyframes
    upscale_video(source, target, EXACT if target.suffix == ".mkv" else FAST, upscaler=up)
    shown = frames(source)
    made = frames(target).astype(int)
    assert len(made) == len(shown)
    assert np.abs(made - shown.repeat(2, 1).repeat(2, 2)).mean() < 2.5


@pytest.mark.parametrize("codec", ["ffv1", "x264"])
@pytest.mark.parametrize("start_s", [0.0, 0.5, 0.9])
def test_a_part_is_taken(tmp_path: Path, up: Upscaler, start_s: float, codec: str) -> None:
    source, target = clip(tmp_path / "a.mkv", seconds=2, sound=True), tmp_path / "b.mkv"
    options = VideoOptions(codec=codec, start_s=start_s, duration_s=0.6)
    report = upscale_video(source, target, options, upscaler=up)
    assert report.frames == 15
    first = round(start_s * 25 + 0.49)
    wanted = frames(source)[first : first + 15].repeat(2, 1).repeat(2, 2)
    assert np.abs(frames(target).astype(int) - wanted).mean() < 2.5
    assert times(target)[0] <= Fraction(1, 25)
    assert times(target, "a:0")[-1] < 0.7


def test_exact_frames_through_exact_steps(tmp_path: Path, up: Upscaler) -> None:
    source, target = clip(tmp_path / "a.mkv"), tmp_path / "b.mkv"
    upscale_video(source, target, EXACT, upscaler=up)
    first, second = (ffmpeg("-i", str(p), "-f", "rawvideo", "-") for p in (source, target))
    small = np.frombuffer(first, np.uint8).reshape(25, -1)[:, : 64 * 48].reshape(25, 48, 64)
    big = np.frombuffer(second, np.uint8).reshape(25, -1)[:, : 4 * 64 * 48].reshape(25, 96, 128)
    assert np.abs(big.astype(int) - small.repeat(2, 1).repeat(2, 2)).max() <= 2, "luma, by level"


@pytest.mark.parametrize(("sar", "told"), [("64/45", "64:45"), ("8/9", "8:9"), ("1/1", "1:1")])
@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_the_shape_of_px_stays(
    tmp_path: Path, up: Upscaler, sar: str, told: str, suffix: str
) -> None:
    source = clip(tmp_path / "a.mkv", "-vf", f"setsar={sar}", seconds=0.2)
    upscale_video(source, tmp_path / f"b{suffix}", FAST, upscaler=up)
    line = next(text for text in listing(tmp_path / f"b{suffix}") if "Video:" in text)
    assert f"SAR {told}" in line


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_rotation_is_honoured_once(tmp_path: Path, up: Upscaler, turn: int) -> None:
    flat = clip(tmp_path / "flat.mp4", seconds=0.2)
    source, target = tmp_path / "a.mp4", tmp_path / "b.mp4"
    ffmpeg("-display_rotation", str(turn), "-i", str(flat), "-c", "copy", str(source))
    upscale_video(source, target, FAST, upscaler=up)
    upright = frames(source)
    assert upright.shape[1:3] == ((64, 48) if turn % 180 else (48, 64))
    assert np.abs(frames(target).astype(int) - upright.repeat(2, 1).repeat(2, 2)).mean() < 2.5
    assert not any("displaymatrix" in text for text in listing(target))


@pytest.mark.parametrize(("width", "height"), [(65, 49), (64, 49), (65, 48), (17, 9)])
def test_odd_sizes(tmp_path: Path, up: Upscaler, width: int, height: int) -> None:
    source = clip(
        tmp_path / "a.mkv", "-vf", f"scale={width}:{height}", seconds=0.2, codec=("ffv1",)
    )
    target = tmp_path / "b.mkv"
    upscale_video(source, target, FAST, upscaler=up)
    assert frame_size(target) == (2 * height, 2 * width)


@pytest.mark.parametrize(
    ("given", "codec", "kept"),
    [
        ("yuv420p", "x265", "yuv420p10le"),
        ("yuv422p", "x265", "yuv422p10le"),
        ("yuv444p", "x264", "yuv444p"),
        ("yuv420p10le", "x264", "yuv420p10le"),
        ("yuv422p10le", "x265", "yuv422p10le"),
        ("yuv444p12le", "x265", "yuv444p12le"),
        ("yuv411p", "ffv1", "yuv422p"),
        ("gray", "x264", "yuvj420p"),
    ],
)
def test_chroma_and_bits_are_kept_or_raised(
    tmp_path: Path, up: Upscaler, given: str, codec: str, kept: str
) -> None:
    source = tmp_path / "a.mkv"
    pattern = "testsrc2=size=64x48:rate=25:duration=0.2"
    ffmpeg("-f", "lavfi", "-i", pattern, "-pix_fmt", given, "-c:v", "ffv1", str(source))
    upscale_video(source, tmp_path / "b.mkv", VideoOptions(codec=codec), upscaler=up)
    assert examine(tmp_path / "b.mkv").shown.format == kept


def rich(path: Path) -> Path:
    """Two sounds, subtitles, chapters, a font, a cover, tags and dispositions."""
    folder = path.parent
    (folder / "s.srt").write_text("1\n00:00:00,200 --> 00:00:00,900\nHello\n")
    (folder / "font.ttf").write_bytes(b"\0\1\0\0 not quite a font" * 100)
    (folder / "m.txt").write_text(
        ";FFMETADATA1\ntitle=Film\nartist=Somebody\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=400\ntitle=One\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=400\nEND=1000\ntitle=Two\n"
    )
    words = ["-f", "lavfi", "-i", "testsrc2=size=64x48:rate=25:duration=1"]
    for pitch in (300, 500):
        words += ["-f", "lavfi", "-i", f"sine=frequency={pitch}:duration=1"]
    words += ["-i", str(folder / "s.srt"), "-i", str(folder / "m.txt")]
    words += ["-map", "1:a", "-map", "0:v", "-map", "2:a", "-map", "3:s"]
    words += ["-map_metadata", "4", "-map_chapters", "4", "-attach", str(folder / "font.ttf")]
    words += ["-metadata:s:t", "mimetype=application/x-truetype-font"]
    words += ["-metadata:s:v", "title=The picture", "-metadata:s:v", "language=fre"]
    words += ["-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=ger"]
    words += ["-metadata:s:s:0", "language=spa", "-disposition:a:1", "forced+comment"]
    words += ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a:0", "aac", "-c:a:1", "ac3"]
    ffmpeg(*words, "-c:s", "srt", str(path))
    return path


def told(path: Path) -> list[str]:
    """What a listing says, but for what a new picture changes."""
    found = []
    for line in listing(path):
        text = line.strip()
        if text.startswith(("Input", "Duration", "At least", "DURATION", "ENCODER", "encoder")):
            continue
        if "Video:" in text:
            dispositions = text[text.rindex(" tbn") + 4 :]
            text = text.partition("Video:")[0] + dispositions
        found.append(re.sub(r", start [\d.]+", "", text))
    return found


def test_matroska_keeps_every_stream(tmp_path: Path, up: Upscaler) -> None:
    source, target = rich(tmp_path / "a.mkv"), tmp_path / "b.mkv"
    report = upscale_video(source, target, FAST, upscaler=up)
    assert told(target) == told(source)
    assert not any("left out" in note for note in report.notes)
    for stream in ("a:0", "a:1", "s:0"):
        copied = ("-map", f"0:{stream}", "-c", "copy", "-f", "data", "-")
        assert ffmpeg("-i", str(target), *copied) == ffmpeg("-i", str(source), *copied)
    dumped = ffmpeg("-dump_attachment:t:0", str(tmp_path / "out.ttf"), "-i", str(target), *NOTHING)
    assert dumped == b""
    assert (tmp_path / "out.ttf").read_bytes() == (tmp_path / "font.ttf").read_bytes()


def test_what_was_counted_of_the_old_picture_is_not_told_of_the_new(
    tmp_path: Path, up: Upscaler
) -> None:
    """As mkvmerge writes it, in English; a title in a language stays."""
    words = ["-metadata:s:0", "BPS-eng=12345", "-metadata:s:0", "NUMBER_OF_BYTES-eng=888"]
    words += ["-metadata:s:0", "_STATISTICS_TAGS-eng=BPS", "-metadata:s:0", "BPS=12345"]
    source = clip(tmp_path / "a.mkv", *words, "-metadata:s:0", "TITLE-eng=Film", seconds=0.2)
    assert sum("12345" in line for line in listing(source)) == 2
    upscale_video(source, tmp_path / "b.mkv", FAST, upscaler=up)
    lines = listing(tmp_path / "b.mkv")
    assert not [line for line in lines if "BPS" in line or "BYTES" in line or "STATIST" in line]
    assert any("TITLE-eng" in line for line in lines)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".mov"])
def test_sound_of_discs_becomes_pcm_to_the_bit(tmp_path: Path, up: Upscaler, suffix: str) -> None:
    """That of DVD, as that of Blu-ray, goes into no other container; cut, it stays in step."""
    source, target = tmp_path / "a.vob", tmp_path / f"b{suffix}"
    tone = r"aevalsrc=mod(t\,0.7)-0.4:s=48000:d=2"  # each moment has its own level
    words = ["-f", "lavfi", "-i", tone, "-ac", "2", "-c:a", "pcm_dvd"]
    clip(tmp_path / "p.mkv", seconds=2, codec=("mpeg2video",))
    ffmpeg("-i", str(tmp_path / "p.mkv"), *words, "-c:v", "copy", str(source))
    report = upscale_video(source, target, FAST, upscaler=up)
    assert any("(audio, pcm_dvd) becomes pcm_s24le" in note for note in report.notes)
    raw = ("-map", "0:a", "-f", "s32le", "-c:a", "pcm_s32le", "-")
    sound = ffmpeg("-i", str(source), *raw)
    assert ffmpeg("-i", str(target), *raw) == sound
    part = replace(FAST, start_s=0.52, duration_s=1)
    upscale_video(source, target, part, upscaler=up, overwrite=True)
    taken = ffmpeg("-i", str(target), *raw)
    at = sound.index(taken[:800]) / (8 * 48000)
    begins = [examine(source).start_s, *times(source, "a:0")[:1]]
    assert abs(at - 0.52 - float(begins[0] - begins[1])) < 0.002
    assert abs(len(taken) / (8 * 48000) - 1) < 0.01


def test_floats_of_quicktime_stay_floats_in_matroska(tmp_path: Path, up: Upscaler) -> None:
    """What is louder than full was cut there; only their bytes are to be turned about."""
    source, target = tmp_path / "a.mov", tmp_path / "b.mkv"
    loud = ["-f", "lavfi", "-i", r"aevalsrc=1.8*sin(2765*t):d=0.2", "-c:a", "pcm_f32be"]
    ffmpeg("-i", str(clip(tmp_path / "p.mkv", seconds=0.2)), *loud, "-c:v", "copy", str(source))
    upscale_video(source, target, FAST, upscaler=up)
    raw = ("-map", "0:a", "-f", "f32le", "-c:a", "pcm_f32le", "-")
    assert ffmpeg("-i", str(target), *raw) == ffmpeg("-i", str(source), *raw) != b""


@pytest.mark.parametrize("suffix", [".mkv", ".webm"])
def test_sound_that_begins_before_the_film_moves_nothing(
    tmp_path: Path, up: Upscaler, suffix: str
) -> None:
    """The first packet of Vorbis primes its decoder: in Ogg it lies before 0."""
    vorbis = ["-c:a", "vorbis", "-ac", "2", "-strict", "experimental"]
    source = clip(tmp_path / "a.ogv", *vorbis, "-f", "ogg", sound=True, codec=("libvpx",))
    assert times(source, "a:0")[0] < 0
    codec = "vp9" if suffix == ".webm" else "x264"
    done = upscale_video(source, tmp_path / f"b{suffix}", VideoOptions(codec=codec), upscaler=up)
    for stream in ("v:0", "a:0"):
        for found, meant in zip(times(done.target, stream), times(source, stream), strict=True):
            assert abs(found - meant) <= Fraction(1, 1000)


def test_sound_that_quicktime_has_no_name_for_is_told_to_be_left_out(
    tmp_path: Path, up: Upscaler
) -> None:
    """Its muxer takes it under a name that no player knows, nor ffmpeg itself."""
    codec = ("wmv2", "-c:a", "wmav2")
    source = clip(tmp_path / "a.wmv", seconds=0.4, sound=True, codec=codec)
    report = upscale_video(source, tmp_path / "b.mov", FAST, upscaler=up)
    assert any("(audio, wmav2) is left out: mov does not" in note for note in report.notes)
    assert not any("Audio:" in line for line in listing(tmp_path / "b.mov"))


@pytest.mark.parametrize("suffix", [".mov", ".mp4"])
def test_place_and_date_of_a_telephone_go_along(tmp_path: Path, up: Upscaler, suffix: str) -> None:
    """Apple has names of its own for them, which ffmpeg reads and does not write."""
    source, target = tmp_path / "a.mov", tmp_path / f"b{suffix}"
    words = ["-movflags", "use_metadata_tags"]
    apple = {"location.ISO6709": "+48.1+011.5/", "make": "Apple", "creationdate": "2024-05-01"}
    for name, value in apple.items():
        words += ["-metadata", f"com.apple.quicktime.{name}={value}"]
    clip(source, *words, seconds=0.2)
    upscale_video(source, target, FAST, upscaler=up)
    lines = "\n".join(listing(target))
    assert re.search(r"location +: \+48\.1\d*\+011\.5", lines)
    assert re.search(r"date +: 2024-05-01", lines)
    assert suffix == ".mp4" or re.search(r"make +: Apple", lines)


@pytest.mark.parametrize("codec", ["x265", "svtav1"])
def test_a_rate_that_nobody_states_is_not_that_of_the_ticks(
    tmp_path: Path, up: Upscaler, codec: str
) -> None:
    """As browsers record: SVT-AV1 refuses a thousand a second, and x265 spends too little on it."""
    stated, source, target = (tmp_path / name for name in ("stated.mkv", "a.mkv", "b.mkv"))
    jitter = ("-vf", "settb=1/1000,setpts=round(PTS+random(1)*22)", "-fps_mode", "passthrough")
    data = clip(stated, *jitter, "-enc_time_base", "1/1000").read_bytes()
    at = data.index(bytes.fromhex("23e38384"))  # the length of a frame, eight bytes
    source.write_bytes(data[:at] + bytes.fromhex("ec86") + bytes(6) + data[at + 8 :])
    assert any("1k tbr" in line for line in listing(source))
    work = plan(source, target, VideoOptions(codec=codec), 2)
    assert work.footage.rate == 0
    assert work.frames == 25
    upscale_video(source, target, work.options, upscaler=up)
    assert times(target) == times(source)
    upscale_video(stated, tmp_path / "c.mkv", work.options, upscaler=up)
    assert target.stat().st_size > 0.9 * (tmp_path / "c.mkv").stat().st_size


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_a_cover_stays_a_cover(tmp_path: Path, up: Upscaler, suffix: str) -> None:
    film, cover, source = clip(tmp_path / "f.mp4"), tmp_path / "c.png", tmp_path / "a.mp4"
    ffmpeg("-f", "lavfi", "-i", "color=red:size=32x32", "-frames:v", "1", str(cover))
    words = ["-i", str(film), "-i", str(cover), "-map", "0", "-map", "1", "-c", "copy"]
    ffmpeg(*words, "-disposition:v:1", "attached_pic", str(source))
    target = tmp_path / f"b{suffix}"
    report = upscale_video(source, target, VideoOptions(codec="x265"), upscaler=up)
    assert not any("left out" in note for note in report.notes)
    assert off(times(target), times(source)) <= 1
    assert any("png" in line and "attached pic" in line for line in listing(target))


def test_a_cover_that_would_become_a_film_is_left_out(tmp_path: Path, up: Upscaler) -> None:
    film, cover, source = clip(tmp_path / "f.mp4"), tmp_path / "c.png", tmp_path / "a.mp4"
    ffmpeg("-f", "lavfi", "-i", "color=red:size=32x32", "-frames:v", "1", str(cover))
    words = ["-i", str(film), "-i", str(cover), "-map", "0", "-map", "1", "-c", "copy"]
    ffmpeg(*words, "-disposition:v:1", "attached_pic", str(source))
    report = upscale_video(source, tmp_path / "b.mov", FAST, upscaler=up)
    assert any("stream 1 (video, png) is left out: mov" in note for note in report.notes)


def test_a_second_film_is_copied(tmp_path: Path, up: Upscaler) -> None:
    one, two = clip(tmp_path / "1.mkv"), clip(tmp_path / "2.mkv", width=32, height=32)
    source, target = tmp_path / "a.mkv", tmp_path / "b.mkv"
    ffmpeg("-i", str(one), "-i", str(two), "-map", "0", "-map", "1", "-c", "copy", str(source))
    upscale_video(source, target, VideoOptions(codec="x265"), upscaler=up)
    sizes = [line for line in listing(target) if "Video:" in line]
    assert "128x96" in sizes[0]
    assert "32x32" in sizes[1]
    assert times(target, "v:1") == times(source, "v:1")


NOTHING = ("-t", "0", "-f", "null", "-")


def test_mp4_names_what_it_does_not_hold(tmp_path: Path, up: Upscaler) -> None:
    source, target = rich(tmp_path / "a.mkv"), tmp_path / "b.mp4"
    report = upscale_video(source, target, FAST, upscaler=up)
    assert "stream 3 (subtitle, subrip, spa) becomes mov_text: mp4 does not hold it" in report.notes
    left = "stream 4 (attachment, ttf) is left out: mp4 does not hold it; .mkv holds more"
    assert left in report.notes
    lines = told(target)
    assert sum("Audio: " in line for line in lines) == 2
    assert sum("Subtitle: mov_text" in line for line in lines) == 1
    assert sum(line.startswith("Chapter #") for line in lines) == 2


def test_webm_names_what_it_does_not_hold(tmp_path: Path, up: Upscaler) -> None:
    source, target = rich(tmp_path / "a.mkv"), tmp_path / "b.webm"
    report = upscale_video(source, target, upscaler=up)
    assert sum("is left out" in note for note in report.notes) == 3
    assert sum("becomes webvtt" in note for note in report.notes) == 1
    assert any("Video: vp9" in line for line in listing(target))


def test_the_default_target_lies_beside(tmp_path: Path, up: Upscaler) -> None:
    clip(tmp_path / "a.mp4", seconds=0.2)
    clip(tmp_path / "b.avi", seconds=0.2, codec=("mpeg4",))
    assert upscale_video(tmp_path / "a.mp4", options=FAST, upscaler=up).target.name == "a_2x.mp4"
    assert upscale_video(tmp_path / "b.avi", options=FAST, upscaler=up).target.name == "b_2x.mkv"
    assert sorted(os.listdir(tmp_path)) == ["a.mp4", "a_2x.mp4", "b.avi", "b_2x.mkv"]


def test_a_thread_that_outlives_the_main_one_makes_all_of_it(tmp_path: Path) -> None:
    """As where a script ends by starting it."""
    clip(tmp_path / "a.mkv", seconds=0.4)
    (tmp_path / "nearest.onnx").write_bytes(nearest())
    lines = (
        "import threading, liveaction_onnx as la",
        "def work():",
        "    threading.main_thread().join()",
        "    options = la.VideoOptions(codec='x264', preset='ultrafast', segment_frames=4)",
        "    with la.Upscaler('nearest.onnx', device='cpu', halo=0) as up:",
        "        la.upscale_video('a.mkv', 'b.mkv', options, upscaler=up)",
        "threading.Thread(target=work).start()",
    )
    subprocess.run([sys.executable, "-c", "\n".join(lines)], cwd=tmp_path, check=True)
    assert len(times(tmp_path / "b.mkv")) == 10


def test_what_does_not_move_is_not_computed(tmp_path: Path, up: Upscaler) -> None:
    source = tmp_path / "a.mkv"
    still = "testsrc2=size=64x48:rate=25:duration=0.04,loop=24:1"
    ffmpeg("-f", "lavfi", "-i", still, "-pix_fmt", "yuv420p", "-c:v", "ffv1", str(source))
    with_reuse = upscale_video(source, tmp_path / "b.mkv", EXACT, upscaler=up)
    without = VideoOptions(codec="ffv1", reuse=False)
    upscale_video(source, tmp_path / "c.mkv", without, upscaler=up)
    assert with_reuse.computed_px == 64 * 48
    assert with_reuse.px == 25 * 64 * 48
    assert np.array_equal(frames(tmp_path / "b.mkv"), frames(tmp_path / "c.mkv"))


def test_further_options_reach_the_encoder(tmp_path: Path, up: Upscaler) -> None:
    source = clip(tmp_path / "a.mkv", seconds=0.2)
    options = VideoOptions(codec="x264", encoder_options={"profile": "baseline"})
    upscale_video(source, tmp_path / "b.mkv", options, upscaler=up)
    assert any("Baseline" in line for line in listing(tmp_path / "b.mkv"))


def test_a_film_is_ready_to_be_streamed(tmp_path: Path, up: Upscaler) -> None:
    source = clip(tmp_path / "a.mkv", seconds=0.2)
    upscale_video(source, tmp_path / "b.mp4", FAST, upscaler=up)
    data = (tmp_path / "b.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def fields(path: Path) -> Path:
    """Interlaced, top field first, and flagged so: each frame holds two moments."""
    pattern = "testsrc2=size=320x240:rate=50:duration=1,noise=alls=8,interlace"
    coded = ["-c:v", "mpeg2video", "-q:v", "3", "-flags", "+ildct+ilme"]
    ffmpeg("-f", "lavfi", "-i", pattern, "-pix_fmt", "yuv420p", *coded, str(path))
    return path


def test_interlaced_is_told(tmp_path: Path, up: Upscaler) -> None:
    report = upscale_video(fields(tmp_path / "a.mkv"), options=FAST, upscaler=up)
    assert any("--deinterlace" in note for note in report.notes)
    assert report.frames == 25


@pytest.mark.parametrize(("mode", "count"), [("frame", 25), ("field", 50), ("auto", 25)])
def test_deinterlaced_as_asked(tmp_path: Path, up: Upscaler, mode: str, count: int) -> None:
    source, target = fields(tmp_path / "a.mkv"), tmp_path / "b.mkv"
    options = VideoOptions(codec="x264", preset="ultrafast", deinterlace=mode)  # type: ignore[arg-type]
    report = upscale_video(source, target, options, upscaler=up)
    assert report.frames == count
    assert not any("--deinterlace" in note for note in report.notes)
    assert any("deinterlaced (tff)" in note for note in report.notes) == (mode == "auto")
    first = times(source)[0]
    assert off(times(target), [first + Fraction(k, count) for k in range(count)]) <= 1
    big = frames(target)[count // 2].astype(float)[::2, ::2].mean(-1)
    small = frames(source)[12].astype(float).mean(-1)
    assert combs(big) < 0.5 * combs(small)


def test_fields_of_a_picture_upside_down_keep_their_order(tmp_path: Path, up: Upscaler) -> None:
    whole, turned = fields(tmp_path / "a.mov"), tmp_path / "turned.mov"
    ffmpeg("-display_rotation", "180", "-i", str(whole), "-c", "copy", str(turned))
    options = replace(FAST, deinterlace="field", duration_s=0.4)
    for source in (whole, turned):
        upscale_video(source, source.with_suffix(".mkv"), options, upscaler=up)
    upright = frames(whole.with_suffix(".mkv")).astype(float)
    back = frames(turned.with_suffix(".mkv"))[:, ::-1, ::-1].astype(float)
    for k in range(6, 14):
        apart = [np.abs(back[k] - upright[j]).mean() for j in (k - 1, k, k + 1)]
        assert min(apart) == apart[1], (k, apart)


def combs(plane: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    """How much more neighbouring rows differ than rows of the same field."""
    near, far = np.abs(np.diff(plane, axis=0)).mean(), np.abs(plane[2:] - plane[:-2]).mean()
    return max(0.0, float(near - 0.6 * far))


def doubled(path: Path) -> Path:
    """Each row twice: half the detail from top to bottom is not there."""
    pattern = "testsrc2=size=320x120:rate=25:duration=1,noise=alls=90:all_seed=1,gblur=0.7"
    words = ["-pix_fmt", "yuv420p", "-vf", "scale=320:240:flags=neighbor,setsar=64/45"]
    ffmpeg("-f", "lavfi", "-i", pattern, *words, "-c:v", "libx264", "-crf", "12", str(path))
    return path


def test_doubled_lines_are_told(tmp_path: Path, up: Upscaler) -> None:
    report = upscale_video(doubled(tmp_path / "a.mkv"), options=FAST, upscaler=up)
    assert any("--undouble" in note for note in report.notes)
    assert frame_size(report.target) == (480, 640)


def test_doubled_lines_are_taken_away(tmp_path: Path, up: Upscaler) -> None:
    options = VideoOptions(codec="x264", preset="ultrafast", undouble="yes")
    report = upscale_video(doubled(tmp_path / "a.mkv"), options=options, upscaler=up)
    assert frame_size(report.target) == (240, 640)
    assert any("SAR 32:45" in line for line in listing(report.target)), "the shape stays"
    assert report.frames == 25


@pytest.mark.parametrize("order", ["progressive", "tff", "bff", "telecine", "unclear"])
@pytest.mark.parametrize("doubled", ["no", "repeated", "interpolated"])
@pytest.mark.parametrize("certain", [True, False])
def test_auto_does_what_is_certain(order: Order, doubled: Doubled, certain: bool) -> None:
    found = Lines(order, certain, 0.5, doubled, certain, 0, "advice")
    auto = VideoOptions(deinterlace="auto", undouble="auto")
    interlaced = certain and order in ("tff", "bff")
    assert mended(auto, found) == ("frame" if interlaced else "no", certain and doubled != "no")
    assert mended(VideoOptions(), found) == ("no", False), "nothing unasked"
    assert mended(VideoOptions(deinterlace="field"), found) == ("field", False)


def test_lines_that_stand_upright_are_not_mended(tmp_path: Path, up: Upscaler) -> None:
    flat, source = clip(tmp_path / "flat.mp4", seconds=0.2), tmp_path / "a.mp4"
    ffmpeg("-display_rotation", "90", "-i", str(flat), "-c", "copy", str(source))
    with pytest.raises(OptionError, match=r"turned by -?90 degrees"):
        upscale_video(source, options=VideoOptions(deinterlace="frame"), upscaler=up)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".mov"])
def test_a_part_after_the_end_of_the_sound(tmp_path: Path, up: Upscaler, suffix: str) -> None:
    """No track of it can be written where nothing is in it, which is told."""
    tone, source = ["-f", "lavfi", "-i", "sine=duration=0.5"], tmp_path / "a.mkv"
    film = clip(tmp_path / "f.mkv", "-g", "5", seconds=2)
    ffmpeg("-i", str(film), *tone, *tone, "-map", "0", "-map", "1", "-map", "2:a", str(source))
    part = replace(FAST, start_s=1.4)
    report = upscale_video(source, tmp_path / f"b{suffix}", part, upscaler=up)
    assert report.frames == 15
    assert sum("nothing of it" in note for note in report.notes) == 2 * (suffix != ".mkv")


def test_a_target_that_lacks_something_is_not_published(tmp_path: Path) -> None:
    target = clip(tmp_path / "a.mkv", sound=True)
    sound = Stream(1, "Audio", "aac", "", ())
    check(target, times(target), Streams((Kept(sound, "copy"),), ()))
    font = Stream(2, "Attachment", "ttf", "", ())
    with pytest.raises(FfmpegError, match="of 1 streams of Attachment 0 came out"):
        check(target, times(target), Streams((Kept(font, "copy"),), ()))
    with pytest.raises(FfmpegError, match="25 frames came out, 24 went in"):
        check(target, times(target)[1:], Streams((), ()))
    with pytest.raises(FfmpegError, match=r"a frame is 0\.0020 s off"):
        check(target, [time + Fraction(1, 500) for time in times(target)], Streams((), ()))


def test_odd_results_need_all_of_chroma(tmp_path: Path) -> None:
    source = clip(tmp_path / "a.mkv", "-vf", "scale=65:49", seconds=0.2, codec=("ffv1",))
    with pytest.raises(OptionError, match=r"195 x 147 px .* yuv444p"):
        plan(source, tmp_path / "b.mkv", FAST, 3)
    whole = VideoOptions(codec="x264", pix_fmt="yuv444p")
    assert plan(source, tmp_path / "b.mkv", whole, 3).encoding.layout.name == "yuv444p"


CHAPTERS = """;FFMETADATA1
[CHAPTER]
TIMEBASE=1/1000
START=0
END=400
title=One
[CHAPTER]
TIMEBASE=1/1000
START=400
END=1000
title=Two
"""


@pytest.mark.parametrize("target_ends", [".mkv", ".mp4", ".mov", ".webm"])
@pytest.mark.parametrize("source_ends", [".mp4", ".mov"])
def test_chapters_of_quicktime_come_once(
    tmp_path: Path, up: Upscaler, source_ends: str, target_ends: str
) -> None:
    """They are a stream there, too, which is neither kept beside them nor told to be left out."""
    plain, source, target = (
        tmp_path / name for name in ("plain.mkv", f"a{source_ends}", f"b{target_ends}")
    )
    (tmp_path / "chapters.txt").write_text(CHAPTERS, encoding="ascii")
    clip(plain)
    told = ["-i", str(plain), "-i", str(tmp_path / "chapters.txt"), "-map_chapters", "1"]
    ffmpeg(*told, "-c", "copy", str(source))
    assert any("Data: bin_data" in line for line in listing(source))
    codec = "vp9" if target_ends == ".webm" else "x264"
    report = upscale_video(source, target, VideoOptions(codec=codec), upscaler=up)
    assert not any("left out" in note for note in report.notes)
    lines = listing(target)
    assert sum("Chapter #" in line for line in lines) == 2
    assert any("title           : Two" in line for line in lines)
    assert sum("Data: bin_data" in line for line in lines) == (target_ends in (".mp4", ".mov"))


def test_data_that_is_no_track_of_chapters_is_told_to_be_left_out(
    tmp_path: Path, up: Upscaler
) -> None:
    plain, data, source = (tmp_path / name for name in ("p.mkv", "data", "a.ts"))
    data.write_bytes(bytes(2000))
    inputs = ["-i", str(clip(plain, seconds=0.2)), "-f", "data", "-i", str(data)]
    ffmpeg(*inputs, "-map", "0", "-map", "1", "-c", "copy", str(source))
    report = upscale_video(source, tmp_path / "b.mkv", VideoOptions(codec="x264"), upscaler=up)
    assert any("(data, " in note and "left out" in note for note in report.notes)


def timecodes(path: Path) -> set[str]:
    """Those that a file tells."""
    tags = [line.strip().lower().split() for line in listing(path)]
    return {tag[-1] for tag in tags if tag[:1] == ["timecode"]}


@pytest.mark.parametrize("suffix", [".mov", ".mp4", ".mkv"])
def test_timecodes_of_cameras_stay_what_they_are(tmp_path: Path, up: Upscaler, suffix: str) -> None:
    """Their track lost the mark of dropped numbers where it was copied; it is written anew."""
    source, target = tmp_path / "a.mov", tmp_path / f"b{suffix}"
    clip(source, "-timecode", "01:02:03;04", rate="30000/1001", seconds=0.6)
    report = upscale_video(source, target, FAST, upscaler=up)
    assert not any("left out" in note for note in report.notes)
    assert timecodes(target) == {"01:02:03;04"}
    later = replace(FAST, start_s=0.2)
    upscale_video(source, target, later, upscaler=up, overwrite=True)
    assert timecodes(target) == set()


def test_sound_beside_the_timecode_of_another_container_goes_into_quicktime(
    tmp_path: Path, up: Upscaler
) -> None:
    """As of a camera's MXF, whose timecode is a tag: .mov has a track for it."""
    source, target = tmp_path / "a.mxf", tmp_path / "b.mov"
    words = ["-timecode", "01:00:00:00", "-c:a", "pcm_s16le", "-ar", "48000"]
    clip(source, *words, seconds=0.4, sound=True, codec=("mpeg2video",))
    report = upscale_video(source, target, FAST, upscaler=up)
    assert not any("left out" in note for note in report.notes)
    assert timecodes(target) == {"01:00:00:00"}
    assert sum("Audio: pcm_s16le" in line for line in listing(target)) == 1
