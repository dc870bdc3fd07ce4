"""Deploy / AWS / CloudFormationStackInstances (P-41): adds and updates a stack set's instances."""

from pydantic import Field, field_validator

from penstock.actions.aws_configuration import AWS_SECRETS
from penstock.actions.cloudformation_stack_set.configuration import (
    REGIONS,
    StackSetBase,
    checked_parameters,
)
from penstock.actions.cloudformation_stack_set.lists import as_json, files_in
from penstock.actions.declaration import ArtifactBounds, Declaration, OnLostPod

# Seconds of a day: operations on many accounts take as long.
_DAYS_S = 86_400


class StackInstancesConfiguration(StackSetBase):
    """AWS's keys."""

    Regions: str = Field(pattern=REGIONS, max_length=1000)
    DeploymentTargets: str = Field(max_length=10_000)
    ParameterOverrides: str | None = None
    """Parameters for these instances alone, written as the stack set's Parameters."""

    _checked = field_validator("ParameterOverrides")(checked_parameters)


DECLARATION = Declaration(
    category="Deploy",
    owner="AWS",
    provider="CloudFormationStackInstances",
    folder="cloudformation_stack_instances",
    configuration=StackInstancesConfiguration,
    inputs=ArtifactBounds(0, 3),
    outputs=ArtifactBounds(0, 0),
    on_lost_pod=OnLostPod.RESUME,
    timeout_s=3 * _DAYS_S,
    calls_aws=True,
    secrets=AWS_SECRETS,
    json_keys={"ParameterOverrides": as_json},
    artifacts_named=lambda configuration: files_in(
        configuration, "ParameterOverrides", "DeploymentTargets"
    ),
)
