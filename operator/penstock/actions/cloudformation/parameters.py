"""Reads a stack's settings beside the template: parameters, tags, stack policy (P-36, P-37)."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from penstock.actions import artifact_files
from penstock.actions.cloudformation.overrides import (
    GetArtifactAtt,
    GetParam,
    Value,
    json_object,
    plain,
    read_overrides,
)
from penstock.actions.cloudformation.uploads import Uploaded, Uploads
from penstock.actions.execution import CONFIGURATION_ERROR, ActionError, Job

# A configuration is a few kilobytes; what is larger is another file.
_FILE_BYTES = 1024 * 1024
_KEYS = ("Parameters", "Tags", "StackPolicy")


class StackSettings(NamedTuple):
    """Parameters and tags by name; ``policy`` is the stack policy's text, or empty."""

    parameters: dict[str, str]
    tags: dict[str, str]
    policy: str = ""

    @property
    def parameter_list(self) -> list[dict[str, str]]:
        """The parameters as CloudFormation takes them."""
        return [
            {"ParameterKey": key, "ParameterValue": value} for key, value in self.parameters.items()
        ]

    @property
    def tag_list(self) -> list[dict[str, str]]:
        """The tags as CloudFormation takes them."""
        return [{"Key": key, "Value": value} for key, value in self.tags.items()]


def read_settings(job: Job, uploads: Uploads) -> StackSettings:
    """Read TemplateConfiguration, then ParameterOverrides, which win.

    Raise ActionError for mistakes in them.
    """
    configuration = job.request.configuration
    found = (
        _read_file(job, name)
        if (name := configuration.get("TemplateConfiguration"))
        else StackSettings({}, {})
    )
    overrides = _Overrides(job, uploads)
    try:
        values = read_overrides(configuration.get("ParameterOverrides") or "{}")
    except ValueError as error:
        raise _problem("ParameterOverrides", str(error)) from error
    resolved = {key: overrides.resolve(key, value) for key, value in values.items()}
    return found._replace(parameters={**found.parameters, **resolved})


def _read_file(job: Job, name: str) -> StackSettings:
    document = _document(job, "TemplateConfiguration", name)
    if unknown := [key for key in document if key not in _KEYS]:
        what = f'"{name}" has the key {unknown[0]}; {", ".join(_KEYS)} are possible'
        raise _problem("TemplateConfiguration", what)
    policy = document.get("StackPolicy")
    return StackSettings(
        _texts(name, document, "Parameters"),
        _texts(name, document, "Tags"),
        json.dumps(policy) if policy else "",
    )


def _texts(name: str, document: dict[str, Any], key: str) -> dict[str, str]:
    values = document.get(key) or {}
    if not isinstance(values, dict):
        raise _problem("TemplateConfiguration", f'"{name}": {key} is no object of names and values')
    found = {}
    for item, value in values.items():
        if (text := plain(value)) is None:
            raise _problem("TemplateConfiguration", f'"{name}": {key}.{item} is no text')
        found[item] = text
    return found


class _Overrides:
    """Resolves functions; uploads an artifact once, as a zip, if a parameter tells its place."""

    def __init__(self, job: Job, uploads: Uploads) -> None:
        self._job = job
        self._uploads = uploads
        self._uploaded: dict[str, Uploaded] = {}

    def resolve(self, name: str, value: Value) -> str:
        """Return a parameter's value; raise ActionError with its name if there is none."""
        if isinstance(value, GetParam):
            return self._param(name, value)
        return self._attribute(name, value) if isinstance(value, GetArtifactAtt) else value

    def _param(self, name: str, wanted: GetParam) -> str:
        place = f"{wanted.artifact}::{wanted.file}"
        document = _document(self._job, f"ParameterOverrides.{name}", place)
        text = plain(document.get(wanted.key))
        if text is None:
            why = "is an object" if wanted.key in document else "is not there"
            raise _problem(f"ParameterOverrides.{name}", f'the key "{wanted.key}" of {place} {why}')
        return text

    def _attribute(self, name: str, wanted: GetArtifactAtt) -> str:
        """Return an attribute of a zip of the artifact.

        Artifacts are kept as tar.zst, which no service of AWS reads.
        """
        if wanted.artifact not in self._uploaded:
            folder = self._folder(name, wanted.artifact)
            self._uploaded[wanted.artifact] = self._uploads.zip(
                folder, f"artifact {wanted.artifact}"
            )
        uploaded = self._uploaded[wanted.artifact]
        values = {"BucketName": uploaded.bucket, "ObjectKey": uploaded.key, "URL": uploaded.url}
        return values[wanted.attribute]

    def _folder(self, name: str, artifact: str) -> Path:
        if artifact not in self._job.inputs:
            has = ", ".join(self._job.inputs) or "none"
            what = f'"{artifact}" is no input artifact of the action; it has {has}'
            raise _problem(f"ParameterOverrides.{name}", what)
        return self._job.inputs[artifact]


def _document(job: Job, key: str, name: str) -> dict[str, Any]:
    data = artifact_files.read(job.inputs, f"configuration.{key}", name, _FILE_BYTES)
    try:
        # Editors of Windows begin a text with a byte order mark.
        return json_object(data.decode("utf-8-sig"))
    except ValueError as error:
        raise _problem(key, f'"{name}": {error}') from error


def _problem(key: str, why: str) -> ActionError:
    return ActionError(CONFIGURATION_ERROR, f"configuration.{key}: {why}")
