"""The card: tables from files, between marks, beside what is written by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from model import card

EVALUATION: dict[str, Any] = {
    "graph": "ours",
    "base": "reference",
    "upscalers": {
        "ours": {"identity": "1", "psnr_y": 30.2, "ssim_y": 0.9, "grain": {"a": 99.0, "b": 104.0}},
        "reference": {"identity": "2", "psnr_y": 30.0, "ssim_y": 0.89, "grain": {"a": 80.0}},
    },
    "stages": [
        {"stage": "codec", "value": "vp9", "pairs": 7, "psnr_y": 0.31},
        {"stage": "codec", "value": "jpeg", "pairs": 9, "psnr_y": -0.05},
        {"stage": "text", "value": "over", "pairs": 2, "psnr_y": -3.0},
    ],
    "forms": {},
    "goals": [
        {"line": 1, "what": "PSNR-Y", "needed": "+0.2 dB", "figure": "+0.2 dB", "met": True},
        {"line": 3, "what": "flat fields", "needed": "1", "figure": "2", "met": False},
    ],
    "set": {"pictures": 48, "pairs": 144, "sha256": "3"},
    "about": {
        "date": "2026-01-02",
        "commit": "abc1234",
        "machine": {"cpu": "A Processor", "cores": 2, "system": "Linux"},
        "versions": {"numpy": "2.0"},
    },
}
FLICKER = {
    "clips": [
        {
            "clip": "birds.mp4",
            "frames": 24,
            "size": "320x240",
            "still_share": 0.5,
            "bicubic_levels": 0.53,
            "relative": {"ours": 1.1},
        }
    ],
    "about": EVALUATION["about"],
}
PHOTOS = (
    "name\tpackage\tpath\tsplit\tlicence\tauthor\tsource\n"
    "wall.otter\twall_1.0\tusr/otter.jpg\ttrain\tCC0-1.0\tA. Photographer\tcopyright\n"
    "wall.zoo\twall_1.0\tusr/zoo.jpg\ttrain\tCC0-1.0\tA. Photographer\tcopyright\n"
    "wall.road\twall_1.0\tusr/road.jpg\tvalid\tCC-BY-4.0\tB | C\tcopyright\n"
)


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Arguments of a card that is made of everything."""
    (tmp_path / "e.json").write_text(json.dumps(EVALUATION))
    (tmp_path / "t.json").write_text(json.dumps(FLICKER))
    (tmp_path / "run.jsonl").write_text(
        '{"recipe": {"batch": 16}, "psnr": 28.0}\n{"step": 9000, "minutes": 90.0, "psnr": 29.5}\n'
    )
    (tmp_path / "photos.tsv").write_text(PHOTOS)
    options = ["--temporal", str(tmp_path / "t.json"), "--photos", str(tmp_path / "photos.tsv")]
    options += ["--training", f"a={tmp_path / 'run.jsonl'}"]
    return [str(tmp_path / "e.json"), *options, "--card", str(tmp_path / "CARD.md")]


def made(files: list[str]) -> str:
    card.main(files)
    return Path(files[-1]).read_text()


def test_a_card_written_again_is_the_same_to_the_byte(files: list[str]) -> None:
    first = made(files)
    assert made(files) == first
    assert first.startswith("# Model card\n")


def test_what_is_written_by_hand_stays(files: list[str]) -> None:
    first = made(files)
    by_hand = first.replace("## Limits\n", "## Limits\n\nVHS is out of scope.\n") + "\nThe end.\n"
    Path(files[-1]).write_text(by_hand)
    assert made(files) == by_hand


def test_what_is_measured_anew_takes_the_place_of_the_old(files: list[str]) -> None:
    made(files)
    better = json.loads(json.dumps(EVALUATION))
    better["upscalers"]["ours"]["psnr_y"] = 31.5
    Path(files[0]).write_text(json.dumps(better))
    again = made(files)
    assert "| ours | 31.500 |" in again
    assert "30.200" not in again


def test_what_is_not_given_is_left_as_it_was(files: list[str]) -> None:
    first = made(files)
    assert made([files[0], *files[-2:]]).count("A. Photographer") == first.count("A. Photographer")


