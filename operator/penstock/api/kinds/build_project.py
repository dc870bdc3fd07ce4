"""The BuildProject object: the container and the environment of CodeBuild actions."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from penstock.api.fields import DnsName, EnvironmentName, RoleArn
from penstock.api.model import Model, list_map


class BuildVariable(Model):
    """A variable in the environment of every build of the project (B-13)."""

    name: EnvironmentName
    value: Annotated[str, StringConstraints(max_length=2000)]


class BuildProjectSpec(Model):
    """How builds run."""

    image: Annotated[str, StringConstraints(min_length=1, max_length=1000)]
    """The container image. The chart's buildImages must map an ``aws/codebuild/`` name."""
    compute_type: Literal["SMALL", "MEDIUM", "LARGE"] | None = None
    environment_variables: Annotated[
        tuple[BuildVariable, ...], Field(max_length=100, json_schema_extra=list_map("name"))
    ] = ()
    buildspec: Annotated[str, StringConstraints(max_length=25_600)] | None = None
    """YAML, or the path of a file in the source; buildspec.yml if absent (B-01)."""
    timeout_in_minutes: Annotated[int, Field(ge=5, le=2160)] | None = None
    service_role: RoleArn | None = None
    """The role that builds act as.

    Its keys are valid for an hour and stand in the environment of the build, as the AWS CLI expects
    them.
    """
    credentials_secret: DnsName | None = None
    """A Secret with accessKeyId and secretAccessKey, used to assume serviceRole.

    It replaces the identity of the Pod.

    Without a serviceRole builds get these keys themselves.
    """


class BuildProjectStatus(Model):
    """Nothing yet: a project is read when an action starts."""

    observed_generation: int | None = None


class FrozenBuildProject(Model):
    """The BuildProject that an attempt runs on, as it was when the attempt started."""

    name: str
    uid: str
    generation: int
    revision: str
    """The ControllerRevision that holds its spec."""
