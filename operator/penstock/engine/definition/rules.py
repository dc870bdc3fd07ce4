"""The rules of stage conditions (C-20..C-25): what each is, and the action that one is which runs as a Job.

A rule that runs as a Job is an action of its own, under a name that no action can have: `beforeEntry/NAME`.
"""

from collections.abc import Iterator

from penstock.actions.declaration import Declaration, declaration_of
from penstock.api.kinds.pipeline import Action, ActionTypeId, PipelineSpec
from penstock.api.kinds.stage_conditions import Rule, StageConditionType

VARIABLE_CHECK = "VariableCheck"


DEPLOYMENT_WINDOW = "DeploymentWindow"


OPERATORS = ("EQ", "NE", "CONTAINS", "MATCHES")


AS_JOBS = {
    "CloudWatchAlarm": ("Invoke", "CloudWatchAlarm"),
    "CodeBuild": ("Build", "CodeBuild"),
    "Commands": ("Compute", "Commands"),
    "LambdaInvoke": ("Invoke", "Lambda"),
}
"""The rules that run as Jobs, with category and provider of the action that each one is."""


LAMBDA_INVOKE = "LambdaInvoke"


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
    action = Action(
        name=rule.name,
        action_type_id=_type_of(rule),
        configuration=rule.configuration,
        commands=rule.commands,
        input_artifacts=rule.input_artifacts,
        role_arn=rule.role_arn,
        region=rule.region,
        timeout_in_minutes=rule.timeout_in_minutes,
    )
    return action.model_copy(update={"name": f"{place_of(kind)}/{rule.name}"})


def _type_of(rule: Rule) -> ActionTypeId:
    category, provider = AS_JOBS[rule.rule_type_id.provider]
    return ActionTypeId.model_validate({"category": category, "owner": "AWS", "provider": provider})


def declared_of(rule: Rule) -> Declaration | None:
    """Return the declaration of a rule's action, None for a rule that needs no Job."""
    return declaration_of(_type_of(rule)) if rule.rule_type_id.provider in AS_JOBS else None


def rules_of(spec: PipelineSpec) -> Iterator[Rule]:
    """Yield every rule of a pipeline's stage conditions."""
    for stage in spec.stages:
        for place in (stage.before_entry, stage.on_success, stage.on_failure):
            for condition in place.conditions if place else ():
                yield from condition.rules
