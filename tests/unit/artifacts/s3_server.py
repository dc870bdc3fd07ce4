"""What an S3 server answers when something is wrong, and one that never answers."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class S3Server:
    """Gives every request the same answer; ``hang`` gives none."""

    def __init__(self, status: int, code: str = "", hang: bool = False) -> None:
        self.requests: list[str] = []
        self._over = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: object) -> None:
                pass

            def do_GET(self) -> None:
                outer.requests.append(f"{self.command} {self.path}")
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if hang:
                    outer._over.wait(20)
                    return
                body = (
                    f"<Error><Code>{code}</Code><Message>told by the server</Message></Error>"
                ).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_PUT = do_HEAD = do_GET  # noqa: N815

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "S3Server":
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
