"""The parts of the loss, on pictures of which the right answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import ndimage

from model import losses, perceptual, ssimulacra
from model.recipe import PARTS


def picture(seed: int = 0, side: int = 96) -> torch.Tensor:
    """Smooth colour with an edge: (1, 3, side, side) in [0, 1]."""
    noise = np.random.default_rng(seed).random((3, side, side))
    soft = ndimage.gaussian_filter(noise, (0, 3, 3))
    soft = (soft - soft.min()) / (soft.max() - soft.min()) * 0.6 + 0.2
    soft[:, :, side // 2 :] *= 0.7
    return torch.from_numpy(soft[None].astype(np.float32))


def test_alike_pictures_cost_nothing_but_the_epsilon() -> None:
    same = picture()
    assert losses.charbonnier(same, same).item() == pytest.approx(1e-3)
    assert losses.ssim(same, same).item() == pytest.approx(1)
    assert losses.ms_ssim(same, same).item() == pytest.approx(1)
    assert losses.consistency(same, same).item() == 0


def test_charbonnier_is_the_mean_difference_where_that_is_large() -> None:
    same = picture()
    assert losses.charbonnier(same + 0.1, same).item() == pytest.approx(0.1, rel=1e-3)


def test_luma_is_bt601() -> None:
    red = torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1)
    assert losses.luma(red).item() == pytest.approx(0.299)
    assert sum(losses.LUMA) == pytest.approx(1)


def test_the_gaussian_is_that_of_scipy_where_the_window_fits() -> None:
    plane = picture()[0, 0].double()
    ours = losses.gaussian(plane[None, None], 11, 1.5)[0, 0]
    theirs = ndimage.gaussian_filter(plane.numpy(), 1.5, radius=5)
    assert np.abs(ours.numpy() - theirs[5:-5, 5:-5]).max() < 1e-12


def test_one_scale_of_ms_ssim_is_the_ssim_of_its_paper() -> None:
    """Written out with scipy; 20 px leave room for a single scale."""
    a, b = picture(1, 20), picture(2, 20)
    planes = [losses.luma(x)[0, 0].double().numpy() for x in (a, b)]

    def blur(x: np.ndarray) -> np.ndarray:
        blurred: np.ndarray = ndimage.gaussian_filter(x, 1.5, radius=5)
        return blurred[5:-5, 5:-5]

    x, y = planes
    mx, my = blur(x), blur(y)
    cov, vx, vy = blur(x * y) - mx * my, blur(x * x) - mx**2, blur(y * y) - my**2
    c1, c2 = 0.01**2, 0.03**2
    wanted = ((2 * mx * my + c1) * (2 * cov + c2)) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    assert losses.ssim(a, b).item() == pytest.approx(float(wanted.mean()), abs=1e-4)
    assert losses.ms_ssim(a, b).item() == pytest.approx(max(float(wanted.mean()), 1e-3), abs=1e-4)


def test_blur_costs_more_structure_the_stronger_it_is() -> None:
    sharp = torch.from_numpy(np.random.default_rng(3).random((1, 3, 96, 96)).astype(np.float32))
    values = []
    for sigma in (0.0, 0.7, 1.5):
        blurred = ndimage.gaussian_filter(sharp.numpy(), (0, 0, sigma, sigma))
        values.append(losses.ms_ssim(torch.from_numpy(blurred), sharp).item())
    assert values[0] > values[1] + 0.02 > values[2] + 0.04


def test_consistency_sees_a_shift_of_colour_and_hardly_a_halo() -> None:
    target = torch.full((1, 3, 96, 96), 0.5)
    shifted = target.clone()
    shifted[:, 0] += 0.02
    halo = target.clone()
    halo[..., 46:48] += 0.1
    halo[..., 48:50] -= 0.1
    assert losses.consistency(shifted, target).item() == pytest.approx(0.02 / 3, rel=1e-4)
    seen = losses.consistency(halo, target).item()
    assert seen < 0.25 * losses.charbonnier(halo, target).item()


def test_the_psnr_part_is_minus_the_psnr_in_db() -> None:
    target = torch.full((1, 3, 48, 48), 0.5)
    assert losses.psnr(target + 0.1, target).item() == pytest.approx(-20, abs=0.05)
    worse = losses.psnr(torch.cat([target + 0.1, target + 0.2]), torch.cat([target, target]))
    assert worse.item() == pytest.approx((-20 - 13.98) / 2, abs=0.05)
    assert losses.psnr(target, target).item() > -43, "no more is to be had below two levels"


@pytest.mark.parametrize("name", sorted(PARTS))
def test_every_part_has_a_gradient_and_is_least_where_alike(name: str) -> None:
    target = picture()
    made = (target + 0.05).requires_grad_()
    value = PARTS[name](made, target)
    value.backward()  # type: ignore[no-untyped-call]
    assert made.grad is not None
    assert 0 < made.grad.abs().sum().item() < math.inf
    assert PARTS[name](target, target).item() < value.item()


def test_colour_is_the_shift_of_each_channel_after_cutting() -> None:
    source = torch.full((2, 3, 8, 8), 0.5)
    output = torch.full((2, 3, 16, 16), 0.5)
    output[0, 0] += 0.06
    assert losses.colour(output, source).item() == pytest.approx(0.01)
    assert losses.colour(torch.full((1, 3, 16, 16), 1.2), torch.ones(1, 3, 8, 8)).item() == 0


def test_grain_counts_in_parts_of_itself_however_faint() -> None:
    wanted = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    wanted *= torch.tensor([0.004, 0.02, 0.1]).view(3, 1, 1, 1)
    for change, cost in ((wanted, 0), (0 * wanted, 1), (1.5 * wanted, 0.5), (3 * wanted, 2)):
        assert losses.grain(change, wanted).tolist() == pytest.approx([cost] * 3, abs=0.04)


def degraded() -> list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """A picture blurred, made noisy, and darkened, each beside itself."""
    planes = picture(4, 320)[0].permute(1, 2, 0).numpy() * 255
    planes[::16] *= 0.8
    noise = np.random.default_rng(1).normal(0, 6, planes.shape)
    blurred = ndimage.gaussian_filter(planes, (1.2, 1.2, 0))
    made = [blurred, planes + noise, planes * 0.95]
    whole = planes.round().astype(np.uint8)
    return [(one.clip(0, 255).round().astype(np.uint8), whole) for one in made]


@pytest.mark.parametrize("case", range(3))
def test_the_errors_of_ssimulacra_become_the_score_of_the_metric(case: int) -> None:
    made, wanted = degraded()[case]

    def planes(image: NDArray[np.uint8]) -> torch.Tensor:
        return torch.from_numpy(image.astype(np.float64)).permute(2, 0, 1)[None] / 255

    ours = ssimulacra.score(ssimulacra.error(planes(made), planes(wanted)).item())
    assert ours == pytest.approx(perceptual.ssimulacra2(made, wanted), abs=5), "but for the rims"
    assert ssimulacra.score(0) == 100
