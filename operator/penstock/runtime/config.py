"""Reads a configuration file (the chart's ConfigMap) into settings; refuses unknown keys."""

import logging
import os
import re
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import yaml
from pydantic import TypeAdapter, ValidationError

from penstock.cluster.lease import LeaseSettings

log = logging.getLogger(__name__)

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


def value_name(field: str) -> str:
    """Return the name that a value has in a file: ``image_pull_s`` is ``imagePullSeconds``."""
    first, *rest = re.sub("_s$", "_seconds", field).split("_")
    return first + "".join(word.capitalize() for word in rest)


def read_settings(kind: type[T], document: Mapping[str, Any], path: str = "") -> T:
    """Return a part of the file as settings, with defaults.

    Raise ConfigError for a bad one. ``path`` is its key. The names of version 0.1
    (``image_pull_s``) are still read, and logged: they go with version 0.3.
    """
    try:
        return TypeAdapter(kind).validate_python(_named(kind, document, path))
    except ValidationError as error:
        raise ConfigError(f"{path or 'configuration'}: {error}") from error


def _named(kind: type[Any], document: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Return the document under the names of the kind's fields; raise ConfigError for others."""
    hints = get_type_hints(kind)
    fields = {value_name(field): field for field in hints}
    found: dict[str, Any] = {}
    # The old names come last: the chart's defaults have the new ones, and a user's value wins.
    for key, value in sorted(document.items(), key=lambda item: item[0] not in fields):
        where = f"{path}.{key}".lstrip(".")
        if key not in fields and key not in hints:
            raise ConfigError(f"{where}: unknown; known are {', '.join(sorted(fields))}")
        if key not in fields:
            log.warning(
                "%s is now %s: version 0.3 reads the new name alone", where, value_name(key)
            )
        field = fields.get(key, key)
        is_group = hasattr(hints[field], "_fields") and isinstance(value, Mapping)
        found[field] = _named(hints[field], value, where) if is_group else value
    return found


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
