"""Source / AWS / CodeStarSourceConnection: a repository through a Connection (P-01)."""

import re
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator

from penstock.actions.declaration import (
    ArtifactBounds,
    Configuration,
    Declaration,
    OnLostPod,
    Override,
)
from penstock.actions.git.names import BranchName

_ARN_OR_NAME = re.compile(
    r"arn:aws[\w-]*:[\w:-]+:connection/[\w/.-]+|[a-z0-9]([a-z0-9.-]*[a-z0-9])?"
)
_PART = r"[A-Za-z0-9_.~-]*[A-Za-z0-9_~-][A-Za-z0-9_.~-]*"


class CodeStarSourceConnectionConfiguration(Configuration):
    """Where the source is."""

    ConnectionArn: str = Field(min_length=1, max_length=256)
    """The Connection: an ARN that one says it is, else its name as the ARN's last part."""

    @field_validator("ConnectionArn")
    @classmethod
    def _is_an_arn_or_a_name(cls, value: str) -> str:
        if not _ARN_OR_NAME.fullmatch(value):
            raise ValueError(
                "write the ARN of a connection, or the name of a Connection of this namespace; "
                "variables are not resolved here"
            )
        return value

    FullRepositoryId: Annotated[
        str, StringConstraints(pattern=rf"^{_PART}(/{_PART})+$", max_length=500)
    ]
    """Owner and repository, as the host writes them; GitLab's groups nest."""
    BranchName: BranchName
    OutputArtifactFormat: Literal["CODE_ZIP", "CODEBUILD_CLONE_REF"] | None = None
    """CODE_ZIP: the files alone (default); CODEBUILD_CLONE_REF: with .git and history."""
    DetectChanges: Literal["true", "false"] | None = None
    """Whether a push to the branch starts a run by itself (G-02); "true" where it is absent."""


DECLARATION = Declaration(
    category="Source",
    owner="AWS",
    provider="CodeStarSourceConnection",
    folder="codestar_source_connection",
    configuration=CodeStarSourceConnectionConfiguration,
    inputs=ArtifactBounds(0, 0),
    outputs=ArtifactBounds(1, 1),
    on_lost_pod=OnLostPod.RERUN,
    timeout_s=3600,
    connection="ConnectionArn",
    # Whoever starts a run must not choose whose credential it fetches with.
    literals=("ConnectionArn",),
    overrides=(Override("COMMIT_ID"),),
)
