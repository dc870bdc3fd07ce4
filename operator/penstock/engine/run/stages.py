"""RunStages answers from a draft where a run stands in its stages, and writes that into it."""

from penstock.api.kinds.pipeline import ExecutionMode, Stage
from penstock.api.kinds.run import PipelineRunStatus, RunStageState, RunState
from penstock.api.kinds.stage_conditions import StageConditionType
from penstock.api.kinds.stop import StopRequest
from penstock.api.status.condition_states import PASSED
from penstock.api.status.executions import ActionState, ActionStatus
from penstock.api.times import format_time
from penstock.engine.run.condition_lookup import declared_of, state_of, states_of_rules
from penstock.engine.snapshot import RunObject
from penstock.engine.tries.draft import RunDraft


class RunStages:
    """A run's stages as far as a pass has come: where the run is, and what comes next."""

    def __init__(self, draft: RunDraft) -> None:
        self.draft = draft

    @property
    def run(self) -> RunObject:
        """The run as the pass found it."""
        return self.draft.run

    @property
    def status(self) -> PipelineRunStatus:
        """The run's status as far as this pass has come."""
        return self.draft.status

    @property
    def stop(self) -> StopRequest | None:
        """The stop that is asked of the run, if any."""
        return self.draft.stop

    @property
    def is_parallel(self) -> bool:
        """Whether the run started in mode PARALLEL: it shares its stages with any other (X-38)."""
        return self.draft.definition.execution_mode is ExecutionMode.PARALLEL

    @property
    def is_rollback(self) -> bool:
        """Whether the run rolls a stage back (X-67)."""
        return self.status.rollback_metadata is not None

    @property
    def is_between_stages(self) -> bool:
        """Whether the run is under way and in no stage: before its first, or between two."""
        return self.status.state is RunState.IN_PROGRESS and self._current() is None

    def next_stage(self) -> Stage | None:
        """Return the stage that the run enters next.

        None after the last. A rollback has but one stage (X-67).
        """
        states = self.status.stage_states
        if self.status.rollback_metadata:
            return (
                None
                if states
                else self.draft.definition.stage(self.status.rollback_metadata.stage_name)
            )
        return self.draft.definition.stage_after(states[-1].stage_name if states else None)

    def has_running_actions(self) -> bool:
        """Whether any try is under way, be it of an action or of a rule."""
        current = self._current()
        states = (*current.action_states, *states_of_rules(current)) if current else ()
        return any(a.latest and a.latest.status is ActionStatus.IN_PROGRESS for a in states)

    def end(self, state: RunState) -> None:
        """End the run."""
        self.draft.status = self.status.model_copy(
            update={"state": state, "completion_time": format_time(self.draft.facts.now)}
        )

    def _current(self) -> RunStageState | None:
        states = self.status.stage_states
        # A run is in one stage at a time, and that is the one it entered last.
        return states[-1] if states and states[-1].status.is_open else None

    def _stage(self, state: RunStageState) -> Stage:
        return self.draft.definition.stage(state.stage_name)

    def _is_done(self, state: RunStageState) -> bool:
        # An action that has not started has no state, and would be overlooked by the second check.
        is_complete = len(state.action_states) == len(self._stage(state).actions)
        return is_complete and all(is_done(action) for action in state.action_states)

    def _is_passed(self, state: RunStageState) -> bool:
        """Whether everything in a stage has succeeded, and its condition onSuccess too."""
        condition = state_of(state, StageConditionType.ON_SUCCESS)
        has_condition = (
            declared_of(self._stage(state), StageConditionType.ON_SUCCESS) and not self.is_rollback
        )
        is_met = not has_condition or (condition is not None and condition.status in PASSED)
        return self._is_done(state) and is_met

    def _replace(self, state: RunStageState) -> None:
        self.draft.status = self.status.with_stage(state)


def is_done(state: ActionState | None) -> bool:
    """Return whether an action of a stage has succeeded."""
    return bool(state and state.latest and state.latest.status is ActionStatus.SUCCEEDED)
