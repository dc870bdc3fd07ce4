"""Reads the operator's configuration file (the chart's ConfigMap) into settings."""

import dataclasses
from pathlib import Path

from pydantic import ValidationError

from penstock.api.kinds.pipeline import ArtifactStore
from penstock.controller.operator import OperatorSettings
from penstock.engine.settings import Settings
from penstock.runtime.config import ConfigError, read_document, read_lease, read_settings


def read_config(path: Path, *, identity: str) -> OperatorSettings:
    """Return a YAML file's settings, with defaults; raise ConfigError for a bad one."""
    document = read_document(path)
    lease = read_lease(document.pop("lease", None), identity)
    engine = read_settings(Settings, document.pop("engine", None) or {}, "engine")
    store = document.pop("defaultArtifactStore", None)
    try:
        default_store = ArtifactStore.model_validate(store) if store else None
    except ValidationError as error:
        raise ConfigError(f"defaultArtifactStore: {error}") from error
    settings = read_settings(OperatorSettings, {"lease": None, **document})
    return dataclasses.replace(
        settings, lease=lease, engine=engine, default_store=default_store, instance=identity
    )
