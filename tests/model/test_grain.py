"""Grain in training: as much on the target as bicubic keeps of it on the input."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from model.grain import draw, enlarge, put_on


def test_the_enlargement_is_that_of_pillow() -> None:
    plane = np.random.default_rng(0).random((20, 24)).astype(np.float32)
    ours = enlarge(torch.from_numpy(plane)[None, None])[0, 0].numpy()
    theirs = np.asarray(Image.fromarray(plane).resize((48, 40), Image.Resampling.BICUBIC))
    assert np.abs(ours - theirs).max() < 1e-6


def test_grain_is_of_every_strength_and_kind() -> None:
    rng = np.random.default_rng(0)
    drawn = draw(rng, 60, 48, torch.device("cpu")).numpy()
    assert drawn.shape == (60, 3, 48, 48)
    levels = np.array([grain.std() * 255 for grain in drawn])
    assert 1 <= levels.min() < 2
    assert 10 < levels.max() <= 14
    grey = [np.array_equal(grain[0], grain[2]) for grain in drawn]
    assert 15 < sum(grey) < 45
    beside = [
        np.corrcoef(grain[0, :, 1:].ravel(), grain[0, :, :-1].ravel())[0, 1] for grain in drawn
    ]
    assert min(beside) < 0.1
    assert max(beside) > 0.4
    assert all(abs(grain.mean()) * 255 < 1 for grain in drawn)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_the_share_of_patches_gets_grain_on_both_sides(share: float) -> None:
    given, wanted = torch.full((40, 3, 24, 24), 0.5), torch.full((40, 3, 48, 48), 0.5)
    grainy, kept, places = put_on(given, wanted, np.random.default_rng(1), share)
    touched = [bool((patch != 0.5).any()) for patch in grainy]
    assert places.tolist() == np.flatnonzero(touched).tolist()
    assert np.mean(touched) == pytest.approx(share, abs=0.15 if share == 0.5 else 0)
    for patch, big, was in zip(grainy, kept, touched, strict=True):
        assert bool((big != 0.5).any()) == was
        halves = torch.nn.functional.avg_pool2d(big[None], 2)[0]
        assert (halves - patch).abs().mean() < 0.75 * (patch - 0.5).abs().mean() + 2e-3
    assert (given == 0.5).all(), "what came in is as it was"


def test_grain_that_black_cuts_off_lightens_both_sides() -> None:
    """Else the input would be lighter than the target, and the network learn to darken."""
    black = torch.zeros(4, 3, 48, 48)
    grainy, kept, _ = put_on(black, torch.zeros(4, 3, 96, 96), np.random.default_rng(1), 1)
    assert grainy.min() == 0
    lighter = grainy.mean(dim=(1, 2, 3))
    assert (lighter * 255 > 0.2).all()
    assert torch.allclose(kept.mean(dim=(1, 2, 3)), lighter, rtol=0.02)
