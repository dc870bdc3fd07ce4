"""Reads a template's metadata on its application (``AWS::ServerlessRepo::Application``)."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import yaml

from penstock.actions.cloudformation.templates import Node, get, items, parse, text_of
from penstock.actions.execution import CONFIGURATION_ERROR, ActionError

METADATA = "AWS::ServerlessRepo::Application"
_REQUIRED = ("Name", "Description", "Author")
_OPTIONAL = (
    "SpdxLicenseId",
    "LicenseUrl",
    "ReadmeUrl",
    "HomePageUrl",
    "SemanticVersion",
    "SourceCodeUrl",
)
# What the repository takes when an application is created, and never again.
_AT_CREATION = ("SpdxLicenseId", "LicenseUrl")
_OF_VERSIONS = ("SemanticVersion", "SourceCodeUrl")


class Application(NamedTuple):
    """An application, in the repository's own words, and the template of the version to publish."""

    template: str
    about: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The name: one account has one application of it in a region."""
        return str(self.about["Name"])

    @property
    def version(self) -> str:
        """The version to publish, empty for none."""
        return str(self.about.get("SemanticVersion", ""))

    def creation(self) -> dict[str, Any]:
        """Return the input of CreateApplication: with a version, that is published, too."""
        return {**self.about, **({"TemplateBody": self.template} if self.version else {})}

    def update(self, application_id: str) -> dict[str, Any]:
        """Return the input of UpdateApplication."""
        fixed = {"Name", *_AT_CREATION, *_OF_VERSIONS}
        return {
            "ApplicationId": application_id,
            **{k: v for k, v in self.about.items() if k not in fixed},
        }

    def publication(self, application_id: str) -> dict[str, Any]:
        """Return the input of CreateApplicationVersion."""
        given = {key: self.about[key] for key in _OF_VERSIONS if key in self.about}
        return {"ApplicationId": application_id, "TemplateBody": self.template, **given}


def read_application(text: str, name: str, overrides: Mapping[str, str]) -> Application:
    """Return the application that a template is, ``overrides`` in place of its own words.

    Raise ActionError, with the path in the template, for metadata that is missing or no plain text.
    """
    metadata = get(parse(text, name).root, "Metadata", METADATA)
    if metadata is None:
        raise ActionError(
            CONFIGURATION_ERROR,
            f"the template {name} has no Metadata.{METADATA}: it names what to publish",
        )
    found = {
        key: _text(key, value, name)
        for key, value in items(metadata)
        if key in (*_REQUIRED, *_OPTIONAL)
    }
    about: dict[str, Any] = {**found, **overrides}
    for key in _REQUIRED:
        if not about.get(key):
            raise _problem(key, name, "is missing")
    if labels := _labels(get(metadata, "Labels"), name):
        about["Labels"] = labels
    return Application(text, about)


def _text(key: str, node: Node, name: str) -> str:
    if not isinstance(node, yaml.ScalarNode) or not node.tag.startswith("tag:yaml.org"):
        raise _problem(key, name, "is no plain text: functions are not known here")
    return str(node.value)


def _labels(node: Node | None, name: str) -> list[str]:
    if node is None:
        return []
    labels = (
        [text_of(item) for item in node.value] if isinstance(node, yaml.SequenceNode) else [None]
    )
    if None in labels:
        raise _problem("Labels", name, "is no list of texts")
    return [label for label in labels if label is not None]


def _problem(key: str, name: str, why: str) -> ActionError:
    return ActionError(CONFIGURATION_ERROR, f"the template {name}: Metadata.{METADATA}.{key} {why}")
