"""The field's usual way: VapourSynth with vs-mlrt's ONNX Runtime, by vspipe into ffmpeg."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.contenders.conventional import conventional
from liveaction_onnx import ffmpeg
from liveaction_onnx.encoders import Encoding
from model.build import WEIGHTS
from model.span import read_weights

INSTALL = "pip install vapoursynth vapoursynth-bestsource vapoursynth-mlrt-ort"
"""What makes vspipe, in an environment of its own of Python 3.12 or newer."""

SCRIPT = """\
import vapoursynth as vs

clip = vs.core.bs.VideoSource({source!r}, cachemode=0)
clip = vs.core.resize.Bicubic(clip, format=vs.RGBS)
clip = vs.core.ort.Model(clip, network_path={graph!r})
clip = vs.core.resize.Bicubic(clip, format=vs.{pixels}, matrix_s="170m", range_s="limited")
clip.set_output()
"""
"""For a clip that is tagged as BT.601, limited, as `parts.make_clip` makes it."""

PIXELS = {"yuv420p": "YUV420P8", "yuv420p10le": "YUV420P10", "yuv422p10le": "YUV422P10"}
"""ffmpeg's names to VapourSynth's, of what the clip is encoded as."""


@dataclass(frozen=True)
class Vspipe:
    """How vspipe is run here."""

    command: tuple[str, ...]
    root: Path
    """What it sees as /, where it runs in a root of its own; all its files have to lie in there."""

    def seen(self, path: Path) -> str:
        """The name under which it finds a file.

        >>> Vspipe(("vspipe",), Path("/srv/trixie")).seen(Path("/srv/trixie/tmp/a.mkv"))
        '/tmp/a.mkv'
        """
        return f"/{path.relative_to(self.root).as_posix()}"

    def write(self, script: Path, source: Path, pixels: str) -> None:
        """Write what upscales a clip to a script, with the graph beside it.

        `pixels` is the pixel format that the encoder is given, in ffmpeg's words.
        """
        graph = script.with_name("graph.onnx")
        graph.write_bytes(conventional(read_weights(WEIGHTS)))
        names = {"source": self.seen(source), "graph": self.seen(graph)}
        text = SCRIPT.format(**names, pixels=PIXELS[pixels])
        script.write_text(text, encoding="utf-8")

    def run(self, script: Path, source: Path, target: Path, encoding: Encoding) -> None:
        """Take a script's frames and the source's sound through ffmpeg into a file."""
        encode = [ffmpeg.executable(), "-v", "error", "-nostdin", "-y"]
        encode += ["-f", "yuv4mpegpipe", "-i", "pipe:0", "-i", str(source)]
        encode += ["-map", "0:v", "-map", "1:a", "-c:a", "copy", *encoding.arguments(), str(target)]
        heard = script.with_suffix(".log")
        with heard.open("wb") as log:
            words = [*self.command, "-c", "y4m", self.seen(script), "-"]
            with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=log) as frames:
                done = subprocess.run(encode, stdin=frames.stdout, check=False)
        if frames.returncode or done.returncode:
            said = heard.read_text(encoding="utf-8", errors="replace")
            raise RuntimeError(f"{shlex.join(words)} | {shlex.join(encode)} failed: {said}")


def find(command: str | None = None, root: str | None = None) -> Vspipe | None:
    """The vspipe that is named here, in VSPIPE and VSPIPE_ROOT, or is on the path; else None."""
    command = command or os.environ.get("VSPIPE") or shutil.which("vspipe")
    root = root or os.environ.get("VSPIPE_ROOT") or "/"
    return Vspipe(tuple(shlex.split(command)), Path(root).absolute()) if command else None
