"""Bad input of every kind: our error, the exit code, nothing written, nothing lost."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from pictures import load, ramp, save
from processes import started

from liveaction_onnx import PictureError, PictureTooLargeError, TargetError, upscale_image
from liveaction_onnx.cli import main
from liveaction_onnx.exits import FAILED, INTERRUPTED, NO_DEVICE, OK, USAGE

FORMATS = ["png", "jpg", "webp", "tif", "bmp", "gif"]


def names(folder: Path) -> list[str]:
    """All names in a folder, hidden ones too."""
    return sorted(os.listdir(folder))


def refused(folder: Path, *words: str, code: int = FAILED) -> None:
    """Run the command line and see that it fails and changes nothing in `folder`."""
    before = {name: (folder / name).stat().st_mtime_ns for name in names(folder)}
    assert main(["-d", "cpu", *words]) == code
    assert {name: (folder / name).stat().st_mtime_ns for name in names(folder)} == before


def huge_png(path: Path, side: int) -> Path:
    """A PNG of a few bytes that claims side x side px."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path


@pytest.mark.parametrize("ending", FORMATS)
def test_an_empty_file(tmp_path: Path, ending: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / f"a.{ending}").touch()
    refused(tmp_path, str(tmp_path / f"a.{ending}"))
    assert "the file is empty" in capsys.readouterr().err


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("part", [0.02, 0.5, 0.95])
def test_a_truncated_file(tmp_path: Path, ending: str, part: float) -> None:
    rng = np.random.default_rng(5)
    noise = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)  # packs badly: any cut hurts
    source = save(tmp_path / f"a.{ending}", noise)
    whole = source.read_bytes()
    source.write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(PictureError):
        upscale_image(source)
    refused(tmp_path, str(source))


@pytest.mark.parametrize("ending", FORMATS)
def test_random_bytes(tmp_path: Path, ending: str) -> None:
    source = tmp_path / f"a.{ending}"
    source.write_bytes(np.random.default_rng(1).bytes(5000))
    refused(tmp_path, str(source))


@pytest.mark.parametrize("ending", FORMATS)
def test_a_picture_with_bytes_turned_over(tmp_path: Path, ending: str) -> None:
    """Whatever a damaged file leads Pillow to, it ends as our error or as a whole picture."""
    source = save(tmp_path / f"a.{ending}")
    whole, rng = source.read_bytes(), np.random.default_rng(2)
    for _ in range(30):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(whole), 8):
            damaged[place] = rng.integers(0, 256)
        source.write_bytes(damaged)
        with contextlib.suppress(PictureError):
            upscale_image(source, tmp_path / "out.png", overwrite=True, max_pixels=10_000)
        (tmp_path / "out.png").unlink(missing_ok=True)
        assert names(tmp_path) == [source.name]


def test_a_text_with_the_ending_of_a_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.png").write_text("this is no picture\n" * 100)
    refused(tmp_path, str(tmp_path / "a.png"))
    assert "not a picture we can read" in capsys.readouterr().err


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused(tmp_path, str(tmp_path / "a.png"))
    assert "no such file" in capsys.readouterr().err


def test_a_picture_of_zero_size(tmp_path: Path) -> None:
    source = huge_png(tmp_path / "a.png", 0)
    refused(tmp_path, str(source))


@pytest.mark.parametrize("shape", [(1, 1), (1, 10000), (10000, 1), (1, 2), (3, 5)])
def test_a_very_small_or_narrow_picture_is_no_bad_input(
    tmp_path: Path, shape: tuple[int, int]
) -> None:
    source = save(tmp_path / "a.png", np.full((*shape, 3), 77, np.uint8))
    result = load(upscale_image(source))
    assert result.shape == (2 * shape[0], 2 * shape[1], 3)
    assert np.abs(result.astype(int) - 77).max() <= 1


def test_a_huge_claimed_size_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    source = huge_png(tmp_path / "a.png", 60_000)
    with pytest.raises(PictureTooLargeError, match="60000 x 60000"):
        upscale_image(source)
    refused(tmp_path, str(source))


def test_the_limit_on_px_can_be_moved(tmp_path: Path) -> None:
    source = save(tmp_path / "a.png")
    with pytest.raises(PictureTooLargeError):
        upscale_image(source, max_pixels=24 * 32 - 1)
    refused(tmp_path, str(source), "--max-pixels", "100")
    assert main([str(source), "--max-pixels", str(24 * 32), "-d", "cpu"]) == OK


