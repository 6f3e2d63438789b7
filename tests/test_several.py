"""Pictures that are upscaled several at a time come out as one by one."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures import ramp, ramp16, save

from liveaction_onnx import (
    CancelledError,
    PictureError,
    TargetExistsError,
    Upscaler,
    images,
    memory,
    picture,
    processors,
    publish,
    upscale_image,
)
from liveaction_onnx.lanes import LANES
from liveaction_onnx.session import Session
from liveaction_onnx.several import GPU_THREADS, upscale_images
from liveaction_onnx.streaming import THREADS

SOON_S = 20


@pytest.fixture
def up() -> Iterator[Upscaler]:
    with Upscaler(device="cpu") as upscaler:
        yield upscaler


@pytest.fixture
def sources(tmp_path: Path) -> list[Path]:
    """One of each kind."""
    rgba = np.dstack([ramp(), np.full((24, 32), 90, np.uint8)])
    return [
        save(tmp_path / "a.png"),
        save(tmp_path / "b.jpg", ramp(40, 56)),
        save(tmp_path / "c.png", ramp16()[..., 0]),
        save(tmp_path / "d.png", ramp()[..., 0]),
        save(tmp_path / "e.png", rgba),
        save(tmp_path / "f.webp", ramp(20, 20)),
    ]


def test_each_comes_out_as_alone_and_in_order(
    tmp_path: Path, up: Upscaler, sources: list[Path]
) -> None:
    together, alone = tmp_path / "together", tmp_path / "alone"
    together.mkdir()
    alone.mkdir()
    made = list(upscale_images(sources, together, upscaler=up))
    assert [one.source for one in made] == sources
    for one in made:
        assert one.error is None
        assert one.seconds > 0
        assert one.target is not None
        wanted = upscale_image(one.source, alone, upscaler=up)
        assert one.target == together / wanted.name
        assert one.target.read_bytes() == wanted.read_bytes()


def test_without_a_folder_each_goes_beside_its_source(up: Upscaler, sources: list[Path]) -> None:
    made = list(upscale_images(sources[:2], upscaler=up))
    assert [one.target and one.target.name for one in made] == ["a_2x.png", "b_2x.jpg"]
    assert sources[0].with_name("a_2x.png").exists()


def test_two_are_computed_at_once(sources: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processors, "usable", lambda: 4)
    meeting, real = threading.Barrier(LANES), Session.run_in_lane

    def met(self: Session, *given: Any, **named: Any) -> Any:
        meeting.wait(SOON_S)
        return real(self, *given, **named)

    monkeypatch.setattr(Session, "run_in_lane", met)
    with Upscaler(device="cpu") as upscaler:
        assert all(one.target for one in upscale_images(sources[:4], upscaler=upscaler))


@pytest.mark.parametrize(
    ("device", "ours", "threads"),
    [
        ("cpu", 16, THREADS),
        ("cuda:0", 1, THREADS),
        ("cuda:0", 5, 5),
        ("cuda:0", 64, GPU_THREADS),
    ],
)
def test_as_many_are_written_at_once_as_the_device_needs(
    tmp_path: Path,
    up: Upscaler,
    monkeypatch: pytest.MonkeyPatch,
    device: str,
    ours: int,
    threads: int,
) -> None:
    monkeypatch.setattr(processors, "usable", lambda: ours)
    meeting, real = threading.Barrier(threads), publish.put_in_place

    def met(*given: Any, **named: Any) -> None:
        meeting.wait(SOON_S)
        real(*given, **named)

    monkeypatch.setattr(publish, "put_in_place", met)
    monkeypatch.setattr(Upscaler, "device", device)
    given = [save(tmp_path / f"{number}.png") for number in range(2 * threads)]
    assert all(one.target for one in upscale_images(given, upscaler=up))


@pytest.mark.parametrize("most", [0, 1, 3, None])
def test_those_that_are_at_work_fit_into_half_of_the_memory(
    tmp_path: Path, up: Upscaler, monkeypatch: pytest.MonkeyPatch, most: int | None
) -> None:
    """Each takes its source and twice its result; and one goes on however little there is."""
    ours, each = 6, 24 * 32 * 3 * 9
    monkeypatch.setattr(processors, "usable", lambda: ours)
    monkeypatch.setattr(Upscaler, "device", "cuda:0")
    monkeypatch.setattr(
        memory, "available_bytes", lambda: None if most is None else 2 * most * each
    )
    real, lock = publish.put_in_place, threading.Lock()
    at_once = [0, 0]

    def step(count: int) -> None:
        with lock:
            at_once[0] += count
            at_once[1] = max(at_once)

    def slowly(*given: Any, **named: Any) -> None:
        step(1)
        time.sleep(0.1)
        real(*given, **named)
        step(-1)

    monkeypatch.setattr(publish, "put_in_place", slowly)
    given = [save(tmp_path / f"{number}.png") for number in range(2 * ours)]
    assert all(one.target for one in upscale_images(given, upscaler=up))
    assert 1 <= at_once[1] <= (ours if most is None else max(1, most))


def test_a_cancel_ends_the_wait_for_memory(
    tmp_path: Path, up: Upscaler, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancel, real = threading.Event(), publish.put_in_place
    monkeypatch.setattr(memory, "available_bytes", lambda: 0)

    def waiting(*given: Any, **named: Any) -> None:
        time.sleep(0.2)  # meanwhile the other waits
        cancel.set()
        time.sleep(0.2)
        real(*given, **named)

    monkeypatch.setattr(publish, "put_in_place", waiting)
    given = [save(tmp_path / f"{number}.png") for number in range(2)]
    with pytest.raises(CancelledError):
        list(upscale_images(given, upscaler=up, cancel=cancel))


def test_one_that_fails_stops_no_other(tmp_path: Path, up: Upscaler, sources: list[Path]) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(sources[0].read_bytes()[:60])
    made = list(upscale_images([sources[0], broken, sources[1]], upscaler=up))
    assert [bool(one.target) for one in made] == [True, False, True]
    assert isinstance(made[1].error, PictureError)


@pytest.mark.parametrize("overwrite", [False, True])
def test_two_of_one_name_are_not_written_over_each_other(
    tmp_path: Path, up: Upscaler, overwrite: bool
) -> None:
    given: list[Path] = []
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
        given.append(save(tmp_path / folder / "a.png", ramp(24 + len(given), 32)))
    out = tmp_path / "out"
    out.mkdir()
    made = list(upscale_images(given, out, upscaler=up, overwrite=overwrite))
    refused = [one for one in made if one.error]
    assert [type(one.error) for one in refused] == [TargetExistsError]
    assert "goes, too" in str(refused[0].error)
    assert [path.name for path in out.iterdir()] == ["a_2x.png"]


def test_a_cancel_ends_all_and_leaves_nothing_unfinished(
    tmp_path: Path, up: Upscaler, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancel, real = threading.Event(), publish.put_in_place

    def cancelling(*given: Any, **named: Any) -> None:
        real(*given, **named)
        cancel.set()

    monkeypatch.setattr(publish, "put_in_place", cancelling)
    given = [save(tmp_path / f"{number}.png") for number in range(12)]
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(CancelledError):
        list(upscale_images(given, out, upscaler=up, cancel=cancel))
    left = [path.name for path in out.iterdir()]
    assert 1 <= len(left) <= 4
    assert not [name for name in left if name.startswith(".")]


def test_closed_it_begins_no_more(
    tmp_path: Path, up: Upscaler, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[Path] = []
    real = picture.open_picture

    def opened(path: Path, **named: Any) -> Any:
        begun.append(path)
        return real(path, **named)

    monkeypatch.setattr(images, "open_picture", opened)
    given = [save(tmp_path / f"{number}.png") for number in range(20)]
    with closing(upscale_images(given, upscaler=up)) as made:
        next(made)
    assert len(begun) <= THREADS + 2
    assert not list(tmp_path.glob(".*"))
