"""The identity of requests, and the user that they act for.

The identity is a token, a password, a certificate, or the output of a plugin.
"""

import base64
import binascii
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from urllib3 import HTTPHeaderDict

from penstock.cli.connection.kubeconfig import ClusterEntry, ClusterTarget, ExecEntry, UserEntry
from penstock.cli.connection.objects import CliError

# How long a plugin may take: some ask a person to log in.
_PLUGIN_S = 600.0
# A credential is renewed so long before its end, as the request itself takes time.
_EARLY = timedelta(seconds=10)
_GROUP = "client.authentication.k8s.io/"
_CONFIG = "client.authentication.k8s.io/exec"
# What a header's name may hold beside letters and digits, but for the percent sign itself.
_LEGAL = "!#$&'*+-.^_`|~"


@dataclass(frozen=True, slots=True)
class UserIdentity:
    """The proof of a user's identity: an ``Authorization``, and a certificate with its key.

    Certificate and key are PEM. Each part may be empty.
    """

    authorization: str = ""
    certificate: bytes = b""
    key: bytes = b""
    expires: datetime | None = None


class UserCredentials:
    """A user of the kubeconfig.

    A plugin is asked once, and again when its answer has expired or was refused.
    """

    def __init__(self, target: ClusterTarget) -> None:
        self._user, self._cluster, self._name = target.user, target.cluster, target.user_name
        self._printed: UserIdentity | None = None

    def identity(self) -> UserIdentity:
        """Return the current proof of the user's identity.

        A token file is read each time, because it gets rewritten.
        """
        if not self._cluster.server.startswith("https://"):
            return UserIdentity()  # As kubectl: nothing secret travels in the clear.
        user = self._user
        certificate = _pem(
            user.client_certificate_data, user.client_certificate, "client-certificate"
        )
        key = _pem(user.client_key_data, user.client_key, "client-key")
        if bool(certificate) != bool(key):
            raise CliError(
                f'user "{self._name}": client-certificate and client-key belong together'
            )
        authorization = self._authorization()
        if authorization or certificate or not user.exec:
            return UserIdentity(authorization, certificate, key)
        return self._ask(user.exec)

    def refused(self) -> bool:
        """Forget what a plugin printed; whether there is something to ask anew."""
        had, self._printed = self._printed is not None, None
        return had

    def _authorization(self) -> str:
        user = self._user
        if user.token_file:
            return f"Bearer {_text(user.token_file, 'tokenFile').strip()}"
        if user.token:
            return f"Bearer {user.token}"
        if user.username or user.password:
            return "Basic " + base64.b64encode(f"{user.username}:{user.password}".encode()).decode()
        return f"Bearer {self._id_token()}" if user.auth_provider else ""

    def _id_token(self) -> str:
        """Return the token of the provider oidc from kubectl's file; only kubectl renews it."""
        provider = self._user.auth_provider
        assert provider
        token = provider.config.get("id-token", "")
        if provider.name != "oidc":
            raise CliError(
                f'user "{self._name}": auth-provider "{provider.name}" is no more: use its exec '
                f"plugin"
            )
        try:
            # A JWT leaves out the padding that base64 has.
            part = token.split(".")[1]
            expires = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))["exp"]
        except (IndexError, KeyError, ValueError, TypeError) as error:
            raise CliError(
                f'user "{self._name}": auth-provider oidc has no usable id-token'
            ) from error
        if datetime.fromtimestamp(float(expires), UTC) <= datetime.now(UTC) + _EARLY:
            raise CliError(
                f'user "{self._name}": its id-token has expired; any command of kubectl renews it'
            )
        return token

    def _ask(self, plugin: ExecEntry) -> UserIdentity:
        known = self._printed
        if known is None or (known.expires and known.expires <= datetime.now(UTC) + _EARLY):
            self._printed = known = _ask(plugin, self._cluster, self._name)
        return known


def impersonation(user: UserEntry) -> HTTPHeaderDict:
    """Return the headers by which the user acts as somebody else, none where it does not."""
    headers = HTTPHeaderDict()
    if user.impersonate:
        headers.add("Impersonate-User", _header(user.impersonate))
        if user.as_uid:
            headers.add("Impersonate-Uid", _header(user.as_uid))
        for group in user.as_groups:
            headers.add("Impersonate-Group", _header(group))
        for key, values in user.as_user_extra.items():
            for value in values:
                headers.add(f"Impersonate-Extra-{quote(key, safe=_LEGAL)}", _header(value))
    return headers


