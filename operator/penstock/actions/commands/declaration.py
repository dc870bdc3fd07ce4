"""Compute / AWS / Commands (P-18): shell commands in a container, without a build project."""

from typing import Literal

from pydantic import Field

from penstock.actions.declaration import (
    ArtifactBounds,
    Configuration,
    Declaration,
    OnLostPod,
    StageRule,
)


class CommandsConfiguration(Configuration):
    """AWS's keys, and ``Image``: the container that runs the commands."""

    Image: str | None = Field(None, min_length=1, max_length=1000)
    """Needs nothing but ``sh``; the installation's default if absent."""
    EnvironmentType: Literal["LINUX_CONTAINER"] | None = None
    ComputeType: Literal["SMALL", "MEDIUM", "LARGE"] | None = None
    VpcId: str | None = None
    Subnets: str | None = None
    SecurityGroupIds: str | None = None


DECLARATION = Declaration(
    category="Compute",
    owner="AWS",
    provider="Commands",
    folder="commands",
    configuration=CommandsConfiguration,
    inputs=ArtifactBounds(0, 10),
    outputs=ArtifactBounds(0, 1),
    on_lost_pod=OnLostPod.RERUN,
    timeout_s=3300,
    runs_commands=True,
    rule=StageRule("Commands"),
    without_effect=("VpcId", "Subnets", "SecurityGroupIds"),
)
