"""A target appears whole or not at all, also where another program holds files for a moment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from liveaction_onnx import TargetError, publish
from liveaction_onnx.journal import Journal, folder_of
from liveaction_onnx.publish import publishing


class Held:
    """A call that is refused so many times, as on Windows where a file is held."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str, times: int) -> None:
        self.left, self.real = times, getattr(os, name)
        monkeypatch.setattr(os, name, self)

    def __call__(self, *given: Any, **named: Any) -> Any:
        if self.left:
            self.left -= 1
            raise PermissionError(13, "The process cannot access the file")
        return self.real(*given, **named)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "a.png"


def write(target: Path) -> None:
    with publishing(target, overwrite=False) as file:
        file.write(b"all")


def test_a_file_that_is_held_for_a_moment_is_renamed_after_it(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "HELD_S", 20)
    held = Held(monkeypatch, "replace", 3)
    write(target)
    assert held.left == 0
    assert target.read_bytes() == b"all"
    assert os.listdir(target.parent) == [target.name]


def test_one_that_stays_held_is_told_and_what_was_written_goes(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Held(monkeypatch, "replace", 10**9)
    with pytest.raises(TargetError, match="The process cannot access the file"):
        write(target)
    assert os.listdir(target.parent) == []


def test_what_cannot_be_deleted_does_not_hide_what_went_wrong(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Held(monkeypatch, "unlink", 10**9)
    with pytest.raises(ZeroDivisionError), publishing(target, overwrite=False):
        raise ZeroDivisionError
    assert not target.exists()


def test_a_segment_that_is_held_for_a_moment_is_recorded_after_it(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "HELD_S", 20)
    Held(monkeypatch, "replace", 2)
    journal = Journal(target, {})
    part = journal.new_file(".mkv")
    part.write_bytes(b"segment")
    Held(monkeypatch, "replace", 2)
    journal.add(part, [0], 1, 0, 0)
    journal.close()
    again = Journal(target, {})
    assert [segment.file for segment in again.segments] == ["segment-000000.mkv"]
    again.close()


@pytest.mark.parametrize("call", ["replace", "fsync"])
def test_a_segment_that_cannot_be_recorded_is_the_targets_fault(
    target: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    journal = Journal(target, {})
    part = journal.new_file(".mkv")
    part.write_bytes(b"segment")
    with monkeypatch.context() as patch:
        Held(patch, call, 10**9)
        with pytest.raises(TargetError, match=r"a\.png: cannot be written: The process"):
            journal.add(part, [0], 1, 0, 0)
    journal.close()
    again = Journal(target, {})
    assert len(again.segments) <= 1
    again.delete()
    assert not folder_of(target).exists()


def test_a_journal_that_cannot_be_begun_is_the_targets_fault(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Held(monkeypatch, "replace", 10**9)
    with pytest.raises(TargetError, match="cannot be written"):
        Journal(target, {})


def test_a_folder_that_cannot_be_deleted_whole_is_not_gone_on_with(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(target, {"crf": 18})
    monkeypatch.setattr("shutil.rmtree", lambda folder, ignore_errors: None)
    journal.delete()
    Journal(target, {"crf": 20}).close()
