"""Build and Test / AWS / CodeBuild (P-10): a buildspec in a container that a BuildProject describes."""

from typing import Literal

from pydantic import Field

from penstock.actions.declaration import Bounds, Configuration, Declaration, OnLostPod


class CodeBuildConfiguration(Configuration):
    """AWS's keys; EnvironmentVariables is JSON, read when its references are resolved."""

    ProjectName: str = Field(min_length=1, max_length=253)
    """The BuildProject, of the pipeline's namespace."""
    PrimarySource: str | None = Field(None, min_length=1)
    EnvironmentVariables: str | None = None
    BuildspecOverride: str | None = Field(None, min_length=1)
    BatchEnabled: Literal["false"] | None = None
    CombineArtifacts: Literal["false"] | None = None


DECLARATION = Declaration(
    category="Build",
    also=("Test",),
    owner="AWS",
    provider="CodeBuild",
    folder="codebuild",
    configuration=CodeBuildConfiguration,
    inputs=Bounds(1, 5),
    outputs=Bounds(0, 5),
    on_lost_pod=OnLostPod.RERUN,
    timeout_s=3600,
    runs_project=True,
)
