"""The configuration of triggers (the chart's ConfigMap)."""

import ipaddress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from pydantic import Field

from penstock.cluster.lease import LeaseSettings
from penstock.runtime.config import ConfigError, read_document, read_lease, read_settings
from penstock.triggers.sources.addresses import AddressRules, Network


@dataclass(frozen=True, slots=True)
class TriggerSettings:
    """How triggers run. Times in seconds."""

    lease: LeaseSettings | None = None
    namespaces: tuple[str, ...] = ()
    poll_s: Annotated[float, Field(ge=0.5)] = 60.0
    timeout_s: Annotated[float, Field(gt=0, le=300)] = 20.0
    """A look at one source, from resolving its host to the last byte."""
    compare_timeout_s: Annotated[float, Field(gt=0, le=25)] = 20.0
    """Finding out which files a push has changed."""
    parallel: Annotated[int, Field(ge=1, le=64)] = 4
    """Looks at the same time: each is a child process."""
    workers: Annotated[int, Field(ge=1, le=256)] = 16
    pass_s: float = 300.0
    allowed_hosts: tuple[str, ...] = ()
    allowed_cidrs: tuple[str, ...] = ()
    refused_cidrs: tuple[str, ...] = ()
    service_account: str = ""
    """Our own, as ``namespace:name``, for messages to those who may let it read a Secret."""
    host: str = "0.0.0.0"  # noqa: S104 — the kubelet and Prometheus reach it on the pod's address
    port: int | None = 8080

    def rules(self) -> AddressRules:
        """Return which addresses may be connected to; raise ValueError for what is no network."""
        hosts = frozenset(host.lower().rstrip(".") for host in self.allowed_hosts)
        return AddressRules(hosts, _networks(self.allowed_cidrs), _networks(self.refused_cidrs))


def _networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)


def read_config(path: Path, *, identity: str) -> TriggerSettings:
    """Return a YAML file's settings, defaults for the rest; raise ConfigError for a bad one."""
    document = read_document(path)
    lease = read_lease(document.pop("lease", None), identity)
    settings = replace(read_settings(TriggerSettings, document), lease=lease)
    try:
        settings.rules()
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from error
    return settings
