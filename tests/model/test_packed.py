"""The packed set: what goes in comes out, parts stay small and whole, and bad ones are refused."""

from __future__ import annotations

import errno
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from model import packed
from model.packed import list_parts, read_names, read_set, write_set
from model.records import JPEG_PSNR_DB, Draw, Encoded, PackedError, Record, decode, encode

Picture = NDArray[np.uint8]


def noise(height: int, width: int, seed: int) -> Picture:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def ramps(height: int, width: int) -> Picture:
    """Smooth, with some grain, as photographs are."""
    rows, columns = np.mgrid[:height, :width]
    planes = np.stack([rows * 2, columns * 2, rows + columns], axis=-1) + 20.0
    planes += np.random.default_rng(1).normal(0, 2, planes.shape)
    return planes.clip(0, 255).astype(np.uint8)


def record(name: str, seed: int = 0) -> Record:
    """64 x 48, with three draws: one as the record, one with text in its target, one with grain."""
    target = noise(48, 64, seed)
    texted = target.copy()
    texted[8:20, 16:40] = 255
    draws = (
        Draw(noise(24, 32, seed + 1), {"codec": "h264", "h264.crf": 19, "linear": True}),
        Draw(noise(24, 32, seed + 2), {"text": "under", "amount": 0.5}, texted),
        Draw(noise(24, 32, seed + 3), {"grain": "gaussian"}, noise(48, 64, seed + 4)),
    )
    return Record(name, target, draws)


def psnr(one: Picture, other: Picture) -> float:
    return float(10 * np.log10(255**2 / np.mean((one.astype(float) - other) ** 2)))


def test_lossless_set_comes_back_exactly(tmp_path: Path) -> None:
    records = [record("a", 1), record("b.2", 20)]
    write_set(tmp_path, records, lossless=True)
    for back, sent in zip(read_set(tmp_path), records, strict=True):
        assert back.name == sent.name
        np.testing.assert_array_equal(back.target, sent.target)
        for drawn, draw in zip(back.draws, sent.draws, strict=True):
            np.testing.assert_array_equal(drawn.input, draw.input)
            assert drawn.stages == draw.stages
            if draw.target is None:
                assert drawn.target is None
            else:
                assert drawn.target is not None
                np.testing.assert_array_equal(drawn.target, draw.target)


def test_lossy_set_keeps_inputs_exactly_and_targets_nearly(tmp_path: Path) -> None:
    sent = Record("a", ramps(96, 96), (Draw(noise(48, 48, 3), {}),))
    write_set(tmp_path, [sent], lossless=False)
    (back,) = read_set(tmp_path)
    np.testing.assert_array_equal(back.draws[0].input, sent.draws[0].input)
    assert JPEG_PSNR_DB < psnr(back.target, sent.target) < 70, "JPEG was expected"


def test_lossy_target_keeps_fine_colour(tmp_path: Path) -> None:
    stripes = np.full((64, 64, 3), 90, np.uint8)
    stripes[:, ::2, 0] = 160  # red in every second column
    write_set(tmp_path, [Record("a", stripes, ())], lossless=False)
    (back,) = read_set(tmp_path)
    assert psnr(back.target, stripes) > 35, "half the chroma is missing"


def test_lossy_target_of_a_draw_differs_from_the_record_only_where_it_did(tmp_path: Path) -> None:
    target = ramps(96, 96)
    texted = target.copy()
    texted[20:36, 40:80] //= 2
    sent = Record("a", target, (Draw(noise(48, 48, 3), {}, texted),))
    write_set(tmp_path, [sent], lossless=False)
    (back,) = read_set(tmp_path)
    own = back.draws[0].target
    assert own is not None
    assert psnr(own[20:36, 40:80], texted[20:36, 40:80]) > JPEG_PSNR_DB
    outside = np.ones((96, 96), bool)
    outside[20:36, 40:80] = False
    np.testing.assert_array_equal(own[outside], back.target[outside])


def test_target_without_a_box_is_whole() -> None:
    sent = Record("a", noise(8, 8, 1), (Draw(noise(4, 4, 2), {}, noise(8, 8, 3)),))
    form = encode(sent, lossless=True)
    entry = json.loads(json.dumps(form.entry))
    assert entry["draws"][0].pop("box") == [0, 0, 8, 8]
    back = decode(Encoded("a", entry, form.members)).draws[0].target
    assert back is not None
    np.testing.assert_array_equal(back, noise(8, 8, 3))


