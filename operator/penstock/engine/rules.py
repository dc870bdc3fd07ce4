"""The rules of stage conditions (C-20..C-25): some are decided here, some run as Jobs, as actions do.

A rule that runs as a Job is an action of its own, under a name that no action can have: `beforeEntry/NAME`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from penstock.actions.declaration import Declaration, declaration_of
from penstock.api.condition_states import ConditionStatus
from penstock.api.pipeline import Action, ActionTypeId, PipelineSpec
from penstock.api.stage_conditions import ConditionType, Rule
from penstock.api.text import shorten
from penstock.api.times import format_seconds
from penstock.engine.language.cron import CronError, window_of
from penstock.engine.language.patterns import PatternError, matches
from penstock.engine.language.variables import UnresolvedError, Values, resolve

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

_WINDOW_TIMEOUT_MINUTES = 7 * 24 * 60
"""How long a DeploymentWindow is waited for, unless the rule says otherwise."""
_PLACES = {
    ConditionType.BEFORE_ENTRY: "beforeEntry",
    ConditionType.ON_SUCCESS: "onSuccess",
    ConditionType.ON_FAILURE: "onFailure",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a rule; ``look_again`` where it waits for a time."""

    status: ConditionStatus
    summary: str
    code: str = ""
    look_again: datetime | None = None


def place_of(kind: ConditionType) -> str:
    """Return the field of a stage that declares such a condition."""
    return _PLACES[kind]


def action_of(kind: ConditionType, rule: Rule) -> Action:
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


def decide(rule: Rule, values: Values, begun: datetime, now: datetime) -> Outcome:
    """Return what becomes of a rule that needs no Job; ``begun`` is when its condition was come to."""
    try:
        configuration = {key: resolve(text, values) for key, text in rule.configuration.items()}
        if rule.rule_type_id.provider == VARIABLE_CHECK:
            return _variable_check(rule, configuration)
        if rule.rule_type_id.provider == DEPLOYMENT_WINDOW:
            return _deployment_window(rule, configuration, begun, now)
    except (UnresolvedError, CronError, PatternError) as error:
        return Outcome(ConditionStatus.ERRORED, str(error), "ConfigurationError")
    return Outcome(ConditionStatus.ERRORED, f"unknown rule: {rule.rule_type_id.provider}", "ConfigurationError")


def _variable_check(rule: Rule, configuration: dict[str, str]) -> Outcome:
    """C-23: a comparison of texts."""
    found, wanted = configuration.get("Variable", ""), configuration.get("Value", "")
    operator = configuration.get("Operator", "")
    holds = {
        "EQ": lambda: found == wanted,
        "NE": lambda: found != wanted,
        "CONTAINS": lambda: wanted in found,
        "MATCHES": lambda: matches(wanted, found),
    }
    if operator not in holds:
        what = f"Operator is {operator or 'missing'}; it is one of {', '.join(OPERATORS)}"
        return Outcome(ConditionStatus.ERRORED, what, "ConfigurationError")
    raw = rule.configuration.get("Variable", "")
    summary = shorten(f"{raw} {operator} {wanted}: it is {found}", 500)
    if holds[operator]():
        return Outcome(ConditionStatus.SUCCEEDED, summary)
    return Outcome(ConditionStatus.FAILED, summary, "RuleFailed")


def _deployment_window(rule: Rule, configuration: dict[str, str], begun: datetime, now: datetime) -> Outcome:
    """C-21: succeeds once the window is open, at the latest when the rule's time is over."""
    window = window_of(configuration.get("Cron", ""), configuration.get("TimeZone", ""))
    if window.is_open(now):
        return Outcome(ConditionStatus.SUCCEEDED, "the window is open")
    limit = begun + timedelta(minutes=rule.timeout_in_minutes or _WINDOW_TIMEOUT_MINUTES)
    if now >= limit:
        return Outcome(ConditionStatus.FAILED, f"the window did not open until {format_seconds(limit)}", "TimedOut")
    opens = window.opens(now, limit)
    when = f"opens at {format_seconds(opens)}" if opens else f"does not open until {format_seconds(limit)}, the limit"
    return Outcome(ConditionStatus.IN_PROGRESS, f"the window {when}", look_again=opens or limit)
