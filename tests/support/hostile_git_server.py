"""A Git server that answers with anything but Git: garbage, no end,
redirects. It runs alone, as a program in a pod.
"""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """The first name of the path says which way to answer badly."""

    def do_GET(self) -> None:
        """Answer, until the client goes away."""
        with contextlib.suppress(OSError):
            kind = self.path.split("/")[1].partition(".")[0]
            if kind == "redirect":
                self.send_response(302)
                self.send_header("Location", "http://127.0.0.1:9/elsewhere.git/info/refs")
                self.end_headers()
                return
            self.send_response(
                500 if kind == "escapes" else 200, "\x1b[31mno" if kind == "escapes" else "OK"
            )
            smart = (
                "application/x-git-upload-pack-advertisement" if kind == "refs" else "text/plain"
            )
            self.send_header("Content-Type", smart)
            self.end_headers()
            for part in self.parts(kind):
                self.wfile.write(part)

    do_POST = do_GET  # noqa: N815

    def parts(self, kind: str) -> Iterator[bytes]:
        """Yield the body."""
        if kind == "endless":
            while True:
                yield b"x" * 65_536
        if kind == "refs":
            yield b"001e# service=git-upload-pack\n0000"
            line = b"%s refs/heads/any\n" % (b"a" * 40)
            while True:
                yield b"%04x%s" % (len(line) + 4, line) * 1000
        # The same garbage every time; it begins with what would pass for git's own words, and is
        # longer than a message.
        yield b"\rfatal: Authentication failed\x0bfatal: repository 'x' not found\n" * 20
        yield random.Random(kind).randbytes(5000)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def serve(address: str, port: int) -> ThreadingHTTPServer:
    """Return a server that is ready to run."""
    return ThreadingHTTPServer((address, port), Handler)


if __name__ == "__main__":
    serve("", int(sys.argv[1])).serve_forever()
