"""Where a function answers: two operations of the CodePipeline API, served by the action's own pod.

Who knows a job's id may answer it, once: the id is random and told to the
function alone. All else is refused.
"""

import json
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread, Timer
from typing import Any

from penstock.actions.lambda_function.answers import FAILURE, SUCCESS, RefusedError

_PREFIX = "CodePipeline_20150709."
# Output variables have 120 KiB at most.
_BODY_BYTES = 256 * 1024
# A client that sends a byte a minute must not hold a place.
_REQUEST_S = 10
# Closing waits for the server's next look: half a second by default, at the end of every action.
_LOOK_S = 0.05
# Answers that wait to be read; one is expected.
_QUEUE = 16

Take = Callable[[str, Mapping[str, Any]], None]


@contextmanager
def serving(take: Take) -> Iterator[str]:
    """Serve on the pod's address and yield its URL.

    ``take`` gets operation and input, and may raise RefusedError.
    """
    server = _Server(take)
    Thread(target=server.serve_forever, args=(_LOOK_S,), daemon=True).start()
    try:
        yield f"http://{_address()}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = _QUEUE
    allow_reuse_address = False

    def __init__(self, take: Take) -> None:
        self.take = take
        super().__init__(("", 0), _Handler)


def _address() -> str:
    """Return the pod's address: the kubelet writes it beside the host's name."""
    return socket.gethostbyname(socket.gethostname())


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "penstock"
    sys_version = ""

    def setup(self) -> None:
        super().setup()
        # A timeout of the socket counts anew with every byte.
        self._limit = Timer(_REQUEST_S, self._cut_off)
        self._limit.daemon = True
        self._limit.start()

    def finish(self) -> None:
        self._limit.cancel()
        super().finish()

    def _cut_off(self) -> None:
        with suppress(OSError):  # it is closed already
            self.connection.shutdown(socket.SHUT_RDWR)

    def do_POST(self) -> None:
        try:
            self.server.take(self._operation(), self._body())
        except RefusedError as error:
            self._send(400, {"__type": error.code, "message": error.message})
        else:
            self._send(200, {})

    def _operation(self) -> str:
        operation = self.headers.get("X-Amz-Target", "").removeprefix(_PREFIX)
        if operation not in (SUCCESS, FAILURE):
            raise RefusedError(
                "UnknownOperationException", f"{SUCCESS} and {FAILURE} are served here"
            )
        return operation

    def _body(self) -> Mapping[str, Any]:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _BODY_BYTES:
            raise RefusedError(
                "ValidationException", f"a body of at most {_BODY_BYTES} bytes is needed"
            )
        try:
            document = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise RefusedError("SerializationException", "the body is not a JSON object")
        return document

    def _send(self, status: int, document: Mapping[str, str]) -> None:
        text = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Say nothing: a request's line is whatever a stranger sent."""
