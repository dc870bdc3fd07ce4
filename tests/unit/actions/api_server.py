"""An API server of a few lines: discovery, apply, get; a test says how an object's status goes on."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

KINDS = {
    "/api/v1": [("Namespace", "namespaces", False), ("ConfigMap", "configmaps", True), ("Secret", "secrets", True)],
    "/apis/apps/v1": [("Deployment", "deployments", True)],
    "/apis/apiextensions.k8s.io/v1": [("CustomResourceDefinition", "customresourcedefinitions", False)],
    "/apis/admissionregistration.k8s.io/v1": [
        ("ValidatingWebhookConfiguration", "validatingwebhookconfigurations", False)
    ],
}


class ApiServer:
    """``applied`` lists what came; ``statuses`` gives an object's status by name and count of reads."""

    def __init__(self) -> None:
        self.kinds = dict(KINDS)
        self.applied: list[str] = []
        self.queries: list[dict[str, list[str]]] = []
        self.objects: dict[str, dict[str, Any]] = {}
        self.refusals: dict[str, tuple[int, str, str]] = {}
        self.statuses: dict[str, Callable[[int], dict[str, Any]]] = {}
        self.pods: list[dict[str, Any]] = []
        self.reads: dict[str, int] = {}
        self.failures = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method: str, target: str, body: bytes) -> tuple[int, dict[str, Any]]:
        parts = urlsplit(target)
        path, name = parts.path, parts.path.rpartition("/")[2]
        if self.failures:
            self.failures -= 1
            return 503, {"message": "busy"}
        if path in self.kinds:
            rows = [{"kind": k, "name": n, "namespaced": scope} for k, n, scope in self.kinds[path]]
            return 200, {"resources": rows}
        if path.endswith("/pods"):
            return 200, {"items": self.pods}
        if method == "PATCH":
            return self._apply(path, name, parse_qs(parts.query), json.loads(body))
        if path in self.objects:
            return 200, self._current(path, name)
        return 404, {"reason": "NotFound", "message": "the server could not find the requested resource"}

    def _apply(self, path: str, name: str, query: dict[str, list[str]], body: Any) -> tuple[int, dict[str, Any]]:
        self.queries.append(query)
        if name in self.refusals:
            status, reason, message = self.refusals[name]
            return status, {"reason": reason, "message": message}
        self.applied.append(path)
        self.objects[path] = body
        return 200, self._current(path, name)

    def _current(self, path: str, name: str) -> dict[str, Any]:
        self.reads[name] = self.reads.get(name, 0) + 1
        status = self.statuses[name](self.reads[name]) if name in self.statuses else {}
        return {**self.objects[path], "status": status}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: object) -> None:
                pass

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, document = outer.answer(self.command, self.path, body)
                if self.headers.get("Authorization") != "Bearer token-canary":
                    status, document = 401, {"reason": "Unauthorized", "message": "Unauthorized"}
                data = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_PATCH = do_GET  # noqa: N815

        return Handler
