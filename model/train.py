"""Train the network on a packed set: `python -m model.train --data SET --out RUN --minutes 60`.

Everything that a run knows lies in RUN: `checkpoint.pt`, from which the same command goes on,
`last.npz` and `best.npz`, the averaged weights now and where they validated best, and `log.jsonl`.
SET may grow meanwhile: parts that come are read beside the training and join it.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from model import losses, network, patches, ssimulacra
from model.arrivals import Arrivals
from model.packed import read_set
from model.recipe import Recipe
from model.records import Record
from model.span import AUTHORS, read_weights, write_npz


def laid_out(model: network.Span, device: torch.device) -> network.Span:
    """The network on the device, with channels last: the layout of its fast bf16 convolutions."""
    for parameter in model.to(device).parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return model


class Run:
    """A network in training, with its optimizer, its average and its place in the schedule."""

    def __init__(self, recipe: Recipe, start: Path, device: torch.device) -> None:
        self.recipe, self.device = recipe, device
        self.network = laid_out(network.from_weights(read_weights(start)), device)
        self.average = {k: v.detach().clone() for k, v in self.network.state_dict().items()}
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=recipe.rate, betas=(0.9, 0.99), weight_decay=0, fused=True
        )
        self.authors: list[Tensor] = []
        if recipe.pull:
            authors = laid_out(network.from_weights(read_weights(AUTHORS)), device)
            self.authors = [parameter.detach() for parameter in authors.parameters()]
        self.rng = np.random.default_rng(recipe.seed)
        self.step, self.seconds, self.best = 0, 0.0, -math.inf
        self.skipped = torch.zeros((), device=device)
        self.forward: Any = self.network
        self.half = device.type == "cuda" or torch.cpu._is_avx512_bf16_supported()

    @property
    def done(self) -> float:
        return self.seconds / (60 * self.recipe.minutes)

    def train_step(self, pool: patches.Pool) -> Tensor:
        """One step; gives the loss. A loss that is not finite changes nothing and is counted.

        Nothing in it waits for a GPU, so that the next step is asked for while this one is made.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.rate_at(self.step, self.done)
        recipe = self.recipe
        batch = patches.batch(
            pool,
            self.rng,
            recipe.batch,
            recipe.side,
            clean=recipe.clean,
            charts=recipe.charts,
            grain=recipe.grain,
            twins=recipe.grain_kept > 0,
        )
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            made = self.forward(batch.inputs)
        loss = recipe.loss(made, batch)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), recipe.clip)
        broken = (~torch.isfinite(norm)).float()
        # By this the fused optimizer leaves everything as it is, as after an overflow of fp16.
        self.optimizer.found_inf = broken  # type: ignore[attr-defined]
        self.optimizer.step()
        self.skipped += broken
        if self.authors:
            self._pull()
        self._follow()
        self.step += 1
        return torch.where(broken > 0, 0, loss.detach())

    def _pull(self) -> None:
        share = self.optimizer.param_groups[0]["lr"] * self.recipe.pull
        with torch.no_grad():
            torch._foreach_lerp_(list(self.network.parameters()), self.authors, share)

    def _follow(self) -> None:
        keep = min(self.recipe.ema, (1 + self.step) / (10 + self.step))
        state = self.network.state_dict()
        torch._foreach_lerp_(list(self.average.values()), list(state.values()), 1 - keep)

    def validate(self, valid: list[patches.Pair]) -> dict[str, float]:
        """Means over the pairs, by the averaged weights; in the score 0.003 of SSIM or 1 of
        SSIMULACRA 2 is as good as 0.1 dB of PSNR.
        """
        model = laid_out(network.Span(), self.device)
        model.load_state_dict(self.average)
        psnr, ssim, ms_ssim, seen = [], [], [], []
        with torch.no_grad():
            for pair in valid:
                made = model(pair.input[None].float() / 255).clamp(0, 1)
                wanted = pair.target[None].float() / 255
                error = functional.mse_loss(losses.luma(made), losses.luma(wanted)).item()
                psnr.append(-10 * math.log10(max(error, 1e-10)))
                ssim.append(losses.ssim(made, wanted).item())
                ms_ssim.append(losses.ms_ssim(made, wanted).item())
                seen.append(ssimulacra.score(ssimulacra.error(made, wanted).item()))
        means = {"psnr": psnr, "ssim": ssim, "ms_ssim": ms_ssim, "ssimulacra2": seen}
        values = {name: float(np.mean(each)) for name, each in means.items()}
        score = values["psnr"] + values["ssim"] / 0.03 + values["ssimulacra2"] / 10
        return values | {"score": score}

    def save(self, path: Path) -> None:
        state = {
            "recipe": asdict(self.recipe),
            "network": self.network.state_dict(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "rng": self.rng.bit_generator.state,
            "place": (self.step, self.seconds, self.best, int(self.skipped)),
        }
        part = path.with_suffix(".part")
        torch.save(state, part)
        part.replace(path)

    def export(self, path: Path) -> None:
        """Write the averaged weights."""
        write_npz(path, network.to_weights(self.average))

    def load(self, path: Path) -> None:
        state = torch.load(path, map_location=self.device, weights_only=True)
        if state["recipe"] != asdict(self.recipe):
            raise SystemExit(
                f"{path}: belongs to a run with other settings: {state['recipe']}. "
                "Give those, or another --out."
            )
        self.network.load_state_dict(state["network"])
        self.average = {k: v.to(self.device) for k, v in state["average"].items()}
        self.optimizer.load_state_dict(state["optimizer"])
        self.rng.bit_generator.state = state["rng"]
        self.step, self.seconds, self.best, skipped = state["place"]
        self.skipped.fill_(skipped)


def log(folder: Path, entry: dict[str, Any]) -> None:
    line = json.dumps(entry)
    print(line, flush=True)
    with (folder / "log.jsonl").open("a") as file:
        file.write(line + "\n")


def train(
    run: Run,
    pool: patches.Pool,
    valid: list[patches.Pair],
    folder: Path,
    *,
    arrivals: Arrivals | None = None,
    stop_after: float = math.inf,
    every: float = 120.0,
) -> None:
    """Train until the recipe's minutes are over, or `stop_after` minutes of this call.

    Validates and saves every `every` seconds of training, and at the end. What `arrivals` has got
    joins the pool before the next step.
    """
    running, count, mark, entered = torch.zeros((), device=run.device), 0, run.seconds, run.seconds
    while True:
        over = run.done >= 1 or run.seconds - entered >= 60 * stop_after
        if over or run.seconds - mark >= every:
            values = run.validate(valid)
            rate = run.optimizer.param_groups[0]["lr"]
            entry = {"step": run.step, "minutes": round(run.seconds / 60, 2), "rate": rate}
            entry |= {"targets": len(pool.clean), "loss": running.item() / max(count, 1)}
            entry |= {"skipped": int(run.skipped), **values}
            if values["score"] > run.best:
                run.best = values["score"]
                run.export(folder / "best.npz")
            run.export(folder / "last.npz")
            log(folder, {k: round(v, 7) for k, v in entry.items()})
            run.save(folder / "checkpoint.pt")
            running, count, mark = torch.zeros_like(running), 0, run.seconds
        if over:
            return
        began = time.perf_counter()
        if arrivals is not None and (new := arrivals.take()):
            pool.take(new)
        running += run.train_step(pool)
        count += 1
        run.seconds += time.perf_counter() - began


def first_draws(folder: Path, count: int) -> Iterator[Record]:
    """The records of a set with no more than their first draws."""
    for record in read_set(folder):
        yield replace(record, draws=record.draws[:count])


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with train/ and valid/")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--start", type=Path, default=AUTHORS, help="weights: .npz or ncnn .bin")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--fp32", action="store_true", help="no bf16: on some CPUs it is slower")
    parser.add_argument("--eager", action="store_true", help="on a GPU, without torch.compile")
    parser.add_argument("--stop-after", type=float, default=math.inf, help="minutes of this call")
    parser.add_argument("--every", type=float, default=120.0, help="seconds between validations")
    parser.add_argument("--valid-draws", type=int, default=1, help="per photograph, to validate by")
    for name, value in asdict(Recipe()).items():
        parser.add_argument("--" + name.replace("_", "-"), type=type(value), default=value)
    return parser.parse_args()


