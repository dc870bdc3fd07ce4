"""Deploy / AWS / CloudFormation (P-30): creates, updates, deletes stacks (also by change set)."""

from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from penstock.actions.aws_configuration import AWS_SECRETS
from penstock.actions.cloudformation.configuration import (
    CAPABILITIES,
    FILE,
    ROLE,
    PackagingConfiguration,
)
from penstock.actions.cloudformation.overrides import read_overrides
from penstock.actions.declaration import ArtifactBounds, Declaration, OnLostPod, artifacts_in

# Seconds of a day: a stack may take three.
_DAYS_S = 86_400
_NAME = r"^[a-zA-Z][-a-zA-Z0-9]*$"
_WITH_TEMPLATE = ("CREATE_UPDATE", "REPLACE_ON_FAILURE", "CHANGE_SET_REPLACE")
_OF_TEMPLATE = ("TemplatePath", "TemplateConfiguration", "ParameterOverrides")
_WITH_CHANGE_SET = ("CHANGE_SET_REPLACE", "CHANGE_SET_EXECUTE")


class CloudFormationConfiguration(PackagingConfiguration):
    """AWS's keys (P-36)."""

    ActionMode: Literal[
        "CREATE_UPDATE",
        "REPLACE_ON_FAILURE",
        "DELETE_ONLY",
        "CHANGE_SET_REPLACE",
        "CHANGE_SET_EXECUTE",
    ]
    """What to do with the stack (P-31..P-35)."""
    StackName: str = Field(pattern=_NAME, max_length=128)
    # Validated when it is absent, too, as the mode may need it.
    ChangeSetName: str | None = Field(None, pattern=_NAME, max_length=128, validate_default=True)
    """The change set that CHANGE_SET_REPLACE makes and CHANGE_SET_EXECUTE executes."""
    Capabilities: str | None = Field(None, pattern=CAPABILITIES)
    """What the template may do: CAPABILITY_IAM and its like, separated by commas without spaces."""
    RoleArn: str | None = Field(None, pattern=ROLE, max_length=2048)
    """The role CloudFormation uses to change resources; the caller's own rights if absent."""
    # Validated when it is absent, too, as the mode may need it.
    TemplatePath: str | None = Field(None, pattern=FILE, max_length=1024, validate_default=True)
    """The template, ``Artifact::file``."""
    TemplateConfiguration: str | None = Field(None, pattern=FILE, max_length=1024)
    """A JSON file with Parameters, Tags and StackPolicy, ``Artifact::file``."""
    ParameterOverrides: str | None = None
    """A JSON object of parameters, which win over TemplateConfiguration's.

    Fn::GetParam and Fn::GetArtifactAtt work.
    """
    OutputFileName: str | None = Field(None, min_length=1, max_length=255)
    """A JSON file in the output artifact with the stack's outputs."""

    @field_validator("TemplatePath")
    @classmethod
    def _names_a_template(cls, path: str | None, info: ValidationInfo) -> str | None:
        if path is None and (mode := info.data.get("ActionMode")) in _WITH_TEMPLATE:
            raise ValueError(f"{mode} needs it: the template, as Artifact::file")
        return path

    @field_validator("ChangeSetName")
    @classmethod
    def _names_a_change_set(cls, name: str | None, info: ValidationInfo) -> str | None:
        if name is None and (mode := info.data.get("ActionMode")) in _WITH_CHANGE_SET:
            raise ValueError(f"{mode} needs it: the change set's name")
        return name

    @field_validator("ParameterOverrides")
    @classmethod
    def _are_parameters(cls, text: str | None) -> str | None:
        if text is not None:
            read_overrides(text)
        return text

    @field_validator("OutputFileName")
    @classmethod
    def _is_plain(cls, name: str | None) -> str | None:
        if name and any(part in ("", ".", "..") for part in name.split("/")):
            raise ValueError("a path in the artifact has no empty, '.' or '..' part")
        return name


def artifacts_named(configuration: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield key and name of the input artifacts that files and functions are of."""
    if configuration.get("ActionMode") not in _WITH_TEMPLATE:
        return
    yield from artifacts_in(configuration, "TemplatePath", "TemplateConfiguration")
    try:
        overrides = read_overrides(configuration.get("ParameterOverrides") or "{}")
    except ValueError:
        return  # its own problem
    for value in overrides.values():
        if not isinstance(value, str):
            yield "ParameterOverrides", value.artifact


def idle_keys(configuration: Mapping[str, str]) -> Iterator[str]:
    """Yield the keys of a template that a mode without one does not read (P-35)."""
    if configuration.get("ActionMode") not in _WITH_TEMPLATE:
        yield from (key for key in _OF_TEMPLATE if key in configuration)


DECLARATION = Declaration(
    category="Deploy",
    owner="AWS",
    provider="CloudFormation",
    folder="cloudformation",
    configuration=CloudFormationConfiguration,
    inputs=ArtifactBounds(0, 10),
    outputs=ArtifactBounds(0, 1),
    on_lost_pod=OnLostPod.RESUME,
    timeout_s=3 * _DAYS_S,
    calls_aws=True,
    secrets=AWS_SECRETS,
    json_keys={"ParameterOverrides": str},
    artifacts_named=artifacts_named,
    idle_keys=idle_keys,
)
