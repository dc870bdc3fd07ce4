"""Stands before an AWS server and refuses some calls: throttled, or denied;
everything else is the server's answer.
"""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Self
from urllib.parse import parse_qs

THROTTLED = (400, "Throttling", "Rate exceeded")
DENIED = (
    403,
    "AccessDenied",
    "User: arn:aws:iam::123456789012:user/x is not authorized to perform this",
)


class AwsProxy:
    """``refuse`` says which actions of the query protocol are refused, how, and how often."""

    def __init__(self, server: str) -> None:
        self._refusals: dict[str, tuple[tuple[int, str, str], int]] = {}
        self._lock = Lock()
        self.calls: list[str] = []
        self.bodies: list[dict[str, list[str]]] = []
        self._target = server
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                proxy.bodies.append(parse_qs(body.decode()))
                action = proxy.bodies[-1].get("Action", [""])[0]
                status, answer = proxy._refusal(action) or proxy.pass_on(
                    action, self.path, dict(self.headers), body
                )
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

    def pass_on(
        self, action: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, bytes]:
        """Return the server's own answer to a call."""
        return forward(self._target + path, headers, body)

    def _refusal(self, action: str) -> tuple[int, bytes] | None:
        with self._lock:
            self.calls.append(action)
            how, left = self._refusals.get(action, (THROTTLED, 0))
            if not left:
                return None
            self._refusals[action] = (how, left - 1)
        status, code, message = how
        return status, error_of(code, message)

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class OperationIds(AwsProxy):
    """Stands before moto, which makes ids of operations of its own: callers
    see theirs, as AWS lets them.

    An operation that is not there is called as AWS calls it, too.
    """

    def __init__(self, server: str) -> None:
        super().__init__(server)
        self._ids: dict[str, str] = {}
        self.failing: dict[str, str] = {}
        """Reason by account: operations that touch one of these are told to have failed."""

    def pass_on(
        self, action: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, bytes]:
        wanted = parse_qs(body.decode()).get("OperationId", [""])[0]
        if wanted in self._ids and action in ("CreateStackInstances", "UpdateStackSet"):
            return 400, error_of(
                "OperationIdAlreadyExistsException", "The specified operation ID already exists."
            )
        body = (
            body.replace(wanted.encode(), self._ids.get(wanted, wanted).encode())
            if wanted
            else body
        )
        headers = {
            name: value for name, value in headers.items() if name.lower() != "content-length"
        }
        status, answer = super().pass_on(action, path, headers, body)
        if action == "DescribeStackSetOperation" and status == 400:
            return 400, error_of(
                "OperationNotFoundException", "The ID refers to an operation that doesn't exist."
            )
        if (
            (made := re.search(rb"<OperationId>([^<]+)</OperationId>", answer))
            and wanted
            and wanted not in self._ids
        ):
            self._ids[wanted] = made[1].decode()
        return status, self._failed(
            answer.replace(self._ids.get(wanted, wanted).encode() or b"\0", wanted.encode())
        )

    def _failed(self, answer: bytes) -> bytes:
        """Let operations fail, and the results of the accounts where they do."""
        if self.failing and b"<StackSetOperation>" in answer:
            return answer.replace(b"<Status>SUCCEEDED</Status>", b"<Status>FAILED</Status>")
        for account, reason in self.failing.items():
            pattern = (
                rb"(<Account>%b</Account><Region>[^<]*</Region><Status>)SUCCEEDED</Status>"
                % account.encode()
            )
            answer = re.sub(
                pattern,
                rb"\g<1>FAILED</Status><StatusReason>%b</StatusReason>" % reason.encode(),
                answer,
            )
        return answer


def error_of(code: str, message: str) -> bytes:
    """Return an error of the query protocol."""
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
    return f"<ErrorResponse>{error}<RequestId>1</RequestId></ErrorResponse>".encode()


def forward(url: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
    """Return the server's own answer."""
    request = urllib.request.Request(url, body, headers)
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
            request, timeout=30
        ) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