def main() -> None:
    """Start a run, or go on with it."""
    options = parse()
    recipe = Recipe(**{name: getattr(options, name) for name in asdict(Recipe())})
    device = torch.device(options.device)
    options.out.mkdir(parents=True, exist_ok=True)
    run = Run(recipe, options.start, device)
    run.half = run.half and not options.fp32
    torch.backends.cudnn.benchmark = True
    if device.type == "cuda" and not options.eager:
        run.forward = torch.compile(run.network)
    checkpoint = options.out / "checkpoint.pt"
    if checkpoint.exists():
        run.load(checkpoint)
    rng = np.random.default_rng(recipe.seed)
    arrivals = Arrivals(options.data / "train", rng, device, recipe.side)
    pool = arrivals.there()
    held_out = patches.pairs(first_draws(options.data / "valid", options.valid_draws), device)
    count = len({id(pair) for pair in pool.degraded})
    print(f"{count} pairs to train on, {len(held_out)} to validate by, {device}", flush=True)
    if run.step == 0:
        log(
            options.out,
            {"recipe": asdict(recipe), "start": options.start.name} | run.validate(held_out),
        )
    stop_after, every = options.stop_after, options.every
    train(run, pool, held_out, options.out, arrivals=arrivals, stop_after=stop_after, every=every)


if __name__ == "__main__":
    # Tiny gradients would take a CPU ten times as long. For the whole process, so not in `main`.
    torch.set_flush_denormal(True)
    main()
