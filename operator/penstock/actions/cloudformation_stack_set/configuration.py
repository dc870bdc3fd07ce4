"""What the actions of stack sets have in common in their configurations; pure."""

from pydantic import Field, ValidationInfo, field_validator

from penstock.actions.aws_configuration import AwsConfiguration
from penstock.actions.cloudformation_stack_set.lists import (
    is_file,
    listed,
    read_parameters,
    read_targets,
)

NAME = r"^[a-zA-Z][-a-zA-Z0-9]*$"
REGIONS = r"^[a-z]{2}(-[a-z]+)+-[0-9]+(,[a-z]{2}(-[a-z]+)+-[0-9]+)*$"


class StackSetBase(AwsConfiguration):
    """Name, targets and preferences of an operation."""

    StackSetName: str = Field(pattern=NAME, max_length=128)
    Regions: str | None = Field(None, pattern=REGIONS, max_length=1000)
    """Regions of the targets, separated by commas, in the order in which they are done."""
    DeploymentTargets: str | None = Field(None, max_length=10_000, validate_default=True)
    """Accounts or organizational units, comma-separated; or ``Artifact::file`` with a JSON list."""
    FailureTolerancePercentage: str | None = Field(None, pattern=r"^(100|[1-9]?[0-9])$")
    """In how many accounts of a region the operation may fail before it ends; 0 if absent."""
    MaxConcurrentPercentage: str | None = Field(None, pattern=r"^(100|[1-9][0-9]?)$")
    """In how many accounts at once."""

    @field_validator("DeploymentTargets")
    @classmethod
    def _have_regions(cls, targets: str | None, info: ValidationInfo) -> str | None:
        if "Regions" in info.data and (targets is None) != (info.data["Regions"] is None):
            raise ValueError("DeploymentTargets and Regions go together: name both, or neither")
        if targets is not None and not is_file(targets):
            read_targets(listed(targets), "")
        return targets


def checked_parameters(text: str | None) -> str | None:
    """Return a configuration's list of parameters; raise ValueError for what is none."""
    if text is not None and not is_file(text):
        read_parameters(text)
    return text
