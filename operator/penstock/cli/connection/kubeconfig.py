"""Which API server, as whom and in which namespace: kubeconfig files read as kubectl reads them.

kubectl is the rule (client-go, tools/clientcmd): the first file of KUBECONFIG that sets a name wins
with all of it, a file that is not there is passed over, and only where no file says anything the
account of the pod counts. The `kubernetes` package leaves out impersonation, several server names
and proxies, and hides why a plugin failed.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from penstock.cli.connection.objects import CliError
from penstock.cli.text import meant

IN_POD = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_PATHS = ("certificate-authority", "client-certificate", "client-key", "tokenFile")


class _Entry(BaseModel):
    """A part of a kubeconfig. Its keys have hyphens. Unknown keys are ignored, as in kubectl."""

    model_config = ConfigDict(
        frozen=True,
        alias_generator=lambda name: name.replace("_", "-"),
        populate_by_name=True,
        extra="ignore",
        strict=True,
    )


class ClusterEntry(_Entry):
    """How to reach an API server."""

    server: str = ""
    certificate_authority: str = ""
    certificate_authority_data: str = ""
    insecure_skip_tls_verify: bool = False
    tls_server_name: str = ""
    proxy_url: str = ""
    extensions: list[dict[str, Any]] = []


class ExecEntry(_Entry):
    """A program that prints credentials (client.authentication.k8s.io)."""

    api_version: Annotated[str, Field(alias="apiVersion")] = ""
    command: str = ""
    args: list[str] = []
    env: list[dict[str, str]] = []
    install_hint: Annotated[str, Field(alias="installHint")] = ""
    provide_cluster_info: Annotated[bool, Field(alias="provideClusterInfo")] = False
    interactive_mode: Annotated[str, Field(alias="interactiveMode")] = ""


class ProviderEntry(_Entry):
    """An auth-provider: what came before exec."""

    name: str = ""
    config: dict[str, str] = {}


class UserEntry(_Entry):
    """As whom to speak, and as whom to act."""

    client_certificate: str = ""
    client_certificate_data: str = ""
    client_key: str = ""
    client_key_data: str = ""
    token: str = ""
    token_file: Annotated[str, Field(alias="tokenFile")] = ""
    username: str = ""
    password: str = ""
    exec: ExecEntry | None = None
    auth_provider: ProviderEntry | None = None
    impersonate: Annotated[str, Field(alias="as")] = ""
    as_uid: str = ""
    as_groups: list[str] = []
    as_user_extra: dict[str, list[str]] = {}


class ContextEntry(_Entry):
    """A cluster, a user and a namespace."""

    cluster: str = ""
    user: str = ""
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class ClusterTarget:
    """What a context leads to; ``user_name`` is for messages."""

    cluster: ClusterEntry
    user: UserEntry
    namespace: str
    user_name: str = ""


class _Merged:
    """All files as one: names to entries, the first file that has a name wins."""

    def __init__(self, files: list[Path]) -> None:
        self.where = os.pathsep.join(map(str, files))
        self.clusters: dict[str, ClusterEntry] = {}
        self.users: dict[str, UserEntry] = {}
        self.contexts: dict[str, ContextEntry] = {}
        self.current = ""
        for file in files:
            document = _document(file)
            self.current = self.current or str(document.get("current-context", ""))
            for kind, field, known in (
                (ClusterEntry, "cluster", self.clusters),
                (UserEntry, "user", self.users),
                (ContextEntry, "context", self.contexts),
            ):
                for name, entry in _named(file, document, kind, field):
                    known.setdefault(name, entry)

    @property
    def is_empty(self) -> bool:
        """Whether no file says anything."""
        return not (self.clusters or self.users or self.contexts or self.current)

    def target(self, context: str | None, namespace: str | None) -> ClusterTarget:
        """Return what a context leads to, the current one where none is named."""
        wanted = context or self.current
        if not wanted:
            raise CliError(
                f"{self.where} has no current-context: choose one with "
                f"--context{_of(self.contexts)}"
            )
        if wanted not in self.contexts:
            raise CliError(
                f'context "{wanted}" is not in {self.where}{meant(wanted, self.contexts)}'
            )
        chosen = self.contexts[wanted]
        cluster = self.clusters.get(chosen.cluster)
        if cluster is None:
            raise CliError(
                f'context "{wanted}" of {self.where}: cluster "{chosen.cluster}" is not there'
            )
        if chosen.user and chosen.user not in self.users:
            raise CliError(f'context "{wanted}" of {self.where}: user "{chosen.user}" is not there')
        user = self.users.get(chosen.user, UserEntry())
        _check_cluster(chosen.cluster, cluster)
        _check_user(chosen.user, user)
        return ClusterTarget(cluster, user, namespace or chosen.namespace or "default", chosen.user)


def target_of(
    context: str | None, namespace: str | None, environ: Mapping[str, str]
) -> ClusterTarget:
    """Return the target of the environment's kubeconfig.

    Raise CliError, which says what is missing or cannot be honoured.
    """
    files = _files(environ)
    there = [file for file in files if file.exists()]
    merged = _Merged(there)
    if not merged.is_empty:
        return merged.target(context, namespace)
    where = os.pathsep.join(map(str, files))
    said = f"{where} says nothing" if there else f"{where} is not there"
    if context:
        raise CliError(f'context "{context}": {said}; set KUBECONFIG')
    if found := _in_pod(namespace, environ):
        return found
    raise CliError(f"no cluster to talk to: {said}; set KUBECONFIG")


def _files(environ: Mapping[str, str]) -> list[Path]:
    given = [part for part in environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    return [Path(part) for part in given] or [
        Path(environ.get("HOME") or "~").expanduser() / ".kube" / "config"
    ]


def _in_pod(namespace: str | None, environ: Mapping[str, str]) -> ClusterTarget | None:
    """Return what the service account of this pod reaches, None outside of a pod."""
    folder = IN_POD
    host, port = environ.get("KUBERNETES_SERVICE_HOST"), environ.get("KUBERNETES_SERVICE_PORT")
    token = folder / "token"
    if not host or not port or not token.is_file():
        return None
    address = f"[{host}]" if ":" in host else host
    own = folder / "namespace"
    chosen = (
        namespace
        or environ.get("POD_NAMESPACE")
        or (own.read_text().strip() if own.is_file() else "")
    )
    cluster = ClusterEntry(
        server=f"https://{address}:{port}", certificate_authority=str(folder / "ca.crt")
    )
    return ClusterTarget(
        cluster, UserEntry(token_file=str(token)), chosen or "default", "the pod's service account"
    )


def _document(file: Path) -> dict[str, Any]:
    try:
        document = _without_nulls(yaml.safe_load(file.read_text()) or {})
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CliError(f"{file} cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise CliError(f"{file} is no kubeconfig: it is no map")
    return document


def _without_nulls(value: Any) -> Any:
    """Return a value without nulls: kubectl takes them for what is not there."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _named(
    file: Path, document: dict[str, Any], kind: type[Any], field: str
) -> Iterator[tuple[str, Any]]:
    """Yield the entries of a list; paths in them are relative to their file."""
    seen: set[str] = set()
    for item in document.get(f"{field}s", []):
        try:
            name, entry = item["name"], _resolved(file.parent, dict(item.get(field, {})))
            found = kind.model_validate(entry)
        except (ValidationError, KeyError, TypeError, AttributeError) as error:
            raise CliError(f"{file} is no usable kubeconfig: {field}s: {_why(error)}") from error
        if name in seen:
            raise CliError(
                f'{file} is no usable kubeconfig: {field}s: there are two of the name "{name}"'
            )
        seen.add(name)
        yield name, found


