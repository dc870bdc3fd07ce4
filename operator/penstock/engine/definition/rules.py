"""The rules of stage conditions (C-20..C-25), and the action behind a rule that runs a Job.

A rule that runs as a Job is an action of its own, under a name that no action can have:
`beforeEntry/NAME`.
"""

from collections.abc import Iterator, Mapping
from functools import cache

from penstock.actions.declaration import Declaration, StageRule, declarations
from penstock.api.kinds.pipeline import Action, ActionTypeId, PipelineSpec
from penstock.api.kinds.stage_conditions import Rule, StageConditionType

VARIABLE_CHECK = "VariableCheck"
DEPLOYMENT_WINDOW = "DeploymentWindow"
OPERATORS = ("EQ", "NE", "CONTAINS", "MATCHES")
_PLACES = {
    StageConditionType.BEFORE_ENTRY: "beforeEntry",
    StageConditionType.ON_SUCCESS: "onSuccess",
    StageConditionType.ON_FAILURE: "onFailure",
}


def place_of(kind: StageConditionType) -> str:
    """Return the field of a stage that declares such a condition."""
    return _PLACES[kind]


def action_of(kind: StageConditionType, rule: Rule) -> Action:
    """Return the action that a rule is which runs as a Job."""
    declared = job_rules()[rule.rule_type_id.provider]
    named = {"category": declared.category, "owner": declared.owner, "provider": declared.provider}
    type_id = ActionTypeId.model_validate(named)
    action = Action(
        name=rule.name,
        action_type_id=type_id,
        configuration=rule.configuration,
        commands=rule.commands,
        input_artifacts=rule.input_artifacts,
        role_arn=rule.role_arn,
        region=rule.region,
        timeout_in_minutes=rule.timeout_in_minutes,
    )
    # The slash would not pass the validation of names, and a copy is not validated.
    return action.model_copy(update={"name": f"{place_of(kind)}/{rule.name}"})


@cache
def job_rules() -> Mapping[str, Declaration]:
    """Return the rules that run as Jobs, each with the declaration of the action that it is."""
    return {declared.rule.name: declared for declared in declarations() if declared.rule}


def declared_of(rule: Rule) -> Declaration | None:
    """Return the declaration of a rule's action, None for a rule that needs no Job."""
    return job_rules().get(rule.rule_type_id.provider)


def facts_of_rule(rule: Rule) -> StageRule | None:
    """Return what the provider of a rule declares about it, None for a rule that needs no Job."""
    declared = declared_of(rule)
    return declared.rule if declared else None


def rules_of(spec: PipelineSpec) -> Iterator[Rule]:
    """Yield every rule of a pipeline's stage conditions."""
    for stage in spec.stages:
        for place in (stage.before_entry, stage.on_success, stage.on_failure):
            for condition in place.conditions if place else ():
                yield from condition.rules