def test_the_limit_on_px_holds_for_every_page(tmp_path: Path) -> None:
    from PIL import Image

    pages = [Image.fromarray(ramp(8, 8)), Image.fromarray(ramp(40, 40))]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(PictureTooLargeError, match="40 x 40"):
        upscale_image(tmp_path / "a.tif", max_pixels=1000)
    assert names(tmp_path) == ["a.tif"]


def test_a_limit_above_pillows_own_is_ours_alone(tmp_path: Path) -> None:
    """14,000 x 14,000 px are more than Pillow takes; raising our limit gets past both."""
    source = huge_png(tmp_path / "a.png", 14_000)
    with pytest.raises(PictureError, match="damaged"):
        upscale_image(source, max_pixels=200_000_000)


def test_an_existing_target_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = save(tmp_path / "a.png")
    (tmp_path / "a_2x.png").write_text("precious")
    refused(tmp_path, str(source))
    assert "exists already" in capsys.readouterr().err
    assert (tmp_path / "a_2x.png").read_text() == "precious"
    assert main([str(source), "-y", "-d", "cpu"]) == OK
    assert load(tmp_path / "a_2x.png").shape == (48, 64, 3)


@pytest.mark.parametrize("how", ["same", "dotted", "hard link", "symlink"])
def test_the_target_is_the_source(tmp_path: Path, how: str) -> None:
    source = save(tmp_path / "a.png")
    whole = source.read_bytes()
    target = tmp_path / "b.png"
    if how == "same":
        target = source
    elif how == "dotted":
        target = tmp_path / ".." / tmp_path.name / "a.png"
    elif how == "hard link":
        os.link(source, target)
    else:
        target.symlink_to(source)
    refused(tmp_path, str(source), "-o", str(target), "-y")
    assert source.read_bytes() == whole


def test_a_target_in_a_folder_that_is_not_there(tmp_path: Path) -> None:
    source = save(tmp_path / "a.png")
    refused(tmp_path, str(source), "-o", str(tmp_path / "no" / "b.png"))


def test_a_target_that_is_a_folder_takes_the_default_name(tmp_path: Path) -> None:
    source = save(tmp_path / "a.png")
    (tmp_path / "out.png").mkdir()
    assert main([str(source), "-o", str(tmp_path / "out.png"), "-d", "cpu"]) == OK
    assert names(tmp_path / "out.png") == ["a_2x.png"]


