"""The whole recipe in small: from an empty folder, through every stage, to graphs that run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import liveaction_onnx as la
from model.build import FORMS

MAKE = Path(__file__).parents[2] / "model" / "make.sh"


@pytest.mark.slow
def test_the_smoke_run_goes_from_an_empty_folder_to_a_graph(tmp_path: Path) -> None:
    """Fetches one package of 4.5 MB from the mirror."""
    environment = os.environ | {"WORK": str(tmp_path / "recipe"), "PYTHON": sys.executable}
    command = ["bash", str(MAKE), "--smoke"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    work = tmp_path / "recipe" / "smoke"
    found = json.loads((work / "evaluation.json").read_text())
    assert found["set"]["pictures"] == 1
    assert {"ours", "SPAN", "bicubic", "lanczos"} <= set(found["upscalers"])
    logged = (work / "second" / "log.jsonl").read_text().splitlines()
    assert json.loads(logged[-1])["minutes"] >= 0.1
    field = np.full((16, 24, 3), 100, np.uint8)
    for form in FORMS:
        with la.Upscaler(work / "graphs" / form.file, device="cpu") as up:
            assert up(field).shape == (32, 48, 3)


def commands(folder: Path, *words: str, **variables: str) -> str:
    """What is run of the recipe, said instead of done; asked for in a folder."""
    environment = os.environ | {"PYTHON": "echo"} | variables
    command = ["bash", str(MAKE), *words]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=True
    ).stdout


def test_the_recipe_finds_nothing_of_a_smoke_run_before_it(tmp_path: Path) -> None:
    def written(*words: str) -> set[str]:
        said = commands(tmp_path, *words, WORK="recipe")
        return set(re.findall(r"--(?:out|cache|json) (\S+)", said))

    whole, smoke = written(), written("--smoke")
    assert len(whole) == len(smoke) == 7
    assert not whole & smoke


def test_a_reference_is_looked_for_where_the_recipe_was_called(tmp_path: Path) -> None:
    said = commands(tmp_path, REFERENCE="graphs/reference.onnx")
    assert f"--reference {tmp_path.resolve() / 'graphs' / 'reference.onnx'} " in said


def test_other_words_are_refused() -> None:
    done = subprocess.run(
        ["bash", str(MAKE), "--fast"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "usage: bash model/make.sh [--smoke]" in done.stderr
