"""The triggers that start runs, in CodePipeline's words (G rows), with their filters.

Every field is closed: what a user may write has a shape and a size, so that
no object is read that cannot be.
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from penstock.api.fields import CodePipelineName
from penstock.api.model import ATOMIC, Model

Globs = Annotated[
    tuple[Annotated[str, StringConstraints(min_length=1, max_length=255)], ...],
    Field(max_length=8, json_schema_extra=ATOMIC),
]


class GlobCriteria(Model):
    """Which names a filter takes: any of ``includes``, and none of ``excludes`` (Q-07)."""

    includes: Globs = ()
    excludes: Globs = ()


class PushFilter(Model):
    """A filter of pushes: its criteria hold together."""

    tags: GlobCriteria | None = None
    branches: GlobCriteria | None = None
    file_paths: GlobCriteria | None = None


class PullRequestFilter(Model):
    """A filter of pull requests: its criteria hold together.

    ``branches`` are those that a pull request goes into. No events mean all of them.
    """

    events: Annotated[
        tuple[Literal["OPEN", "UPDATED", "CLOSED"], ...],
        Field(max_length=3, json_schema_extra=ATOMIC),
    ] = ()
    branches: GlobCriteria | None = None
    file_paths: GlobCriteria | None = None


class GitConfiguration(Model):
    """The source action that a trigger watches, and its filters; one that matches is enough."""

    source_action_name: CodePipelineName
    push: Annotated[tuple[PushFilter, ...], Field(max_length=3, json_schema_extra=ATOMIC)] = ()
    pull_request: Annotated[
        tuple[PullRequestFilter, ...], Field(max_length=3, json_schema_extra=ATOMIC)
    ] = ()


class Trigger(Model):
    """One trigger (V-16)."""

    provider_type: Literal["CodeStarSourceConnection"]
    git_configuration: GitConfiguration
