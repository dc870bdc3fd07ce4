"""The address of the API server and the proof of identity.

It is a value that handlers make from Kopf's login and pass in.
"""

import asyncio
import base64
import os
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_TOKEN_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


@dataclass(frozen=True, slots=True)
class Credentials:
    """The server's URL, its CA, and a client certificate or a token.

    ``token_file`` is read again each time, because the token rotates.
    """

    server: str
    ca_path: str | None = None
    ca_data: str | None = None
    certificate_path: str | None = None
    certificate_data: str | None = None
    key_path: str | None = None
    key_data: str | None = None
    token: str | None = None
    token_file: Path | None = None
    insecure: bool = False

    def ssl_context(self) -> ssl.SSLContext | None:
        """Return the TLS context, None for a plain http server."""
        if not self.server.startswith("https:"):
            return None
        ca_data = base64.b64decode(self.ca_data).decode() if self.ca_data else None
        context = ssl.create_default_context(cafile=self.ca_path, cadata=ca_data)
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        self._load_certificate(context)
        return context

    def _load_certificate(self, context: ssl.SSLContext) -> None:
        if self.certificate_path:
            context.load_cert_chain(self.certificate_path, self.key_path)
        elif self.certificate_data:
            # The ssl module reads certificates from files only.
            with tempfile.NamedTemporaryFile(suffix=".pem") as file:
                for data in (self.certificate_data, self.key_data or ""):
                    file.write(base64.b64decode(data) + b"\n")
                file.flush()
                context.load_cert_chain(file.name)

    async def headers(self) -> dict[str, str]:
        """Return the headers that carry the token."""
        token = self.token
        if self.token_file:
            token = (await asyncio.to_thread(self.token_file.read_text)).strip()
        return {"Authorization": f"Bearer {token}"} if token else {}


def mounted_token_file() -> Path | None:
    """Return the service account's rotating token, where there is one."""
    return _TOKEN_FILE if _TOKEN_FILE.exists() else None


def credentials_here() -> Credentials:
    """Return the credentials of this Pod, or else those of the file in KUBECONFIG.

    Raise OSError if there is neither.
    """
    host, port = (
        os.environ.get("KUBERNETES_SERVICE_HOST"),
        os.environ.get("KUBERNETES_SERVICE_PORT", "443"),
    )
    if host and (token_file := mounted_token_file()):
        # An address of IPv6 stands in brackets in a URL.
        host = f"[{host}]" if ":" in host else host
        return Credentials(
            f"https://{host}:{port}",
            ca_path=str(_TOKEN_FILE.with_name("ca.crt")),
            token_file=token_file,
        )
    return _of_kubeconfig(yaml.safe_load(Path(os.environ.get("KUBECONFIG", "")).read_text()))


def _of_kubeconfig(document: dict[str, Any]) -> Credentials:
    def named(kind: str, name: str) -> dict[str, Any]:
        found: dict[str, Any] = next(item for item in document[f"{kind}s"] if item["name"] == name)[
            kind
        ]
        return found

    context = named("context", document["current-context"])
    cluster, user = named("cluster", context["cluster"]), named("user", context["user"])
    return Credentials(
        server=cluster["server"].rstrip("/"),
        ca_path=cluster.get("certificate-authority"),
        ca_data=cluster.get("certificate-authority-data"),
        certificate_path=user.get("client-certificate"),
        certificate_data=user.get("client-certificate-data"),
        key_path=user.get("client-key"),
        key_data=user.get("client-key-data"),
        token=user.get("token"),
        insecure=bool(cluster.get("insecure-skip-tls-verify")),
    )
