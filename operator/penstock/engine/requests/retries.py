"""Answers ``spec.retries`` of runs, each entry once (X-60..X-63).

A retry is carried out, or refused by CodePipeline's name.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime

from penstock.api.kinds.pipeline import ExecutionMode
from penstock.api.kinds.retry import AnsweredRetry, RefusedRequest, RetryRequest
from penstock.api.kinds.run import PipelineRunStatus, RunStageState, RunState, StageStatus
from penstock.api.kinds.stage_conditions import RetryMode, RetryTrigger, StageConditionType
from penstock.api.status.condition_states import ConditionStatus
from penstock.api.status.executions import ActionStatus
from penstock.api.text import one_line
from penstock.api.times import format_time
from penstock.api.walks import no_such_stage
from penstock.engine.commands import EmitEvent
from penstock.engine.definition.frozen import Definition
from penstock.engine.entry.cancellation import PIPELINE_DELETED, Cancellation
from penstock.engine.requests.stop import with_late_stop_over
from penstock.engine.run.condition_lookup import state_of
from penstock.engine.run.retry import resumed
from penstock.engine.snapshot import RunObject, Snapshot
from penstock.engine.status.run_conditions import with_refusal, without_refusal

NOT_RETRYABLE = "StageNotRetryable"
CONFLICT = "Conflict"
NOT_LATEST = "NotLatestPipelineExecution"
STAGE_NOT_FOUND = "StageNotFound"

LIMIT_EXCEEDED = RefusedRequest(
    code="ConcurrentPipelineExecutionsLimitExceeded",
    message="as many runs are under way as spec.maxConcurrentExecutions allows: ask again when one "
    "has ended",
)

IN_PROGRESS = ConditionStatus.IN_PROGRESS
_OPEN_AGAIN = (StageStatus.FAILED, StageStatus.STOPPED)


def cancelled_since(why: Cancellation) -> RefusedRequest:
    """Return the refusal of a run that would be cancelled at once (X-63)."""
    if why.reason == PIPELINE_DELETED:
        return RefusedRequest(
            code="PipelineNotFound", message="the Pipeline that the run was started from is gone"
        )
    what = (
        "the Pipeline was edited since the run started: start a new run, or set spec.onUpdate: "
        "Finish (X-63)"
    )
    return RefusedRequest(code=NOT_RETRYABLE, message=what)


class Retries:
    """The answers of one pass.

    ``statuses`` are those of all runs that are not at rest, as far as the pass has come.
    """

    def __init__(
        self, snapshot: Snapshot, statuses: Mapping[str, PipelineRunStatus], now: datetime
    ) -> None:
        self._snapshot, self._statuses, self._now = snapshot, statuses, now
        self.events: list[EmitEvent] = []

    def answer(
        self,
        run: RunObject,
        status: PipelineRunStatus,
        definition: Definition | None,
        blocked_by: RefusedRequest | None,
    ) -> PipelineRunStatus:
        """Return the status with every request answered.

        ``blocked_by`` refuses all that could be done.
        """
        for index, request in enumerate(run.spec.retries if run.spec else ()):
            # Answers stand in the order of their requests: how many there are tells what is
            # answered.
            if index >= len(status.retries):
                refused = self._refusal(run, status, definition, request) or blocked_by
                status = self._answered(run, status, request, refused, index)
        return status

    def _answered(
        self,
        run: RunObject,
        status: PipelineRunStatus,
        request: RetryRequest,
        refused: RefusedRequest | None,
        index: int,
    ) -> PipelineRunStatus:
        answer = AnsweredRetry(
            stage_name=request.stage_name,
            retry_mode=request.mode,
            requested_by=one_line(request.requested_by),
            reason=one_line(request.reason),
            time=format_time(self._now),
            refused=refused,
        )
        status = status.model_copy(update={"retries": (*status.retries, answer)})
        if refused:
            message = f"spec.retries[{index}]: {refused.message}"
            self.events.append(run.event(refused.code, message, is_warning=True))
            return with_refusal(status, run.generation, refused.code, message, self._now)
        had_ended = status.state is not RunState.IN_PROGRESS
        if had_ended:
            status = with_late_stop_over(run, status, self._now)
        stage = status.stage(request.stage_name)
        assert stage is not None
        status = resumed(status, stage, request.mode, RetryTrigger.MANUAL, self._now)
        who = f" by {answer.requested_by}" if answer.requested_by else ""
        why = f": {answer.reason}" if answer.reason else ""
        message = (
            f"Retrying stage {stage.stage_name}, {request.mode}, as asked{who} (retry "
            f"{index + 1}){why}"
        )
        self.events.append(run.event("RunResumed" if had_ended else "StageRetried", message))
        return without_refusal(status)

    def _refusal(
        self,
        run: RunObject,
        status: PipelineRunStatus,
        definition: Definition | None,
        request: RetryRequest,
    ) -> RefusedRequest | None:
        """Return why a request cannot be followed, None where it can."""
        name = request.stage_name
        if definition and (unknown := no_such_stage(name, definition)):
            return RefusedRequest(code=STAGE_NOT_FOUND, message=unknown)
        state = status.stage(name)
        if state is None:
            what = (
                f"the run has not entered stage {name}; only one that failed or was stopped is "
                f"retried"
            )
            return RefusedRequest(code=NOT_RETRYABLE, message=what)
        if refused := _not_now(run, status, state, request.mode):
            return refused
        if refused := self.newer_refusal(run, status, state):
            return refused
        if definition is None:
            gone = (
                f"the ControllerRevision {status.revision}, which the run executes, is gone: start "
                f"a new run"
            )
            return RefusedRequest(code="DefinitionLost", message=gone)
        return None

    def newer_refusal(
        self, run: RunObject, status: PipelineRunStatus, state: RunStageState
    ) -> RefusedRequest | None:
        """Return the refusal of a run that a newer one has followed into the stage (X-34).

        PARALLEL runs go alone.
        """
        if status.execution_mode is ExecutionMode.PARALLEL or not (
            newer := self._newer(run, state)
        ):
            return None
        what = (
            f"{newer} has entered stage {state.stage_name} since: retry that one, or start a new "
            f"run (X-34)"
        )
        return RefusedRequest(code=NOT_LATEST, message=what)

    def _newer(self, run: RunObject, state: RunStageState) -> str | None:
        """Return the run that entered the stage after this one.

        The Pipeline's status knows a pruned one.

        Who is in it now came later whatever the clocks say: two replicas of the operator may
        disagree on the time.
        """
        mine = (state.start_time, run.created, run.name)
        # One that is in the stage now entered it after this run had left.
        for other in self._snapshot.runs:
            if other.uid != run.uid and _holds(self._statuses[other.name], state.stage_name):
                return f"run {other.name}"
        for name, since in self._entries(run, state.stage_name):
            if since > mine:
                return f"run {name}"
        pipeline = self._snapshot.pipeline
        for shown in pipeline.status.stage_states if pipeline else ():
            latest = shown.latest_execution
            if (
                shown.stage_name == state.stage_name
                and latest
                and latest.pipeline_execution_id != run.uid
            ):
                return f"run {latest.run}" if (latest.entered or "") > state.start_time else None
        return None

    def _entries(
        self, run: RunObject, stage_name: str
    ) -> Iterator[tuple[str, tuple[str, datetime, str]]]:
        """Yield the other runs that have entered a stage, each with what says who entered first."""
        for other in self._snapshot.runs:
            for state in self._statuses[other.name].stage_states:
                if other.uid != run.uid and state.stage_name == stage_name:
                    yield other.name, (state.start_time, other.created, other.name)
        for ended in self._snapshot.ended:
            if ended.uid != run.uid and stage_name in ended.stages:
                yield ended.name, (ended.stages[stage_name].entered, ended.created, ended.name)


def _holds(status: PipelineRunStatus, stage_name: str) -> bool:
    is_parallel = status.execution_mode is ExecutionMode.PARALLEL
    return not is_parallel and any(
        s.stage_name == stage_name and s.status.is_open for s in status.stage_states
    )


def _not_now(
    run: RunObject, status: PipelineRunStatus, state: RunStageState, mode: RetryMode
) -> RefusedRequest | None:
    """Return what in the run itself refuses a retry of one of its stages (X-61, X-62)."""
    name = state.stage_name
    if not status.state or not (state.status.is_open or state.status in _OPEN_AGAIN):
        what = (
            f"stage {name} is {state.status}; only one that failed or was stopped is retried (X-62)"
        )
        return RefusedRequest(code=NOT_RETRYABLE, message=what)
    if not status.state.is_terminal and (
        run.stop_under(status) or status.state is RunState.STOPPING
    ):
        return RefusedRequest(
            code=CONFLICT, message="the run is being stopped: ask again when it is Stopped"
        )
    return _not_while_open(state, mode) if state.status.is_open else None


def _not_while_open(state: RunStageState, mode: RetryMode) -> RefusedRequest | None:
    """Return what refuses a retry of a stage that the run is in."""
    name = state.stage_name
    if any(
        (condition := state_of(state, kind)) and condition.status is IN_PROGRESS
        for kind in StageConditionType
    ):
        return RefusedRequest(
            code=CONFLICT, message=f"the conditions of stage {name} are being evaluated"
        )
    executions = {
        action.action_name: action.latest.status for action in state.action_states if action.latest
    }
    running = [
        action for action, became in executions.items() if became is ActionStatus.IN_PROGRESS
    ]
    # Of a stage that is still open, only failed actions are run again.
    if ActionStatus.FAILED not in executions.values():
        if state.retry_stage_metadata:
            return RefusedRequest(
                code=CONFLICT, message=f"a retry of stage {name} is under way already"
            )
        return RefusedRequest(
            code=NOT_RETRYABLE, message=f"stage {name} is in progress, and nothing in it has failed"
        )
    if mode is RetryMode.ALL_ACTIONS and running:
        what = (
            f"{', '.join(running)} of stage {name} still running: ALL_ACTIONS is possible once "
            f"nothing runs (X-61)"
        )
        return RefusedRequest(code=CONFLICT, message=what)
    return None
