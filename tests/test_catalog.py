"""Model names to graphs: checked where they ship, fetched whole or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from liveaction_onnx import (
    DEFAULT_MODEL,
    DownloadError,
    GraphError,
    GraphHashError,
    ModelNotFoundError,
    Upscaler,
    catalog,
    fetching,
)

FORMS = [(d, p) for d in ("uint8", "uint16", "float32") for p in ("fp32", "fp16")]


def doubling(kernel: float = 1.0) -> onnx.ModelProto:
    """A graph that repeats each px of (1, 3, h, w) twice along both axes, times `kernel`."""
    weights = np.zeros((12, 3, 1, 1), np.float32)
    for channel in range(3):
        weights[4 * channel : 4 * channel + 4, channel] = kernel
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["input", "kernel"], ["wide"]),
            helper.make_node("DepthToSpace", ["wide"], ["output"], blocksize=2, mode="CRD"),
        ],
        "doubling",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, "h", "w"])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 3, "hh", "ww"])],
        [numpy_helper.from_array(weights, "kernel")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def with_weights_at(location: str) -> bytes:
    """The same graph, but its kernel lies in another file."""
    model = doubling()
    kernel = model.graph.initializer[0]
    kernel.ClearField("raw_data")
    kernel.data_location = TensorProto.EXTERNAL
    kernel.external_data.add(key="location", value=location)
    data: bytes = model.SerializeToString()
    return data


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of shipped graphs, copied, so that it may be damaged."""
    shutil.copytree(catalog._GRAPHS, tmp_path / "graphs")
    monkeypatch.setattr(catalog, "_GRAPHS", tmp_path / "graphs")
    catalog._index.cache_clear()
    yield tmp_path / "graphs"
    catalog._index.cache_clear()


@pytest.mark.parametrize(("dtype", "precision"), FORMS)
def test_a_shipped_graph_is_the_recorded_one(dtype: str, precision: str) -> None:
    graph = catalog.shipped_graph(dtype, precision)
    assert graph.label == f"liveaction-2x-{dtype}-{precision}.onnx"
    assert graph.form == (dtype, precision)


@pytest.mark.parametrize("position", [0, 1000, -1])
@pytest.mark.parametrize(("dtype", "precision"), FORMS)
def test_a_shipped_graph_with_one_byte_changed_is_refused(
    own_folder: Path, dtype: str, precision: str, position: int
) -> None:
    path = own_folder / f"liveaction-2x-{dtype}-{precision}.onnx"
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)
    with pytest.raises(GraphHashError, match=r"expected sha256 \w{64}, got \w{64}: reinstall"):
        catalog.shipped_graph(dtype, precision)


def test_a_damaged_shipped_graph_is_not_run(own_folder: Path) -> None:
    path = own_folder / "liveaction-2x-uint8-fp32.onnx"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(GraphHashError):
        Upscaler(device="cpu")


def test_models_lists_the_shipped_one_first() -> None:
    first, *others = catalog.models()
    assert (first.name, first.shipped, first.url) == (DEFAULT_MODEL, True, "")
    assert others
    assert all(m.url.startswith("https://") and len(m.sha256) == 64 for m in others)
    assert not any(model.shipped for model in others)


def test_the_reference_graph_is_the_one_that_its_name_fetches(reference_graph: Path) -> None:
    known = catalog.find("2xLiveActionV1_SPAN")
    assert known is not None
    assert known.sha256 == hashlib.sha256(reference_graph.read_bytes()).hexdigest()


@pytest.mark.parametrize("model", ["liveaction-3x", "no/such/folder/a.onnx", Path("none.onnx")])
def test_an_unknown_model_is_refused_with_the_names_there_are(model: Any) -> None:
    with pytest.raises(ModelNotFoundError) as caught:
        Upscaler(model, device="cpu")
    for name in (str(model), "liveaction-2x", "2xLiveActionV1_SPAN", ".onnx"):
        assert name in str(caught.value)


def test_a_folder_in_place_of_a_graph_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="cannot be read"):
        Upscaler(tmp_path, device="cpu")


def test_a_model_not_yet_fetched_names_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVEACTION_ONNX_HOME", str(tmp_path))
    with pytest.raises(ModelNotFoundError, match="liveaction-onnx models get 2xLiveActionV1_SPAN"):
        Upscaler("2xLiveActionV1_SPAN", device="cpu")


