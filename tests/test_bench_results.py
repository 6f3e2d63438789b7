"""RESULTS.md keeps what was not measured anew, and the README follows it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from bench import results, run
from bench.run import ORDER
from bench.section import Section
from model import machine

README = "# A\n\n<!-- measured -->\nold\n<!-- end -->\n\nmore\n"


def section(title: str, figure: str) -> Section:
    return Section(title, "How.", ("a", "b"), [(1, 2)], (f"how {title} it is", figure))


def test_a_section_measured_anew_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    path, readme = tmp_path / "RESULTS.md", tmp_path / "README.md"
    readme.write_text(README)
    for name, figure in (("fast", "1"), ("good", "2"), ("fast", "3")):
        new = {name: results.block(name, section(name, figure), f"run {figure}")}
        results.write(path, readme, new, ["good", "fast", "never"])
    text = path.read_text()
    assert list(results.blocks(text)) == ["good", "fast"]
    assert "run 2" in text
    assert "run 3" in text
    assert "run 1" not in text
    wanted = "| how good it is | 2 |\n| how fast it is | 3 |\n<!-- end -->\n\nmore\n"
    assert readme.read_text().endswith(wanted)


def test_a_section_without_a_headline_is_not_in_the_readme(tmp_path: Path) -> None:
    path, readme = tmp_path / "RESULTS.md", tmp_path / "README.md"
    readme.write_text(README)
    quiet = Section("Rims", "How.", ("a", "b"), [(1, 2)])
    new = {name: results.block(name, quiet, "now") for name in ("rims", "seams")}
    results.write(path, readme, new, ORDER)
    assert list(results.blocks(path.read_text())) == ["rims", "seams"]
    assert "| measured | |\n|---|---|\n<!-- end -->" in readme.read_text()


def test_sections_that_are_not_measured_any_more_go() -> None:
    old = results.merged("", {"gone": results.block("gone", section("x", "1"), "then")}, ["gone"])
    assert results.merged(old, {}, ["fast"]) == results.HEAD


def test_the_commit_is_told_with_changes_to_code_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "__file__", str(tmp_path / "machine.py"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert "commit" not in results.circumstances()
    for name in ("machine.py", "RESULTS.md"):
        (tmp_path / name).write_text("one")
    who = ["-c", "user.name=n", "-c", "user.email=e", "-c", "commit.gpgsign=false"]
    for words in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "one"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    for name, expected in (("RESULTS.md", r"commit \w+, "), ("machine.py", r"commit \w+-dirty, ")):
        (tmp_path / name).write_text("two")
        assert re.search(expected, results.circumstances())


PRINTED = """\
{"levers": {}}
## Levers

Frames, on a GPU.

| lever | fps |
| --- | --- |
| baseline | 10 |

{"levers": {"480p": 1}}
"""


def test_what_was_printed_elsewhere_is_put_in_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, readme = tmp_path / "RESULTS.md", tmp_path / "README.md"
    readme.write_text(README)
    results.write(path, readme, {"speed": results.block("speed", section("x", "1"), "now")}, ORDER)
    monkeypatch.setattr(run, "RESULTS", path)
    monkeypatch.setattr(run, "README", readme)
    (tmp_path / "levers.txt").write_text(PRINTED)
    for note in ("Old.", "New."):
        results.main(["levers", str(tmp_path / "levers.txt"), "--note", note])
    found = results.blocks(path.read_text())
    assert list(found) == ["speed", "levers"]
    wanted = PRINTED.partition("\n")[2].partition("{")[0].rstrip()
    assert found["levers"] == f"<!-- section levers -->\n{wanted}\n\nNew.\n"
    assert "| how x it is | 1 |" in readme.read_text()


@pytest.mark.parametrize("text", ["", "## Levers\n\nno table", "| a |\n"])
def test_a_file_without_a_table_is_refused(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "levers.txt").write_text(text)
    with pytest.raises(SystemExit):
        results.main(["levers", str(tmp_path / "levers.txt")])
    assert "levers.txt: expected a table" in capsys.readouterr().err


def test_the_committed_files_belong_together() -> None:
    """Every measure has its section, but for one that no GPU was there for; the README says what
    they say.
    """
    root = Path(results.__file__).parents[1]
    text, readme = ((root / name).read_text() for name in ("bench/RESULTS.md", "README.md"))
    assert list(results.blocks(text)) == [name for name in ORDER if name != "nodes-cuda"]
    assert results.readme_with(readme, text) == readme
