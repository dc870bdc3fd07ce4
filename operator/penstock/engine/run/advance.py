"""Advances one run by one pass: reads its tries, then starts others (X-22..X-25).

It starts everything that may start.
"""

from dataclasses import replace
from datetime import timedelta

from penstock.api.kinds.pipeline import Action, Stage
from penstock.api.kinds.run import RunStageState, RunState, StageStatus
from penstock.api.kinds.stage_conditions import StageConditionType
from penstock.api.kinds.stop import StopTrigger
from penstock.api.status.condition_states import PASSED, ConditionStatus
from penstock.api.times import format_time, parse_time
from penstock.engine.commands import CreateRun
from penstock.engine.definition.frozen import groups_of
from penstock.engine.run.condition_lookup import (
    declared_of,
    result_of,
    state_of,
    states_of_rules,
)
from penstock.engine.run.retry import announced, automatic_retry
from penstock.engine.run.rollback import Rollbacks, rolls_back
from penstock.engine.run.stage_conditions import Conditions
from penstock.engine.run.stages import RunStages, is_done
from penstock.engine.tries.draft import RunDraft
from penstock.engine.tries.observe import TryObserver
from penstock.engine.tries.start import TryStarter


class RunAdvance(RunStages):
    """One pass over one run: its stages, and by `tries/` their actions."""

    def __init__(self, draft: RunDraft, rollbacks: Rollbacks) -> None:
        super().__init__(draft)
        self._rollbacks = rollbacks
        self._facts, self._effects = draft.facts, draft.effects
        self._starter = TryStarter(draft)
        self._observer = TryObserver(draft, self._starter)
        self._conditions = Conditions(draft, self._starter, self._observer)
        self.kept_by: list[str] = []
        """The parts of overridden rules that still may run; the run waits in its stage for them."""

    def observe(self) -> None:
        """Read the outcome of every try under way; close stages whose actions have all ended."""
        for state in self.status.stage_states:
            if state.status.is_open:
                stage = self.draft.definition.stage(state.stage_name)
                states = tuple(self._observer.observe(stage, item) for item in state.action_states)
                observed = self._conditions.observe(
                    stage, state.model_copy(update={"action_states": states})
                )
                if observed != state:
                    self._replace(observed)
        self._close_stage()

    def give_up_overridden(self) -> None:
        """Give up rules under way of overridden conditions, however the run goes on (C-07)."""
        if state := self._current():
            self._replace(self._conditions.give_up_overridden(self._stage(state), state))

    def proceed(self) -> None:
        """Start what may start in the current stage.

        That is the next group, once the one before it has succeeded.
        """
        # A retry may have opened the stage again since it was observed.
        self.kept_by = []
        # An override may have let in a stage whose actions are all done: that one closes first.
        if not self._is_let_in():
            return
        self._close_stage()
        while (state := self._current()) and (actions := self._startable(state)):
            self._start(state, actions)
            self._close_stage()

    def _is_let_in(self) -> bool:
        """Return whether the condition before the stage lets its actions start (C-04..C-06).

        End the run if it never will.
        """
        state = self._current()
        passed = (
            self._look(state, StageConditionType.BEFORE_ENTRY)
            if state
            else ConditionStatus.SUCCEEDED
        )
        if passed in PASSED:
            return True
        state = self._current()
        if state and passed is not ConditionStatus.IN_PROGRESS:
            # What could not be evaluated skips nothing.
            is_skip = passed is ConditionStatus.FAILED and result_of(
                self._stage(state), StageConditionType.BEFORE_ENTRY
            )
            self._leave(state, StageStatus.SKIPPED if is_skip == "SKIP" else StageStatus.FAILED)
        return False

    def _look(self, state: RunStageState, kind: StageConditionType) -> ConditionStatus:
        """Return the status of a condition.

        One that is not declared, or is of a rollback's stage, has succeeded.
        """
        stage = self._stage(state)
        if self.is_rollback or not declared_of(stage, kind):
            return ConditionStatus.SUCCEEDED
        state = self._conditions.look(stage, state, kind)
        self._replace(state)
        condition = state_of(state, kind)
        return (condition and condition.status) or ConditionStatus.IN_PROGRESS

    def _startable(self, state: RunStageState) -> tuple[Action, ...]:
        """Return the unstarted actions of the first group that is not done (X-23).

        Actions that a retry has not started again are included (X-61).
        """
        # A declared retry waits for its time, and the pass comes back for it.
        not_before = parse_time(state.retry_not_before)
        if not_before and not_before > self._facts.now:
            self._effects.look_again.append(not_before)
            return ()
        states = {item.action_name: item for item in state.action_states}
        group = next(
            (
                g
                for g in groups_of(self._stage(state))
                if not all(is_done(states.get(a.name)) for a in g)
            ),
            (),
        )
        # A failed action of the group lets its neighbours end, and starts nothing more.
        if state.has_failed_actions:
            return ()
        waiting = (a for a in group if a.name not in states or states[a.name].awaits_retry)
        return tuple(a for a in waiting if not self._starter.may_still_run(states.get(a.name)))

    def enter(self, stage: Stage) -> None:
        """Enter a stage whose lock is free, and start its first group."""
        state = RunStageState(
            stage_name=stage.name,
            status=StageStatus.IN_PROGRESS,
            start_time=format_time(self._facts.now),
        )
        self.draft.status = self.status.model_copy(
            update={"stage_states": (*self.status.stage_states, state)}
        )
        self.proceed()

    def close_current(self, status: StageStatus) -> None:
        """End the current stage, if the run is in one."""
        if current := self._current():
            self._end_stage(current, status)

    # ---- stopping

    def begin_stop(self, trigger: StopTrigger) -> None:
        """Start no action any more."""
        self.draft.status = self.status.model_copy(
            update={"state": RunState.STOPPING, "stop_trigger": trigger}
        )
        if current := self._current():
            self._replace(current.model_copy(update={"status": StageStatus.STOPPING}))

    def abandon(self) -> None:
        """End the tries under way as Abandoned, and delete their Jobs."""
        if current := self._current():
            states = tuple(self._observer.abandon(item) for item in current.action_states)
            left = current.model_copy(update={"action_states": states})
            self._replace(self._conditions.abandon(self._stage(current), left))

    def abandon_waits(self) -> None:
        """End as Abandoned what waits for people, of a run that ends when nothing runs any more."""
        if current := self._current():
            waiting = (item.latest and item.latest.approval for item in current.action_states)
            states = zip(current.action_states, waiting, strict=True)
            kept = tuple(
                self._observer.abandon(item) if is_waiting else item for item, is_waiting in states
            )
            self._replace(current.model_copy(update={"action_states": kept}))

    def remains(self) -> list[str]:
        """Return what of the current stage's abandoned tries may still run, as people read it."""
        current = self._current()
        if current is None:
            return []
        return self._observer.remains([*current.action_states, *states_of_rules(current)])

    def stopped(self) -> None:
        """End the run as Stopped, and with it a stage that is not done.

        The stage may be retried (X-62).
        """
        if current := self._current():
            done = StageStatus.SUCCEEDED if self._is_passed(current) else StageStatus.STOPPED
            self._end_stage(current, StageStatus.FAILED if current.has_failed_actions else done)
        self.end(RunState.STOPPED)

    # ---- ending

    def _close_stage(self) -> None:
        current = self._current()
        if current is None or current.has_running_actions:
            return
        # A stop ends the stage by itself, and says so: it must not look like a failure.
        if self.status.state is RunState.STOPPING or (self.stop and current.has_failed_actions):
            return
        if current.has_failed_actions:
            self._fail_stage(current)
        elif self._is_done(current):
            self._succeed_stage(current)

    def _succeed_stage(self, state: RunStageState) -> None:
        """End the stage as its condition onSuccess says (C-04).

        A run that is stopped skips the condition.
        """
        if self.stop and not self._is_passed(state):
            return
        passed = self._look(state, StageConditionType.ON_SUCCESS)
        state = self._current() or state
        if passed in PASSED:
            self._leave(state, StageStatus.SUCCEEDED)
        elif passed is not ConditionStatus.IN_PROGRESS:
            is_rollback = result_of(self._stage(state), StageConditionType.ON_SUCCESS) == "ROLLBACK"
            if not is_rollback or self._is_rolled_back(state):
                self._leave(state, StageStatus.FAILED)

    def _leave(self, state: RunStageState, status: StageStatus) -> None:
        """End the stage, and the run if it goes no further.

        This waits until all that it started has ended.
        """
        # Locks follow containers: the next run must not meet those of an overridden rule.
        self.kept_by = self._observer.remains(states_of_rules(state))
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
        # A retry comes before the condition onFailure: that one is for failures that stay.
        if again := automatic_retry(stage, state, self._facts.now):
            self._replace(again)
            message = announced(stage, again)
            self._effects.commands.append(self.run.event("StageRetried", message))
            return
        engages = self._look(state, StageConditionType.ON_FAILURE)
        state = self._current() or state
        if engages is ConditionStatus.IN_PROGRESS:
            return
        is_engaged = engages is ConditionStatus.SUCCEEDED and not self.is_rollback
        if not is_engaged or not rolls_back(stage) or self._is_rolled_back(state):
            self._leave(state, StageStatus.FAILED)

    def _is_rolled_back(self, state: RunStageState) -> bool:
        """Return whether the rollback of a failed stage exists or never will.

        The status comes first, then its run, then the end.
        """
        wait = timedelta(seconds=self._facts.settings.pipeline_missing_s)
        known, limit = self._rollbacks.settle(
            replace(self.run, status=self.status), state, self._facts.now, wait
        )
        # First the status that names the rollback, then its run: a crash between repeats the
        # creation.
        self.draft.status = self.status.model_copy(update={"automatic_rollback": known})
        if limit:
            refused = self._facts.refusal_now(known.run or "")
            self._effects.look_again.append(
                min(limit, self._facts.again_at(refused)) if refused else limit
            )
            if not refused and not any(
                isinstance(command, CreateRun) for command in self._effects.commands
            ):
                self._effects.commands.append(self._rollbacks.create(self.run, known))
        return limit is None

    def _end_stage(self, state: RunStageState, status: StageStatus) -> None:
        state = self._conditions.abandon(self._stage(state), state)
        self._replace(
            state.model_copy(
                update={"status": status, "completion_time": format_time(self._facts.now)}
            )
        )

    # ---- starting

    def _start(self, state: RunStageState, actions: tuple[Action, ...]) -> None:
        states = {item.action_name: item for item in state.action_states}
        for action in actions:
            states[action.name] = self._starter.start(
                self._stage(state), action, states.get(action.name)
            )
        self._replace(state.model_copy(update={"action_states": tuple(states.values())}))
