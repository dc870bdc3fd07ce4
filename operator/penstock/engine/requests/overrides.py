"""Answers ``spec.overrides`` of runs, each entry once (C-07).

A stage goes on as if its condition had succeeded.
"""

from datetime import datetime

from penstock.api.kinds.retry import RefusedRequest
from penstock.api.kinds.run import PipelineRunStatus, RunStageState, RunState, StageStatus
from penstock.api.kinds.stage_conditions import StageConditionType
from penstock.api.status.condition_states import (
    NOT_PASSED,
    AnsweredOverride,
    ConditionStatus,
    OverrideRequest,
    StageConditionState,
)
from penstock.api.text import one_line
from penstock.api.times import format_time
from penstock.api.walks import no_such_stage
from penstock.engine.commands import EmitEvent
from penstock.engine.definition.frozen import Definition
from penstock.engine.definition.rules import place_of
from penstock.engine.requests.retries import CONFLICT, STAGE_NOT_FOUND, Retries
from penstock.engine.requests.stop import with_late_stop_over
from penstock.engine.run.condition_lookup import state_of, with_state
from penstock.engine.run.retry import back_in_progress
from penstock.engine.snapshot import RunObject
from penstock.engine.status.run_conditions import with_refusal, without_refusal

NOT_OVERRIDABLE = "ConditionNotOverridable"


class Overrides:
    """The answers of one pass; ``retries`` knows which runs have entered a stage since."""

    def __init__(self, retries: Retries, now: datetime) -> None:
        self._retries, self._now = retries, now
        self.events: list[EmitEvent] = []

    def answer(
        self,
        run: RunObject,
        status: PipelineRunStatus,
        definition: Definition | None,
        blocked_by: RefusedRequest | None,
    ) -> PipelineRunStatus:
        """Return the status with every request answered.

        ``blocked_by`` keeps an ended run from going on.
        """
        for index, request in enumerate(run.spec.overrides if run.spec else ()):
            # Answers stand in the order of their requests: how many there are tells what is
            # answered.
            if index >= len(status.overrides):
                refused = self._refusal(run, status, definition, request)
                if refused is None and status.state and status.state.is_terminal:
                    refused = blocked_by
                answer = self._answer(request, refused)
                status = status.model_copy(update={"overrides": (*status.overrides, answer)})
                status = self._follow(run, status, answer, f"spec.overrides[{index}]")
        return status

    def _answer(self, request: OverrideRequest, refused: RefusedRequest | None) -> AnsweredOverride:
        return AnsweredOverride(
            stage_name=request.stage_name,
            condition_type=request.condition_type,
            requested_by=one_line(request.requested_by),
            reason=one_line(request.reason),
            time=format_time(self._now),
            refused=refused,
        )

    def _follow(
        self, run: RunObject, status: PipelineRunStatus, answer: AnsweredOverride, path: str
    ) -> PipelineRunStatus:
        if answer.refused:
            message = f"{path}: {answer.refused.message}"
            self.events.append(run.event(answer.refused.code, message, is_warning=True))
            return with_refusal(status, run.generation, answer.refused.code, message, self._now)
        state = status.stage(answer.stage_name)
        assert state is not None
        condition = state_of(state, answer.condition_type)
        assert condition is not None
        who = f" by {answer.requested_by}" if answer.requested_by else ""
        why = f": {answer.reason}" if answer.reason else ""
        changes = {
            "status": ConditionStatus.OVERRIDDEN,
            "summary": f"overridden{who}{why}",
            "last_status_change": answer.time,
        }
        status = without_refusal(status)
        where = f"{place_of(answer.condition_type)} of stage {state.stage_name}"
        self.events.append(
            run.event("ConditionOverridden", f"Condition {where} is overridden{who} ({path}){why}")
        )
        opened = with_state(state, answer.condition_type, condition.model_copy(update=changes))
        # The condition had failed the stage, which goes on now.
        if not state.status.is_open:
            opened = opened.model_copy(
                update={"status": StageStatus.IN_PROGRESS, "completion_time": None}
            )
        if status.state is not RunState.IN_PROGRESS:
            status = with_late_stop_over(run, status, self._now)
        return back_in_progress(status, opened, self._now)

    def _refusal(
        self,
        run: RunObject,
        status: PipelineRunStatus,
        definition: Definition | None,
        request: OverrideRequest,
    ) -> RefusedRequest | None:
        """Return why a request cannot be followed, None where it can."""
        name = request.stage_name
        if definition and (what := no_such_stage(name, definition)):
            return RefusedRequest(code=STAGE_NOT_FOUND, message=what)
        state = status.stage(name)
        condition = state_of(state, request.condition_type) if state else None
        place = f"{place_of(request.condition_type)} of stage {name}"
        if state is None or condition is None or condition.status is None:
            return RefusedRequest(
                code=NOT_OVERRIDABLE, message=f"the run has not come to the condition {place}"
            )
        if condition.result == "SKIP":
            return RefusedRequest(
                code=NOT_OVERRIDABLE, message=f"{place}: SKIP cannot be overridden (C-06)"
            )
        if status.state is RunState.STOPPING or (state.status.is_open and run.stop_under(status)):
            return RefusedRequest(code=CONFLICT, message="the run is being stopped")
        if condition.status is ConditionStatus.IN_PROGRESS and state.status.is_open:
            return None
        return self._ended_refusal(run, status, state, (request.condition_type, condition))

    def _ended_refusal(
        self,
        run: RunObject,
        status: PipelineRunStatus,
        state: RunStageState,
        asked: tuple[StageConditionType, StageConditionState],
    ) -> RefusedRequest | None:
        """Return the refusal of an override of a failed stage, or None (O-25).

        The condition that failed a stage can be overridden as long as the stage could be retried.
        """
        kind, condition = asked
        place = f"{place_of(kind)} of stage {state.stage_name}"
        has_failed_stage = condition.status in NOT_PASSED and state.status is StageStatus.FAILED
        if not has_failed_stage or kind is StageConditionType.ON_FAILURE:
            what = (
                f"{place} is {condition.status}; only one under way, or that has failed its stage, "
                f"is overridden"
            )
            return RefusedRequest(code=NOT_OVERRIDABLE, message=what)
        if (
            status.automatic_rollback
            and status.automatic_rollback.run
            and not status.automatic_rollback.message
        ):
            what = (
                f"{place} has failed, and run {status.automatic_rollback.run} rolls the stage back"
            )
            return RefusedRequest(code=NOT_OVERRIDABLE, message=what)
        return self._retries.newer_refusal(run, status, state)
