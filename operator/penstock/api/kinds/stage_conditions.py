"""The conditions of a stage and its reaction to a failure (C-01, C-02, X-65)."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from penstock.api.fields import (
    CodePipelineName,
    InputArtifact,
    ProviderName,
    ProviderVersion,
    RoleArn,
)
from penstock.api.model import ATOMIC, Model, list_map


class RetryMode(StrEnum):
    """What of a stage runs again (X-61)."""

    FAILED_ACTIONS = "FAILED_ACTIONS"
    ALL_ACTIONS = "ALL_ACTIONS"


class RetryTrigger(StrEnum):
    """What made a stage run again (X-66)."""

    MANUAL = "ManualStageRetry"
    AUTOMATED = "AutomatedStageRetry"


class StageConditionType(StrEnum):
    """Where a condition stands (C-01); the names are those of overrides (C-07)."""

    BEFORE_ENTRY = "BEFORE_ENTRY"
    ON_SUCCESS = "ON_SUCCESS"
    ON_FAILURE = "ON_FAILURE"


Result = Literal["ROLLBACK", "FAIL", "RETRY", "SKIP"]


class RetryStageMetadata(Model):
    """How often a stage of a run was tried again, and why the last time (X-66)."""

    auto_stage_retry_attempt: int | None = None
    manual_stage_retry_attempt: int | None = None
    latest_retry_trigger: RetryTrigger


class RetryConfiguration(Model):
    """Automatic retries of a stage (X-65). By default there is one, at once, as on AWS."""

    retry_mode: RetryMode | None = None
    """FAILED_ACTIONS if absent."""
    max_attempts: Annotated[int, Field(ge=1, le=10)] | None = None
    """How many automatic retries a run has in the stage; 1 if absent, as on AWS."""
    backoff_seconds: Annotated[int, Field(ge=1, le=3600)] | None = None
    """How long the first retry waits, in seconds; no wait if absent.

    Each further retry waits twice as long, but an hour at most.
    """


class RuleTypeId(Model):
    """The provider of a rule (C-20..C-25). Unlike on AWS, owner and version may be left out."""

    category: Literal["Rule"]
    owner: Literal["AWS"] | None = None
    provider: ProviderName
    version: ProviderVersion | None = None


class Rule(Model):
    """One rule of a condition (C-09)."""

    name: CodePipelineName
    rule_type_id: RuleTypeId
    configuration: Annotated[
        dict[str, Annotated[str, StringConstraints(max_length=10_000)]], Field(max_length=200)
    ] = {}
    commands: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1, max_length=1000)], ...],
        Field(max_length=50, json_schema_extra=ATOMIC),
    ] = ()
    input_artifacts: Annotated[
        tuple[InputArtifact, ...], Field(max_length=5, json_schema_extra=list_map("name"))
    ] = ()
    role_arn: RoleArn | None = None
    region: Annotated[str, StringConstraints(min_length=4, max_length=30)] | None = None
    timeout_in_minutes: Annotated[int, Field(ge=5, le=86400)] | None = None


class StageCondition(Model):
    """Rules that are evaluated together, and the result that they lead to (C-03, C-04)."""

    result: Result | None = None
    rules: Annotated[
        tuple[Rule, ...], Field(min_length=1, max_length=5, json_schema_extra=list_map("name"))
    ]


OneCondition = Annotated[tuple[StageCondition, ...], Field(max_length=1, json_schema_extra=ATOMIC)]


class StageConditions(Model):
    """The condition before a stage's first action, or after its last (C-01)."""

    conditions: OneCondition = ()


class FailureConditions(Model):
    """The reaction to a failed stage (C-01). Without conditions, ``result`` always applies."""

    result: Result | None = None
    retry_configuration: RetryConfiguration | None = None
    conditions: OneCondition = ()
