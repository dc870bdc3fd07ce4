"""A store that is away for a while costs time and no run; a claim is given
once whatever the network does.
"""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from penstock.api.contract.contracts import ArtifactLocation, StoreLocation
from penstock.artifacts.errors import ArtifactError
from penstock.artifacts.store import store as store_module
from penstock.artifacts.store.opening import open_store
from penstock.artifacts.store.store import Store

Trouble = Callable[["FlakyS3", BaseHTTPRequestHandler], bool]


class FlakyS3:
    """A bucket that knows create-if-absent; each request meets the next
    trouble first, while there is one.
    """

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.troubles: list[Trouble] = []
        self.requests: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: object) -> None:
                pass

            def do_GET(self) -> None:
                outer.requests.append(self.command)
                self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if outer.troubles and outer.troubles.pop(0)(outer, self):
                    self.close_connection = True
                    return
                status, data = outer.answer(self)
                outer.send(self, status, data)

            do_PUT = do_HEAD = do_GET  # noqa: N815

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, request: BaseHTTPRequestHandler) -> tuple[int, bytes]:
        key = request.path.split("?")[0]
        if request.command == "PUT":
            if request.headers.get("If-None-Match") == "*" and key in self.objects:
                return 412, b"<Error><Code>PreconditionFailed</Code></Error>"
            self.objects[key] = request.body  # type: ignore[attr-defined]
            return 200, b""
        return (
            (200, self.objects[key])
            if key in self.objects
            else (404, b"<Error><Code>NoSuchKey</Code></Error>")
        )

    def send(
        self, request: BaseHTTPRequestHandler, status: int, data: bytes, length: int | None = None
    ) -> None:
        request.send_response(status)
        request.send_header("Content-Length", str(len(data) if length is None else length))
        request.send_header("ETag", '"e"')
        request.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        request.end_headers()
        request.wfile.write(data)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def refuses(server: FlakyS3, request: BaseHTTPRequestHandler) -> bool:
    """Close the connection without a word."""
    return True


def busy(server: FlakyS3, request: BaseHTTPRequestHandler) -> bool:
    server.send(request, 503, b"<Error><Code>SlowDown</Code></Error>")
    return True


def does_it_in_silence(server: FlakyS3, request: BaseHTTPRequestHandler) -> bool:
    """Do what is asked, and close the connection before the answer."""
    server.answer(request)
    return True


def cuts_off(server: FlakyS3, request: BaseHTTPRequestHandler) -> bool:
    """Send half of an object."""
    status, data = server.answer(request)
    server.send(request, status, data[: len(data) // 2], len(data))
    return True


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[FlakyS3]:
    monkeypatch.setitem(store_module.BACKOFF, "init_backoff", timedelta(milliseconds=1))
    monkeypatch.setitem(store_module.BACKOFF, "max_backoff", timedelta(milliseconds=2))
    server = FlakyS3()
    yield server
    server.close()


@pytest.fixture
def store(s3: FlakyS3, tmp_path: Path) -> Store:
    for name in ("accessKeyId", "secretAccessKey"):
        (tmp_path / name).write_text("x")
    return open_store(StoreLocation("bucket", s3.address, "eu-central-1", str(tmp_path)), 30)


@pytest.mark.parametrize("trouble", [refuses, busy, does_it_in_silence])
def test_weak_store_that_is_away_for_many_tries_costs_no_claim(
    s3: FlakyS3, store: Store, trouble: Trouble
) -> None:
    s3.troubles = [trouble] * 12
    assert store.claim("claims/x", b"mine") == b"mine"
    assert s3.objects == {"/bucket/claims/x": b"mine"}
    assert len(s3.requests) > 12


@pytest.mark.parametrize("trouble", [refuses, busy, does_it_in_silence])
def test_claim_without_an_answer_is_never_given_twice(
    s3: FlakyS3, store: Store, trouble: Trouble
) -> None:
    """Who holds it is read, not concluded from an error."""

    def another_comes_first(server: FlakyS3, request: BaseHTTPRequestHandler) -> bool:
        server.objects.setdefault("/bucket/claims/x", b"another's")
        return trouble(server, request)

    s3.troubles = [another_comes_first, trouble, trouble]
    assert store.claim("claims/x", b"mine") == b"another's"
    s3.objects.clear()
    s3.troubles = [does_it_in_silence, trouble]
    assert (store.claim("claims/x", b"mine"), store.claim("claims/x", b"another's")) == (
        b"mine",
        b"mine",
    )


@pytest.mark.parametrize("trouble", [refuses, busy, cuts_off])
@pytest.mark.parametrize("is_recorded", [True, False])
def test_weak_object_arrives_whole_after_many_troubles(
    s3: FlakyS3, store: Store, trouble: Trouble, is_recorded: bool
) -> None:
    data = bytes(range(256)) * 5000
    s3.objects["/bucket/a"] = data
    s3.troubles = [trouble] * 8
    target = io.BytesIO()
    if is_recorded:
        store.fetch(ArtifactLocation("A", "a", len(data), hashlib.sha256(data).hexdigest()), target)
    else:
        store.read("a", target, 1 << 30)
    assert target.getvalue() == data


@pytest.mark.parametrize("trouble", [refuses, busy, does_it_in_silence])
def test_weak_upload_survives_many_troubles(
    s3: FlakyS3, store: Store, trouble: Trouble, tmp_path: Path
) -> None:
    (tmp_path / "log").write_bytes(b"text" * 1000)
    s3.troubles = [trouble] * 12
    store.put_file("logs/x", tmp_path / "log")
    assert s3.objects["/bucket/logs/x"] == b"text" * 1000


def test_store_that_stays_away_is_an_error_in_the_end(s3: FlakyS3, tmp_path: Path) -> None:
    for name in ("accessKeyId", "secretAccessKey"):
        (tmp_path / name).write_text("x")
    impatient = open_store(StoreLocation("bucket", s3.address, "eu-central-1", str(tmp_path)), 0.6)
    s3.troubles = [refuses] * 100_000
    with pytest.raises(ArtifactError) as caught:
        impatient.claim("claims/x", b"mine")
    assert caught.value.code == "SystemUnavailable"


@pytest.mark.parametrize(
    ("status", "code"), [(403, "InvalidAccessKeyId"), (404, "NoSuchBucket"), (403, "AccessDenied")]
)
def test_refusal_is_no_absence_and_is_not_waited_out(
    s3: FlakyS3, store: Store, status: int, code: str
) -> None:
    def refusal(server: FlakyS3, request: BaseHTTPRequestHandler) -> bool:
        server.send(request, status, f"<Error><Code>{code}</Code></Error>".encode())
        return True

    s3.troubles = [refusal] * 50
    with pytest.raises(ArtifactError):
        store.claim("claims/x", b"mine")
    assert len(s3.requests) == 1
