"""Reads the operator's configuration file (the chart's ConfigMap) into settings; unknown keys are refused."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from penstock.api.pipeline import ArtifactStore
from penstock.cluster.lease import LeaseSettings
from penstock.controller.operator import OperatorSettings
from penstock.engine.settings import Settings

T = TypeVar("T")


class ConfigError(ValueError):
    """The configuration file says something we do not know; the message names the key."""


def read_config(path: Path, *, identity: str) -> OperatorSettings:
    """Return the settings that a YAML file gives, defaults for the rest; raise ConfigError for a bad one."""
    document = yaml.safe_load(path.read_text()) or {}
    if not isinstance(document, dict):
        raise ConfigError(f"{path}: not a mapping")
    lease = document.pop("lease", None)
    engine = _read(Settings, document.pop("engine", None) or {}, "engine")
    store = document.pop("defaultArtifactStore", None)
    try:
        default_store = ArtifactStore.model_validate(store) if store else None
    except ValidationError as error:
        raise ConfigError(f"defaultArtifactStore: {error}") from error
    settings = _read(OperatorSettings, {"lease": None, **document}, "")
    return dataclasses.replace(
        settings,
        lease=_read(LeaseSettings, {**lease, "identity": identity}, "lease") if lease else None,
        engine=engine,
        default_store=default_store,
        instance=identity,
    )


def _read(kind: type[T], document: Mapping[str, Any], path: str) -> T:
    known = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for key in document:
        if key not in known:
            raise ConfigError(f"{path}.{key}".lstrip(".") + f": unknown; known are {', '.join(sorted(known))}")
    try:
        return TypeAdapter(kind).validate_python(document)
    except ValidationError as error:
        raise ConfigError(f"{path or 'configuration'}: {error}") from error
