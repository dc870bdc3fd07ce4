"""Evaluates the conditions of stages: begins, follows and sums them up (C-01..C-05).

It follows the Jobs of their rules.

The rules of a condition are looked at together. Its stage stays locked
meanwhile, as it does for an action (C-05).
"""

from penstock.api.kinds.pipeline import Stage
from penstock.api.kinds.run import RunStageState
from penstock.api.kinds.stage_conditions import Rule, StageConditionType
from penstock.api.status.condition_states import ConditionStatus, RuleState, StageConditionState
from penstock.api.status.executions import ActionExecution, ActionState, ActionStatus
from penstock.api.text import shorten
from penstock.api.times import format_time, parse_time
from penstock.engine.definition.rules import DEPLOYMENT_WINDOW, action_of, facts_of_rule
from penstock.engine.run.condition_lookup import (
    declared_of,
    result_of,
    state_of,
    states_of_rules,
    with_state,
)
from penstock.engine.run.rules import RuleOutcome, decide
from penstock.engine.tries.draft import RunDraft
from penstock.engine.tries.observe import TryObserver
from penstock.engine.tries.start import TryStarter

_OF_A_TRY = {
    ActionStatus.IN_PROGRESS: ConditionStatus.IN_PROGRESS,
    ActionStatus.SUCCEEDED: ConditionStatus.SUCCEEDED,
    ActionStatus.ABANDONED: ConditionStatus.ABANDONED,
}
# Turns a function's answer for a failed stage's condition: an error meets it (C-22).
_TURNED = {
    ConditionStatus.SUCCEEDED: ConditionStatus.FAILED,
    ConditionStatus.FAILED: ConditionStatus.SUCCEEDED,
}
# The errors of a rule's Job whose commands or build said no (C-03). With any other error, the rule
# could not be evaluated.
_SAID_NO = ("JobFailed", "TimedOut", "OOMKilled", "ResultMismatch")