def test_stages_are_json_beside_the_pictures(tmp_path: Path) -> None:
    (part,) = write_set(tmp_path, [record("a")], lossless=True)
    with zipfile.ZipFile(part) as archive:
        index = json.loads(archive.read("index.json"))
        assert all(info.compress_type == zipfile.ZIP_STORED for info in archive.infolist())
    assert index["a"]["draws"][0]["stages"] == {"codec": "h264", "h264.crf": 19, "linear": True}


def test_no_part_is_larger_than_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "PART_BYTES", 60_000)
    names = [f"r{number}" for number in range(12)]
    parts = write_set(tmp_path, [record(name, at) for at, name in enumerate(names)], lossless=True)
    assert len(parts) > 2
    assert [part.name for part in parts[:2]] == ["part-000.zip", "part-001.zip"]
    assert max(part.stat().st_size for part in parts) <= 60_000
    assert min(part.stat().st_size for part in parts[:-1]) > 30_000, "parts are closed too early"
    assert [back.name for back in read_set(tmp_path)] == names


def test_record_larger_than_a_part_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed, "PART_BYTES", 10_000)
    with pytest.raises(PackedError, match="big takes"):
        write_set(tmp_path, [record("big")], lossless=True)


def test_packing_that_is_stopped_leaves_whole_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed, "PART_BYTES", 60_000)

    def stopped() -> Iterator[Record]:
        for number in range(7):
            yield record(f"r{number}", number)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_set(tmp_path, stopped(), lossless=True)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [part.name for part in list_parts(tmp_path)], "something half is left"
    names = [back.name for back in read_set(tmp_path)]
    assert names
    assert names == [f"r{number}" for number in range(len(names))]
    assert read_names(tmp_path) == set(names)


def test_full_disk_leaves_no_half_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_set(tmp_path, [record("a")], lossless=True)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(zipfile.ZipFile, "writestr", full)
        with pytest.raises(OSError, match="No space left"):
            write_set(tmp_path, [record("b")], lossless=True)
    assert [path.name for path in tmp_path.iterdir()] == ["part-000.zip"]


def test_new_parts_are_added_and_old_ones_left_alone(tmp_path: Path) -> None:
    (first,) = write_set(tmp_path, [record("a")], lossless=True)
    before = first.read_bytes()
    later = write_set(tmp_path, [record("b")], lossless=True, first_part=7)
    later += write_set(tmp_path, [record("c")], lossless=True, first_part=2)
    assert [part.name for part in later] == ["part-007.zip", "part-008.zip"]
    assert first.read_bytes() == before
    assert [back.name for back in read_set(tmp_path)] == ["a", "b", "c"]


def test_order_does_not_depend_on_the_threads(tmp_path: Path) -> None:
    names = [f"r{number}" for number in range(30)]
    write_set(tmp_path, [record(name, at) for at, name in enumerate(names)], lossless=True)
    assert [back.name for back in read_set(tmp_path, jobs=1)] == names
    assert [back.name for back in read_set(tmp_path, jobs=5)] == names


@pytest.mark.parametrize("shape", [(24, 30), (48, 64), (23, 32)])
def test_input_that_is_not_half_its_target_is_refused(
    tmp_path: Path, shape: tuple[int, int]
) -> None:
    bad = Record("r9", noise(48, 64, 1), (Draw(noise(*shape, 1), {}),))
    with pytest.raises(PackedError, match=r"r9: expected a target of"):
        write_set(tmp_path, [bad], lossless=True)


def test_float_picture_is_refused(tmp_path: Path) -> None:
    floats = np.zeros((48, 64, 3), np.float32)
    with pytest.raises(PackedError, match="uint8"):
        write_set(tmp_path, [Record("a", floats, ())], lossless=True)  # type: ignore[arg-type]


def test_folder_without_parts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PackedError, match="holds no part"):
        next(read_set(tmp_path))
    assert read_names(tmp_path / "nowhere") == set()


def test_part_cut_short_is_refused_by_name(tmp_path: Path) -> None:
    (part,) = write_set(tmp_path, [record("a")], lossless=True)
    part.write_bytes(part.read_bytes()[:-100])
    with pytest.raises(PackedError, match=r"part-000\.zip is no whole part"):
        list(read_set(tmp_path))


def test_zip_without_an_index_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "part-000.zip", "w") as archive:
        archive.writestr("a/target.webp", b"")
    with pytest.raises(PackedError, match="no whole part"):
        read_names(tmp_path)