@pytest.mark.parametrize("mark", ["<!-- figures -->", "<!-- end -->"])
def test_a_card_without_a_mark_is_left_alone(files: list[str], mark: str) -> None:
    Path(files[-1]).write_text(card.TEMPLATE.replace(mark, ""))
    with pytest.raises(ValueError, match=r"expected `<!-- \w+ -->`"):
        card.main(files)
    assert Path(files[-1]).read_text() == card.TEMPLATE.replace(mark, "")


def test_photographs_are_counted_by_licence_and_attributed(files: list[str]) -> None:
    text = made(files)
    assert "3 photographs: 2 in train, 1 in valid." in text
    assert "| CC0-1.0 | 2 |" in text
    assert "| wall_1.0 | A. Photographer | CC0-1.0 | copyright | otter, zoo |" in text
    assert r"| wall_1.0 | B \| C | CC-BY-4.0 | copyright | road |" in text


def test_columns_are_found_by_their_names(tmp_path: Path) -> None:
    """In another order, with the version apart, without a name, and a line that ends early."""
    path = tmp_path / "photos.tsv"
    path.write_text(
        'author\tlicence\tpackage\tversion\tpath\tsha256\nDora "D" D\tMIT\tp\t2-1\ta/b.jpg\t00\n'
        "Emil\tMIT\tp\t2-1\tc.jpg\n"
    )
    text = card.data(card.read_tsv(path))
    assert '| p 2-1 | Dora "D" D | MIT |  | b.jpg |' in text
    assert "| p 2-1 | Emil | MIT |  | c.jpg |" in text


def test_figures_say_when_where_and_how(files: list[str]) -> None:
    text = made(files)
    assert "2026-01-02, commit abc1234, A Processor, 2 cores; numpy 2.0" in text
    assert "48 photographs, 144 pairs" in text
    assert "| ours | 30.200 | 0.9000 | 99.0 to 104.0 |" in text
    assert "| codec=vp9 | 7 | +0.31 |" in text
    assert "| birds.mp4 | 24 | 50 | 0.53 | 1.10 |" in text
    assert "(1) PSNR-Y: +0.2 dB, needed +0.2 dB: met" in text


def test_limits_are_open_goals_and_stages_that_are_worse(files: list[str]) -> None:
    _, _, limits = made(files).partition("<!-- limits -->\n")
    assert limits.splitlines()[:3] == [
        "- Goal (3) flat fields: 2, needed 1: short",
        "- codec=jpeg: 0.05 dB of PSNR-Y below reference (9 pairs)",
        "<!-- end -->",
    ]


def test_a_graph_without_faults_is_said_to_have_none() -> None:
    best = EVALUATION | {"goals": EVALUATION["goals"][:1], "stages": EVALUATION["stages"][:1]}
    assert card.limits(best) == "- All goals are met.\n"


def test_the_last_line_of_a_run_counts_and_its_minutes_are_hours(files: list[str]) -> None:
    text = made(files)
    assert "| recipe: batch | 16 |" in text
    assert "| psnr | 29.5 |" in text
    assert "| hours | 1.50 |" in text


def test_a_run_may_be_one_json_object(tmp_path: Path) -> None:
    path = tmp_path / "train.json"
    path.write_text(json.dumps({"hours": 6, "device": "A | GPU"}, indent=1))
    assert r"| device | A \| GPU |" in card.training({"run": card.read_training(path)})


def test_each_run_has_a_column() -> None:
    text = card.training({"a": {"recipe": {"rate": 1}, "step": 5}, "b": {"hours": 2, "step": 7}})
    assert text.splitlines() == [
        "|  | a | b |",
        "| --- | --- | --- |",
        "| recipe: rate | 1 |  |",
        "| step | 5 | 7 |",
        "| hours |  | 2 |",
    ]


def test_another_page_gets_a_table_of_the_figures_and_keeps_the_rest(
    files: list[str], tmp_path: Path
) -> None:
    page = tmp_path / "page.md"
    other = "<!-- measured -->\nkept\n<!-- end -->\n"
    page.write_text(f"# A page\n\n<!-- quality -->\nold\n<!-- end -->\n\n{other}")
    card.main([*files, "--readme", str(page)])
    written = page.read_text()
    assert written.startswith("# A page\n\n<!-- quality -->\n| ")
    assert written.endswith(f"<!-- end -->\n\n{other}")
    assert "| ours | 30.200 | 0.9000 |" in written
    assert "| reference | 30.000 | 0.8900 |" in written
    assert "old" not in written
    assert "104" not in written, "grain is for the card"
