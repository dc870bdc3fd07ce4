"""Every room above finds a stage's condition here by its kind: as declared, and as it came out."""

from collections.abc import Iterable

from penstock.api.kinds.pipeline import Stage
from penstock.api.kinds.run import RunStageState
from penstock.api.kinds.stage_conditions import Result, StageCondition, StageConditionType
from penstock.api.status.condition_states import RuleState, StageConditionState
from penstock.api.status.executions import ActionExecution, ActionState
from penstock.engine.definition.rules import place_of

_FIELDS = {
    StageConditionType.BEFORE_ENTRY: "before_entry_condition_state",
    StageConditionType.ON_SUCCESS: "on_success_condition_state",
    StageConditionType.ON_FAILURE: "on_failure_condition_state",
}


def declared_of(stage: Stage, kind: StageConditionType) -> StageCondition | None:
    """Return the condition that a stage declares, if it does."""
    places = {
        StageConditionType.BEFORE_ENTRY: stage.before_entry,
        StageConditionType.ON_SUCCESS: stage.on_success,
        StageConditionType.ON_FAILURE: stage.on_failure,
    }
    place = places[kind]
    # Validation lets through exactly one condition (V-21).
    return place.conditions[0] if place and place.conditions else None


def result_of(stage: Stage, kind: StageConditionType) -> Result | None:
    """Return what a condition leads to; that of onFailure may stand beside it."""
    declared = declared_of(stage, kind)
    beside = (
        stage.on_failure.result
        if kind is StageConditionType.ON_FAILURE and stage.on_failure
        else None
    )
    return (declared.result if declared else None) or beside


def state_of(state: RunStageState, kind: StageConditionType) -> StageConditionState | None:
    """Return what became of a condition, None where the run has not come to it."""
    found: StageConditionState | None = getattr(state, _FIELDS[kind])
    return found


def with_state(
    state: RunStageState, kind: StageConditionType, condition: StageConditionState
) -> RunStageState:
    """Return the stage with a condition's state."""
    return state.model_copy(update={_FIELDS[kind]: condition})


def states_of_rules(state: RunStageState) -> list[ActionState]:
    """Return the rules that run as Jobs as if they were actions."""
    executions = rule_executions(state)
    return [
        ActionState(action_name=f"{place_of(kind)}/{r.rule_name}", executions=r.executions)
        for kind, r, _ in executions
    ]


def rule_executions(
    state: RunStageState,
) -> Iterable[tuple[StageConditionType, RuleState, ActionExecution]]:
    """Yield the latest try of each rule that runs as a Job, with its condition."""
    for kind in StageConditionType:
        condition = state_of(state, kind)
        for rule in condition.rule_states if condition else ():
            # A rule without a status awaits its next evaluation: its tries are those of the last
            # one.
            if rule.executions and rule.status is not None:
                yield kind, rule, rule.executions[-1]


def condition_summary(state: RunStageState, kind: StageConditionType) -> str:
    """Return a sentence about a condition."""
    condition = state_of(state, kind)
    return (
        f"{state.stage_name}: {place_of(kind)}: {condition.summary or condition.status}"
        if condition
        else ""
    )
