"""Opens a stage again for another attempt (X-60, X-61, X-65, X-66).

It decides which actions run again, which are kept, and which are counted.

An attempt starts nothing by itself: its actions await it, and start when
nothing of their earlier tries runs.
"""

from datetime import datetime, timedelta

from penstock.api.kinds.pipeline import Stage
from penstock.api.kinds.run import PipelineRunStatus, RunStageState, RunState, StageStatus
from penstock.api.kinds.stage_conditions import (
    RetryConfiguration,
    RetryMode,
    RetryStageMetadata,
    RetryTrigger,
)
from penstock.api.status.condition_states import PASSED, StageConditionState
from penstock.api.status.executions import ActionState, ActionStatus
from penstock.api.times import format_time

# A stage that is retried seldom is forgotten: an hour at most.
_LONGEST_BACKOFF_S = 3_600
_RUNS_AGAIN = (ActionStatus.FAILED, ActionStatus.ABANDONED, ActionStatus.UNKNOWN)


def resumed(
    status: PipelineRunStatus,
    stage: RunStageState,
    mode: RetryMode,
    trigger: RetryTrigger,
    now: datetime,
) -> PipelineRunStatus:
    """Return the status of a run whose stage was opened again (X-60).

    It is back in progress if it had ended.
    """
    return back_in_progress(status, reopened(stage, mode, trigger), now)


def back_in_progress(
    status: PipelineRunStatus, stage: RunStageState, now: datetime
) -> PipelineRunStatus:
    """Return the status with an open stage and the run in progress.

    It does not matter whether the run had ended.
    """
    changes: dict[str, object] = {}
    if status.state is not RunState.IN_PROGRESS:
        # A retry while the run goes on is part of the same attempt.
        attempt = (status.execution_attempt or 1) + 1
        changes |= {
            "state": RunState.IN_PROGRESS,
            "completion_time": None,
            "execution_attempt": attempt,
        }
    # The stop stays in the run's spec. Without this time it would stop what is resumed here.
    if status.stop_trigger and not status.stop_trigger.resumed_time:
        changes["stop_trigger"] = status.stop_trigger.model_copy(
            update={"resumed_time": format_time(now)}
        )
    return status.with_stage(stage).model_copy(update=changes)


def reopened(
    state: RunStageState, mode: RetryMode, trigger: RetryTrigger, not_before: datetime | None = None
) -> RunStageState:
    """Return the stage in progress: the failed actions await their next attempt.

    With ALL_ACTIONS all actions do.
    """
    return state.model_copy(
        update={
            "status": StageStatus.IN_PROGRESS,
            "completion_time": None,
            "retry_stage_metadata": _counted(state.retry_stage_metadata, trigger),
            "retry_not_before": format_time(not_before) if not_before else None,
            "action_states": tuple(_awaiting(action, mode) for action in state.action_states),
            "before_entry_condition_state": _again(state.before_entry_condition_state),
            "on_success_condition_state": _again(state.on_success_condition_state),
            # It was about the failure that is retried now, and the next failure is another one.
            "on_failure_condition_state": _again(state.on_failure_condition_state, is_always=True),
        }
    )


def _again(
    condition: StageConditionState | None, *, is_always: bool = False
) -> StageConditionState | None:
    """Return a condition as one to be evaluated again, unless the stage had got past it (C-08)."""
    if condition is None or (condition.status in PASSED and not is_always):
        return condition
    rules = (
        rule.model_copy(update={"status": None, "summary": None}) for rule in condition.rule_states
    )
    return condition.model_copy(
        update={"status": None, "summary": None, "rule_states": tuple(rules)}
    )


def automatic_retry(stage: Stage, state: RunStageState, now: datetime) -> RunStageState | None:
    """Return the failed stage opened again if its declaration still allows it, else None (X-65)."""
    failure = stage.on_failure
    if failure is None or failure.result != "RETRY":
        return None
    wanted = failure.retry_configuration or RetryConfiguration()
    done = (state.retry_stage_metadata and state.retry_stage_metadata.auto_stage_retry_attempt) or 0
    if done >= _most_automatic(stage):
        return None
    wait = min((wanted.backoff_seconds or 0) * 2**done, _LONGEST_BACKOFF_S)
    not_before = now + timedelta(seconds=wait) if wait else None
    return reopened(
        state, wanted.retry_mode or RetryMode.FAILED_ACTIONS, RetryTrigger.AUTOMATED, not_before
    )


def announced(stage: Stage, state: RunStageState) -> str:
    """Return what an Event tells of an automatic retry."""
    count = (
        state.retry_stage_metadata.auto_stage_retry_attempt if state.retry_stage_metadata else None
    )
    when = f", not before {state.retry_not_before}" if state.retry_not_before else ""
    return f"Retrying stage {stage.name}: automatic retry {count} of {_most_automatic(stage)}{when}"


def _most_automatic(stage: Stage) -> int:
    wanted = stage.on_failure.retry_configuration if stage.on_failure else None
    return (wanted.max_attempts if wanted else None) or 1


def _awaiting(action: ActionState, mode: RetryMode) -> ActionState:
    is_to_run = mode is RetryMode.ALL_ACTIONS or (
        action.latest and action.latest.status in _RUNS_AGAIN
    )
    return action.model_copy(update={"awaits_retry": True}) if is_to_run else action


def _counted(before: RetryStageMetadata | None, trigger: RetryTrigger) -> RetryStageMetadata:
    field = (
        "manual_stage_retry_attempt"
        if trigger is RetryTrigger.MANUAL
        else "auto_stage_retry_attempt"
    )
    count = (before and getattr(before, field)) or 0
    known = before or RetryStageMetadata(latest_retry_trigger=trigger)
    return known.model_copy(update={field: count + 1, "latest_retry_trigger": trigger})
