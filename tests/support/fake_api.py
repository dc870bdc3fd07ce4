"""A local HTTPS server that answers as an API server would, and a proxy in front of it; both write
down what arrives.

It stands outside of the program under test: what the command sends over the
wire is what is looked at.
"""

from __future__ import annotations

import datetime
import ipaddress
import json
import select
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Document = dict[str, Any]
Answer = tuple[int, Document | bytes | list[bytes]]


@dataclass(frozen=True)
class Authority:
    """A certificate authority of its own, in a folder; it makes certificates
    for servers and clients.
    """

    folder: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def new(cls, folder: Path) -> Authority:
        """Make one; ``ca.crt`` in the folder is what clients trust."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("penstock-test-ca")
        certificate = _built(
            name, name, key.public_key(), key, x509.BasicConstraints(True, None), []
        )
        (folder / "ca.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return cls(folder, key, certificate)

    @property
    def file(self) -> Path:
        """The certificate that clients trust."""
        return self.folder / "ca.crt"

    def issue(self, common_name: str, *hosts: str) -> tuple[Path, Path]:
        """Return the files of a certificate and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = []
        for host in hosts:
            is_address = host.replace(".", "").isdigit()
            names.append(
                x509.IPAddress(ipaddress.ip_address(host)) if is_address else x509.DNSName(host)
            )
        constraints = x509.BasicConstraints(False, None)
        made = _built(
            _name(common_name),
            self.certificate.subject,
            key.public_key(),
            self.key,
            constraints,
            names,
        )
        files = self.folder / f"{common_name}.crt", self.folder / f"{common_name}.key"
        files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
        encoding, kind = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        files[1].write_bytes(key.private_bytes(encoding, kind, serialization.NoEncryption()))
        return files


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _built(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey,
    signer: ec.EllipticCurvePrivateKey,
    constraints: x509.BasicConstraints,
    names: list[x509.GeneralName],
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    builder = x509.CertificateBuilder(
        issuer, subject, public, x509.random_serial_number(), now - day, now + day
    )
    builder = builder.add_extension(constraints, critical=True)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(signer, hashes.SHA256())


@dataclass(frozen=True)
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: list[tuple[str, str]]
    server_name: str | None
    client: str | None
    body: Any

    def header(self, name: str) -> list[str]:
        """Return every value of a header."""
        return [value for key, value in self.headers if key.lower() == name.lower()]


@dataclass
class Api:
    """The server. ``answers`` maps method and path to what is answered, or to
    what makes the answer.

    A body of several chunks breaks off after the last: the connection is
    closed without the end of the answer.
    """

    address: str = ""
    answers: dict[tuple[str, str], Answer | Callable[[Seen], Answer]] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)

    def put(self, path: str, document: Document | list[Document]) -> None:
        """Answer GET of a path by an object, or by a list of them."""
        self.answers["GET", path] = (
            200,
            {"kind": "List", "items": document} if isinstance(document, list) else document,
        )

    def asked(self, method: str) -> list[Seen]:
        """Return the requests of a method."""
        return [seen for seen in self.seen if seen.method == method]

    def answer(self, seen: Seen) -> Answer:
        """Return what is answered."""
        found = self.answers.get((seen.method, seen.path))
        if callable(found):
            return found(seen)
        missing = {"kind": "Status", "message": f"{seen.path.rpartition('/')[2]} not found"}
        return found or (404, missing)


@contextmanager
def serving(authority: Authority | None, *hosts: str, clients: bool = False) -> Iterator[Api]:
    """Serve until the block ends; with an authority over TLS, with a
    certificate for these hosts.
    """
    api = Api()
    names: dict[int, str] = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(api, names))
    server.daemon_threads = True
    if authority:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*authority.issue("server", *(hosts or ("127.0.0.1",))))
        context.load_verify_locations(authority.file)
        context.verify_mode = ssl.CERT_OPTIONAL if clients else ssl.CERT_NONE
        context.sni_callback = lambda tls, name, _: names.update(
            {cast(ssl.SSLSocket, tls).fileno(): name or ""}
        )
        server.socket = context.wrap_socket(server.socket, server_side=True)
    api.address = f"{'https' if authority else 'http'}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def _handler(api: Api, names: dict[int, str]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            url = urlsplit(self.path)
            secure = self.connection if isinstance(self.connection, ssl.SSLSocket) else None
            peer: Any = secure.getpeercert() if secure else None
            client = next((pair[0][1] for pair in peer.get("subject", ())), None) if peer else None
            name = names.get(self.connection.fileno()) if secure else None
            seen = Seen(
                self.command,
                url.path,
                parse_qs(url.query),
                list(self.headers.items()),
                name,
                client,
                body,
            )
            api.seen.append(seen)
            status, answer = api.answer(seen)
            if isinstance(answer, list):
                self._stream(answer)
                return
            data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _stream(self, chunks: list[bytes]) -> None:
            """Send chunks and break off."""
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for chunk in chunks:
                self.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
            self.close_connection = True

        do_GET = do_POST = do_PATCH = _answer  # noqa: N815

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    return Handler


@dataclass
class Proxy:
    """A proxy: what it was asked to connect to, and by whom."""

    address: str = ""
    asked: list[tuple[str, str | None]] = field(default_factory=list)


@contextmanager
def proxying(target: str) -> Iterator[Proxy]:
    """Serve as a proxy that takes every CONNECT to ``target``, whatever was asked for."""
    proxy = Proxy()
    url = urlsplit(target)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            first = self.rfile.readline().decode().split()
            headers = {}
            while line := self.rfile.readline().decode().strip():
                key, _, value = line.partition(":")
                headers[key.lower()] = value.strip()
            proxy.asked.append((f"{first[0]} {first[1]}", headers.get("proxy-authorization")))
            with socket.create_connection((url.hostname or "", url.port or 0), 10) as other:
                self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                _relay(self.connection, other)

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    proxy.address = f"127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def _relay(one: socket.socket, other: socket.socket) -> None:
    pairs = {one: other, other: one}
    while True:
        for ready in select.select(list(pairs), [], [], 30)[0]:
            data = ready.recv(65_536)
            if not data:
                return
            pairs[ready].sendall(data)
