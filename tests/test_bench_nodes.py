"""That bench/nodes.py counts what nodes do, at a size that is next to nothing."""

from __future__ import annotations

import pytest

from bench import nodes
from bench.contenders.roofline import FLOP_PER_MULTIPLY_ADD, Rates, multiply_adds
from bench.nodes import Node, nodes_of, section
from liveaction_onnx.devices import Device

CPU = Device("cpu")


def test_each_node_of_the_graph_is_told_of() -> None:
    found = nodes_of(CPU, (48, 32), runs=2)
    inner = [node for node in found if node.kind == "Conv 48 to 48, 3x3"]
    assert len(inner) == 18
    px = 48 * 32
    assert {node.flop for node in inner} == {FLOP_PER_MULTIPLY_ADD * 48 * 48 * 9 * px}
    a_map, weights = 4 * 48 * px, 4 * 48 * (48 * 9)
    moved = sorted((node.moved - weights) // a_map for node in inner)
    assert moved == [2] * 17 + [3], "in and out, and what is added to one"
    least = FLOP_PER_MULTIPLY_ADD * multiply_adds() * px
    assert least <= sum(node.flop for node in found) <= 1.05 * least, "the last fills up a block"
    assert all(node.seconds > 0 for node in inner)


def test_kinds_are_summed_and_held_against_the_machine() -> None:
    given = [Node("Conv", 0.5, 50, 10), Node("Mul", 0.7995, 0, 80), Node("Conv", 0.3, 30, 30)]
    made = section([*given, Node("Shape", 0.0005, 0, 1)], CPU, "480p", Rates(1e9, 1e9))
    assert [row[:4] for row in made.rows] == [
        ("Conv", 2, "800.0", "50.0 %"),
        ("Mul", 1, "799.5", "50.0 %"),
    ]
    assert made.headline is not None
    assert made.headline[1] == "50 % and 0 %"


def test_rates_are_shares_of_the_best() -> None:
    made = section([Node("Conv", 2, 80 * 10**9, 10**9)], CPU, "480p", Rates(50e9, 2e9))
    assert made.rows == [("Conv", 1, "2,000.0", "100.0 %", "40", "80 %", "0.5", "25 %")]


def test_without_limits_times_are_told_all_the_same() -> None:
    made = section([Node("Conv", 2, 8, 8)], Device("cuda"), "480p", "no torch")
    assert made.rows[0][-3:] == ("-", "0.0", "-")
    assert "no torch" in made.how
    assert "each kernel waited for" in made.how


@pytest.mark.parametrize("words", [["--device", "dml"], ["--device", "auto"], ["--size", "big"]])
def test_what_cannot_be_measured_is_refused(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        nodes.main(words)
    assert "error" in capsys.readouterr().err
