"""Deploy / AWS / CloudFormationStackSet (P-40): creates, updates a stack set and its instances."""

from typing import Literal

from pydantic import Field, field_validator

from penstock.actions.aws_configuration import AWS_SECRETS
from penstock.actions.cloudformation.configuration import (
    CAPABILITIES,
    FILE,
    ROLE,
    PackagingConfiguration,
)
from penstock.actions.cloudformation_stack_set.configuration import StackSetBase, checked_parameters
from penstock.actions.cloudformation_stack_set.lists import as_json, files_in
from penstock.actions.declaration import ArtifactBounds, Declaration, OnLostPod

# Seconds of a day: operations on many accounts take as long.
_DAYS_S = 86_400


class StackSetConfiguration(StackSetBase, PackagingConfiguration):
    """AWS's keys."""

    TemplatePath: str = Field(pattern=FILE, max_length=1024)
    """The template, ``Artifact::file``."""
    Description: str | None = Field(None, min_length=1, max_length=1024)
    Parameters: str | None = None
    """Items ``ParameterKey=NAME,ParameterValue=VALUE``, separated by spaces.

    Or a JSON list, or ``Artifact::file`` with one.
    """
    Capabilities: str | None = Field(None, pattern=CAPABILITIES)
    PermissionModel: Literal["SELF_MANAGED", "SERVICE_MANAGED"] | None = None
    """Who makes the roles in the accounts: you (the default), or AWS Organizations."""
    AdministrationRoleArn: str | None = Field(None, pattern=ROLE, max_length=2048)
    ExecutionRoleName: str | None = Field(None, pattern=r"^[a-zA-Z_0-9+=,.@-]+$", max_length=64)
    OrganizationsAutoDeployment: (
        Literal["Enabled", "Disabled", "EnabledWithStackRetention"] | None
    ) = None
    """Whether accounts that join a unit get an instance; with SERVICE_MANAGED only."""

    _checked = field_validator("Parameters")(checked_parameters)


DECLARATION = Declaration(
    category="Deploy",
    owner="AWS",
    provider="CloudFormationStackSet",
    folder="cloudformation_stack_set",
    configuration=StackSetConfiguration,
    inputs=ArtifactBounds(1, 3),
    outputs=ArtifactBounds(0, 0),
    on_lost_pod=OnLostPod.RESUME,
    timeout_s=3 * _DAYS_S,
    calls_aws=True,
    secrets=AWS_SECRETS,
    json_keys={"Parameters": as_json},
    artifacts_named=lambda configuration: files_in(
        configuration, "TemplatePath", "Parameters", "DeploymentTargets"
    ),
)
