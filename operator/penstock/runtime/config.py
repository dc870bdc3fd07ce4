"""Reads a configuration file (the chart's ConfigMap) into settings; refuses unknown keys."""

import dataclasses
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from penstock.cluster.lease import LeaseSettings

T = TypeVar("T")


class ConfigError(ValueError):
    """A configuration file says something that is not known; the message names the key."""


def read_document(path: Path) -> dict[str, Any]:
    """Return the content of a YAML file.

    Raise ConfigError for anything but a mapping, OSError if it cannot be read.
    """
    try:
        document = yaml.safe_load(path.read_text()) or {}
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: {error}") from error
    if not isinstance(document, dict):
        raise ConfigError(f"{path}: not a mapping")
    return document


def read_settings(kind: type[T], document: Mapping[str, Any], path: str = "") -> T:
    """Return a part of the file as settings, with defaults.

    Raise ConfigError for a bad one. ``path`` is its key.
    """
    known = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for key in document:
        if key not in known:
            raise ConfigError(
                f"{path}.{key}".lstrip(".") + f": unknown; known are {', '.join(sorted(known))}"
            )
    try:
        return TypeAdapter(kind).validate_python(document)
    except ValidationError as error:
        raise ConfigError(f"{path or 'configuration'}: {error}") from error


def read_lease(document: Mapping[str, Any] | None, identity: str) -> LeaseSettings | None:
    """Return the settings of the Lease, None where there is none: one replica then."""
    return (
        read_settings(LeaseSettings, {**document, "identity": identity}, "lease")
        if document
        else None
    )


def process_identity() -> str:
    """Return the name under which this process holds its Lease.

    The pod's uid, so that a restarted container of the same pod goes on at once with its own Lease.
    """
    return os.environ.get("PENSTOCK_POD_UID") or f"{socket.gethostname()}-{os.getpid()}"