def broken() -> dict[str, bytes]:
    whole = catalog.shipped_graph("uint8", "fp32").data
    return {
        "empty": b"",
        "random": np.random.default_rng(7).bytes(3000),
        "text": b"this is no graph at all\n",
        "page": b"<!DOCTYPE html><html><body>404 Not Found</body></html>",
        "pth": b"PK\x03\x04\x00\x00\x08\x08\x00\x00archive/data.pkl",
        "safetensors": b"\x40\x00\x00\x00\x00\x00\x00\x00" + b'{"weight":{"dtype":"F32"}}',
        "half": whole[: len(whole) // 2],
        "cut by a byte": whole[:-1],
        "head": whole[:100],
    }


@pytest.mark.parametrize("kind", broken())
@pytest.mark.parametrize("as_path", [True, False], ids=["path", "bytes"])
def test_a_broken_graph_is_refused(tmp_path: Path, kind: str, as_path: bool) -> None:
    data = broken()[kind]
    (tmp_path / "broken.onnx").write_bytes(data)
    with pytest.raises(GraphError, match="ONNX Runtime cannot open it, for it is no whole ONNX"):
        Upscaler(tmp_path / "broken.onnx" if as_path else data, device="cpu")


def test_a_whole_graph_that_cannot_be_opened_is_not_told_to_be_broken() -> None:
    proto = doubling()
    proto.ir_version = 1000
    with pytest.raises(GraphError, match=r"cannot open it: .*IR version"):
        Upscaler(proto.SerializeToString(), device="cpu")


OUTSIDE = ["../weights.bin", "/etc/weights.bin", "folder/../../weights.bin"]


@pytest.mark.parametrize("location", OUTSIDE)
def test_weights_outside_the_graphs_folder_are_refused(tmp_path: Path, location: str) -> None:
    (tmp_path / "graphs").mkdir()
    (tmp_path / "weights.bin").write_bytes(bytes(12 * 3 * 4))
    path = tmp_path / "graphs" / "a.onnx"
    path.write_bytes(with_weights_at(location))
    with pytest.raises(GraphError, match="refused, for that is outside its own folder"):
        Upscaler(path, device="cpu")


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_weights_that_a_link_leads_out_to_are_refused(tmp_path: Path) -> None:
    (tmp_path / "graphs").mkdir()
    (tmp_path / "weights.bin").write_bytes(bytes(12 * 3 * 4))
    (tmp_path / "graphs" / "weights.bin").symlink_to(tmp_path / "weights.bin")
    path = tmp_path / "graphs" / "a.onnx"
    path.write_bytes(with_weights_at("weights.bin"))
    with pytest.raises(GraphError, match="refused, for that is outside its own folder"):
        Upscaler(path, device="cpu")


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
@pytest.mark.parametrize("linked", [["a.onnx", "weights.bin"], ["a.onnx"]])
def test_a_link_to_a_graph_is_followed_to_its_weights(tmp_path: Path, linked: list[str]) -> None:
    """The cache of Hugging Face is all links, to files that are named by their hashes."""
    for folder in ("real", "links"):
        (tmp_path / folder).mkdir()
    hashed = len(linked) == 2
    for name, data in (
        ("a.onnx", with_weights_at("weights.bin")),
        ("weights.bin", doubling(0.5).graph.initializer[0].raw_data),
    ):
        target = tmp_path / "real" / (f"hash-of-{name}" if hashed else name)
        target.write_bytes(data)
        if name in linked:
            (tmp_path / "links" / name).symlink_to(target)
    image = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3) * 4
    with Upscaler(tmp_path / "links" / "a.onnx", device="cpu") as up:
        np.testing.assert_array_equal(up(image), image.repeat(2, 0).repeat(2, 1) // 2)


def test_weights_beside_the_graph_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    onnx.save(
        doubling(0.5),
        tmp_path / "a.onnx",
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=0,
    )
    assert (tmp_path / "weights.bin").stat().st_size >= 12 * 3 * 4
    monkeypatch.chdir(tmp_path)
    image = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3) * 4
    for path in (tmp_path / "a.onnx", "a.onnx"):
        with Upscaler(path, device="cpu") as up:
            assert (up.facts.scale, up.facts.halo) == (2, 0)
            np.testing.assert_array_equal(up(image), image.repeat(2, 0).repeat(2, 1) // 2)


def test_weights_kept_elsewhere_are_not_found_where_a_graph_is_given_as_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GraphError):
        Upscaler(with_weights_at("weights.bin"), device="cpu")


@dataclass
class Server:
    """What a local server answers, and what it has been asked."""

    url: str = ""
    status: int = 200
    body: bytes = b""

    more: int = 0
    """Bytes that are announced but do not come."""

    asked: list[str] = field(default_factory=list)


