"""Blends: the ends are what was given, and the way between is straight."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from model.blend import blended, main
from model.span import AUTHORS, SpanWeights, read_npz, read_weights


def flat(weights: SpanWeights) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """All numbers in one row."""
    parts = [weights.mean]
    for layer in weights.convolutions:
        parts += [layer.kernel.ravel(), layer.bias]
    return np.concatenate(parts)


@pytest.mark.parametrize("share", [0.25, 0.5, 0.9])
def test_each_weight_goes_a_share_of_the_way(share: float) -> None:
    one = read_weights(AUTHORS)
    other = blended([(one, 1)])
    for layer in other.convolutions:
        layer.kernel[:] += 2
        layer.bias[:] -= 4
    made = blended([(one, 3 - 3 * share), (other, 3 * share)])
    moved = flat(made) - flat(one)
    assert moved.dtype == np.float32
    assert np.allclose(moved, share * (flat(other) - flat(one)), atol=1e-6)
    for layer, first in zip(made.convolutions, one.convolutions, strict=True):
        assert np.allclose(layer.kernel - first.kernel, 2 * share, atol=1e-6)
        assert np.allclose(layer.bias - first.bias, -4 * share, atol=1e-5)


def test_more_than_two_can_be_blended() -> None:
    one = read_weights(AUTHORS)
    doubled = blended([(one, 1)])
    for layer in doubled.convolutions:
        layer.kernel[:] *= 2
    made = blended([(one, 1), (doubled, 1), (one, 2)])
    for layer, first in zip(made.convolutions, one.convolutions, strict=True):
        assert np.allclose(layer.kernel, 1.25 * first.kernel)


def test_the_command_writes_weights(tmp_path: Path) -> None:
    out = tmp_path / "blend.npz"
    main([f"{AUTHORS}=0.7", f"{AUTHORS}=0.3", "--out", str(out)])
    assert np.allclose(flat(read_npz(out)), flat(read_weights(AUTHORS)), rtol=1e-6)


@pytest.mark.parametrize("word", ["a.npz", "a.npz=", "a.npz=0", "a.npz=-1", "a.npz=nan", "=1"])
def test_a_part_without_a_share_is_refused(
    word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([word, "--out", str(tmp_path / "blend.npz")])
    assert "error: argument FILE=SHARE" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
