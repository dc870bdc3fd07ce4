"""Source / ThirdParty / GitHub (version 1): a repository on github.com (P-05).

Templates write the token itself, or ``****`` where CodePipeline gave the definition back. Here
OAuthToken names a Secret: a Pipeline is no place for a token, and everybody who may read Pipelines
would read it.
"""

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

HOST = "https://github.com"
_NAME = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$"
_SECRET_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
# What GitHub's tokens look like of old: they would pass for a Secret's name.
_OLD_TOKEN = re.compile(r"[0-9a-f]{40}")


class GitHubConfiguration(Configuration):
    """Where the source is."""

    Owner: Annotated[str, StringConstraints(pattern=_NAME, max_length=100)]
    """The user or the organization."""
    Repo: Annotated[str, StringConstraints(pattern=_NAME, max_length=100)]
    Branch: BranchName
    OAuthToken: str = Field(min_length=1, max_length=253)
    """A Secret of the Pipeline's namespace with the key ``token``; never the token itself."""
    PollForSourceChanges: Literal["true", "false"] | None = None
    """Whether a change starts a run by itself (G-04); "true" where it is absent, as on AWS."""

    @field_validator("OAuthToken")
    @classmethod
    def _names_a_secret(cls, value: str) -> str:
        if _SECRET_NAME.fullmatch(value) and not _OLD_TOKEN.fullmatch(value):
            return value
        raise ValueError(
            "name a Secret here, not the token: make it by `kubectl create secret generic github "
            "--from-literal=token=TOKEN` in the Pipeline's namespace and write OAuthToken: github"
        )


DECLARATION = Declaration(
    category="Source",
    owner="ThirdParty",
    provider="GitHub",
    folder="github",
    configuration=GitHubConfiguration,
    inputs=ArtifactBounds(0, 0),
    outputs=ArtifactBounds(1, 1),
    on_lost_pod=OnLostPod.RERUN,
    timeout_s=3600,
    secrets=("OAuthToken",),
    # Whoever starts a run must not choose the Secret.
    literals=("OAuthToken",),
    overrides=(Override("COMMIT_ID"),),
)
