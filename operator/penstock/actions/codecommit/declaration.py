"""Source / AWS / CodeCommit (P-02)."""

from typing import Annotated, Literal

from pydantic import StringConstraints

from penstock.actions.aws_configuration import AWS_SECRETS, AwsConfiguration
from penstock.actions.declaration import ArtifactBounds, Declaration, OnLostPod, Override
from penstock.actions.git.names import BranchName


class CodeCommitConfiguration(AwsConfiguration):
    """Where the source is; the Secret may hold Git credentials, username and password, as well."""

    RepositoryName: Annotated[
        str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=100)
    ]
    BranchName: BranchName
    PollForSourceChanges: Literal["true", "false"] | None = None
    """Whether a change starts a run by itself (G-04); "true" where it is absent, as on AWS."""
    OutputArtifactFormat: Literal["CODE_ZIP", "CODEBUILD_CLONE_REF"] | None = None
    """CODE_ZIP: the files alone (default); CODEBUILD_CLONE_REF: with .git and history."""


DECLARATION = Declaration(
    category="Source",
    owner="AWS",
    provider="CodeCommit",
    folder="codecommit",
    configuration=CodeCommitConfiguration,
    inputs=ArtifactBounds(0, 0),
    outputs=ArtifactBounds(1, 1),
    on_lost_pod=OnLostPod.RERUN,
    timeout_s=3600,
    calls_aws=True,
    secrets=AWS_SECRETS,
    overrides=(Override("COMMIT_ID"),),
)
