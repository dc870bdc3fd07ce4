"""The conditions and the one-line summary of a run, from its state alone."""

from collections.abc import Iterator
from datetime import datetime

from penstock.api.kinds.run import PipelineRunStatus, RunStageState, RunState, StageStatus
from penstock.api.kinds.stage_conditions import StageConditionType
from penstock.api.status.condition_states import NOT_PASSED, ConditionStatus
from penstock.api.status.conditions import Condition, ConditionType, merge
from penstock.api.status.executions import ActionStatus
from penstock.api.text import shorten
from penstock.engine.run.condition_lookup import condition_summary, state_of

# Bytes of the one line that kubectl get and events show.
_SUMMARY_LENGTH = 500


def with_conditions(
    status: PipelineRunStatus, *, generation: int, now: datetime, reason: str, message: str
) -> PipelineRunStatus:
    """Return the status with conditions that agree with its state; ``message`` is its summary, too.

    The conditions of a failed run say besides where the log is.
    """
    message = shorten(message, _SUMMARY_LENGTH)
    told = message + _where_the_log_is(status) if status.state is RunState.FAILED else message
    # What was refused stays told until a request is followed.
    refusals = (c for c in status.conditions if c.type == ConditionType.REQUEST_REFUSED)
    wanted = tuple(
        condition.model_copy(update={"observed_generation": generation})
        for condition in (
            *_conditions(status.state or RunState.IN_PROGRESS, reason, told),
            *refusals,
        )
    )
    return status.model_copy(
        update={
            "observed_generation": generation,
            "before_start": None if status.state else "Queued" if reason == "Queued" else "Pending",
            "status_summary": message or None,
            "conditions": merge(status.conditions, wanted, now),
        }
    )


def with_refusal(
    status: PipelineRunStatus, generation: int, code: str, message: str, now: datetime
) -> PipelineRunStatus:
    """Return the status with the condition that refuses what the spec of a generation asks for."""
    refused = Condition(
        type=ConditionType.REQUEST_REFUSED,
        status="True",
        reason=code,
        message=message,
        observed_generation=generation,
    )
    seen = as_seen(status, generation)
    others = tuple(c for c in seen.conditions if c.type != refused.type)
    return seen.model_copy(update={"conditions": merge(status.conditions, (*others, refused), now)})


def without_refusal(status: PipelineRunStatus) -> PipelineRunStatus:
    """Return the status of a run that follows what it is asked for."""
    kept = tuple(c for c in status.conditions if c.type != ConditionType.REQUEST_REFUSED)
    return status.model_copy(update={"conditions": kept})


def as_seen(status: PipelineRunStatus, generation: int) -> PipelineRunStatus:
    """Return the status as of a generation; kubectl wait takes no condition of an older one."""
    conditions = tuple(
        c.model_copy(update={"observed_generation": generation}) for c in status.conditions
    )
    return status.model_copy(update={"conditions": conditions, "observed_generation": generation})


def _failed_condition(stage: RunStageState) -> str | None:
    """Return which condition has failed a stage, if one has (C-04)."""
    for kind in (StageConditionType.BEFORE_ENTRY, StageConditionType.ON_SUCCESS):
        condition = state_of(stage, kind)
        if stage.status is StageStatus.FAILED and condition and condition.status in NOT_PASSED:
            return condition_summary(stage, kind)
    return None


def _where_the_log_is(status: PipelineRunStatus) -> str:
    """Return how to read the log of the action that the run failed for, where it had a pod."""
    for _, action in status.actions:
        latest = action.latest
        if latest and latest.status is ActionStatus.FAILED:
            return f" (log: kubectl logs {latest.pod_name})" if latest.pod_name else ""
    return ""


def _rolled_back(status: PipelineRunStatus) -> str:
    """Return what became of the rollback that the failure asked for, if it did (X-70)."""
    rollback = status.automatic_rollback
    if rollback is None:
        return ""
    if rollback.message:
        return f"; stage {rollback.stage_name} is not rolled back: {rollback.message}"
    return (
        f"; stage {rollback.stage_name} is rolled back to run {rollback.target_run} by run "
        f"{rollback.run}"
    )


def _conditions(state: RunState, reason: str, message: str) -> Iterator[Condition]:
    if not state.is_terminal:
        yield Condition(
            type=ConditionType.SUCCEEDED, status="Unknown", reason=reason, message=message
        )
        yield Condition(type=ConditionType.READY, status="False", reason=reason, message=message)
        yield Condition(
            type=ConditionType.RECONCILING, status="True", reason=reason, message=message
        )
    elif state is RunState.SUCCEEDED:
        yield Condition(type=ConditionType.SUCCEEDED, status="True", reason=reason, message=message)
        yield Condition(type=ConditionType.READY, status="True", reason=reason, message=message)
    elif state is RunState.SUPERSEDED:
        # A newer run carries the change: whoever waits for it waits for that one.
        yield Condition(
            type=ConditionType.SUCCEEDED, status="False", reason=reason, message=message
        )
        yield Condition(type=ConditionType.READY, status="True", reason=reason, message=message)
    else:
        yield Condition(
            type=ConditionType.SUCCEEDED, status="False", reason=reason, message=message
        )
        yield Condition(type=ConditionType.READY, status="False", reason=reason, message=message)
        yield Condition(type=ConditionType.STALLED, status="True", reason=reason, message=message)


def reason_and_summary(status: PipelineRunStatus) -> tuple[str, str]:
    """Return what a run that has entered a stage is doing, or why it ended."""
    if status.state is RunState.SUCCEEDED:
        return "Succeeded", "all stages succeeded"
    # A failure tells more than what still runs beside it.
    for stage in status.stage_states:
        for action in stage.action_states:
            latest = action.latest
            if latest and latest.status is ActionStatus.FAILED and latest.error_details:
                details = latest.error_details
                return (
                    details.code,
                    f"{stage.stage_name}/{action.action_name}: "
                    f"{details.message}{_rolled_back(status)}",
                )
        if told := _failed_condition(stage):
            return "ConditionFailed", f"{told}{_rolled_back(status)}"
    current = next((s for s in status.stage_states if s.status is StageStatus.IN_PROGRESS), None)
    if current is None:
        return "InProgress", ""
    for kind in StageConditionType:
        condition = state_of(current, kind)
        if condition and condition.status is ConditionStatus.IN_PROGRESS:
            return "EvaluatingCondition", condition_summary(current, kind)
    if current.retry_not_before and any(action.awaits_retry for action in current.action_states):
        return (
            "Retrying",
            f"{current.stage_name}: automatic retry not before {current.retry_not_before}",
        )
    return _waiting_or_running(current)


def _waiting_or_running(stage: RunStageState) -> tuple[str, str]:
    """Return what a stage's actions under way do, or what the first that does not waits for."""
    executions = [
        (action.action_name, action.latest) for action in stage.action_states if action.latest
    ]
    running = [
        (name, execution)
        for name, execution in executions
        if execution.status is ActionStatus.IN_PROGRESS
    ]
    for name, execution in running:
        if execution.waiting:
            what = "go on" if execution.pod_uid else "start"
            return (
                execution.waiting.code,
                f"{stage.stage_name}/{name} cannot {what}: {execution.waiting.message}",
            )
    names = ", ".join(name for name, _ in running)
    waits = [execution.approval.name for _, execution in running if execution.approval]
    if waits and len(waits) == len(running):
        return (
            "WaitingForApproval",
            f"{stage.stage_name}: {names} waits for approval {', '.join(waits)}",
        )
    return "InProgress", f"{stage.stage_name}: {names}" if names else stage.stage_name
