"""The states of a stage's conditions and rules, as in GetPipelineState (X-80, X-86)."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from penstock.api.fields import CodePipelineName
from penstock.api.kinds.retry import RefusedRequest
from penstock.api.kinds.stage_conditions import Result, StageConditionType
from penstock.api.model import ATOMIC, Model, appended, list_map
from penstock.api.status.executions import ActionExecution, ErrorDetails


class ConditionStatus(StrEnum):
    """The states of a condition, and of a rule (X-05, C-03, C-07)."""

    IN_PROGRESS = "InProgress"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    ERRORED = "Errored"
    ABANDONED = "Abandoned"
    OVERRIDDEN = "Overridden"


PASSED = (ConditionStatus.SUCCEEDED, ConditionStatus.OVERRIDDEN)
NOT_PASSED = (ConditionStatus.FAILED, ConditionStatus.ERRORED)
"""The ends of a condition that let a stage go on, and those that engage its result or fail it."""


class RuleState(Model):
    """The state of a rule of a condition.

    ``executions`` are the tries of a rule that runs a Job, from all attempts.
    """

    rule_name: str
    status: ConditionStatus | None = None
    """Absent while it is yet to be evaluated, or to be evaluated again."""
    summary: str | None = None
    last_status_change: str | None = None
    error_details: ErrorDetails | None = None
    executions: Annotated[tuple[ActionExecution, ...], Field(json_schema_extra=ATOMIC)] = ()


class StageConditionState(Model):
    """A condition of a stage that a run has come to."""

    status: ConditionStatus | None = None
    """Absent when a retry of the stage is to evaluate it again."""
    result: Result | None = None
    """What it leads to, where it leads to something."""
    summary: str | None = None
    start_time: str
    last_status_change: str
    rule_states: Annotated[
        tuple[RuleState, ...], Field(json_schema_extra=list_map("ruleName"))
    ] = ()


class OverrideRequest(Model):
    """Asks for a stage to go on as if its condition had succeeded (C-07)."""

    stage_name: CodePipelineName
    condition_type: StageConditionType
    requested_by: Annotated[str, StringConstraints(max_length=253)] | None = None
    reason: Annotated[str, StringConstraints(max_length=200)] | None = None


OverrideRequests = Annotated[
    tuple[OverrideRequest, ...], Field(max_length=50, json_schema_extra=appended("overrides"))
]
"""Overrides in the order in which they were asked for; the list only grows."""


class AnsweredOverride(Model):
    """An override that was asked for, and what came of it."""

    stage_name: str
    condition_type: StageConditionType
    requested_by: str | None = None
    reason: str | None = None
    time: str
    """When the engine saw it."""
    refused: RefusedRequest | None = None
