"""Requests to the API server, with TLS, proxies and identity from the kubeconfig.

Every wait has a limit.
"""

import base64
import os
import re
import ssl
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import urllib3
from urllib3.exceptions import HTTPError, InsecureRequestWarning, LocationParseError

from penstock.cli.connection.credentials import UserCredentials, UserIdentity, impersonation
from penstock.cli.connection.kubeconfig import ClusterTarget
from penstock.cli.connection.objects import CliError
from penstock.cli.connection.proxies import proxy_for

# A stream may be silent for long: an action that prints nothing is no dead server.
CONNECT_S, READ_S, STREAM_S = 10.0, 30.0, 300.0
AGENT = "penstock-cli"
_JSON_PATCH, _MERGE_PATCH = "application/json-patch+json", "application/merge-patch+json"
_CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\\s]+-----END CERTIFICATE-----")
# What an API server or a proxy before it answers while it is replaced.
_AWAY = (429, 500, 502, 503, 504)


class UnreachableError(CliError):
    """The API server gave no answer, or said it cannot answer now.

    The state of the requested object stays unknown.
    """


class Transport:
    """One user of one API server."""

    def __init__(self, target: ClusterTarget, environ: Mapping[str, str] = os.environ) -> None:
        self._target, self._environ = target, environ
        self._credentials = UserCredentials(target)
        self._acts_as = impersonation(target.user)
        self._pools: dict[tuple[bytes, bytes], urllib3.PoolManager] = {}

    def request(
        self, method: str, path: str, body: Any = None, *, stream_s: float = 0
    ) -> urllib3.BaseHTTPResponse:
        """Return the answer, whatever its status; a refused credential is asked for anew, once.

        With ``stream_s`` its body is yet to be read, and may be silent for so many seconds.
        """
        response = self._send(method, path, body, stream_s)
        if response.status == 401 and self._credentials.refused():
            response.release_conn()
            response = self._send(method, path, body, stream_s)
        return response

    def _send(self, method: str, path: str, body: Any, stream_s: float) -> urllib3.BaseHTTPResponse:
        server = self._target.cluster.server.rstrip("/")
        identity = self._credentials.identity()
        headers = self._acts_as.copy()
        headers["User-Agent"] = AGENT
        if identity.authorization:
            headers["Authorization"] = identity.authorization
        if method == "PATCH":
            headers["Content-Type"] = _JSON_PATCH if isinstance(body, list) else _MERGE_PATCH
        try:
            return self._pool(identity).request(
                method,
                server + path,
                headers=headers,
                json=body,
                timeout=urllib3.Timeout(connect=CONNECT_S, read=stream_s or READ_S),
                preload_content=not stream_s,
                # A connection that broke is tried again, an answer never.
                retries=urllib3.Retry(total=2, status=0),
                redirect=False,
            )
        except (HTTPError, LocationParseError) as error:
            raise UnreachableError(
                f"the API server at {server} does not answer: {error}"
            ) from error
        except ValueError as error:
            # The value itself is not shown: it may be the secret.
            raise CliError(
                "a token or a name of the kubeconfig cannot stand in a request's header"
            ) from error

    def _pool(self, identity: UserIdentity) -> urllib3.PoolManager:
        owner = identity.certificate, identity.key
        if owner not in self._pools:
            self._pools[owner] = self._new_pool(identity)
        return self._pools[owner]

    def _new_pool(self, identity: UserIdentity) -> urllib3.PoolManager:
        cluster = self._target.cluster
        secure: dict[str, Any] = {}
        if cluster.server.startswith("https://"):
            secure["ssl_context"] = self._tls(identity)
            if cluster.tls_server_name:
                secure["server_hostname"] = cluster.tls_server_name
        if cluster.insecure_skip_tls_verify:
            urllib3.disable_warnings(
                InsecureRequestWarning
            )  # Whoever wrote it knows; kubectl is silent, too.
        proxy = cluster.proxy_url or proxy_for(cluster.server, self._environ)
        if not proxy:
            return urllib3.PoolManager(**secure)
        told = urlsplit(proxy)
        if told.scheme not in ("http", "https") or not told.hostname:
            where = "proxy-url" if cluster.proxy_url else "HTTPS_PROXY or HTTP_PROXY"
            raise CliError(
                f"{where} is {_without_password(proxy)}: an http or https proxy is needed"
            )
        headers = None
        if told.username is not None:
            known = f"{unquote(told.username)}:{unquote(told.password or '')}"
            headers = urllib3.make_headers(proxy_basic_auth=known)
        return urllib3.ProxyManager(
            proxy, proxy_headers=headers, proxy_ssl_context=secure.get("ssl_context"), **secure
        )

    def _tls(self, identity: UserIdentity) -> ssl.SSLContext:
        cluster = self._target.cluster
        try:
            authority = _authority(
                cluster.certificate_authority_data, cluster.certificate_authority
            )
            context = ssl.create_default_context(cadata=authority)
            # As Go: names stand in the certificate's list alone, and a listed certificate is
            # trusted as it is.
            context.hostname_checks_common_name = False
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
            context.verify_flags &= ~ssl.VERIFY_X509_STRICT
            if identity.certificate:
                _load(context, identity)
        except (OSError, ValueError) as error:
            raise CliError(
                f"a certificate or key of the kubeconfig cannot be used: {error}"
            ) from error
        if cluster.insecure_skip_tls_verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def is_away(status: int) -> bool:
    """Whether an HTTP status says that the server cannot answer now."""
    return status in _AWAY


def _authority(data: str, path: str) -> str | None:
    """Return the certificates of an authority, or None to use the machine's own.

    Text between the certificates is ignored.
    """
    if not data and not path:
        return None
    text = base64.b64decode(data).decode() if data else Path(path).read_text()
    found = _CERTIFICATE.findall(text)
    if not found:
        raise ValueError("certificate-authority holds no certificate")
    return "\n".join(found)


def _load(context: ssl.SSLContext, identity: UserIdentity) -> None:
    """Give a context its certificate, through files that exist only for this moment.

    The library reads only files. Only this user can read them.
    """
    with tempfile.TemporaryDirectory(prefix="penstock-") as folder:
        certificate, key = Path(folder) / "certificate", Path(folder) / "key"
        for file, content in ((certificate, identity.certificate), (key, identity.key)):
            file.touch(mode=0o600)
            file.write_bytes(content)
        context.load_cert_chain(certificate, key, password=_no_password)


def _no_password() -> str:
    raise ValueError("client-key is encrypted; kubectl takes no such key, either")


def _without_password(url: str) -> str:
    told = urlsplit(url)
    return url.replace(f":{told.password}@", ":…@") if told.password else url
