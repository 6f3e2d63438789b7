"""The command that says whether a graph is good, on a tiny set with the shipped graph."""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_set import records

from model import evaluate, goals, metrics, scores
from model.build import FORMS, GRAPHS
from model.packed import write_set
from model.scores import Sets

SHIPPED = GRAPHS / FORMS[0].file


@pytest.fixture(scope="module")
def given() -> Sets:
    return scores.sets(records())


def test_forms_are_those_beside_a_built_graph(given: Sets, tmp_path: Path) -> None:
    alone = tmp_path / FORMS[0].file
    alone.write_bytes(SHIPPED.read_bytes())
    assert evaluate.forms_against_fp32(alone, given.pairs[:1]) == {}
    found = evaluate.forms_against_fp32(SHIPPED, given.pairs[:1])
    assert set(found) == {"float32-fp16", "uint8-fp32", "uint8-fp16"}
    assert max(abs(value) for value in found.values()) < 0.1


@pytest.mark.parametrize("text", ["graph.onnx", "=graph.onnx", "name="])
def test_a_graph_is_given_with_a_name(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="NAME=PATH"):
        evaluate.named(text)
    assert evaluate.named("ours=a=b.onnx") == ("ours", Path("a=b.onnx"))


def test_a_name_can_be_given_once_only(given: Sets) -> None:
    with pytest.raises(SystemExit, match="each name once"):
        evaluate.evaluate(given, [("bicubic", SHIPPED)], None, fast=True, cache=None, each=map)


@pytest.fixture(scope="module")
def two_fields() -> Iterator[None]:
    """Two flat fields in place of twenty: what graphs do with them is tested elsewhere."""
    fields = list(islice(metrics.flat_fields(), 2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, "flat_fields", lambda: fields)
        yield


@pytest.fixture(scope="module")
def command(
    tmp_path_factory: pytest.TempPathFactory, two_fields: None
) -> tuple[str, dict[str, Any]]:
    """What the command prints of a tiny set, and the file it writes."""
    folder = tmp_path_factory.mktemp("evaluate")
    write_set(folder / "valid", records(), lossless=True)
    options = ["--valid", str(folder / "valid"), "--limit", "2", "--fast", "--jobs", "1"]
    printed = io.StringIO()
    with redirect_stdout(printed):
        evaluate.main([*options, "--json", str(folder / "out.json")])
    return printed.getvalue(), json.loads((folder / "out.json").read_text())


def test_a_limit_of_nothing_is_refused(tmp_path: Path) -> None:
    write_set(tmp_path, records(1), lossless=True)
    with pytest.raises(SystemExit, match="found none"):
        evaluate.main(["--valid", str(tmp_path), "--limit", "0"])


def test_the_last_line_is_what_the_file_holds(command: tuple[str, dict[str, Any]]) -> None:
    printed, found = command
    assert json.loads(printed.splitlines()[-1]) == found


def test_the_command_runs_all_rivals_on_the_limited_set(
    command: tuple[str, dict[str, Any]],
) -> None:
    _, found = command
    names = ["liveaction-2x", "SPAN", "bicubic", "lanczos"]
    assert list(found["upscalers"]) == names
    assert (found["set"]["pictures"], found["set"]["pairs"]) == (2, 4)
    assert found["upscalers"]["bicubic"]["flat"] == 0
    assert {(group["stage"], group["pairs"]) for group in found["stages"]} == {
        ("codec", 2),
        ("text", 2),
    }


def test_the_command_says_what_its_figures_depend_on(
    command: tuple[str, dict[str, Any]],
) -> None:
    _, found = command
    assert set(found["about"]) == {"date", "commit", "machine", "versions"}
    assert found["about"]["versions"]["numpy"] == np.__version__
    assert found["about"]["machine"]["cores"] >= 1


def test_the_command_prints_tables_and_goals(command: tuple[str, dict[str, Any]]) -> None:
    printed, found = command
    assert "| liveaction-2x | " in printed
    assert "| codec=h264 | 2 | " in printed
    for goal in found["goals"]:
        assert str(goals.Goal(**goal)) in printed
    assert "SSIMULACRA 2 over the reference: -, needed +1 or more: not measured" in printed


def test_the_reference_is_what_goals_and_stages_are_held_against(
    given: Sets, reference_graph: Path, two_fields: None
) -> None:
    few = replace(given, pairs=given.pairs[:2])
    found = evaluate.evaluate(
        few, [("ours", SHIPPED)], reference_graph, fast=True, cache=None, each=map
    )
    ours, theirs = (found["upscalers"][name]["psnr_y"] for name in ("ours", "reference"))
    assert found["base"] == "reference"
    assert f"{ours - theirs:+.4f} dB" in {goal["figure"] for goal in found["goals"]}
    by_codec = [group["psnr_y"] for group in found["stages"] if group["stage"] == "codec"]
    assert np.mean(by_codec) == pytest.approx(ours - theirs, abs=1e-5)
