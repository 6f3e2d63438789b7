"""Fetching: packages come whole or not at all, and a download that was cut short goes on."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from model import frames
from model.fetch import FetchError, fetch
from model.photos import Package

CONTENT = bytes(range(256)) * 40
PATH = "pool/main/t/thing_1.0+x~1_all.deb"


def package(content: bytes = CONTENT, name: str = "thing") -> Package:
    digest = hashlib.sha256(content).hexdigest()
    return Package(name, "1.0", "bookworm", PATH, len(content), digest)


@dataclass
class Mirror:
    """A server on this machine, what it holds, and what it was asked for."""

    url: str = ""
    content: bytes = CONTENT
    ranges: bool = True
    stops_after: int | None = None
    """Bytes after which the next answer ends, once."""

    asked: list[str | None] = field(default_factory=list)
    """The Range of each request."""

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        wanted = handler.headers["Range"]
        self.asked.append(wanted)
        if handler.path != f"/debian/{PATH}":
            handler.send_error(404)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.ranges else 0
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Length", str(len(self.content) - start))
        handler.end_headers()
        handler.wfile.write(self.content[start : self.stops_after])
        self.stops_after = None


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    held = Mirror()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            held.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        held.url = f"http://127.0.0.1:{server.server_address[1]}/debian/"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield held
        server.shutdown()
        thread.join()


def test_package_is_fetched_and_named_as_in_the_pool(mirror: Mirror, tmp_path: Path) -> None:
    path = fetch(package(), tmp_path / "debs", [mirror.url])
    assert path == tmp_path / "debs" / "thing_1.0+x~1_all.deb"
    assert path.read_bytes() == CONTENT
    assert [left.name for left in path.parent.iterdir()] == [path.name]


def test_whole_package_is_not_asked_for_again(mirror: Mirror, tmp_path: Path) -> None:
    fetch(package(), tmp_path, [mirror.url])
    fetch(package(), tmp_path, [mirror.url])
    assert mirror.asked == [None]


def test_part_is_gone_on_with(mirror: Mirror, tmp_path: Path) -> None:
    (tmp_path / "thing_1.0+x~1_all.deb.part").write_bytes(CONTENT[:1000])
    assert fetch(package(), tmp_path, [mirror.url]).read_bytes() == CONTENT
    assert mirror.asked == ["bytes=1000-"]


def test_connection_that_ends_early_is_taken_up_where_it_ended(
    mirror: Mirror, tmp_path: Path
) -> None:
    mirror.stops_after = 3000
    assert fetch(package(), tmp_path, [mirror.url]).read_bytes() == CONTENT
    assert mirror.asked == [None, "bytes=3000-"]


def test_server_without_ranges_starts_anew(mirror: Mirror, tmp_path: Path) -> None:
    mirror.ranges = False
    (tmp_path / "thing_1.0+x~1_all.deb.part").write_bytes(b"x" * 1000)
    assert fetch(package(), tmp_path, [mirror.url]).read_bytes() == CONTENT
    assert mirror.asked == ["bytes=1000-"], "it was asked for more than once"


def test_spoilt_part_is_deleted_and_fetched_once_more(mirror: Mirror, tmp_path: Path) -> None:
    (tmp_path / "thing_1.0+x~1_all.deb.part").write_bytes(b"x" * 1000)
    assert fetch(package(), tmp_path, [mirror.url]).read_bytes() == CONTENT
    assert mirror.asked == ["bytes=1000-", None]


def test_spoilt_package_is_fetched_anew(mirror: Mirror, tmp_path: Path) -> None:
    (tmp_path / "thing_1.0+x~1_all.deb").write_bytes(b"x" * len(CONTENT))
    assert fetch(package(), tmp_path, [mirror.url]).read_bytes() == CONTENT


def test_wrong_content_is_tried_twice_and_told_of(mirror: Mirror, tmp_path: Path) -> None:
    mirror.content = b"y" * len(CONTENT)
    expected = package().sha256
    with pytest.raises(FetchError, match=f"expected sha256 {expected}"):
        fetch(package(), tmp_path, [mirror.url])
    assert mirror.asked == [None, None]
    assert list(tmp_path.iterdir()) == []


def test_next_mirror_is_asked_where_one_has_it_not(mirror: Mirror, tmp_path: Path) -> None:
    elsewhere = mirror.url.replace("/debian/", "/ports")
    assert fetch(package(), tmp_path, [elsewhere, mirror.url]).read_bytes() == CONTENT
    assert len(mirror.asked) == 2


def test_folder_can_be_a_mirror(tmp_path: Path) -> None:
    source = tmp_path / "mirror" / PATH
    source.parent.mkdir(parents=True)
    source.write_bytes(CONTENT)
    folder = (tmp_path / "mirror").as_uri()
    assert fetch(package(), tmp_path / "debs", [folder]).read_bytes() == CONTENT


@pytest.mark.parametrize("address", ["no-scheme/debian", "file:///nowhere"])
def test_useless_mirror_is_named(address: str, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=address):
        fetch(package(), tmp_path, [address])


def test_recipe_goes_on_without_a_package_unless_it_was_asked_for(
    mirror: Mirror, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = Package("gone", "2.0", "bullseye", "pool/gone.deb", 5, "0" * 64)
    assert frames.fetch_all([gone, package()], tmp_path, [mirror.url], asked=set())
    assert "going on without gone_2.0" in capsys.readouterr().out
    assert (tmp_path / package().file_name).is_file()
    assert not frames.fetch_all([gone, package()], tmp_path, [mirror.url], asked={"gone"})
    assert "gone.deb could not be had" in capsys.readouterr().err
