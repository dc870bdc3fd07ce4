"""The configuration of triggers (the chart's ConfigMap); unknown keys are refused."""

import ipaddress
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from penstock.cluster.lease import LeaseSettings
from penstock.triggers.addresses import AddressRules, Network


class ConfigError(ValueError):
    """The configuration file says something we do not know; the message names the key."""


class TriggerSettings(BaseModel):
    """How triggers run. Times in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    lease: LeaseSettings | None = None
    namespaces: tuple[str, ...] = ()
    poll_s: Annotated[float, Field(ge=0.5)] = 60.0
    timeout_s: Annotated[float, Field(gt=0, le=300)] = 20.0
    """A look at one source, from resolving its host to the last byte."""
    parallel: Annotated[int, Field(ge=1, le=64)] = 4
    """Looks at the same time: each is a child process."""
    workers: Annotated[int, Field(ge=1, le=256)] = 16
    pass_s: float = 300.0
    allowed_hosts: tuple[str, ...] = ()
    allowed_cidrs: tuple[str, ...] = ()
    refused_cidrs: tuple[str, ...] = ()
    host: str = "0.0.0.0"  # noqa: S104 — the kubelet and Prometheus reach it on the pod's address
    port: int | None = 8080

    def rules(self) -> AddressRules:
        """Return which addresses may be connected to; raise ValueError for what is no network."""
        hosts = frozenset(host.lower().rstrip(".") for host in self.allowed_hosts)
        return AddressRules(hosts, _networks(self.allowed_cidrs), _networks(self.refused_cidrs))


def _networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)


def read_config(path: Path, *, identity: str) -> TriggerSettings:
    """Return the settings that a YAML file gives, defaults for the rest; raise ConfigError for a bad one."""
    document = yaml.safe_load(path.read_text()) or {}
    if not isinstance(document, dict):
        raise ConfigError(f"{path}: not a mapping")
    lease = document.pop("lease", None)
    try:
        if lease:
            document["lease"] = TypeAdapter(LeaseSettings).validate_python({**lease, "identity": identity})
        settings = TriggerSettings.model_validate(document)
        settings.rules()
    except (ValidationError, ValueError) as error:
        raise ConfigError(f"{path}: {error}") from error
    return settings
