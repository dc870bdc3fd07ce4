"""The conditions and the one-line summary of a run, from its state alone (design: the table of conditions)."""

from collections.abc import Iterator

from penstock.api.conditions import Condition, ConditionType, merge
from penstock.api.run import ActionStatus, PipelineRunStatus, RunState, StageStatus

_SUMMARY_LENGTH = 500


def with_conditions(
    status: PipelineRunStatus, *, generation: int, now: str, reason: str, message: str
) -> PipelineRunStatus:
    """Return the status with conditions that agree with its state; ``message`` is its summary, too."""
    message = message[:_SUMMARY_LENGTH]
    wanted = tuple(
        condition.model_copy(update={"observed_generation": generation})
        for condition in _conditions(status.state or RunState.IN_PROGRESS, reason, message)
    )
    return status.model_copy(
        update={
            "observed_generation": generation,
            "status_summary": message or None,
            "conditions": merge(status.conditions, wanted, now),
        }
    )


def _conditions(state: RunState, reason: str, message: str) -> Iterator[Condition]:
    if not state.is_terminal:
        yield Condition(type=ConditionType.SUCCEEDED, status="Unknown", reason=reason, message=message)
        yield Condition(type=ConditionType.READY, status="False", reason=reason, message=message)
        yield Condition(type=ConditionType.RECONCILING, status="True", reason=reason, message=message)
    elif state is RunState.SUCCEEDED:
        yield Condition(type=ConditionType.SUCCEEDED, status="True", reason=reason, message=message)
        yield Condition(type=ConditionType.READY, status="True", reason=reason, message=message)
    elif state is RunState.FAILED:
        yield Condition(type=ConditionType.SUCCEEDED, status="False", reason=reason, message=message)
        yield Condition(type=ConditionType.READY, status="False", reason=reason, message=message)
        yield Condition(type=ConditionType.STALLED, status="True", reason=reason, message=message)
    else:
        yield Condition(type=ConditionType.SUCCEEDED, status="False", reason=reason, message=message)
        yield Condition(type=ConditionType.READY, status="True", reason=reason, message=message)


def reason_and_summary(status: PipelineRunStatus) -> tuple[str, str]:
    """Return what a run that has entered a stage is doing, or why it ended."""
    if status.state is RunState.SUCCEEDED:
        return "Succeeded", "all stages succeeded"
    for stage in status.stage_states:
        for action in stage.action_states:
            latest = action.latest
            if latest and latest.status is ActionStatus.FAILED and latest.error_details:
                details = latest.error_details
                return details.code, f"{stage.stage_name}/{action.action_name}: {details.message}"
    current = next((s for s in status.stage_states if s.status is StageStatus.IN_PROGRESS), None)
    if current is None:
        return "InProgress", ""
    running = [
        action.action_name
        for action in current.action_states
        if action.latest and action.latest.status is ActionStatus.IN_PROGRESS
    ]
    return "InProgress", f"{current.stage_name}: {', '.join(running)}" if running else current.stage_name
