"""Canonical files by download, against a real server on the loopback, and from the embedded copies."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from ml_assets import home
from ml_assets.datasets import sources
from ml_assets.datasets.contracts import load_contract
from ml_assets.datasets.download import Patience
from ml_assets.datasets.sources import fetch_sources, gunzip
from ml_assets.datasets.spec import DatasetSpec
from ml_assets.errors import SourceError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CONTENT = b"5.1,3.5,1.4,0.2,Iris-setosa\n" * 4000
QUICK = Patience(timeout=0.3, deadline=5.0, attempts=2, pause=0.0, largest=1 << 20)


def archive(member: str, content: bytes) -> bytes:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        entry = tarfile.TarInfo(member)
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    return gzip.compress(plain.getvalue())


class Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        times = self.server.asked.count(self.path)  # type: ignore[attr-defined]
        actions: dict[str, Callable[[], None]] = {
            "/good": lambda: self.answer(CONTENT),
            "/other": lambda: self.answer(b"something else\n"),
            "/slow": lambda: time.sleep(0.8),
            "/forbidden": lambda: self.send_error(403),
            "/flaky": lambda: self.send_error(503) if times == 1 else self.answer(CONTENT),
            "/cut": lambda: self.answer(CONTENT[:100], announced=len(CONTENT)),
            "/huge": lambda: self.answer(bytes(2 << 20)),
            "/endless": lambda: self.answer(bytes(2 << 20), announced=None),
            "/drip": self.drip,
            "/moved": lambda: self.move("/good"),
            "/leak": lambda: self.move("file:///etc/hostname"),
            "/tgz": lambda: self.answer(archive("deep/in/iris.data", CONTENT)),
            "/bomb": lambda: self.answer(archive("deep/in/iris.data", bytes(8 << 20))),
        }
        try:
            actions.get(self.path, lambda: self.send_error(404))()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def answer(self, body: bytes, announced: int | None = -1) -> None:
        self.send_response(200)
        if announced is not None:
            self.send_header("Content-Length", str(len(body) if announced < 0 else announced))
        self.end_headers()
        self.wfile.write(body)

    def drip(self) -> None:
        self.send_response(200)
        self.end_headers()
        for _ in range(40):
            self.wfile.write(b"x")
            self.wfile.flush()
            time.sleep(0.05)

    def move(self, address: str) -> None:
        self.send_response(302)
        self.send_header("Location", address)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as running:
        running.asked = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def contract(*addresses: str, member: str | None = None) -> DatasetSpec:
    iris = load_contract("iris")
    pin = hashlib.sha256(CONTENT).hexdigest()
    file = iris.sources[0].model_copy(update={"addresses": addresses, "sha256": pin, "member": member})
    return iris.model_copy(update={"sources": (file,)})


@pytest.fixture
def fetch(server: ThreadingHTTPServer, tmp_path: Path) -> Callable[..., bytes]:
    base = f"http://127.0.0.1:{server.server_address[1]}"

    def fetch_file(*paths: str, member: str | None = None, patience: Patience = QUICK, **options) -> bytes:
        spec = contract(*(base + p if p.startswith("/") else p for p in paths), member=member)
        fetched = fetch_sources(spec, mode="download", cache=tmp_path / "cache", patience=patience, **options)
        return fetched["iris.data"]

    return fetch_file


def test_a_download_is_kept_and_not_asked_for_again(fetch, server, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int | None]] = []
    assert fetch("/good", progress=lambda *args: seen.append(args)) == CONTENT
    assert seen[-1] == ("iris.data", len(CONTENT), len(CONTENT))
    assert fetch("/good") == CONTENT
    assert server.asked == ["/good"]
    assert [p.read_bytes() for p in (tmp_path / "cache").iterdir()] == [CONTENT]


def test_a_kept_copy_that_was_damaged_is_downloaded_again(fetch, server, tmp_path: Path) -> None:
    fetch("/good")
    next((tmp_path / "cache").iterdir()).write_bytes(b"damaged")
    assert fetch("/good") == CONTENT
    assert server.asked == ["/good", "/good"]


def test_a_wrong_hash_names_file_address_expected_and_found(fetch, tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        fetch("/other")
    message = str(caught.value)
    assert "iris: iris.data cannot be downloaded: http://127.0.0.1:" in message
    assert f"expected {hashlib.sha256(CONTENT).hexdigest()}" in message
    assert f"found {hashlib.sha256(b'something else' + bytes([10])).hexdigest()}" in message
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("first", ["/forbidden", "/other", "/slow", "/cut", "/nowhere", "/huge"])
def test_a_mirror_is_taken_when_the_canonical_address_fails(fetch, first: str) -> None:
    assert fetch(first, "/good") == CONTENT


def test_a_server_that_fails_for_a_moment_is_asked_again_and_a_refusal_is_not(fetch, server) -> None:
    waits: list[float] = []
    patience = Patience(timeout=0.3, attempts=3, pause=0.5)
    assert fetch("/forbidden", "/flaky", sleep=waits.append, patience=patience) == CONTENT
    assert server.asked == ["/forbidden", "/flaky", "/flaky"]
    assert waits == [0.5]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/slow", r"timed out after 0\.3 s \(2 attempts\)"),
        ("/forbidden", "answered 403 Forbidden"),
        ("/cut", r"broke off after 100 of 112000 bytes"),
        ("/huge", r"would send 2097152 bytes, more than the 1048576 allowed"),
        ("/endless", r"sent more than the 1048576 bytes allowed"),
        ("/leak", r"answered 302|not allowed"),
        ("http://127.0.0.1:1/x", "could not be reached"),
        ("file:///etc/hostname", "refused: only http and https"),
        ("ftp://127.0.0.1/x", "refused: only http and https"),
    ],
)
def test_a_failed_download_says_why_and_what_to_do(fetch, path: str, reason: str) -> None:
    with pytest.raises(SourceError, match=reason) as caught:
        fetch(path)
    assert "set ML_ASSETS_SOURCE=embedded" in str(caught.value)


def test_a_server_that_drips_is_left_at_the_deadline(fetch) -> None:
    started = time.monotonic()
    with pytest.raises(SourceError, match=r"was not through after 0\.3 s"):
        fetch("/drip", patience=Patience(timeout=1.0, deadline=0.3, attempts=1))
    assert time.monotonic() - started < 1.5


def test_a_redirect_over_http_is_followed(fetch) -> None:
    assert fetch("/moved") == CONTENT


def test_one_member_of_an_archive_is_read(fetch) -> None:
    assert fetch("/tgz", member="deep/in/iris.data") == CONTENT


@pytest.mark.parametrize(
    ("path", "member", "reason"),
    [
        ("/tgz", "not/there", "is an archive without a member not/there"),
        ("/good", "deep/in/iris.data", "is no tar archive"),
        ("/bomb", "deep/in/iris.data", "holds more than the 1048576 bytes allowed"),
    ],
)
def test_an_archive_that_is_not_the_right_one_is_refused(fetch, path: str, member: str, reason: str) -> None:
    with pytest.raises(SourceError, match=reason):
        fetch(path, member=member)


def test_a_cache_that_cannot_be_written_is_a_failure_of_storage(fetch, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(StorageError, match="make it writable"):
        fetch("/good")


def test_an_unknown_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="set it to 'embedded' or 'download'"):
        fetch_sources(load_contract("iris"), mode="elsewhere", cache=tmp_path)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["boston_housing", "california_housing", "iris", "wine_quality"])
def test_embedded_files_pass_their_pins(name: str, tmp_path: Path) -> None:
    spec = load_contract(name)
    contents = fetch_sources(spec, mode="embedded", cache=tmp_path)
    assert {n: hashlib.sha256(c).hexdigest() for n, c in contents.items()} == {
        file.name: file.sha256 for file in spec.sources
    }


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (gzip.compress(b"other", mtime=0), "has the wrong hash: expected 6f608b71a73.*, found"),
        (gzip.compress(b"other" * 99, mtime=0)[:-12], "was cut short|no intact gzip"),
        (b"plain", "is no intact gzip file"),
        (None, "cannot be read"),
    ],
)
def test_a_damaged_embedded_file_is_named(
    content: bytes | None, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if content is not None:
        (tmp_path / "iris.data.gz").write_bytes(content)
    monkeypatch.setattr(home, "embedded_folder", lambda: tmp_path)
    with pytest.raises(SourceError, match=reason) as caught:
        fetch_sources(load_contract("iris"), mode="embedded", cache=tmp_path)
    assert str(tmp_path / "iris.data.gz") in str(caught.value)


def test_unpacking_stops_at_the_limit() -> None:
    with pytest.raises(SourceError, match="more than the 1000 bytes allowed"):
        gunzip(gzip.compress(bytes(50_000_000)), largest=1000)
    assert sources.gunzip(gzip.compress(b"abc"), largest=3) == b"abc"
