"""Stands before an AWS server and refuses some calls: throttled, or denied; everything else is the server's answer."""

from __future__ import annotations

import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Self
from urllib.parse import parse_qs

THROTTLED = (400, "Throttling", "Rate exceeded")
DENIED = (403, "AccessDenied", "User: arn:aws:iam::123456789012:user/x is not authorized to perform this")


class AwsProxy:
    """``refuse`` says which actions of the query protocol are refused, how, and how often."""

    def __init__(self, server: str) -> None:
        self._refusals: dict[str, tuple[tuple[int, str, str], int]] = {}
        self._lock = Lock()
        self.calls: list[str] = []
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                action = parse_qs(body.decode()).get("Action", [""])[0]
                status, answer = proxy._refusal(action) or forward(server + self.path, dict(self.headers), body)
                self.send_response(status)
                self.send_header("Content-Type", "text/xml")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"

    def refuse(self, action: str, how: tuple[int, str, str], times: int = 1_000_000) -> None:
        """Refuse an action the next times."""
        self._refusals[action] = (how, times)

    def _refusal(self, action: str) -> tuple[int, bytes] | None:
        with self._lock:
            self.calls.append(action)
            how, left = self._refusals.get(action, (THROTTLED, 0))
            if not left:
                return None
            self._refusals[action] = (how, left - 1)
        status, code, message = how
        error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
        return status, f"<ErrorResponse>{error}<RequestId>1</RequestId></ErrorResponse>".encode()

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def forward(url: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
    """Return the server's own answer."""
    request = urllib.request.Request(url, body, headers)
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