def _resolved(folder: Path, entry: dict[str, Any]) -> dict[str, Any]:
    for key in _PATHS:
        if entry.get(key):
            entry[key] = str(folder.absolute() / entry[key])
    plugin = entry.get("exec") or {}
    # A command without a slash is looked up in the PATH.
    if os.sep in plugin.get("command", ""):
        entry["exec"] = {**plugin, "command": str(folder.absolute() / plugin["command"])}
    return entry


def _why(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
    return f"{type(error).__name__} {error}"


def _check_cluster(name: str, cluster: ClusterEntry) -> None:
    if not cluster.server.startswith(("https://", "http://")):
        raise CliError(
            f'cluster "{name}": server is "{cluster.server}", which is no http or https address'
        )
    if cluster.insecure_skip_tls_verify and (
        cluster.certificate_authority or cluster.certificate_authority_data
    ):
        raise CliError(
            f'cluster "{name}": insecure-skip-tls-verify and a certificate-authority exclude each '
            f"other"
        )


def _check_user(name: str, user: UserEntry) -> None:
    if (user.as_uid or user.as_groups or user.as_user_extra) and not user.impersonate:
        raise CliError(f'user "{name}": as-uid, as-groups and as-user-extra need an "as"')
    if user.exec and user.auth_provider:
        raise CliError(f'user "{name}": exec and auth-provider exclude each other')
    if (user.token or user.token_file) and (user.username or user.password):
        raise CliError(f'user "{name}": a token and a password exclude each other')


def _of(names: Mapping[str, Any]) -> str:
    return f": {', '.join(names)}" if names else ""
