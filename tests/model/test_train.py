"""Training: it learns, goes on where it stopped, keeps the best, and refuses what does not fit."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from model import network, patches, train
from model.packed import write_set
from model.recipe import PARTS, Recipe
from model.records import Draw, Record
from model.span import AUTHORS, read_npz, read_weights
from model.train import Run

CPU = torch.device("cpu")
TINY = Recipe(
    minutes=60, batch=2, side=24, margin=2, charts=0, grain=0, rate=1e-3, warm_up_steps=1, ema=0.5
)


def record(seed: int) -> Record:
    """A picture of ramps and bars, 128 x 96, and a half-size version that is 4 levels too dark."""
    rows, columns = np.mgrid[:96, :128]
    rng = np.random.default_rng(seed)
    planes = np.stack([rows * 1.5, columns * 1.2, (rows + columns) * 0.7], axis=-1) + 30
    planes[:, rng.integers(20, 60) :: 24] += 40
    target: NDArray[np.uint8] = planes.clip(0, 255).astype(np.uint8)
    half = Image.fromarray(target).resize((64, 48), Image.Resampling.BOX)
    dark = np.asarray(half).astype(int) - 4
    return Record(
        f"r{seed}", target, (Draw(dark.clip(0, 255).astype(np.uint8), {"codec": "none"}),)
    )


@pytest.fixture
def pairs() -> list[patches.Pair]:
    return patches.pairs([record(1), record(2)], CPU)


@pytest.fixture
def pool(pairs: list[patches.Pair]) -> patches.Pool:
    return patches.Pool(pairs, patches.pool([record(3)], np.random.default_rng(0), CPU).clean)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Sums in one order, so that two runs can be compared to the bit."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def steps(run: Run, pool: patches.Pool, count: int) -> list[float]:
    return [run.train_step(pool).item() for _ in range(count)]


def equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(a[name], b[name]) for name in a)


def test_the_target_is_brought_to_the_mean_colour_of_the_input(pairs: list[patches.Pair]) -> None:
    for pair in pairs:
        given = pair.input.float().mean(dim=(1, 2)) / 255
        moved = (pair.target.float() / 255 + pair.shift).mean(dim=(1, 2))
        assert torch.allclose(given, moved, atol=1e-5)
        assert pair.shift.mean().item() * 255 == pytest.approx(-4, abs=0.6)


def test_a_batch_is_cut_from_the_same_place_of_both(pool: patches.Pool) -> None:
    batch = patches.batch(pool, np.random.default_rng(0), 8, 24, clean=0, charts=0)
    inputs, targets = batch.inputs, batch.targets
    assert inputs.shape == (8, 3, 24, 24)
    assert targets.shape == (8, 3, 48, 48)
    means = torch.nn.functional.avg_pool2d(targets, 2)
    assert (means - inputs).abs().mean().item() * 255 < 1
    assert len({float(x.mean()) for x in inputs}) == 8, "eight different patches"


def test_clean_pairs_are_targets_and_their_halves(pool: patches.Pool) -> None:
    (pair,) = pool.clean
    halves = torch.nn.functional.avg_pool2d(pair.target.float(), 2)
    assert 0 < (halves - pair.input.float()).abs().mean() < 2
    assert not pair.shift.any()


@pytest.mark.parametrize(("clean", "charts"), [(1, 0), (0, 1), (0, 0)])
def test_shares_say_where_patches_come_from(pool: patches.Pool, clean: int, charts: int) -> None:
    """Degraded inputs are 4 levels darker than their targets, clean ones are not."""
    rng = np.random.default_rng(0)
    given = patches.batch(pool, rng, 6, 24, clean=clean, charts=charts).inputs
    photographs = given.diff(dim=3).abs().max() < 0.5
    assert bool(photographs) == (not charts)
    unmoved = [patches.Pair(p.input, p.target, p.shift * 0) for p in pool.degraded]
    both = patches.Pool(unmoved, pool.clean)
    batch = patches.batch(both, rng, 6, 24, clean=clean, charts=charts)
    darker = (batch.targets.mean() - batch.inputs.mean()).item() * 255
    assert darker == pytest.approx(0 if clean or charts else 4, abs=1)


def test_inputs_smaller_than_a_patch_are_left_out() -> None:
    def count(smallest: int) -> tuple[int, int]:
        pool = patches.pool([record(1)], np.random.default_rng(0), CPU, smallest)
        return len(pool.degraded), len(pool.clean)

    assert count(49) == (0, 0)
    assert count(48) == (1, 1)


def test_only_the_first_draws_validate(tmp_path: Path) -> None:
    base = record(1)
    write_set(tmp_path, [replace(base, draws=base.draws * 3)], lossless=True)
    (kept,) = train.first_draws(tmp_path, 2)
    assert len(kept.draws) == 2


def test_draws_on_which_less_is_gained_are_taken_more_often() -> None:
    base = record(1)
    stages = [
        {"scaling": "one-step", "filter": "box", "codec": "jpeg"},
        {"scaling": "one-step", "filter": "box", "codec": "vp9"},
        {"scaling": "two-step", "filter": "box", "filter.second": "jinc"},
        {"scaling": "two-step", "filter": "jinc", "filter.second": "box", "sharpening": "unsharp"},
    ]
    draws = tuple(Draw(base.draws[0].input, each) for each in stages)
    found = patches.pairs([replace(base, draws=draws)], CPU)
    assert [pair.times for pair in found] == [1, 2, 3, 5]
    made = patches.pool([replace(base, draws=draws)], np.random.default_rng(0), CPU)
    assert len(made.degraded) == 11
    assert made.clean[0].target is made.degraded[0].target, "held once"


def test_twins_are_the_patches_with_grain_as_they_were_without_it(pool: patches.Pool) -> None:

    def cut(grain: float, *, twins: bool) -> patches.Batch:
        rng = np.random.default_rng(3)
        return patches.batch(pool, rng, 8, 24, clean=0.5, charts=0, grain=grain, twins=twins)

    plain, batch = cut(0.5, twins=False), cut(0.5, twins=True)
    grainy, twins = batch.inputs[:8], batch.inputs[8:]
    assert torch.equal(grainy, plain.inputs), "the same draws, and then the twins"
    assert 0 < len(twins) == len(batch.places) < 8
    assert plain.places.numel() == 0
    without = cut(0, twins=False)
    assert torch.equal(twins, without.inputs[batch.places])
    untouched = [k for k in range(8) if k not in batch.places.tolist()]
    assert torch.equal(grainy[untouched], without.inputs[untouched])
    assert torch.allclose(batch.targets[batch.places] - batch.grain, without.targets[batch.places])


def test_draws_share_their_target_unless_they_bring_one() -> None:
    base = record(1)
    small = base.draws[0].input
    own = (base.target // 2).astype(np.uint8)
    both = Record("x", base.target, (base.draws[0], base.draws[0], Draw(small, {}, own)))
    first, second, third = patches.pairs([both], CPU)
    assert first.target is second.target
    assert third.target.float().mean() < first.target.float().mean()


def test_the_margin_costs_nothing(pool: patches.Pool) -> None:
    batch = patches.batch(
        pool, np.random.default_rng(9), 2, 24, clean=0, charts=0, grain=1, twins=True
    )
    best = torch.cat([batch.targets, batch.targets - batch.grain])
    made = best.clone()
    made[..., :4, :] += 0.5
    made[..., -4:] += 0.5
    assert TINY.loss(made, batch).item() == TINY.loss(best, batch).item()
    made[..., 4, 4] += 0.5
    assert TINY.loss(made, batch).item() > TINY.loss(best, batch).item()


def test_near_the_rim_only_flat_fields_cost(pool: patches.Pool) -> None:
    recipe = replace(TINY, margin=4, rim=2, ring=0.5)
    batch = patches.batch(
        pool, np.random.default_rng(9), 2, 24, clean=0, charts=0, grain=1, twins=True
    )
    assert not len(batch.flat)
    batch.targets[1] = torch.tensor([0.2, 0.4, 0.6])[:, None, None]
    assert batch.flat.tolist() == [1]
    best = torch.cat([batch.targets, batch.targets - batch.grain])
    least = recipe.loss(best, batch).item()
    outermost, within = best.clone(), best.clone()
    outermost[..., :4, :] += 0.5
    assert recipe.loss(outermost, batch).item() == pytest.approx(least)
    within[0, ..., 4:8, 4:-4] += 0.5
    assert recipe.loss(within, batch).item() == pytest.approx(least)
    within[1, ..., 4:8, 4:-4] += 0.5
    ring, band = 40**2 - 32**2, 4 * 40
    assert recipe.loss(within, batch).item() - least == pytest.approx(
        0.5 * 0.5 * 0.5 * band / ring, rel=0.01
    )
    without = replace(recipe, ring=0.0)
    assert without.loss(within, batch).item() == without.loss(best, batch).item()


@pytest.mark.parametrize(("part", "off"), [("grain_kept", True), ("colour", False)])
def test_grain_that_is_amplified_and_colour_that_moves_cost(
    pool: patches.Pool, part: str, off: bool
) -> None:
    """With all other parts of the loss left out."""
    weights = dict.fromkeys((*PARTS, "grain_kept", "colour", "ring"), 0.0) | {part: 1.0}
    recipe = Recipe(margin=2, **weights)  # type: ignore[arg-type]
    batch = patches.batch(
        pool, np.random.default_rng(3), 2, 24, clean=1, charts=0, grain=1, twins=True
    )
    kept = torch.cat([batch.targets, batch.targets - batch.grain])
    amplified = torch.cat([batch.targets + 0.5 * batch.grain, batch.targets - batch.grain])
    darker = torch.cat([batch.targets - 0.1, batch.targets - batch.grain - 0.1])
    costs = [recipe.loss(made, batch).item() for made in (kept, amplified, darker)]
    assert costs[0] < 0.02
    assert costs[1] == pytest.approx(0.5 if off else costs[0], abs=0.01)
    assert costs[2] == pytest.approx(costs[0] if off else 0.1, abs=0.01)


@pytest.mark.slow
def test_it_learns(pool: patches.Pool) -> None:
    """That inputs 40 levels too dark have to be made lighter."""
    dark = [patches.Pair(p.input // 8 * 7, p.target, p.shift * 0) for p in pool.degraded]
    pool = patches.Pool([patches.Pair(p.input - 12, p.target, p.shift) for p in dark], [])
    run = Run(replace(TINY, rate=3e-4, clean=0), AUTHORS, CPU)
    batch = patches.batch(pool, np.random.default_rng(9), 8, 24, clean=0, charts=0)

    def loss() -> float:
        with torch.no_grad():
            return run.recipe.loss(run.network(batch.inputs), batch).item()

    before = loss()
    steps(run, pool, 60)
    assert loss() < before - 0.02


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(
    pool: patches.Pool, tmp_path: Path
) -> None:
    whole = Run(TINY, AUTHORS, CPU)
    steps(whole, pool, 6)
    first = Run(TINY, AUTHORS, CPU)
    steps(first, pool, 3)
    first.save(tmp_path / "checkpoint.pt")
    second = Run(TINY, AUTHORS, CPU)
    second.load(tmp_path / "checkpoint.pt")
    steps(second, pool, 3)
    assert second.step == 6
    assert equal(second.network.state_dict(), whole.network.state_dict())
    assert equal(second.average, whole.average)


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path) -> None:
    Run(TINY, AUTHORS, CPU).save(tmp_path / "checkpoint.pt")
    with pytest.raises(SystemExit, match="other settings"):
        Run(Recipe(), AUTHORS, CPU).load(tmp_path / "checkpoint.pt")


def test_a_gradient_that_is_not_finite_changes_nothing_and_is_counted(
    pool: patches.Pool,
) -> None:
    run = Run(TINY, AUTHORS, CPU)
    before = {name: value.clone() for name, value in run.network.state_dict().items()}
    broken = [patches.Pair(p.input, p.target, p.shift * math.nan) for p in pool.degraded]
    run.train_step(patches.Pool(broken, broken))
    assert run.skipped == 1
    assert equal(run.network.state_dict(), before)
    run.train_step(pool)
    assert run.skipped == 1


def test_the_learning_rate_rises_and_then_falls_along_a_cosine() -> None:
    recipe = Recipe(rate=1e-3, rate_end=0, warm_up_steps=10)
    assert recipe.rate_at(0, 0) == pytest.approx(1e-4)
    assert recipe.rate_at(10, 0) == pytest.approx(1e-3)
    assert recipe.rate_at(99, 0.5) == pytest.approx(5e-4)
    assert recipe.rate_at(99, 1) == pytest.approx(0)
    assert recipe.rate_at(99, 1.3) == pytest.approx(0)
    assert replace(recipe, warm_up_steps=0).rate_at(0, 0) == pytest.approx(1e-3)


def test_weights_are_pulled_towards_the_authors(pool: patches.Pool, tmp_path: Path) -> None:
    moved = Run(replace(TINY, rate=0.05, warm_up_steps=1), AUTHORS, CPU)
    moved.train_step(pool)
    moved.export(tmp_path / "start.npz")
    free, pulled = (
        Run(replace(TINY, pull=pull), tmp_path / "start.npz", CPU) for pull in (0.0, 200.0)
    )
    for run in (free, pulled):
        run.train_step(pool)
    share = 200 * TINY.rate
    authors = network.from_weights(read_weights(AUTHORS)).state_dict()
    for name, wanted in free.network.state_dict().items():
        wanted = wanted + share * (authors[name] - wanted)
        assert torch.allclose(pulled.network.state_dict()[name], wanted, atol=1e-6)
    name = "convolutions.5.weight"
    assert not torch.allclose(
        pulled.network.state_dict()[name], free.network.state_dict()[name], atol=1e-4
    )


def test_the_average_follows_the_network(pool: patches.Pool) -> None:
    run = Run(TINY, AUTHORS, CPU)
    old = {name: value.clone() for name, value in run.average.items()}
    run.train_step(pool)
    now = run.network.state_dict()
    keep = min(0.5, 1 / 10)
    name = "convolutions.5.weight"
    assert torch.allclose(run.average[name], keep * old[name] + (1 - keep) * now[name], atol=1e-7)


def test_the_command_trains_logs_keeps_the_best_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_set(tmp_path / "data" / "train", [record(1), record(2)], lossless=False)
    write_set(tmp_path / "data" / "valid", [record(3)], lossless=True)
    words = f"train --data {tmp_path}/data --out {tmp_path}/run --device cpu --minutes 1"
    settings = "--batch 1 --side 24 --margin 2 --every 0.5 --stop-after 0.02"
    monkeypatch.setattr("sys.argv", [*words.split(), *settings.split()])
    train.main()
    train.main()
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert lines[0]["recipe"]["batch"] == 1
    minutes = [line["minutes"] for line in lines[1:]]
    assert minutes == sorted(minutes)
    assert minutes[-1] >= 0.04
    best = max(line["score"] for line in lines[1:])
    assert best > lines[0]["score"] - 20
    assert read_npz(tmp_path / "run" / "best.npz").mean.shape == (3,)
    assert "2 pairs to train on, 1 to validate by" in capsys.readouterr().out
