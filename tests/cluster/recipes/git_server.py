"""A Git server for tests: smart HTTP through `git http-backend`, LFS, repositories made by PUT or
by the first push.

Everyone may read and write, except below /private/, which wants the basic authentication given in
the environment (GIT_USER, GIT_PASSWORD). It must never be reachable from outside a test cluster.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

ROOT = Path(os.environ.get("GIT_ROOT", "/data"))
BACKEND = "/usr/lib/git-core/git-http-backend"
# One or more plain names, the last with ".git": no dots in front, so neither ".." nor hidden files.
_REPOSITORY = re.compile(
    r"/((?:[A-Za-z0-9_][A-Za-z0-9._-]*/){0,4}[A-Za-z0-9_][A-Za-z0-9._-]*\.git)(/.*)?"
)
_RPC = re.compile(r"/(info/refs|HEAD|git-(upload|receive)-pack|objects/[A-Za-z0-9/._-]+)")
_LFS_OBJECT = re.compile(r"/info/lfs/objects/([0-9a-f]{64})")
_LFS_TYPE = "application/vnd.git-lfs+json"
_creating = threading.Lock()


def create(name: str) -> bool:
    """Make a bare repository that takes pushes; False if it was there."""
    path = ROOT / name
    with _creating:
        if path.exists():
            return False
        subprocess.run(
            ["git", "init", "-q", "--bare", "-b", "main", str(path)], check=True, timeout=30
        )
        for setting, value in (
            ("http.receivepack", "true"),
            # A fetch sends what is packed as it is; compressing 200 MB anew keeps a busy server
            # silent for longer than the agent waits.
            ("receive.unpackLimit", "1"),
            ("uploadpack.allowAnySHA1InWant", "true"),
            ("uploadpack.allowFilter", "true"),
        ):
            subprocess.run(
                ["git", "-C", str(path), "config", setting, value], check=True, timeout=30
            )
        return True


class Handler(BaseHTTPRequestHandler):
    """One request: decide who and which repository, then hand over to git."""

    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self) -> None:
        """Serve clones, and health at the root."""
        if self.path == "/healthz":
            self._answer(200, "ok\n")
            return
        self._serve()

    def do_POST(self) -> None:
        """Serve the packs of clone and push."""
        self._serve()

    def do_PUT(self) -> None:
        """Create a repository, 201 if new, 200 if it was there; or take an LFS object."""
        found = self._repository()
        if found and (match := _LFS_OBJECT.fullmatch(found[1])):
            self._take_object(found[0], match[1])
        elif found and not found[1]:
            self._answer(201 if create(found[0]) else 200, found[0] + "\n")
        elif found:
            self._answer(404, "PUT creates /name.git and nothing below it\n")

    def _repository(self) -> tuple[str, str] | None:
        """Return the repository's name and the rest of the path, or answer why not."""
        match = _REPOSITORY.fullmatch(unquote(urlsplit(self.path).path))
        if match is None:
            self._answer(404, "not a repository: want /name.git\n")
            return None
        name, rest = match[1], match[2] or ""
        if name.startswith("private/") and not self._authenticated():
            self._answer(401, "who are you?\n", {"WWW-Authenticate": 'Basic realm="private"'})
            return None
        return name, rest

    def _authenticated(self) -> bool:
        wanted = f"{os.environ['GIT_USER']}:{os.environ['GIT_PASSWORD']}".encode()
        expected = "Basic " + base64.b64encode(wanted).decode()
        return hmac.compare_digest(self.headers.get("Authorization", ""), expected)

    def _serve(self) -> None:
        found = self._repository()
        if found is None:
            return
        name, rest = found
        query = urlsplit(self.path).query
        if rest.startswith("/info/lfs/"):
            self._serve_lfs(name, rest)
            return
        if not _RPC.fullmatch(rest):
            self._answer(404, "no such service\n")
            return
        if not (ROOT / name).exists():
            if "git-receive-pack" not in (query + rest):
                self._answer(404, "no such repository\n")
                return
            create(name)
        self._run_backend(name, rest, query)

    def _serve_lfs(self, name: str, rest: str) -> None:
        """Answer the batch API with basic transfers, and give out objects."""
        match = _LFS_OBJECT.fullmatch(rest)
        if match and self.command == "GET":
            path = ROOT / name / "lfs" / match[1]
            self._answer(200, path.read_bytes()) if path.exists() else self._answer(
                404, "no such object\n"
            )
        elif rest == "/info/lfs/objects/batch" and self.command == "POST":
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            objects = [self._object(name, asked["operation"], item) for item in asked["objects"]]
            self._answer(
                200,
                json.dumps({"transfer": "basic", "objects": objects}),
                {"Content-Type": _LFS_TYPE},
            )
        else:
            self._answer(404, "no such service of LFS\n")

    def _object(self, name: str, operation: str, item: dict[str, object]) -> dict[str, object]:
        """Return where to send an object, or to have it from."""
        is_there = (ROOT / name / "lfs" / str(item["oid"])).exists()
        if operation == "download" and not is_there:
            return {**item, "error": {"code": 404, "message": "Object does not exist"}}
        href = f"http://{self.headers['Host']}/{name}/info/lfs/objects/{item['oid']}"
        is_wanted = operation == "download" or not is_there
        return {**item, "actions": {operation: {"href": href}}} if is_wanted else item

    def _take_object(self, name: str, oid: str) -> None:
        create(name)
        data = self.rfile.read(int(self.headers["Content-Length"]))
        if hashlib.sha256(data).hexdigest() != oid:
            self._answer(422, "not the object of this id\n")
            return
        (ROOT / name / "lfs").mkdir(exist_ok=True)
        (ROOT / name / "lfs" / oid).write_bytes(data)
        self._answer(200, "")

    def _run_backend(self, name: str, rest: str, query: str) -> None:
        """Run git's own CGI program and pass its answer on."""
        env = {
            "PATH": os.environ["PATH"],
            "HOME": "/tmp",
            "GIT_PROJECT_ROOT": str(ROOT),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": f"/{name}{rest}",
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_USER": "git",
            "REMOTE_ADDR": self.client_address[0],
        }
        if "Content-Length" in self.headers:
            env["CONTENT_LENGTH"] = self.headers["Content-Length"]
        with subprocess.Popen(
            [BACKEND], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env
        ) as backend:
            assert backend.stdin and backend.stdout
            feeder = threading.Thread(target=self._feed, args=(backend.stdin,), daemon=True)
            feeder.start()
            self._relay(backend.stdout)
            feeder.join(timeout=60)

    def _feed(self, sink: IO[bytes]) -> None:
        """Copy the request's body to git; git push sends big packs in chunks."""
        try:
            with sink:
                if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
                    while size := int(self.rfile.readline().split(b";")[0], 16):
                        sink.write(self.rfile.read(size))
                        self.rfile.readline()
                    self.rfile.readline()
                    return
                left = int(self.headers.get("Content-Length", "0"))
                while left > 0 and (block := self.rfile.read(min(left, 65536))):
                    sink.write(block)
                    left -= len(block)
        except (OSError, ValueError):
            self.close_connection = (
                True  # git ended early or the client went away: both see it themselves
            )

    def _relay(self, source: IO[bytes]) -> None:
        """Copy git's answer to the client; its length is unknown, so the
        connection ends with it.
        """
        status, headers = 200, []
        while line := source.readline().decode("latin-1").strip():
            key, _, value = line.partition(": ")
            if key.lower() == "status":
                status = int(value.split()[0])
            else:
                headers.append((key, value))
        self.send_response(status)
        for key, value in headers:
            self.send_header(key, value)
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        while block := source.read1(65536):  # type: ignore[attr-defined]
            self.wfile.write(block)

    def _answer(
        self, status: int, text: str | bytes, headers: dict[str, str] | None = None
    ) -> None:
        body = text.encode() if isinstance(text, str) else text
        self.send_response(status)
        for key, value in {"Content-Type": "text/plain", **(headers or {})}.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.send_header(
            "Connection", "close"
        )  # a body that was not read must not become the next request
        self.end_headers()
        self.close_connection = True
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """Twenty clones may arrive at once; the default backlog of five would refuse some."""

    request_queue_size = 128
    daemon_threads = True


if __name__ == "__main__":
    ROOT.mkdir(parents=True, exist_ok=True)
    Server(("", int(os.environ.get("GIT_PORT", "8080"))), Handler).serve_forever()
