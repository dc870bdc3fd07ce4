"""Reads an action's input on a stack set once: its configuration and the files that it names."""

import json
from typing import Any

from penstock.actions import artifact_files
from penstock.actions.cloudformation_stack_set.lists import (
    Targets,
    is_file,
    listed,
    read_parameters,
    read_targets,
)
from penstock.actions.execution import CONFIGURATION_ERROR, ActionError, Job

# A list of accounts or parameters is small; what is larger is another file.
_FILE_BYTES = 1024 * 1024


def targets_of(job: Job) -> Targets | None:
    """Return the targets of instances, None if not configured; raise ActionError for bad ones."""
    configuration = job.request.configuration
    text = configuration.get("DeploymentTargets")
    if text is None:
        return None
    try:
        items = json.loads(_text(job, "DeploymentTargets", text)) if is_file(text) else listed(text)
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            raise ValueError("the file holds no JSON list of texts")
        return read_targets(items, configuration["Regions"])
    except (ValueError, RecursionError) as error:
        raise ActionError(
            CONFIGURATION_ERROR, f"configuration.DeploymentTargets: {error}"
        ) from error


def parameters_of(job: Job, key: str) -> list[dict[str, Any]]:
    """Return the parameters that a configuration key lists, itself or in a file.

    Raise ActionError if they are wrong.
    """
    text = job.request.configuration.get(key)
    if text is None:
        return []
    try:
        return read_parameters(_text(job, key, text) if is_file(text) else text)
    except ValueError as error:
        raise ActionError(CONFIGURATION_ERROR, f"configuration.{key}: {error}") from error


def preferences_of(job: Job) -> dict[str, Any]:
    """Return operation preferences as CloudFormation takes them; nothing if none are configured."""
    keys = ("FailureTolerancePercentage", "MaxConcurrentPercentage")
    found = {key: int(value) for key in keys if (value := job.request.configuration.get(key))}
    return {"OperationPreferences": found} if found else {}


def _text(job: Job, key: str, name: str) -> str:
    return artifact_files.read(
        job.inputs, f"configuration.{key}", name.strip(), _FILE_BYTES
    ).decode("utf-8-sig")
