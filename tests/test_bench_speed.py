"""What bench/speed.py computes, and that its processes, graphs and tables are what they say."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import onnxruntime
import pytest

from bench import speed
from bench.contenders import process, roofline, roster, rounds, worker
from bench.contenders.conventional import conventional
from bench.contenders.ncnn_model import ncnn_model
from bench.contenders.process import ONCE, FailedError, Frame, MissingError, Run, Turn, Worker
from bench.contenders.report import Found, raw, section
from bench.contenders.roster import Contender, Opening
from bench.contenders.rounds import Difference, Ratio, Sized, Times, compare, difference, turns
from bench.contenders.runtimes import Array, in_tiles
from bench.speed import Setting, guard
from liveaction_onnx import catalog, memory
from model.build import HALO, WEIGHTS
from model.span import kernel_shapes, read_weights

OPENING = Opening("cpu", threads=1, all_threads=False)
FRAME: Frame = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


def sized(**seconds: list[float]) -> Sized:
    """Made-up timings."""
    about = {"versions": {"numpy": "2"}, "provider": "CPU"}
    times = {
        name: Times(about, Difference(1, 0.25), each, 3_000_000) for name, each in seconds.items()
    }
    return Sized(6, 4, times, {})


def test_a_message_comes_out_as_it_went_in() -> None:
    pipe = io.BytesIO()
    worker.send(pipe, {"do": "run", "name": "ü"}, b"\x00\xff\n")
    worker.send(pipe, {"do": "end"})
    pipe.seek(0)
    assert worker.receive(pipe) == ({"do": "run", "name": "ü", "bytes": 3}, b"\x00\xff\n")
    assert worker.receive(pipe) == ({"do": "end", "bytes": 0}, b"")
    with pytest.raises(EOFError, match="expected 4 bytes, got 0"):
        worker.receive(pipe)


def test_a_process_doubles_frames_and_says_what_that_took() -> None:
    with Contender("repeat", "repeat", model=b"12345").open(OPENING) as opened:
        assert opened.about["versions"]["numpy"] == np.__version__
        run = opened.run(FRAME, keep=True)
        again = opened.run(FRAME[:2])
    assert run.result is not None
    np.testing.assert_array_equal(run.result, FRAME.repeat(2, axis=0).repeat(2, axis=1))
    assert again.result is None
    assert 0 < run.seconds < 10
    assert 0 < again.seconds < 10


def test_a_turn_is_as_long_as_it_is_asked_to_be_and_told_for_a_frame(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ticks = iter(range(100))
    monkeypatch.setattr(worker, "time", SimpleNamespace(perf_counter=lambda: next(ticks)))
    seen = []

    def upscale(frame: Array) -> Array:
        seen.append(next(ticks))  # a second of work, and one to look at the clock
        return frame.repeat(2, 0).repeat(2, 1)

    for frames, least_s, count in [(1, 0, 1), (3, 0, 3), (1, 5, 3), (0, 0, 1)]:
        header = {"height": 4, "width": 6, "frames": frames, "least_s": least_s, "keep": False}
        found, _ = worker.timed(upscale, header, FRAME.tobytes())
        assert (len(seen), found["seconds"]) == (count, 2)
        seen.clear()


@pytest.mark.parametrize(("device", "turn"), [("cpu", ONCE), ("cuda", rounds.ON_GPU)])
def test_on_a_gpu_frames_come_in_a_row_until_its_clocks_are_up(
    monkeypatch: pytest.MonkeyPatch, device: str, turn: Turn
) -> None:
    monkeypatch.setattr(rounds, "PAUSE_S", 0)
    ours = Fake("ours", "fake", seconds=(9, 1, 2))
    compare([ours], FRAME, rounds=2, opening=replace(OPENING, device=device))
    assert ours.asked == [ONCE, turn, turn]


def test_plain_onnx_runtime_is_not_taken_for_a_gpu_where_it_has_none() -> None:
    graph = conventional(read_weights(WEIGHTS))
    opening = replace(OPENING, device="cuda")
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        with pytest.raises(FailedError, match="CUDAExecutionProvider is not to be had"):
            Contender("it", "onnxruntime", model=graph).open(opening)


def test_what_a_runtime_prints_does_not_come_between(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    own = (process.HERE / "worker.py").read_text(encoding="utf-8")
    (tmp_path / "worker.py").write_text(own, encoding="utf-8")
    (tmp_path / "runtimes.py").write_text(
        "import os, sys\n"
        "def loud(model, asked):\n"
        "    print('to stdout', flush=True)\n"
        "    os.write(1, b'to its descriptor')\n"
        "    def upscale(frame):\n"
        "        print('and at work', flush=True)\n"
        "        if asked['how'] == 'dies':\n"
        "            print('no memory', file=sys.stderr, flush=True)\n"
        "            os._exit(5)\n"
        "        return frame if asked['how'] == 'wrong' else frame.repeat(2, 0).repeat(2, 1)\n"
        "    return upscale, {'versions': {}}\n"
        "KINDS = {'loud': loud}\n"
    )
    monkeypatch.setattr(process, "HERE", tmp_path)
    with Contender("loud", "loud", settings={"how": "well"}).open(OPENING) as opened:
        assert opened.run(FRAME, keep=True).result is not None
    with Contender("loud", "loud", settings={"how": "wrong"}).open(OPENING) as opened:
        for _ in range(2):  # what fails once can be asked again
            with pytest.raises(FailedError, match=r"expected \(8, 12, 3\) uint8, got \(4, 6, 3\)"):
                opened.run(FRAME)
    with (
        Contender("loud", "loud", settings={"how": "dies"}).open(OPENING) as opened,
        pytest.raises(FailedError, match="its process ended with 5: no memory"),
    ):
        opened.run(FRAME)


def test_a_runtime_that_is_not_there_is_told_from_one_that_fails() -> None:
    source = "def absent(model, asked):\n    import no_such_runtime\nKINDS = {'absent': absent}\n"
    asked, said = io.BytesIO(), io.BytesIO()
    worker.send(asked, {"do": "open", "source": source, "kind": "absent", "threads": 1_000_000})
    asked.seek(0)
    worker.serve(asked, said)
    said.seek(0)
    assert worker.receive(said)[0]["missing"] == "No module named 'no_such_runtime'"

    with pytest.raises(MissingError, match="no Python is named"):
        Contender("it", "repeat", python=()).open(OPENING)
    with pytest.raises(MissingError, match="no-such-python"):
        Contender("it", "repeat", python=("no-such-python",)).open(OPENING)
    with pytest.raises(FailedError, match="its process ended with 3"):
        Contender("it", "repeat", python=(sys.executable, "-c", "exit(3)")).open(OPENING)
    with pytest.raises(FailedError, match="InvalidProtobuf"):
        Contender("it", "onnxruntime", model=b"no graph").open(OPENING)


@dataclass(frozen=True)
class Fake(Contender):
    """A contender whose process takes the times that it is given."""

    seconds: tuple[float, ...] = ()
    log: list[str] = field(default_factory=list)
    asked: list[Turn] = field(default_factory=list)
    missing: bool = False

    def open(self, opening: Opening) -> Worker:
        if self.missing:
            raise MissingError("No module named 'it'")
        self.log.append(f"open {self.name}")
        return cast(Worker, FakeWorker(self, iter(self.seconds)))


def test_one_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "ANSWER_S", 0.3)
    hangs = (sys.executable, "-c", "import time; time.sleep(600)")
    with pytest.raises(FailedError, match=r"its process gave no answer in 0\.3 s"):
        Contender("it", "repeat", python=hangs).open(OPENING)


@dataclass
class FakeWorker:
    fake: Fake
    seconds: Any
    about: Any = None

    def run(self, frame: Frame, turn: Turn = ONCE, *, keep: bool = False) -> Run:
        self.fake.log.append(f"{'keep' if keep else 'run'} {self.fake.name}")
        self.fake.asked.append(turn)
        seconds = next(self.seconds, None)
        if seconds is None:
            raise FailedError("bad alloc")
        shift = 0 if self.fake.name == "ours" else 1
        return Run(seconds, 1000, frame.repeat(2, 0).repeat(2, 1) + np.uint8(shift))

    def close(self) -> None:
        self.fake.log.append(f"close {self.fake.name}")

    def __enter__(self) -> FakeWorker:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def fakes(log: list[str]) -> list[Contender]:
    ours = Fake("ours", "fake", seconds=(9, 1, 2, 3), log=log)
    theirs = replace(ours, name="b", seconds=(9, 2, 4, 4))
    failing = replace(ours, name="c", seconds=(9, 1))
    missing = Fake("d", "fake", install="pip install it", missing=True)
    return [ours, theirs, failing, missing]


def test_contenders_run_once_a_round_in_an_order_that_moves_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rounds, "PAUSE_S", 0)
    log: list[str] = []
    found = compare(fakes(log), FRAME, rounds=3, opening=OPENING)
    warm = [f"{word} {name}" for name in ("ours", "b", "c") for word in ("open", "keep")]
    first, second = ["run ours", "run b", "run c"], ["run b", "run c", "close c", "run ours"]
    assert log == [*warm, *first, *second, "run ours", "run b", "close ours", "close b"]
    assert found.times["ours"].seconds == [1, 2, 3]  # without the warm-up
    assert found.times["b"].seconds == [2, 4, 4]
    assert found.times["b"].differs == Difference(1, 1.0)
    assert found.left_out == {
        "c": "bad alloc",
        "d": "No module named 'it'. To install it: pip install it",
    }


def test_where_memory_is_short_no_process_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "PAUSE_S", 0)
    monkeypatch.setattr(memory, "available_bytes", lambda: 3000)
    log: list[str] = []
    found = compare(fakes(log)[:2], FRAME, rounds=1, opening=OPENING)
    turn = ["open {}", "run {}", "run {}", "close {}"]
    opened = ["open ours", "keep ours", "open b", "keep b", "close ours", "close b"]
    assert log == opened + [step.format(name) for name in ("ours", "b") for step in turn]
    assert found.times["b"].seconds == [2]


def test_it_is_an_error_where_ours_fails() -> None:
    with pytest.raises(FailedError, match="bad alloc"):
        compare([Fake("ours", "fake", log=[])], FRAME, rounds=1, opening=OPENING)


def test_ratios_are_taken_within_rounds() -> None:
    found = sized(ours=[1, 2, 3], b=[2, 8, 4])
    assert found.medians() == {"ours": 2, "b": 4}
    assert found.ratios() == {"b": Ratio(median=0.5, least=0.25, greatest=0.75)}
    assert str(found.ratios()["b"]) == "0.50 (0.25 to 0.75)"


def test_everyone_begins_once() -> None:
    assert [turns("abc", number) for number in range(4)] == [
        ["a", "b", "c"],
        ["b", "c", "a"],
        ["c", "a", "b"],
        ["a", "b", "c"],
    ]


def test_rims_do_not_count_as_a_difference() -> None:
    ours = np.zeros((100, 106, 3), np.uint8)
    theirs = ours.copy()
    theirs[:48] = theirs[-48:] = theirs[:, :48] = theirs[:, -48:] = 200
    assert difference(ours, theirs) == Difference(0, 0.0)
    theirs[48, 48, 0] = 3
    assert difference(ours, theirs) == Difference(3, 3 / (4 * 10 * 3))
    assert difference(theirs, ours) == Difference(3, 3 / (4 * 10 * 3))


def test_the_guard_holds_ours_to_its_bound() -> None:
    fine = {"480p": {"onnxruntime": 0.95}, "1080p": {"onnxruntime": 0.5}}
    assert guard(fine) is None
    slow = fine | {"480p": {"onnxruntime": 0.951, "ncnn": 0.1}}
    assert guard(slow) == "480p: 0.951 of the time of onnxruntime, promised is 0.95"
    assert guard(fine | {"1080p": {"onnxruntime": float("nan")}}) is not None
    assert guard({"480p": {"onnxruntime": 0.5}}) == "1080p: not measured beside onnxruntime"


def test_the_conventional_graph_equals_the_shipped_one_as_far_in_as_the_edge_is_felt() -> None:
    weights = read_weights(WEIGHTS)
    image = np.random.default_rng(0).random((1, 3, 58, 74), np.float32)
    results = []
    for graph in (catalog.shipped_graph("float32", "fp32").data, conventional(weights)):
        session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
        rim = 2 * HALO
        results.append(session.run(None, {"input": image})[0][..., rim:-rim, rim:-rim])
    assert results[0].shape == (1, 3, 32, 64)
    assert results[0].std() > 0.1
    np.testing.assert_allclose(results[1].clip(0, 1), results[0], rtol=0, atol=1e-4)


@pytest.mark.parametrize(("even", "heights"), [(True, [5, 4]), (False, [5, 3])])
def test_tiles_are_put_where_they_were_cut(even: bool, heights: list[int]) -> None:
    image = np.arange(3 * 5 * 11, dtype=np.float32).reshape(1, 3, 5, 11)
    seen = []

    def run(tile: Array) -> Array:
        seen.append(tile.shape[2:])
        return tile.repeat(2, axis=2).repeat(2, axis=3)

    made = in_tiles(run, image, {"side": 4, "overlap": 2, "even": even})
    assert seen == [(height, width) for height in heights for width in (6, 8, 5)]
    np.testing.assert_array_equal(made, run(image))


def test_half_of_the_conventional_graph_is_near_the_whole() -> None:
    weights = read_weights(WEIGHTS)
    image = np.linspace(0, 1, 3 * 16 * 16, dtype=np.float32).reshape(1, 3, 16, 16)
    results = []
    for precision, dtype in (("fp32", np.float32), ("fp16", np.float16)):
        session = onnxruntime.InferenceSession(
            conventional(weights, precision), providers=["CPUExecutionProvider"]
        )
        results.append(session.run(None, {"input": image.astype(dtype)})[0])
    assert results[1].dtype == np.float16
    np.testing.assert_allclose(results[1].astype(np.float32), results[0], rtol=0, atol=0.02)


def test_every_layer_of_the_ncnn_model_is_fed_once_by_one_before_it() -> None:
    weights = read_weights(WEIGHTS)
    param, layers = ncnn_model(weights)
    magic, counts, *lines = param.splitlines()
    ready: set[str] = set()
    made = 0
    for line in lines:
        _, _, inputs, outputs, *words = line.split()
        blobs, rest = words[: int(inputs)], words[int(inputs) :]
        assert ready.issuperset(blobs), line
        ready = (ready - set(blobs)) | set(rest[: int(outputs)])
        made += int(outputs)
    assert (magic, counts) == ("7767517", f"{len(lines)} {made}")
    assert ready == {"output"}
    sizes = [np.prod(shape) + shape[0] + 1 for shape in kernel_shapes()]  # 1: the tag
    assert len(layers) == 4 * sum(sizes)


def test_the_network_is_counted_from_its_shapes() -> None:
    usual = 3 * 48 * 9 + 19 * 48 * 48 * 9 + 4 * 48 * 48 + 48 * 12 * 9
    assert roofline.usual_multiply_adds() == usual == 409_680
    first_twice, fewer_merged = 3 * 48 * (25 + 9) - 48 * 48 * 9, 2 * 48 * 48
    ours = usual + first_twice - fewer_merged
    assert roofline.multiply_adds() == ours == 389_232
    assert roofline.flop_s(100, 0.5) == 2 * ours * 100 / 0.5


def test_the_machine_is_measured_in_a_process_of_its_own() -> None:
    rates = roofline.rates(1, side=32, copy_mib=1)
    assert rates.sgemm_flop_s > 0
    assert rates.copy_bytes_s > 0


def test_the_table_names_who_was_left_out() -> None:
    contenders = [
        Contender("ours", "ours", "as it is"),
        Contender("b", "b", "as usual"),
        Contender("c", "c"),
    ]
    small, large = sized(ours=[1, 1], b=[2, 2]), sized(ours=[2, 2])
    small.left_out["c"] = large.left_out["c"] = "not there. To install it: pip install c"
    large.left_out["b"] = "bad alloc"
    found = Found(contenders, {"6x4": small, "9x9": large}, 2, 1, "cpu", roofline.Rates(1e9, 1e9))
    made = section(found)
    assert made.header[1:5] == ("6x4, s", "ours / it", "9x9, s", "ours / it")
    assert json.loads(json.dumps(made.rows))
    assert [tuple(map(str, row)) for row in made.rows] == [
        ("ours", "1.000", "1", "2.000", "1", "-", "3"),
        ("b", "2.000", "0.50 (0.50 to 0.50)", "-", "-", "1 (0.250)", "-"),
    ]
    assert "- c: left out at 6x4, 9x9: not there. To install it: pip install c\n" in made.how
    assert "- b: as usual (numpy 2; CPU)\n- b: left out at 9x9: bad alloc\n" in made.how
    assert json.loads(json.dumps(raw(found)))["speed"]["6x4"]["medians"] == {"ours": 1, "b": 2}


def test_everyone_has_a_name_and_a_way_to_be_had() -> None:
    for device in ("cpu", "cuda"):
        everyone = roster.roster(device, ["python"], [])
        assert everyone[0].name == "ours"
        assert len({each.name for each in everyone}) == len(everyone)
        assert all(each.install.startswith(("pip", "in a")) for each in everyone[1:])
        assert all(each.note for each in everyone)


def test_ours_and_onnxruntime_agree(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(rounds, "PAUSE_S", 0)
    monkeypatch.setattr(roofline, "rates", lambda threads: roofline.Rates(1e11, 1e10))
    words = ["--sizes", "64x48", "96x72", "--rounds", "1", "--threads", "1", "--guard"]
    with pytest.raises(SystemExit, match="480p: not measured"):
        speed.main([*words, "--only", "onnxruntime"])
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert list(said["speed"]) == ["64x48", "96x72"]
    for found in said["speed"].values():
        assert list(found["contenders"]) == ["ours", "onnxruntime"]
        assert found["contenders"]["onnxruntime"]["differs"]["greatest"] <= 1
        assert found["contenders"]["ours"]["about"]["provider"] == "CPUExecutionProvider"
        assert found["ratios"]["onnxruntime"]["median"] > 0


def test_a_name_that_is_nobodys_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        speed.main(["--only", "nobody"])
    assert "expected names among ['ours', 'onnxruntime'" in capsys.readouterr().err


def test_pythons_are_found_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIVALS_PYTHON", "")
    monkeypatch.setenv("VAPOURSYNTH_PYTHON", "chroot '/srv/a b' python3")
    assert Setting().rivals_python == (sys.executable,)
    assert Setting().vapoursynth == ("chroot", "/srv/a b", "python3")
