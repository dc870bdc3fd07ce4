"""The PipelineRun object: one execution of a Pipeline; its uid is the pipelineExecutionId."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from penstock.api.fields import CodePipelineName, DnsName, VariableName
from penstock.api.kinds.pipeline import ExecutionMode
from penstock.api.kinds.retry import AnsweredRetry, RetryRequests
from penstock.api.kinds.rollback import (
    AutomaticRollback,
    ExecutionType,
    RollbackMetadata,
    RollbackRequest,
)
from penstock.api.kinds.stage_conditions import RetryStageMetadata
from penstock.api.kinds.stop import StopRequest, StopTrigger
from penstock.api.model import ATOMIC, Model, list_map, rule, rules
from penstock.api.status.condition_states import (
    AnsweredOverride,
    OverrideRequests,
    StageConditionState,
)
from penstock.api.status.conditions import Condition
from penstock.api.status.executions import ActionState, ActionStatus


class RunState(StrEnum):
    """The states of an execution (X-01)."""

    IN_PROGRESS = "InProgress"
    STOPPING = "Stopping"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    STOPPED = "Stopped"
    SUPERSEDED = "Superseded"
    CANCELLED = "Cancelled"

    @property
    def is_terminal(self) -> bool:
        """Whether a run in this state has ended."""
        return self not in (RunState.IN_PROGRESS, RunState.STOPPING)


class StageStatus(StrEnum):
    """The states of a stage within a run (X-02)."""

    IN_PROGRESS = "InProgress"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    STOPPED = "Stopped"
    STOPPING = "Stopping"
    CANCELLED = "Cancelled"
    SKIPPED = "Skipped"

    @property
    def is_open(self) -> bool:
        """Whether the run is in a stage of this status, and holds it."""
        return self in (StageStatus.IN_PROGRESS, StageStatus.STOPPING)


class PipelineReference(Model):
    """The Pipeline, of the same namespace, that a run executes."""

    name: DnsName


class Variable(Model):
    """A value for a pipeline-level variable (X-50)."""

    name: VariableName
    value: Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class SourceRevision(Model):
    """A revision that a source action shall use instead of its latest (X-51)."""

    action_name: CodePipelineName
    revision_type: Literal["COMMIT_ID", "IMAGE_DIGEST", "S3_OBJECT_VERSION_ID", "S3_OBJECT_KEY"]
    revision_value: Annotated[str, StringConstraints(min_length=1, max_length=1500)]
    ref: (
        Annotated[str, StringConstraints(max_length=300, pattern="^refs/(heads|tags)/.+$")] | None
    ) = None
    """The branch or tag that the commit was pushed to, as refs/heads/feature.

    The output variable BranchName is this branch then.
    """


class RunTrigger(Model):
    """What started the run (X-07)."""

    trigger_type: Annotated[str, StringConstraints(max_length=64)]
    trigger_detail: Annotated[str, StringConstraints(max_length=1024)] | None = None


def _unchanged(field: str) -> dict[str, str]:
    # Comparing optionals, `self.?x == oldSelf.?x`, would be costed without bound and refused by the
    # API server.
    same = (
        f"has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || self.{field} == "
        f"oldSelf.{field})"
    )
    return rule(same, "cannot be changed: start a new run", field_path=f".{field}")


def _kept(field: str) -> dict[str, str]:
    return rule(
        f"!has(oldSelf.{field}) || has(self.{field})",
        f"{field} cannot be taken back",
        field_path=f".{field}",
    )


_FROZEN = (
    "pipelineRef",
    "variables",
    "sourceRevisions",
    "trigger",
    "requestedBy",
    "executionType",
    "rollback",
)
_ROLLBACK = rule(
    "(has(self.executionType) && self.executionType == 'ROLLBACK') == has(self.rollback) && "
    "(!has(self.rollback) || !(has(self.variables) || has(self.sourceRevisions)))",
    "executionType ROLLBACK and rollback belong together, and take variables and revisions from "
    "the target (X-67)",
    field_path=".rollback",
)


class PipelineRunSpec(Model):
    """What to execute: a run is started once. Later, only what is asked of it is added."""

    model_config = {
        "json_schema_extra": rules(
            *(_unchanged(name) for name in _FROZEN),
            _ROLLBACK,
            rule(
                "!has(oldSelf.stop) || has(self.stop)",
                "a stop cannot be taken back",
                field_path=".stop",
            ),
            *(_kept(name) for name in ("retries", "overrides")),
        )
    }

    pipeline_ref: PipelineReference
    variables: Annotated[
        tuple[Variable, ...], Field(max_length=50, json_schema_extra=list_map("name"))
    ] = ()
    source_revisions: Annotated[
        tuple[SourceRevision, ...],
        Field(max_length=50, json_schema_extra=list_map("actionName", "revisionType")),
    ] = ()
    trigger: RunTrigger | None = None
    requested_by: Annotated[str, StringConstraints(max_length=253)] | None = None
    execution_type: ExecutionType | None = None
    """STANDARD if absent."""
    rollback: RollbackRequest | None = None
    """For the type ROLLBACK: this stage alone runs, with what the target had (X-67)."""
    stop: StopRequest | None = None
    retries: RetryRequests = ()
    overrides: OverrideRequests = ()


class RunStageState(Model):
    """A stage that the run has entered."""

    stage_name: str
    status: StageStatus
    start_time: str
    """When the run entered it; a retry is no entry."""
    completion_time: str | None = None
    retry_stage_metadata: RetryStageMetadata | None = None
    retry_not_before: str | None = None
    """Until when an automatic retry waits (``retryConfiguration.backoffSeconds``)."""
    before_entry_condition_state: StageConditionState | None = None
    on_success_condition_state: StageConditionState | None = None
    on_failure_condition_state: StageConditionState | None = None
    action_states: Annotated[
        tuple[ActionState, ...], Field(json_schema_extra=list_map("actionName"))
    ] = ()

    @property
    def has_running_actions(self) -> bool:
        """Whether a try of an action is under way."""
        return self._has_latest(ActionStatus.IN_PROGRESS)

    @property
    def has_failed_actions(self) -> bool:
        """Whether the latest try of an action has failed, or is lost."""
        return self._has_latest(ActionStatus.FAILED, ActionStatus.UNKNOWN)

    def _has_latest(self, *statuses: ActionStatus) -> bool:
        return any(
            action.latest and action.latest.status in statuses for action in self.action_states
        )


class ResolvedVariable(Model):
    """A pipeline-level variable as the run uses it (X-84)."""

    name: str
    resolved_value: str


class ArtifactRevision(Model):
    """The revision behind a source artifact (X-84). Later stages do not read the source (X-29)."""

    name: str
    action_name: str
    revision_id: str
    revision_summary: str | None = None
    revision_url: str | None = None
    created: str | None = None


class PipelineRunStatus(Model):
    """What became of a run, stage by stage and action by action."""

    observed_generation: int | None = None
    state: RunState | None = None
    before_start: Literal["Queued", "Pending"] | None = None
    """The display state of a run that has no state yet: Queued or Pending.

    Queued: it waits for its turn. Pending: something that it needs is not there.
    """
    status_summary: str | None = None
    """One line for people: where the run is, what it waits for, or why it failed."""
    trigger: RunTrigger | None = None
    """What started the run.

    If the spec does not say, it is StartPipelineExecution with the name of the requester (X-07).
    """
    pipeline_uid: str | None = None
    pipeline_version: int | None = None
    execution_mode: ExecutionMode | None = None
    """The mode that the run started with (X-84); it keeps it whatever becomes of the Pipeline."""
    revision: str | None = None
    """The ControllerRevision that this run executes, whatever becomes of the Pipeline."""
    start_time: str | None = None
    completion_time: str | None = None
    execution_type: ExecutionType | None = None
    """ROLLBACK, or absent for a standard execution."""
    rollback_metadata: RollbackMetadata | None = None
    automatic_rollback: AutomaticRollback | None = None
    stop_trigger: StopTrigger | None = None
    retries: Annotated[tuple[AnsweredRetry, ...], Field(json_schema_extra=ATOMIC)] = ()
    """The answers to ``spec.retries``, in the same order.

    The operator has not yet seen a request that has no answer.
    """
    overrides: Annotated[tuple[AnsweredOverride, ...], Field(json_schema_extra=ATOMIC)] = ()
    """The answers to ``spec.overrides``, in the same order."""
    execution_attempt: int | None = None
    """2 after the first retry that resumed the run, and so on; absent before."""
    variables: Annotated[
        tuple[ResolvedVariable, ...], Field(json_schema_extra=list_map("name"))
    ] = ()
    artifact_revisions: Annotated[
        tuple[ArtifactRevision, ...], Field(json_schema_extra=list_map("name"))
    ] = ()
    stage_states: Annotated[
        tuple[RunStageState, ...], Field(json_schema_extra=list_map("stageName"))
    ] = ()
    conditions: Annotated[tuple[Condition, ...], Field(json_schema_extra=list_map("type"))] = ()

    @property
    def actions(self) -> Iterator[tuple[RunStageState, ActionState]]:
        """Every action that the run has come to, with its stage, in the order of their starts."""
        return ((stage, action) for stage in self.stage_states for action in stage.action_states)

    def stage(self, name: str) -> RunStageState | None:
        """Return a stage that the run has entered, None for any other."""
        return next((stage for stage in self.stage_states if stage.stage_name == name), None)

    def with_stage(self, state: RunStageState) -> "PipelineRunStatus":
        """Return the status with another state of a stage that the run has entered."""
        states = (state if old.stage_name == state.stage_name else old for old in self.stage_states)
        return self.model_copy(update={"stage_states": tuple(states)})