class Conditions:
    """The conditions of one run's stages in one pass."""

    def __init__(self, draft: RunDraft, starter: TryStarter, observer: TryObserver) -> None:
        self._draft, self._starter, self._observer = draft, starter, observer

    def observe(self, stage: Stage, state: RunStageState) -> RunStageState:
        """Return the stage after a look at the Jobs of its rules."""
        for kind in StageConditionType:
            condition = state_of(state, kind)
            # Rules without a Job are decided in `look`.
            if condition and any(rule.executions for rule in condition.rule_states):
                rules = tuple(
                    self._observe_rule(stage, kind, rule, is_over=False)
                    for rule in condition.rule_states
                )
                state = with_state(state, kind, condition.model_copy(update={"rule_states": rules}))
        return state

    def give_up_overridden(self, stage: Stage, state: RunStageState) -> RunStageState:
        """Return the stage without rules under way of conditions that were overridden (C-07)."""
        for kind in StageConditionType:
            condition = state_of(state, kind)
            if condition and condition.status is ConditionStatus.OVERRIDDEN:
                rules = tuple(
                    self._observe_rule(stage, kind, rule, is_over=True)
                    for rule in condition.rule_states
                )
                state = with_state(state, kind, condition.model_copy(update={"rule_states": rules}))
        return state

    def abandon(self, stage: Stage, state: RunStageState) -> RunStageState:
        """Return the stage with every rule under way given up, and delete their Jobs."""
        for kind in StageConditionType:
            condition = state_of(state, kind)
            if condition and condition.status is ConditionStatus.IN_PROGRESS:
                rules = tuple(
                    self._observe_rule(stage, kind, r, is_over=True) for r in condition.rule_states
                )
                update = {
                    "rule_states": rules,
                    "status": ConditionStatus.ABANDONED,
                    "last_status_change": self._now,
                }
                state = with_state(state, kind, condition.model_copy(update=update))
        return state

    def look(self, stage: Stage, state: RunStageState, kind: StageConditionType) -> RunStageState:
        """Return the stage after its condition was begun or continued.

        It is summed up when its rules are.
        """
        declared, before = declared_of(stage, kind), state_of(state, kind)
        # What was decided stands until a retry resets it.
        if declared is None or (
            before and before.status not in (None, ConditionStatus.IN_PROGRESS)
        ):
            return state
        # A retry empties a condition's status and keeps its rules' tries, which number the next
        # one.
        begun = before if before and before.status else self._begun(before, stage, kind)
        known = {rule.rule_name: rule for rule in begun.rule_states}
        rules = [
            self._go_on(
                stage, kind, rule, known.get(rule.name) or RuleState(rule_name=rule.name), begun
            )
            for rule in declared.rules
        ]
        rules = self._without_vain_waits(declared.rules, rules)
        status = _summed_up(rules)
        update: dict[str, object] = {
            "rule_states": tuple(rules),
            "status": status,
            "summary": _told(rules),
        }
        if status is not begun.status:
            update["last_status_change"] = self._now
        return with_state(state, kind, begun.model_copy(update=update))

    # ---- rules

    @property
    def _now(self) -> str:
        return format_time(self._draft.facts.now)

    def _begun(
        self, before: StageConditionState | None, stage: Stage, kind: StageConditionType
    ) -> StageConditionState:
        return StageConditionState(
            status=ConditionStatus.IN_PROGRESS,
            result=result_of(stage, kind),
            start_time=self._now,
            last_status_change=self._now,
            rule_states=before.rule_states if before else (),
        )

    def _go_on(
        self,
        stage: Stage,
        kind: StageConditionType,
        rule: Rule,
        state: RuleState,
        condition: StageConditionState,
    ) -> RuleState:
        if state.status not in (None, ConditionStatus.IN_PROGRESS):
            return state
        facts = facts_of_rule(rule)
        if facts:
            # A Job under way was looked at by `observe` in this very pass.
            return self._start(stage, kind, rule, state) if state.status is None else state
        now = self._draft.facts.now
        outcome = decide(rule, self._draft.values(), parse_time(condition.start_time) or now, now)
        if outcome.look_again:
            self._draft.effects.look_again.append(outcome.look_again)
        return self._decided(state, outcome)

    def _start(
        self, stage: Stage, kind: StageConditionType, rule: Rule, state: RuleState
    ) -> RuleState:
        action = action_of(kind, rule)
        # The tries of before are left behind, as those of a retried action are.
        before = ActionState(
            action_name=action.name, awaits_retry=True, executions=state.executions
        )
        if self._starter.may_still_run(before):
            return state
        started = self._starter.start(
            stage.model_copy(update={"actions": (action,)}), action, before
        )
        return self._of_tries(kind, rule, state, started)

    def _observe_rule(
        self, stage: Stage, kind: StageConditionType, state: RuleState, *, is_over: bool
    ) -> RuleState:
        """Return a rule after a look at its Job, or given up where its condition is over."""
        if state.status is not ConditionStatus.IN_PROGRESS:
            return state
        declared = declared_of(stage, kind)
        rule = (
            next((r for r in declared.rules if r.name == state.rule_name), None)
            if declared
            else None
        )
        if rule is None or not state.executions:
            given_up = RuleOutcome(ConditionStatus.ABANDONED, "not waited for any more")
            return self._decided(state, given_up) if is_over else state
        action = action_of(kind, rule)
        before = ActionState(action_name=action.name, executions=state.executions)
        if is_over:
            # The override may be seen by the pass that began the rule: then no Job must be created.
            self._starter.take_back(before.executions[-1])
            if not self._was_known(before.executions[-1]):
                given_up = RuleOutcome(ConditionStatus.ABANDONED, "not begun")
                return self._decided(
                    state.model_copy(update={"executions": state.executions[:-1]}), given_up
                )
            return self._of_tries(kind, rule, state, self._observer.abandon(before))
        seen = self._observer.observe(stage.model_copy(update={"actions": (action,)}), before)
        return self._of_tries(kind, rule, state, seen)

    def _was_known(self, execution: ActionExecution) -> bool:
        """Return whether a try stood in the status before this pass; any other never counts."""
        stages = self._draft.run.status.stage_states
        return any(
            execution.job_name == r.job_name
            for s in stages
            for a in states_of_rules(s)
            for r in a.executions
        )

    def _of_tries(
        self, kind: StageConditionType, rule: Rule, state: RuleState, tries: ActionState
    ) -> RuleState:
        execution = tries.executions[-1]
        details = execution.error_details
        status = _OF_A_TRY.get(execution.status)
        if status is None:
            said_no = details is not None and details.code in _SAID_NO
            status = ConditionStatus.FAILED if said_no else ConditionStatus.ERRORED
        facts = facts_of_rule(rule)
        if kind is StageConditionType.ON_FAILURE and facts and facts.is_error_awaited:
            status = _TURNED.get(status, status)
        summary = details.message if details else execution.summary
        decided = self._decided(
            state, RuleOutcome(status, summary or "", details.code if details else "")
        )
        return decided.model_copy(update={"executions": tries.executions, "error_details": details})

    def _decided(self, state: RuleState, outcome: RuleOutcome) -> RuleState:
        changed = state.last_status_change if state.status is outcome.status else self._now
        return state.model_copy(
            update={
                "status": outcome.status,
                "summary": outcome.summary or None,
                "last_status_change": changed,
            }
        )

    def _without_vain_waits(
        self, declared: tuple[Rule, ...], states: list[RuleState]
    ) -> list[RuleState]:
        """Return the rules without waits for a window that can change nothing.

        A wait is vain if another rule has failed.
        """
        if not any(
            state.status in (ConditionStatus.FAILED, ConditionStatus.ERRORED) for state in states
        ):
            return states
        vain = RuleOutcome(ConditionStatus.ABANDONED, "not waited for: another rule has failed")
        windows = {
            rule.name for rule in declared if rule.rule_type_id.provider == DEPLOYMENT_WINDOW
        }
        return [
            self._decided(s, vain)
            if s.rule_name in windows and s.status is ConditionStatus.IN_PROGRESS
            else s
            for s in states
        ]


def _summed_up(rules: list[RuleState]) -> ConditionStatus:
    """C-03: succeeded if all have; errored if one could not be evaluated."""
    found = {rule.status for rule in rules}
    # A rule has no status while the pod of its last evaluation may still run.
    if found & {None, ConditionStatus.IN_PROGRESS}:
        return ConditionStatus.IN_PROGRESS
    order = (ConditionStatus.ERRORED, ConditionStatus.FAILED, ConditionStatus.ABANDONED)
    return next((status for status in order if status in found), ConditionStatus.SUCCEEDED)


def _told(rules: list[RuleState]) -> str | None:
    """Return what the rules that matter now say: those that have failed, else those under way."""
    for wanted in (
        (ConditionStatus.ERRORED, ConditionStatus.FAILED),
        (ConditionStatus.IN_PROGRESS,),
    ):
        if told := [
            f"{rule.rule_name}: {rule.summary or rule.status}"
            for rule in rules
            if rule.status in wanted
        ]:
            return shorten("; ".join(told), 1000)
    return None
