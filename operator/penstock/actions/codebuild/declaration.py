"""Build and Test / AWS / CodeBuild (P-10): a buildspec in a container from a BuildProject."""

from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, Field, field_validator
from pydantic_core import PydanticCustomError

from penstock.actions.codebuild.overrides import read_overrides
from penstock.actions.declaration import (
    ArtifactBounds,
    Configuration,
    Declaration,
    OnLostPod,
    ProjectKeys,
    StageRule,
)

_ROLE = (
    "a build acts as its BuildProject's serviceRole, else as the Pipeline's serviceAccountName "
    "(P-10)"
)


def _is_off(why: str) -> Callable[[str | None], str | None]:
    """Return a check that takes ``false`` and refuses everything else by saying why."""

    def check(value: str | None) -> str | None:
        if value not in (None, "false"):
            raise PydanticCustomError("unsupported", "{why}; leave it out", {"why": why})
        return value

    return check


class CodeBuildConfiguration(Configuration):
    """AWS's keys. EnvironmentVariables is JSON; only its values may hold references.

    Its names and types hold none.
    """

    ProjectName: str = Field(min_length=1, max_length=253)
    """The BuildProject, of the pipeline's namespace."""
    PrimarySource: str | None = Field(None, min_length=1)
    EnvironmentVariables: str | None = None
    BuildspecOverride: str | None = Field(None, min_length=1)
    BatchEnabled: Annotated[
        str | None, AfterValidator(_is_off("batch builds are not supported yet (B-60)"))
    ] = None
    CombineArtifacts: Annotated[
        str | None, AfterValidator(_is_off("batch builds are not supported yet (B-60)"))
    ] = None
    ServiceRoleArnOverride: Annotated[str | None, AfterValidator(_is_off(_ROLE))] = None

    @field_validator("EnvironmentVariables")
    @classmethod
    def _are_plain_texts(cls, text: str | None) -> str | None:
        if text is not None:
            read_overrides(text)
        return text


DECLARATION = Declaration(
    category="Build",
    also=("Test",),
    owner="AWS",
    provider="CodeBuild",
    folder="codebuild",
    configuration=CodeBuildConfiguration,
    inputs=ArtifactBounds(1, 5),
    outputs=ArtifactBounds(0, 5),
    on_lost_pod=OnLostPod.RERUN,
    # As on CodeBuild (B-32).
    timeout_s=3600,
    project=ProjectKeys("ProjectName", "PrimarySource", "EnvironmentVariables", read_overrides),
    rule=StageRule("CodeBuild"),
    json_keys={"EnvironmentVariables": str},
)
