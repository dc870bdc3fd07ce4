"""Git's own server program behind a few lines of CGI, with basic
authentication where a test asks for it.
"""

import base64
import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

BACKEND = "/usr/lib/git-core/git-http-backend"


def git(folder: Path, *arguments: str, **environment: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True, timeout=20,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1",
             "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.com",
             "GIT_COMMITTER_NAME": "Ada",
             "GIT_COMMITTER_EMAIL": "ada@example.com", "GIT_AUTHOR_DATE": "2026-01-02T03:04:05Z",
             "GIT_COMMITTER_DATE": "2026-01-02T03:04:06Z", **environment},
    )  # fmt: skip
    return done.stdout.strip()


class GitServer:
    """Serves every repository below ``root``; ``user`` and ``password`` guard all of
    them, ``redirect`` moves them.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.user, self.password = "ada", ""
        self.redirect = ""
        self.authorizations: list[str | None] = []
        self.paths: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def accepts(self, authorization: str) -> bool:
        """Whether a request with this header may read; tests may replace it."""
        pair = f"{self.user}:{self.password}".encode()
        return not self.password or authorization == f"Basic {base64.b64encode(pair).decode()}"

    def api(self, path: str, query: str) -> tuple[int, dict[str, str], bytes] | None:
        """Return what the host's API answers: status, headers and body; None: Git is meant."""

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: object) -> None:
                pass

            def do_GET(self) -> None:
                outer.authorizations.append(self.headers.get("Authorization"))
                outer.paths.append(self.path)
                given = self.headers.get("Authorization") or ""
                path, _, query = self.path.partition("?")
                if outer.redirect:
                    self.send_response(301)
                    self.send_header("Location", outer.redirect + self.path)
                elif not outer.accepts(given):
                    self.send_response(401)
                    self.send_header("WWW-Authenticate", 'Basic realm="git"')
                elif answer := outer.api(path, query):
                    status, headers, content = answer
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content)
                    return
                else:
                    self._backend(path, query)
                    return
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_POST = do_GET  # noqa: N815

            def _backend(self, path: str, query: str) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                environment = {
                    "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(outer.root),
                    "GIT_HTTP_EXPORT_ALL": "1",
                    "PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": self.command,
                    "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                    "REMOTE_ADDR": "127.0.0.1",
                    "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                    "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                    "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory",
                    "GIT_CONFIG_VALUE_0": "*",
                }  # fmt: skip
                done = subprocess.run(
                    [BACKEND], input=body, env=environment, capture_output=True, timeout=20
                )
                head, _, content = done.stdout.partition(b"\r\n\r\n")
                headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
                self.send_response(int(headers.pop("Status", "200").split()[0]))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        return Handler
