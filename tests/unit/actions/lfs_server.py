"""An HTTP server that plays back what a test has laid out: one answer per
path, or several in turn.
"""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = tuple[int, dict[str, str], bytes]


class Playback:
    """``answers`` is path to what comes, the last one again and again; ``seen`` is each path with
    its Authorization.
    """

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.seen: list[tuple[str, str | None]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def link(self, oid: str, href: str, **header: str) -> None:
        """Answer the batch API with one object's link."""
        item = {"oid": oid, "size": 5, "actions": {"download": {"href": href, "header": header}}}
        self.batch({"objects": [item]})

    def batch(self, document: object) -> None:
        self.answers["/x.git/info/lfs/objects/batch"] = [(200, {}, json.dumps(document).encode())]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            log_message: Callable[..., None] = lambda *_: None

            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer.seen.append((self.path, self.headers.get("Authorization")))
                answers = outer.answers.get(self.path, [(404, {}, b"")])
                status, headers, body = answers.pop(0) if len(answers) > 1 else answers[0]
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET  # noqa: N815

        return Handler
