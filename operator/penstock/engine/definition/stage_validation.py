"""Checks a stage's conditions, with their rules and results (C-02, V-21, X-65).

A stage declares them beside its actions.
"""

from collections.abc import Iterator, Mapping

from penstock.actions.declaration import Declaration
from penstock.api.kinds.pipeline import ExecutionMode, PipelineSpec, Stage
from penstock.api.kinds.stage_conditions import Result, Rule, StageCondition, StageConditionType
from penstock.engine.definition.configurations import configuration_problems
from penstock.engine.definition.findings import UNSUPPORTED, Problem
from penstock.engine.definition.rules import (
    DEPLOYMENT_WINDOW,
    OPERATORS,
    VARIABLE_CHECK,
    declared_of,
    job_rules,
    place_of,
)
from penstock.engine.language.cron import CronError, window_of
from penstock.engine.language.patterns import PatternError, matches
from penstock.engine.language.shell.lexer import LexerError, lex
from penstock.engine.language.variables import references

BEFORE_ENTRY, ON_SUCCESS = StageConditionType.BEFORE_ENTRY, StageConditionType.ON_SUCCESS
_ALLOWED = {
    BEFORE_ENTRY: ("FAIL", "SKIP"),
    ON_SUCCESS: ("FAIL", "ROLLBACK"),
    StageConditionType.ON_FAILURE: ("ROLLBACK",),
}
# The keys of a rule's configuration, and whether they are required.
_KEYS = {
    VARIABLE_CHECK: {"Variable": True, "Value": True, "Operator": True},
    DEPLOYMENT_WINDOW: {"Cron": True, "TimeZone": False},
}


def stage_problems(spec: PipelineSpec) -> Iterator[Problem]:
    """Yield what is wrong with the stages' conditions and results."""
    for number, stage in enumerate(spec.stages):
        path = f"spec.stages[{number}]"
        for kind, place in ((BEFORE_ENTRY, stage.before_entry), (ON_SUCCESS, stage.on_success)):
            where = f"{path}.{place_of(kind)}"
            if place and not place.conditions:
                yield Problem(f"{where}.conditions", "exactly one condition is needed (V-21)")
            for condition in place.conditions if place else ():
                yield from _condition(f"{where}.conditions[0]", condition, kind, condition.result)
                if condition.result == "ROLLBACK":
                    yield from _rollback(f"{where}.conditions[0]", stage, spec.mode)
        yield from _on_failure(f"{path}.onFailure", stage, spec.mode)


def _rollback(path: str, stage: Stage, mode: ExecutionMode) -> Iterator[Problem]:
    if mode is ExecutionMode.PARALLEL:
        yield Problem(f"{path}.result", "a pipeline of mode PARALLEL has no ROLLBACK (X-39)")
    if any(action.action_type_id.category == "Source" for action in stage.actions):
        yield Problem(f"{path}.result", "a stage with Source actions cannot be rolled back (X-68)")


def _on_failure(path: str, stage: Stage, mode: ExecutionMode) -> Iterator[Problem]:
    failure = stage.on_failure
    if failure is None:
        return
    if failure.conditions and failure.result == "RETRY":
        yield Problem(f"{path}.result", "RETRY and conditions exclude each other (X-65)")
        return
    for condition in failure.conditions:
        result = condition.result or failure.result
        yield from _condition(
            f"{path}.conditions[0]", condition, StageConditionType.ON_FAILURE, result
        )
    if failure.result is None and not failure.conditions:
        yield Problem(f"{path}.result", "say what happens when the stage fails: RETRY or ROLLBACK")
    elif "ROLLBACK" in (failure.result, *(condition.result for condition in failure.conditions)):
        yield from _rollback(path, stage, mode)
    elif failure.result and failure.result != "RETRY" and not failure.conditions:
        yield Problem(
            f"{path}.result", f"{failure.result} is not allowed here; RETRY and ROLLBACK are (C-02)"
        )
    if failure.retry_configuration and failure.result != "RETRY":
        yield Problem(f"{path}.retryConfiguration", "it belongs to the result RETRY; remove it")


def _condition(
    path: str, condition: StageCondition, kind: StageConditionType, result: Result | None
) -> Iterator[Problem]:
    allowed = _ALLOWED[kind]
    if result not in allowed:
        yield Problem(
            f"{path}.result",
            f"{result or 'no result'} is not allowed here; {' or '.join(allowed)} is (C-02)",
        )
    for index, rule in enumerate(condition.rules):
        where = f"{path}.rules[{index}]"
        provider = rule.rule_type_id.provider
        if result == "SKIP" and provider not in (skipping := _skipping()):
            what = f"SKIP is possible with {' and '.join(skipping)} alone (C-06)"
            yield Problem(f"{where}.ruleTypeId.provider", what)
        if rule.region and not _calls_aws(rule):
            yield Problem(
                f"{where}.region",
                "this version of Penstock does not act on it; remove it",
                UNSUPPORTED,
            )
        if declared := declared_of(rule):
            yield from _job_rule(where, rule, declared)
        else:
            yield from _decided_rule(where, rule)