def _confined(code: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own, after `code`."""
    program = f"import sys; {code}\nfrom liveaction_onnx.cli import main\nsys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, check=False
    )


@pytest.mark.skipif(sys.platform == "win32", reason="limits on file sizes are POSIX")
def test_a_full_disk(tmp_path: Path) -> None:
    """A write that fails half way leaves nothing, for whatever reason it fails."""
    source = save(tmp_path / "a.bmp", np.zeros((80, 80, 3), np.uint8))
    limit = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))"
    )
    done = _confined(limit, str(source), "-d", "cpu")
    assert done.returncode == FAILED, done.stderr
    assert "cannot be written" in done.stderr
    assert names(tmp_path) == ["a.bmp"]


def _on_mount(tmp_path: Path, option: str, source: Path, name: str) -> tuple[str, str] | None:
    """What the command line says on a tmpfs of its own, and what is left there.

    None where this system gives no mount namespaces to its users.
    """
    disk, listing = tmp_path / "disk", tmp_path / "listing"
    disk.mkdir()
    script = (
        f'mount -t tmpfs -o {option} none "{disk}" || exit 99\n'
        f'"{sys.executable}" -m liveaction_onnx "{source}" -o "{disk}/{name}" -d cpu\n'
        f'code=$?; ls -A "{disk}" > "{listing}"; exit $code'
    )
    unshare = ["unshare", "--mount", "--map-root-user", "sh", "-c", script]
    try:
        done = subprocess.run(unshare, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    if not listing.exists():  # no namespace, or no mount in it
        return None
    assert done.returncode == FAILED, done.stdout
    return done.stderr, listing.read_text()


@pytest.mark.parametrize("ending", ["bmp", "png", "jpg", "tif", "webp", "gif"])
def test_a_disk_that_is_full(tmp_path: Path, ending: str) -> None:
    """A real file system with no room left; the sizes make the very last write come up short."""
    pixels = np.random.default_rng(4).integers(0, 256, (150, 150, 3), dtype=np.uint8)
    source = save(tmp_path / "a.png", pixels)
    said = _on_mount(tmp_path, "size=16k", source, f"b.{ending}")
    if said is None:
        pytest.xfail("no mount namespaces here; the limit on file sizes has its own test")
    assert "No space left" in said[0]
    assert said[1] == ""
    assert source.exists()


def test_a_short_write_is_noticed(tmp_path: Path) -> None:
    """Pillow writes a whole BMP at once, and its own writing takes half of it for all of it."""
    source = save(tmp_path / "a.bmp", np.zeros((80, 80, 3), np.uint8))
    said = _on_mount(tmp_path, "size=64k", source, "b.bmp")
    if said is None:
        pytest.xfail("no mount namespaces here; the limit on file sizes has its own test")
    assert said == (said[0], "")
    assert "No space left" in said[0]


def test_a_read_only_disk(tmp_path: Path) -> None:
    said = _on_mount(tmp_path, "ro", save(tmp_path / "a.png"), "b.png")
    if said is None:
        pytest.xfail("no mount namespaces here; a read-only folder has its own test")
    assert "Read-only file system" in said[0]
    assert said[1] == ""


def test_a_read_only_target_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = save(tmp_path / "a.png")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    if hasattr(os, "getuid") and os.getuid() == 0:  # root may write anywhere: say that it may not

        def denied(*arguments: object) -> int:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(os, "open", denied)
    with pytest.raises(TargetError, match=r"b\.png: cannot be written: Permission denied"):
        upscale_image(source, closed / "b.png")
    assert names(closed) == []


def test_a_read_only_target_file_is_replaced_only_when_asked(tmp_path: Path) -> None:
    source = save(tmp_path / "a.png")
    target = save(tmp_path / "b.png", ramp(4, 4))
    target.chmod(0o400)
    refused(tmp_path, str(source), "-o", str(target))
    assert load(target).shape == (4, 4, 3)


@pytest.mark.parametrize(
    "name",
    [
        "with space.png",
        'it\'s "quoted".png',
        "new\nline.png",
        "-leading.png",
        "--output.png",
        "naïve-写真-🎞.png",
        "percent%d.png",
        "[brackets]*.png",
        "a:b.png",
        "doctor",
    ],
)
def test_awkward_names(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "plain.png").rename(tmp_path / name)
    word = f"./{name}" if name == "doctor" else name
    assert main(["-d", "cpu", "--", word]) == OK
    doubled = f"{Path(name).stem}_2x.png"
    assert names(tmp_path) == sorted([name, doubled])
    assert load(tmp_path / doubled).shape == (48, 64, 3)


@pytest.mark.parametrize(
    "name", ["percent%d.png", "a:b.tif", "-x.png", "写真.tif", "new\nline.png"]
)
def test_awkward_names_of_sixteen_bit_pictures(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """These go through ffmpeg, whose own reading of names must not come into play."""
    from pictures import ramp16

    from liveaction_onnx import deep, tiff

    monkeypatch.chdir(tmp_path)
    with Path(name).open("w+b") as file:
        if name.endswith(".png"):
            deep.write_png(file, ramp16(), icc=None, exif=None)
        else:
            with tiff.Writer(file) as writer:
                writer.write(ramp16(), icc=None, exif=None)
    assert main(["-d", "cpu", "--", name]) == OK


def test_one_bad_file_does_not_stop_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(tmp_path / "a.png")
    (tmp_path / "b.png").write_text("bad")
    save(tmp_path / "c.png")
    assert main([str(tmp_path), "--json", "-d", "cpu"]) == FAILED
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [Path(row["source"]).name for row in rows] == ["a.png", "b.png", "c.png"]
    assert ["error" in row for row in rows] == [False, True, False]
    assert names(tmp_path) == ["a.png", "a_2x.png", "b.png", "c.png", "c_2x.png"]


@pytest.mark.parametrize("kind", ["empty", "random", "truncated", "missing"])
def test_a_broken_graph(tmp_path: Path, kind: str) -> None:
    from liveaction_onnx.catalog import shipped_graph

    graph = tmp_path / "g.onnx"
    whole = shipped_graph("uint8", "fp32").data
    data = {"empty": b"", "random": np.random.default_rng(3).bytes(9999), "truncated": whole[:9999]}
    if kind in data:
        graph.write_bytes(data[kind])
    source = save(tmp_path / "a.png")
    refused(tmp_path, str(source), "--model", str(graph))


def test_a_graph_of_another_shape(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from onnx import TensorProto, helper

    value = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 10]) for n in ("x", "y")]
    node = helper.make_node("Relu", ["x"], ["y"])
    model = helper.make_model(
        helper.make_graph([node], "g", value[:1], value[1:]),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    (tmp_path / "g.onnx").write_bytes(model.SerializeToString())
    refused(tmp_path, str(save(tmp_path / "a.png")), "--model", str(tmp_path / "g.onnx"))
    assert "expected [batch, 3, height, width]" in capsys.readouterr().err


def test_a_device_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = save(tmp_path / "a.png")
    assert main([str(source), "-d", "cuda:7"]) == NO_DEVICE
    assert "pip install" in capsys.readouterr().err
    assert names(tmp_path) == ["a.png"]


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["a.png", "--no-such-option"],
        ["a.png", "-d", "gpu"],
        ["a.png", "-d", "cuda:x"],
        ["a.png", "-t", "0"],
        ["a.png", "-t", "many"],
        ["a.png", "--overlap", "-1"],
        ["a.png", "--precision", "fp8"],
        ["models", "get"],
        ["doctor", "who"],
    ],
)
def test_wrong_usage(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(save(tmp_path / "a.png").parent)
    try:
        code = main(words)
    except SystemExit as leaving:
        code = int(leaving.code or 0)
    assert code == USAGE
    assert names(tmp_path) == ["a.png"]


@contextmanager
def _begun(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A process that is in the middle of a large picture, its target begun."""
    source = save(tmp_path / "a.png", np.zeros((1500, 1500, 3), np.uint8))
    command = [sys.executable, "-m", "liveaction_onnx", str(source), "-d", "cpu", "-t", "64"]
    with started(command, stderr=subprocess.PIPE) as process:
        while not any(name.endswith(".part") for name in names(tmp_path)):
            assert process.poll() is None, "it ended before it could be stopped"
            time.sleep(0.02)
        yield process, source


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_in_the_middle_of_a_picture(tmp_path: Path, number: signal.Signals) -> None:
    with _begun(tmp_path) as (process, source):
        whole = source.read_bytes()
        process.send_signal(number)
        _, said = process.communicate()
    assert process.returncode == INTERRUPTED, said
    assert "Traceback" not in said
    assert names(tmp_path) == ["a.png"]
    assert source.read_bytes() == whole


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_kill_in_the_middle_of_a_write(tmp_path: Path) -> None:
    """Nothing can tidy up after kill -9: no target, the source whole, and the next run works."""
    with _begun(tmp_path) as (process, source):
        whole = source.read_bytes()
        process.kill()
    left = names(tmp_path)
    assert "a_2x.png" not in left
    assert all(name == "a.png" or name.startswith(".liveaction-onnx-") for name in left)
    assert source.read_bytes() == whole
    save(source, ramp())
    assert main([str(source), "-d", "cpu"]) == OK
    assert load(tmp_path / "a_2x.png").shape == (48, 64, 3)


def test_a_failed_write_leaves_the_old_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = save(tmp_path / "a.png"), tmp_path / "b.png"
    target.write_text("precious")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TargetError, match="No space left"):
        upscale_image(source, target, overwrite=True)
    assert names(tmp_path) == ["a.png", "b.png"]
    assert target.read_text() == "precious"


def test_a_target_that_comes_to_be_meanwhile_is_kept(tmp_path: Path) -> None:
    source, target = save(tmp_path / "a.png"), tmp_path / "b.png"

    def meanwhile(done: int, total: int) -> None:
        target.write_text("precious")

    with pytest.raises(TargetError, match="meanwhile"):
        upscale_image(source, target, progress=meanwhile)
    assert target.read_text() == "precious"
    assert names(tmp_path) == ["a.png", "b.png"]
