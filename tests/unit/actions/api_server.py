"""An API server of a few lines: discovery, apply, get, list, delete; a test
says how an object's status goes on.
"""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

KINDS = {
    "/api/v1": [
        ("Namespace", "namespaces", False),
        ("ConfigMap", "configmaps", True),
        ("Secret", "secrets", True),
        ("PersistentVolumeClaim", "persistentvolumeclaims", True),
    ],
    "/apis/apps/v1": [("Deployment", "deployments", True)],
    "/apis/batch/v1": [("Job", "jobs", True)],
    "/apis/apiextensions.k8s.io/v1": [
        ("CustomResourceDefinition", "customresourcedefinitions", False)
    ],
    "/apis/admissionregistration.k8s.io/v1": [
        ("ValidatingWebhookConfiguration", "validatingwebhookconfigurations", False)
    ],
}
Answer = tuple[int, dict[str, Any]]


class ApiServer:
    """``requests`` lists what came; ``statuses`` gives an object's status by
    name and count of reads.

    ``gone`` says when an object has gone by itself, ``histories`` what a
    watch then tells of it. ``refusals`` are by an object's name, or by method
    and name: ``DELETE settings``, ``LIST configmaps``.
    """

    def __init__(self) -> None:
        self.kinds = dict(KINDS)
        self.applied: list[str] = []
        self.deleted: list[str] = []
        self.queries: list[dict[str, list[str]]] = []
        self.objects: dict[str, dict[str, Any]] = {}
        self.refusals: dict[str, tuple[int, str, str]] = {}
        self.statuses: dict[str, Callable[[int], dict[str, Any]]] = {}
        self.pods: list[dict[str, Any]] = []
        self.reads: dict[str, int] = {}
        self.gone: dict[str, Callable[[int], bool]] = {}
        self.histories: dict[str, list[dict[str, Any]]] = {}
        self.causes: list[dict[str, str]] = []
        self.events: list[dict[str, Any]] = []
        self.failures = 0
        self.version = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def written(self) -> list[str]:
        """What was applied but the deploy's own parent."""
        return [path for path in self.applied if "/secrets/penstock-" not in path]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method: str, target: str, body: bytes) -> Answer:
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
        query = parse_qs(parts.query)
        if path.endswith("/events"):
            return 200, {"items": self.events}
        if "watch" in query:
            return self._watch(query)
        verb = "LIST" if method == "GET" and self._is_collection(path) else method
        if refusal := self.refusals.get(f"{verb} {name}") or (
            method != "GET" and self.refusals.get(name)
        ):
            details = {"causes": self.causes} if self.causes else {}
            return refusal[0], {"reason": refusal[1], "message": refusal[2], "details": details}
        if verb == "LIST":
            return self._list(path, query)
        if f"/{path.split('/')[2]}" == path[5:] and path.startswith("/apis/"):
            return self._group(path)
        return {
            "PATCH": self._patch,
            "POST": self._put,
            "PUT": self._put,
            "DELETE": self._delete,
        }.get(method, self._get)(path, query, json.loads(body or b"{}"))

    def _watch(self, query: dict[str, list[str]]) -> Answer:
        name = query["fieldSelector"][0].partition("=")[2]
        if name not in self.histories:
            return 410, {"reason": "Expired", "message": "too old resource version"}
        return 200, {"lines": self.histories[name]}

    def _is_collection(self, path: str) -> bool:
        plurals = {plural for rows in self.kinds.values() for _, plural, _ in rows}
        return path.rpartition("/")[2] in plurals

    def _group(self, path: str) -> Answer:
        versions = [
            {"groupVersion": known[6:]} for known in self.kinds if known.startswith(f"{path}/")
        ]
        return (
            (200, {"versions": versions, "preferredVersion": versions[0]})
            if versions
            else self._missing()
        )

    def _missing(self) -> Answer:
        return 404, {
            "reason": "NotFound",
            "message": "the server could not find the requested resource",
        }

    def _list(self, path: str, query: dict[str, list[str]]) -> Answer:
        key, _, value = query["labelSelector"][0].partition("=")
        inside = [item for place, item in self.objects.items() if place.rpartition("/")[0] == path]
        return 200, {
            "items": [
                item for item in inside if item["metadata"].get("labels", {}).get(key) == value
            ]
        }

    def _get(self, path: str, query: dict[str, list[str]], body: Any) -> Answer:
        name = path.rpartition("/")[2]
        if name in self.gone and self.gone[name](self.reads.get(name, 0)):
            self.objects.pop(path, None)
        return (200, self._current(path)) if path in self.objects else self._missing()

    def _patch(self, path: str, query: dict[str, list[str]], body: Any) -> Answer:
        manager = query["fieldManager"][0]
        if "dryRun" in query:
            return 200, self._stored(path, body, manager)
        self.queries.append(query)
        self.applied.append(path)
        if "force" not in query:
            labels = self.objects[path]["metadata"]["labels"]
            for key in body["metadata"]["labels"]:
                labels.pop(key)
            return 200, self._current(path)
        self.objects[path] = self._stored(path, body, manager)
        return 200, self._current(path)

    def _put(self, path: str, query: dict[str, list[str]], body: Any) -> Answer:
        path = path if path in self.objects else f"{path}/{body['metadata']['name']}"
        old = self.objects.get(path)
        if old and old["metadata"]["resourceVersion"] != body["metadata"].get("resourceVersion"):
            return 409, {"reason": "Conflict", "message": "the object has been modified"}
        self.version += 1
        body["metadata"]["resourceVersion"] = str(self.version)
        self.objects[path] = body
        return 200, body

    def _delete(self, path: str, query: dict[str, list[str]], body: Any) -> Answer:
        if path not in self.objects:
            return self._missing()
        if body["preconditions"]["uid"] != self.objects[path]["metadata"]["uid"]:
            return 409, {"reason": "Conflict", "message": "the uid differs"}
        if "dryRun" not in body:
            self.deleted.append(path)
            del self.objects[path]
        return 200, {}

    def _stored(self, path: str, body: Any, manager: str) -> dict[str, Any]:
        """Return what an apply leaves behind; the parent's two managers leave
        each other's part as it is.
        """
        old = self.objects.get(path, {})
        uid = old.get("metadata", {}).get("uid") or f"uid-of-{path}"
        metadata = old["metadata"] if manager.endswith("-content") else body["metadata"]
        return {
            **(old if manager != "penstock" else {}),
            **body,
            "metadata": {**metadata, "uid": uid},
        }

    def _current(self, path: str) -> dict[str, Any]:
        name = path.rpartition("/")[2]
        self.reads[name] = self.reads.get(name, 0) + 1
        status = self.statuses[name](self.reads[name]) if name in self.statuses else {}
        return (
            {**self.objects[path], "status": status}
            if "/leases/" not in path
            else self.objects[path]
        )

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
                lines = document.get("lines", [document])
                data = "\n".join(json.dumps(line) for line in lines).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_PATCH = do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815

        return Handler
