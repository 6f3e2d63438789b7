"""The contact sheet: which squares it shows, and that they are where they are said to be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model import sheet
from model.metrics import Picture, Upscale
from model.packed import write_set
from model.records import Draw, Record
from model.rivals import Rival, bicubic
from model.scores import Pair


def pair(name: str = "photo", draw: int = 0, **stages: str) -> Pair:
    """A pair of (40, 60) and (80, 120) px, flat but for a chequered square of the target."""
    target = np.full((80, 120, 3), 100, np.uint8)
    target[40:56, 80:96] += ((np.indices((16, 16)).sum(axis=0) % 2) * 60).astype(np.uint8)[
        ..., None
    ]
    small = np.repeat(np.arange(60, dtype=np.uint8)[None, :, None], 40, axis=0).repeat(3, axis=2)
    return Pair(name, draw, stages, small, target)


def test_a_crop_is_the_same_square_of_input_and_output() -> None:
    crop = sheet.crop_at(pair(), 10, (5, 3))
    assert crop.of(pair().input)[0, :, 0].tolist() == list(range(5, 15))
    outputs = np.arange(80 * 120 * 3, dtype=np.uint16).reshape(80, 120, 3).astype(np.uint8)
    assert np.array_equal(crop.of(outputs), outputs[6:26, 10:30])


@pytest.mark.parametrize(
    ("side", "at", "expected"),
    [(10, (59, 39), (50, 30, 10)), (100, (7, 7), (7, 0, 40))],
)
def test_a_crop_lies_within_the_picture(
    side: int, at: tuple[int, int], expected: tuple[int, int, int]
) -> None:
    crop = sheet.crop_at(pair(), side, at)
    assert (crop.x, crop.y, crop.side) == expected


def test_where_no_place_is_named_the_busiest_is_shown() -> None:
    crop = sheet.crop_at(pair(), 8)
    assert abs(crop.x - 40) <= 1
    assert abs(crop.y - 20) <= 1


def test_a_crop_is_picked_by_name_draw_and_place() -> None:
    pairs = [pair("a"), pair("a", 1), pair("b-c.d")]
    assert sheet.chosen(pairs, "a:1@3,4", 8) == sheet.crop_at(pairs[1], 8, (3, 4))
    assert sheet.chosen(pairs, "b-c.d", 8).pair is pairs[2]
    assert sheet.chosen(pairs, "a@3,4", 8).pair is pairs[0]


@pytest.mark.parametrize(
    ("pick", "said"), [("c", "pictures: a"), ("a:1", "no draw 1"), ("@", "NAME")]
)
def test_what_is_not_there_cannot_be_picked(pick: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        sheet.chosen([pair("a")], pick, 8)


def test_rows_differ_in_picture_codec_and_text() -> None:
    pairs = [
        pair("a", 0, codec="vp9", text="none"),
        pair("a", 1, codec="h264", text="none"),
        pair("b", 0, codec="vp9", text="none"),
        pair("b", 1, codec="h264", text="over"),
    ]
    found = [(crop.pair.name, crop.pair.draw) for crop in sheet.varied(pairs, 5, 8)]
    assert found == [("a", 0), ("b", 1)]


def test_a_sheet_has_a_row_a_crop_and_a_column_an_upscaler() -> None:
    def red(picture: Picture) -> Picture:
        return np.full((80, 120, 3), (255, 0, 0), np.uint8)

    @contextmanager
    def opened() -> Iterator[Upscale]:
        yield red

    crops = [sheet.crop_at(pair(), 8, (40, 20)), sheet.crop_at(pair(), 8, (5, 3))]
    image = np.asarray(sheet.sheet(crops, [Rival("red", "", opened)]))
    cell, label = 256, sheet.LABEL_PX
    assert image.shape == (label + 2 * (label + cell), 4 * cell, 3)
    rows = image[2 * label : 2 * label + cell]
    assert (rows[:, 2 * cell : 3 * cell] == (255, 0, 0)).all()
    assert np.array_equal(rows[::32, :cell:32], pair().input[20:28, 40:48])
    assert np.array_equal(rows[::16, cell : 2 * cell : 16], bicubic(pair().input)[40:56, 80:96])
    assert np.array_equal(rows[::16, 3 * cell :: 16], pair().target[40:56, 80:96])
    assert (image[:label] < 128).any(), "names of the columns"


def test_the_command_writes_a_sheet(tmp_path: Path) -> None:
    made = pair()
    record = Record("photo", made.target, (Draw(made.input, {"codec": "vp9"}),))
    write_set(tmp_path / "valid", [record], lossless=True)
    out = tmp_path / "sheet.png"
    sheet.main(["--valid", str(tmp_path / "valid"), "--out", str(out), "--crop", "photo@3,4"])
    with Image.open(out) as image:
        assert image.width == 4 * 240, "side 40, as high as the input is: 3 times 80"