def _header(value: str) -> str:
    """Return a value as it goes into a header: UTF-8, each byte a character, as Go sends it."""
    return value.encode().decode("latin-1")


def _pem(data: str, path: str, field: str) -> bytes:
    """Return what stands in the kubeconfig or in a file; the kubeconfig counts first."""
    if data:
        try:
            return base64.b64decode(data, validate=False)
        except (binascii.Error, ValueError) as error:
            raise CliError(f"{field}-data of the kubeconfig is not base64") from error
    return _text(path, field).encode() if path else b""


def _text(path: str, field: str) -> str:
    try:
        return Path(path).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise CliError(f"{field} of the kubeconfig cannot be read: {error}") from error


def _ask(plugin: ExecEntry, cluster: ClusterEntry, user: str) -> UserIdentity:
    """Run a plugin and return its output. Its messages for people go to stderr, as with kubectl."""
    where = f'user "{user}": plugin {plugin.command}'
    if not plugin.command or not plugin.api_version.startswith(_GROUP):
        raise CliError(f'user "{user}": exec needs a command, and an apiVersion of {_GROUP}')
    # Version v1 wants it to be said; before, it was IfAvailable.
    mode = plugin.interactive_mode or ("" if plugin.api_version == f"{_GROUP}v1" else "IfAvailable")
    if mode not in ("Never", "IfAvailable", "Always"):
        raise CliError(f'user "{user}": exec.interactiveMode must be Never, IfAvailable or Always')
    is_terminal = sys.stdin.isatty() and mode != "Never"
    if mode == "Always" and not is_terminal:
        raise CliError(f"{where} needs a terminal (interactiveMode: Always)")
    try:
        done = subprocess.run(
            [plugin.command, *plugin.args],
            env={**os.environ, **_environment(plugin, cluster, is_terminal=is_terminal)},
            stdin=None if is_terminal else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            timeout=_PLUGIN_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        hint = f"\n{plugin.install_hint}" if plugin.install_hint else ""
        raise CliError(f"{where} cannot be run: {error}{hint}") from error
    if done.returncode:
        raise CliError(f"{where} failed with exit code {done.returncode}")
    return _printed(done.stdout, plugin.api_version, where)


def _environment(
    plugin: ExecEntry, cluster: ClusterEntry, *, is_terminal: bool
) -> Mapping[str, str]:
    spec: dict[str, Any] = {"interactive": is_terminal}
    if plugin.provide_cluster_info:
        authority = _pem(
            cluster.certificate_authority_data,
            cluster.certificate_authority,
            "certificate-authority",
        )
        config = next(
            (item.get("extension") for item in cluster.extensions if item.get("name") == _CONFIG),
            None,
        )
        told = {
            "server": cluster.server,
            "tls-server-name": cluster.tls_server_name,
            "insecure-skip-tls-verify": cluster.insecure_skip_tls_verify,
            "certificate-authority-data": base64.b64encode(authority).decode(),
            "proxy-url": cluster.proxy_url,
            "config": config,
        }
        spec["cluster"] = {key: value for key, value in told.items() if value}
    info = {"kind": "ExecCredential", "apiVersion": plugin.api_version, "spec": spec}
    own = {item.get("name", ""): item.get("value", "") for item in plugin.env}
    return {**own, "KUBERNETES_EXEC_INFO": json.dumps(info)}


def _printed(output: bytes, version: str, where: str) -> UserIdentity:
    try:
        document = json.loads(output)
        found, status = (document["kind"], document["apiVersion"]), document["status"]
        token, expires = status.get("token"), status.get("expirationTimestamp")
        certificate, key = status.get("clientCertificateData", ""), status.get("clientKeyData", "")
        until = datetime.fromisoformat(expires).astimezone(UTC) if expires else None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CliError(f"{where} printed no ExecCredential") from error
    if found != ("ExecCredential", version):
        raise CliError(f"{where} printed {found[0]} of {found[1]}, not ExecCredential of {version}")
    if not token and not (certificate and key):
        raise CliError(f"{where} printed neither a token nor a certificate with its key")
    return UserIdentity(
        f"Bearer {token}" if token else "", certificate.encode(), key.encode(), until
    )
