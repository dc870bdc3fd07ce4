"""moto's server in a thread, jobs that call it, and a server that answers what a test scripts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

from penstock.api.contract.contracts import ActionRequest, AwsAccess
from tests.unit.actions.jobs import FakeJob, request

REGION = "eu-central-1"
KEYS = {"accessKeyId": "AKIATESTTESTTEST", "secretAccessKey": "planted-secret-access-key"}


@contextmanager
def moto_server() -> Iterator[str]:
    """Serve moto on a free port of the loopback and yield its address."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def aws_client(address: str, service: str) -> Any:
    """Return a client of this process's own."""
    return boto3.client(
        service,
        endpoint_url=address,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def aws_job(
    root: Path,
    provider: str,
    configuration: Mapping[str, str],
    access: AwsAccess,
    keys: Mapping[str, str] | None = None,
) -> FakeJob:
    """Return a job whose calls go where ``access`` says, with the keys that its Secret holds."""
    folder = root / "credentials"
    folder.mkdir()
    for name, value in (KEYS if keys is None else keys).items():
        (folder / name).write_text(value)
    wanted: ActionRequest = request(provider, {"CredentialsSecret": "aws", **configuration})
    return FakeJob(root, wanted._replace(aws=access, secrets={"CredentialsSecret": str(folder)}))


class ScriptedServer:
    """Answers each request with the next of ``answers``, the last again and
    again: status, JSON document or none.
    """

    def __init__(self, *answers: tuple[int, Mapping[str, Any]]) -> None:
        self.requests: list[tuple[Mapping[str, str], Any]] = []
        script, seen = list(answers), self.requests

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                self.do_POST()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                seen.append((dict(self.headers), body))
                status, document = script[min(len(seen), len(script)) - 1]
                text = json.dumps(document).encode() if document else b""
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
