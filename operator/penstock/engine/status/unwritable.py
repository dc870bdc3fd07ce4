"""Ends a run whose status the API server refuses for good.

Its last status is small enough to be written.
"""

from datetime import datetime

from penstock.api.kinds.run import PipelineRunStatus, RunStageState, StageStatus
from penstock.api.status.executions import ActionState, ActionStatus, ErrorDetails
from penstock.api.text import shorten
from penstock.api.times import format_time
from penstock.engine.snapshot import Refused
from penstock.engine.tries.room import emptied

# How many stages of such a run are kept, the last ones.
_SHOWN = 20


def shrunk(status: PipelineRunStatus, refused: Refused, now: datetime) -> PipelineRunStatus:
    """Return the status without what tries have left, each one that had not ended by now failed."""
    details = ErrorDetails(code=refused.reason, message="the run's status could not be written")
    stages = tuple(_emptied(stage, details, now) for stage in status.stage_states[-_SHOWN:])
    return status.model_copy(
        update={"stage_states": stages, "variables": (), "artifact_revisions": ()}
    )


def why(refused: Refused) -> str:
    """Return the sentence that such a run ends with."""
    return (
        f"the API server refuses the run's status, so the run cannot go on: "
        f"{shorten(refused.message, 300)}"
    )


def _emptied(stage: RunStageState, details: ErrorDetails, now: datetime) -> RunStageState:
    ended = {"completion_time": stage.completion_time or format_time(now)}
    status = StageStatus.FAILED if stage.status.is_open else stage.status
    states = tuple(_without_results(state, details, now) for state in stage.action_states)
    return stage.model_copy(update={**ended, "status": status, "action_states": states})


def _without_results(state: ActionState, details: ErrorDetails, now: datetime) -> ActionState:
    if not state.executions:
        return state
    execution = state.executions[-1]
    if execution.status is ActionStatus.IN_PROGRESS:
        execution = emptied(execution, details).model_copy(
            update={"completion_time": format_time(now), "waiting": None}
        )
    else:
        execution = emptied(execution, details).model_copy(
            update={"status": execution.status, "error_details": execution.error_details}
        )
    return state.model_copy(update={"executions": (execution,)})