@contextmanager
def serving(body: bytes) -> Iterator[Server]:
    server = Server(body=body)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.asked.append(self.path)
            self.send_response(server.status)
            self.send_header("Content-Length", str(len(server.body) + server.more))
            self.end_headers()
            self.wfile.write(server.body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        server.url = f"http://127.0.0.1:{http.server_port}/tiny.onnx"
        yield server
        http.shutdown()
        thread.join()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for what is fetched."""
    monkeypatch.setenv("LIVEACTION_ONNX_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, home: Path) -> Iterator[Server]:
    """It serves the model "tiny", which the catalog knows."""
    data = doubling().SerializeToString()
    with serving(data) as serving_it:
        tiny = catalog.Model(
            name="tiny",
            version="1",
            licence="CC0-1.0",
            description="doubles",
            shipped=False,
            sha256=hashlib.sha256(data).hexdigest(),
            url=serving_it.url,
        )
        monkeypatch.setattr(catalog, "_FETCHED", (tiny,))
        yield serving_it


def left_in(folder: Path) -> list[Path]:
    return list(folder.rglob("*")) if folder.exists() else []


def test_a_model_is_fetched_once_and_then_opened_by_its_name(server: Server, home: Path) -> None:
    path = fetching.fetch("tiny")
    assert path == catalog.cached_path(catalog.models()[1]) == home / "tiny.onnx"
    assert path.read_bytes() == server.body
    assert fetching.fetch("tiny") == path
    assert server.asked == ["/tiny.onnx"]
    assert left_in(home) == [path]
    with Upscaler("tiny", device="cpu") as up:
        assert up.facts.scale == 2


@pytest.mark.skipif(os.name == "nt", reason="files have no such modes on Windows")
def test_a_fetched_model_can_be_read_by_other_users(server: Server) -> None:
    """As where an image of a container is made by one user and runs as another."""
    assert fetching.fetch("tiny").stat().st_mode & 0o777 == 0o644


def test_fetching_tells_how_far_it_is(server: Server) -> None:
    told: list[tuple[int, int]] = []
    fetching.fetch("tiny", progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (len(server.body), len(server.body))
    assert all(done <= total for done, total in told)
    assert told == sorted(told), "it never goes back"
    assert {total for _, total in told} == {len(server.body)}


def test_a_mirror_is_asked_instead_of_the_author(server: Server) -> None:
    fetching.fetch("tiny", url=server.url.replace("tiny", "mirrored"))
    assert server.asked == ["/mirrored.onnx"]


def test_something_else_than_the_model_is_refused_and_not_kept(server: Server, home: Path) -> None:
    server.body = b"<html>sign in first</html>"
    with pytest.raises(DownloadError, match="tiny could not be fetched whole from http://127"):
        fetching.fetch("tiny")
    assert left_in(home) == []


def test_a_connection_that_breaks_leaves_nothing(server: Server, home: Path) -> None:
    server.body, server.more = server.body[:100], 400
    with pytest.raises(DownloadError, match="tiny could not be fetched whole"):
        fetching.fetch("tiny")
    assert left_in(home) == []


def test_a_model_that_is_gone_leaves_nothing(server: Server, home: Path) -> None:
    server.status = 404
    with pytest.raises(DownloadError, match="404"):
        fetching.fetch("tiny")
    assert left_in(home) == []


def test_a_server_that_is_not_there_leaves_nothing(server: Server, home: Path) -> None:
    with pytest.raises(DownloadError, match="tiny could not be fetched whole"):
        fetching.fetch("tiny", url="http://127.0.0.1:9/tiny.onnx")
    assert left_in(home) == []


def test_a_fetch_that_fails_leaves_an_earlier_file_as_it_was(server: Server, home: Path) -> None:
    home.mkdir()
    (home / "tiny.onnx").write_bytes(b"an older version")
    server.status = 404
    with pytest.raises(DownloadError):
        fetching.fetch("tiny")
    assert (home / "tiny.onnx").read_bytes() == b"an older version"


def test_a_damaged_file_is_fetched_anew(server: Server, home: Path) -> None:
    home.mkdir()
    (home / "tiny.onnx").write_bytes(server.body[:50])
    assert fetching.fetch("tiny").read_bytes() == server.body


def test_a_fetched_file_that_was_changed_is_not_run(server: Server) -> None:
    path = fetching.fetch("tiny")
    path.write_bytes(doubling(0.5).SerializeToString())
    with pytest.raises(GraphHashError, match="liveaction-onnx models get tiny"):
        Upscaler("tiny", device="cpu")


def test_fetching_without_pooch_names_the_command(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(DownloadError, match=r'pip install "liveaction-onnx\[models\]"'):
        fetching.fetch("tiny")
    assert server.asked == []


@pytest.mark.parametrize(("name", "why"), [("nothing", "not known"), (DEFAULT_MODEL, "ships")])
def test_what_cannot_be_fetched_is_refused_with_what_can(
    server: Server, name: str, why: str
) -> None:
    with pytest.raises(ModelNotFoundError, match=f"{why}.*: tiny"):
        fetching.fetch(name)


def test_nothing_is_written_to_the_terminal(
    server: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    fetching.fetch("tiny", progress=lambda done, total: None)
    assert capfd.readouterr() == ("", "")


def test_the_cache_folder_is_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIVEACTION_ONNX_HOME", raising=False)
    variable = "LOCALAPPDATA" if os.name == "nt" else "XDG_CACHE_HOME"
    monkeypatch.setenv(variable, str(tmp_path))
    assert catalog.cache_folder() == tmp_path / "liveaction_onnx"


@pytest.mark.skipif(os.name == "nt", reason="Windows names the user's folder otherwise")
def test_a_cache_folder_may_be_named_from_the_users_own(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LIVEACTION_ONNX_HOME", "~/models")
    assert fetching.fetch("tiny") == tmp_path / "models" / "tiny.onnx"
    with Upscaler("tiny", device="cpu") as up:
        assert up.facts.scale == 2


def test_bytes_that_need_other_files_are_refused() -> None:
    """There is no folder that they could lie in."""
    with pytest.raises(GraphError, match="give its path"):
        catalog.foreign_graph(with_weights_at("w.bin"))
