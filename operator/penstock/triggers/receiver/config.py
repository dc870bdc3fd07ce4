"""The configuration of the receiver (the chart's ConfigMap)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from penstock.runtime.config import read_document, read_settings


@dataclass(frozen=True, slots=True)
class ReceiverSettings:
    """How the receiver runs."""

    namespaces: tuple[str, ...] = ()
    host: str = "0.0.0.0"  # noqa: S104 — hosts reach it through the Service
    port: Annotated[int, Field(ge=0, le=65535)] = 8090
    certificate: str = ""
    """A file with the certificate and its chain; without one the port speaks plain HTTP."""
    key: str = ""
    """The file with the certificate's key."""
    health_port: int | None = 8080
    service_account: str = ""
    """Our own, as ``namespace:name``, for messages to those who may let it read a Secret."""


def read_config(path: Path) -> ReceiverSettings:
    """Return a YAML file's settings, defaults for the rest; raise ConfigError for a bad one."""
    return read_settings(ReceiverSettings, read_document(path))
