"""Source / ThirdParty / Git: any Git repository over HTTP."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from penstock.actions.declaration import (
    ArtifactBounds,
    Configuration,
    Declaration,
    OnLostPod,
    Override,
)


class GitSourceConfiguration(Configuration):
    """Where the source is; at most one of Branch, Tag and Commit."""

    Url: str = Field(min_length=1, max_length=1000)
    """An http or https URL without credentials in it."""
    Branch: str | None = Field(None, min_length=1, max_length=250)
    Tag: str | None = Field(None, min_length=1, max_length=250)
    Commit: str | None = Field(None, pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")
    CredentialsSecret: str | None = Field(
        None, pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", max_length=253
    )
    """A kubernetes.io/basic-auth Secret of the Pipeline's namespace, for the Url's host only."""
    OutputArtifactFormat: Literal["CODE_ZIP", "CODEBUILD_CLONE_REF"] | None = None
    """CODE_ZIP: the files alone (default); CODEBUILD_CLONE_REF: with .git and history (P-01)."""
    FetchSubmodules: Literal["true", "false"] | None = None
    """Whether to fetch submodules at any depth, as CodeBuild's own key does; "false" if absent."""
    FetchLfs: Literal["true", "false"] | None = None
    """Whether to fetch Git LFS files; "false" if absent: pointers stay, and the log says so."""

    PollForSourceChanges: Literal["true", "false"] | None = None
    """Whether a change starts a run by itself (G-04); "true" where it is absent, as on AWS."""

    @field_validator("Url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        scheme, separator, rest = url.partition("://")
        if scheme.lower() not in ("http", "https") or not separator or not rest:
            raise ValueError("only http:// and https:// URLs are fetched")
        if "@" in rest.partition("/")[0]:
            raise ValueError("credentials belong into CredentialsSecret, not into the URL")
        return url

    @field_validator("Branch", "Tag")
    @classmethod
    def _is_no_option(cls, name: str | None) -> str | None:
        if name and name.startswith("-"):
            raise ValueError(
                "a name that begins with '-' is refused: git would read it as an option"
            )
        return name

    @model_validator(mode="after")
    def _names_one_revision(self) -> Self:
        if sum(value is not None for value in (self.Branch, self.Tag, self.Commit)) > 1:
            raise ValueError("Branch, Tag and Commit exclude each other")
        return self


DECLARATION = Declaration(
    category="Source",
    owner="ThirdParty",
    provider="Git",
    folder="git",
    configuration=GitSourceConfiguration,
    inputs=ArtifactBounds(0, 0),
    outputs=ArtifactBounds(1, 1),
    on_lost_pod=OnLostPod.RERUN,
    timeout_s=3600,
    secrets=("CredentialsSecret",),
    overrides=(Override("COMMIT_ID"),),
)