def _skipping() -> list[str]:
    """Return the rules by which a stage may be skipped."""
    rules = (declared.rule for declared in job_rules().values())
    return sorted([VARIABLE_CHECK, *(rule.name for rule in rules if rule and rule.may_skip)])


def _job_rule(path: str, rule: Rule, declared: Declaration) -> Iterator[Problem]:
    """C-24, C-25: what an action of the same provider would be told."""
    yield from configuration_problems(path, declared, rule.configuration)
    if declared.runs_commands and not rule.commands:
        yield Problem(f"{path}.commands", "at least one command is needed (C-24)")
    if not declared.runs_commands and rule.commands:
        yield Problem(f"{path}.commands", f"{declared.provider} takes no commands")
    for index, command in enumerate(rule.commands):
        try:
            lex(command)
        except LexerError as error:
            yield Problem(f"{path}.commands[{index}]", str(error))


def _decided_rule(path: str, rule: Rule) -> Iterator[Problem]:
    """Check configuration without references now, the rest when the rule is (C-21, C-23)."""
    provider, found = rule.rule_type_id.provider, rule.configuration
    keys = _KEYS.get(provider)
    if keys is None:
        known = ", ".join(sorted({*_KEYS, *job_rules()}))
        yield Problem(f"{path}.ruleTypeId.provider", f"unknown rule: {provider}; known are {known}")
        return
    for field, value in (("commands", rule.commands), ("inputArtifacts", rule.input_artifacts)):
        if value:
            yield Problem(f"{path}.{field}", f"{provider} takes no {field}")
    for key in found.keys() - keys.keys():
        yield Problem(
            f"{path}.configuration.{key}", f"unknown key; {provider} knows {', '.join(keys)}"
        )
    for key, is_required in keys.items():
        if is_required and key not in found:
            yield Problem(f"{path}.configuration.{key}", f"{provider} needs it")
    # That it is missing was told above.
    operator = found.get("Operator", OPERATORS[0])
    if operator not in OPERATORS and not any(references(operator)):
        yield Problem(
            f"{path}.configuration.Operator", f"{operator} is none of {', '.join(OPERATORS)} (C-23)"
        )
    yield from _texts(path, found)


def _texts(path: str, found: Mapping[str, str]) -> Iterator[Problem]:
    """Yield what is wrong with a window or with a regular expression."""
    # Variable is compared as a text, so a reference in it keeps nothing from being judged.
    if any(any(references(text)) for key, text in found.items() if key != "Variable"):
        return
    try:
        if "Cron" in found:
            window_of(found["Cron"], found.get("TimeZone", ""))
        if found.get("Operator") == "MATCHES":
            matches(found.get("Value", ""), "")
    except CronError as error:
        yield Problem(f"{path}.configuration.Cron", f"{error} (C-21)")
    except PatternError as error:
        yield Problem(f"{path}.configuration.Value", str(error).removeprefix("Value "))


def stage_warnings(spec: PipelineSpec) -> Iterator[Problem]:
    """Yield what of the rules is accepted without effect."""
    for number, stage in enumerate(spec.stages):
        places = (
            ("beforeEntry", stage.before_entry),
            ("onSuccess", stage.on_success),
            ("onFailure", stage.on_failure),
        )
        for name, place in places:
            for condition in place.conditions if place else ():
                for index, rule in enumerate(condition.rules):
                    if rule.role_arn and not _calls_aws(rule):
                        path = f"spec.stages[{number}].{name}.conditions[0].rules[{index}].roleArn"
                        yield Problem(path, "accepted, without effect here")


def _calls_aws(rule: Rule) -> bool:
    declared = declared_of(rule)
    return declared is not None and declared.calls_aws


def stage_incompatibilities(spec: PipelineSpec) -> Iterator[Problem]:
    """Yield what of it AWS would not accept."""
    for number, stage in enumerate(spec.stages):
        wanted = stage.on_failure.retry_configuration if stage.on_failure else None
        path = f"spec.stages[{number}].onFailure.retryConfiguration"
        if wanted and (wanted.max_attempts or 1) > 1:
            yield Problem(f"{path}.maxAttempts", "AWS retries a stage once (X-65)")
        if wanted and wanted.backoff_seconds:
            yield Problem(f"{path}.backoffSeconds", "AWS retries a stage at once (X-65)")
