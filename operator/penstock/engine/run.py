"""Advances one run by one pass: reads what became of its tries, then starts what may start (X-22..X-25)."""

from dataclasses import replace
from datetime import timedelta

from penstock.api.condition_states import PASSED, ConditionStatus
from penstock.api.executions import ActionState, ActionStatus
from penstock.api.pipeline import Action, ExecutionMode, Stage
from penstock.api.run import PipelineRunStatus, RunStageState, RunState, StageStatus, StopRequest, StopTrigger
from penstock.api.stage_conditions import ConditionType
from penstock.engine.conditions import Conditions, declared_of, result_of, state_of, states_of_rules
from penstock.engine.definition import Definition, groups_of
from penstock.engine.observed import format_time, parse_time
from penstock.engine.retry import announced, automatic_retry
from penstock.engine.rollback import rolls_back
from penstock.engine.snapshot import CreateRun, RunObject
from penstock.engine.tries import Tries
from penstock.engine.world import Findings, World


class RunAdvance:
    """One pass over one run: its stages, and by `Tries` their actions."""

    def __init__(self, run: RunObject, definition: Definition, world: World) -> None:
        self.run, self.definition, self.world = run, definition, world
        self._tries = Tries(run, definition, world)
        self._conditions = Conditions(self._tries)
        self.kept_by: list[str] = []
        """What the run waits for before it leaves its stage: what of overridden rules may still run."""

    @property
    def status(self) -> PipelineRunStatus:
        """The run's status as far as this pass has come."""
        return self._tries.status

    @status.setter
    def status(self, status: PipelineRunStatus) -> None:
        self._tries.status = status

    @property
    def findings(self) -> Findings:
        """What this pass leads to, besides the status."""
        return self._tries.findings

    def observe(self) -> None:
        """Read what became of every try under way, and close stages whose actions have all ended."""
        for state in self.status.stage_states:
            if state.status.is_open:
                stage = self.definition.stage(state.stage_name)
                states = tuple(self._tries.observe(stage, item) for item in state.action_states)
                observed = self._conditions.observe(stage, state.model_copy(update={"action_states": states}))
                if observed != state:
                    self._replace(observed)
        self._close_stage()

    @property
    def stop(self) -> StopRequest | None:
        """The stop that is asked of the run, if any."""
        return self._tries.stop

    def give_up_overridden(self) -> None:
        """Give up the rules under way of conditions that were overridden, whatever becomes of the run (C-07)."""
        if state := self._current():
            self._replace(self._conditions.give_up_overridden(self._stage(state), state))

    def proceed(self) -> None:
        """Start what may start in the current stage: the next group, once the one before it has succeeded."""
        if not self._is_let_in():
            return
        self._close_stage()
        while (state := self._current()) and (actions := self._startable(state)):
            self._start(state, actions)
            self._close_stage()

    def _is_let_in(self) -> bool:
        """Whether the condition before the current stage lets its actions start (C-04..C-06); ends it if never."""
        state = self._current()
        passed = self._look(state, ConditionType.BEFORE_ENTRY) if state else ConditionStatus.SUCCEEDED
        if passed in PASSED:
            return True
        state = self._current()
        if state and passed is not ConditionStatus.IN_PROGRESS:
            # What could not be evaluated skips nothing.
            is_skip = passed is ConditionStatus.FAILED and result_of(self._stage(state), ConditionType.BEFORE_ENTRY)
            self._leave(state, StageStatus.SKIPPED if is_skip == "SKIP" else StageStatus.FAILED)
        return False

    def _look(self, state: RunStageState, kind: ConditionType) -> ConditionStatus:
        """Return what a condition has come to; one that is not declared, or of a rollback's stage, has succeeded."""
        stage = self._stage(state)
        if self.is_rollback or not declared_of(stage, kind):
            return ConditionStatus.SUCCEEDED
        state = self._conditions.look(stage, state, kind)
        self._replace(state)
        condition = state_of(state, kind)
        return (condition and condition.status) or ConditionStatus.IN_PROGRESS

    def _startable(self, state: RunStageState) -> tuple[Action, ...]:
        """Return the actions of the first group that is not done that have not started, or not again (X-23, X-61)."""
        not_before = parse_time(state.retry_not_before)
        if not_before and not_before > self.world.now:
            self.findings.look_again.append(not_before)
            return ()
        states = {item.action_name: item for item in state.action_states}
        group = next((g for g in groups_of(self._stage(state)) if not all(_is_done(states.get(a.name)) for a in g)), ())
        if self._has_failed(state):
            return ()
        waiting = (a for a in group if a.name not in states or states[a.name].awaits_retry)
        return tuple(a for a in waiting if not self._tries.may_still_run(states.get(a.name)))

    def enter(self, stage: Stage) -> None:
        """Enter a stage whose lock is free, and start its first group."""
        state = RunStageState(
            stage_name=stage.name, status=StageStatus.IN_PROGRESS, start_time=format_time(self.world.now)
        )
        self.status = self.status.model_copy(update={"stage_states": (*self.status.stage_states, state)})
        self.proceed()

    @property
    def is_parallel(self) -> bool:
        """Whether the run started in mode PARALLEL: it shares its stages with any other (X-38)."""
        return self.definition.execution_mode is ExecutionMode.PARALLEL

    @property
    def is_rollback(self) -> bool:
        """Whether the run rolls a stage back (X-67)."""
        return self.status.rollback_metadata is not None

    @property
    def is_between_stages(self) -> bool:
        """Whether the run is under way and in no stage: before its first, or between two."""
        return self.status.state is RunState.IN_PROGRESS and self._current() is None

    def next_stage(self) -> Stage | None:
        """Return the stage that the run enters next, None after the last; a rollback has but one (X-67)."""
        states = self.status.stage_states
        if self.status.rollback_metadata:
            return None if states else self.definition.stage(self.status.rollback_metadata.stage_name)
        return self.definition.stage_after(states[-1].stage_name if states else None)

    def has_running_actions(self) -> bool:
        """Whether any try is under way, be it of an action or of a rule."""
        current = self._current()
        states = (*current.action_states, *states_of_rules(current)) if current else ()
        return any(a.latest and a.latest.status is ActionStatus.IN_PROGRESS for a in states)

    def end(self, state: RunState) -> None:
        """End the run."""
        self.status = self.status.model_copy(update={"state": state, "completion_time": format_time(self.world.now)})

    def close_current(self, status: StageStatus) -> None:
        """End the current stage, if the run is in one."""
        if current := self._current():
            self._end_stage(current, status)

    # ---- stopping

    def begin_stop(self, trigger: StopTrigger) -> None:
        """Start no action any more."""
        self.status = self.status.model_copy(update={"state": RunState.STOPPING, "stop_trigger": trigger})
        if current := self._current():
            self._replace(current.model_copy(update={"status": StageStatus.STOPPING}))

    def abandon(self) -> None:
        """End the tries under way as Abandoned, and delete their Jobs."""
        if current := self._current():
            states = tuple(self._tries.abandon(item) for item in current.action_states)
            left = current.model_copy(update={"action_states": states})
            self._replace(self._conditions.abandon(self._stage(current), left))

    def abandon_waits(self) -> None:
        """End as Abandoned what waits for people, of a run that ends when nothing runs any more."""
        if current := self._current():
            waiting = (item.latest and item.latest.approval for item in current.action_states)
            states = zip(current.action_states, waiting, strict=True)
            kept = tuple(self._tries.abandon(item) if is_waiting else item for item, is_waiting in states)
            self._replace(current.model_copy(update={"action_states": kept}))

    def remains(self) -> list[str]:
        """Return what of the current stage's abandoned tries may still run, as people read it."""
        current = self._current()
        if current is None:
            return []
        return self._tries.remains([*current.action_states, *states_of_rules(current)])

    def stopped(self) -> None:
        """End the run as Stopped; a stage that is not done becomes Stopped with it, and may be retried (X-62)."""
        if current := self._current():
            done = StageStatus.SUCCEEDED if self._is_passed(current) else StageStatus.STOPPED
            self._end_stage(current, StageStatus.FAILED if self._has_failed(current) else done)
        self.end(RunState.STOPPED)

    # ---- reading

    def _current(self) -> RunStageState | None:
        states = self.status.stage_states
        return states[-1] if states and states[-1].status.is_open else None

    def _stage(self, state: RunStageState) -> Stage:
        return self.definition.stage(state.stage_name)

    def _is_done(self, state: RunStageState) -> bool:
        is_complete = len(state.action_states) == len(self._stage(state).actions)
        return is_complete and all(_is_done(action) for action in state.action_states)

    def _is_passed(self, state: RunStageState) -> bool:
        """Whether everything in a stage has succeeded, and its condition onSuccess too."""
        condition = state_of(state, ConditionType.ON_SUCCESS)
        has_condition = declared_of(self._stage(state), ConditionType.ON_SUCCESS) and not self.is_rollback
        is_met = not has_condition or (condition is not None and condition.status in PASSED)
        return self._is_done(state) and is_met

    @staticmethod
    def _has_running(state: RunStageState) -> bool:
        return any(a.latest and a.latest.status is ActionStatus.IN_PROGRESS for a in state.action_states)

    @staticmethod
    def _has_failed(state: RunStageState) -> bool:
        return any(
            a.latest and a.latest.status in (ActionStatus.FAILED, ActionStatus.UNKNOWN) for a in state.action_states
        )

    # ---- ending

    def _close_stage(self) -> None:
        current = self._current()
        if current is None or self._has_running(current):
            return
        if self.status.state is RunState.STOPPING or (self.stop and self._has_failed(current)):
            return
        if self._has_failed(current):
            self._fail_stage(current)
        elif self._is_done(current):
            self._succeed_stage(current)

    def _succeed_stage(self, state: RunStageState) -> None:
        """End the stage as its condition onSuccess says (C-04); a run that is stopped comes to none."""
        if self.stop and not self._is_passed(state):
            return
        passed = self._look(state, ConditionType.ON_SUCCESS)
        state = self._current() or state
        if passed in PASSED:
            self._leave(state, StageStatus.SUCCEEDED)
        elif passed is not ConditionStatus.IN_PROGRESS:
            is_rollback = result_of(self._stage(state), ConditionType.ON_SUCCESS) == "ROLLBACK"
            if not is_rollback or self._is_rolled_back(state):
                self._leave(state, StageStatus.FAILED)

    def _leave(self, state: RunStageState, status: StageStatus) -> None:
        """End the stage, and the run where it goes no further; not before all that it started has ended."""
        self.kept_by = self._tries.remains(states_of_rules(state))
        if self.kept_by:
            return
        self._end_stage(state, status)
        if status is StageStatus.FAILED:
            self.end(RunState.FAILED)
        elif self.next_stage() is None:
            self.end(RunState.SUCCEEDED)

    def _fail_stage(self, state: RunStageState) -> None:
        """End stage and run as Failed, unless the stage declares that it is retried (X-65)."""
        stage = self._stage(state)
        if again := automatic_retry(stage, state, self.world.now):
            self._replace(again)
            message = announced(stage, again)
            self.findings.commands.append(self.run.event("StageRetried", message))
            return
        engages = self._look(state, ConditionType.ON_FAILURE)
        state = self._current() or state
        if engages is ConditionStatus.IN_PROGRESS:
            return
        is_engaged = engages is ConditionStatus.SUCCEEDED and not self.is_rollback
        if not is_engaged or not rolls_back(stage) or self._is_rolled_back(state):
            self._leave(state, StageStatus.FAILED)

    def _is_rolled_back(self, state: RunStageState) -> bool:
        """Whether the rollback of a failed stage exists or never will: status first, then its run, then the end."""
        wait = timedelta(seconds=self.world.settings.pipeline_missing_s)
        known, limit = self.world.rollbacks.settle(replace(self.run, status=self.status), state, self.world.now, wait)
        self.status = self.status.model_copy(update={"automatic_rollback": known})
        if limit:
            refused = self.world.refusal_now(known.run or "")
            self.findings.look_again.append(min(limit, self.world.again_at(refused)) if refused else limit)
            if not refused and not any(isinstance(command, CreateRun) for command in self.findings.commands):
                self.findings.commands.append(self.world.rollbacks.create(self.run, known))
        return limit is None

    def _end_stage(self, state: RunStageState, status: StageStatus) -> None:
        state = self._conditions.abandon(self._stage(state), state)
        self._replace(state.model_copy(update={"status": status, "completion_time": format_time(self.world.now)}))

    # ---- starting

    def _start(self, state: RunStageState, actions: tuple[Action, ...]) -> None:
        states = {item.action_name: item for item in state.action_states}
        for action in actions:
            states[action.name] = self._tries.start(self._stage(state), action, states.get(action.name))
        self._replace(state.model_copy(update={"action_states": tuple(states.values())}))

    # ---- writing

    def _replace(self, state: RunStageState) -> None:
        states = tuple(state if old.stage_name == state.stage_name else old for old in self.status.stage_states)
        self.status = self.status.model_copy(update={"stage_states": states})


def _is_done(state: ActionState | None) -> bool:
    return bool(state and state.latest and state.latest.status is ActionStatus.SUCCEEDED)
