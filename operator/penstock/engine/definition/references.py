"""Checks the references of rules (V-08, V-15).

A rule before a stage sees earlier stages. All other rules see their own stage, too.
"""

from collections.abc import Collection, Iterator

from penstock.api.kinds.pipeline import PipelineSpec, Stage
from penstock.api.kinds.stage_conditions import Rule, StageConditionType
from penstock.engine.definition.findings import Problem
from penstock.engine.definition.rules import place_of
from penstock.engine.language.variables import (
    EXECUTION_ID,
    RESERVED_NAMESPACES,
    Reference,
    references,
)


def rule_reference_problems(spec: PipelineSpec) -> Iterator[Problem]:
    """Yield the references and the input artifacts of rules that nothing makes before."""
    namespaces = {
        a.namespace: n for n, stage in enumerate(spec.stages) for a in stage.actions if a.namespace
    }
    artifacts = {
        o.name: n
        for n, stage in enumerate(spec.stages)
        for a in stage.actions
        for o in a.output_artifacts
    }
    variables = {variable.name for variable in spec.variables}
    for number, stage in enumerate(spec.stages):
        for kind, index, rule in _rules(stage):
            path = f"spec.stages[{number}].{place_of(kind)}.conditions[0].rules[{index}]"
            last = number - 1 if kind is StageConditionType.BEFORE_ENTRY else number
            for where, text in _texts(path, rule):
                for reference in references(text):
                    if problem := _reference_problem(reference, namespaces, variables, last):
                        yield Problem(where, problem)
            for place, artifact in enumerate(rule.input_artifacts):
                # An artifact that nothing makes counts as made too late.
                if artifacts.get(artifact.name, last + 1) > last:
                    what = f'no action before makes the artifact "{artifact.name}" (V-08)'
                    yield Problem(f"{path}.inputArtifacts[{place}]", what)


def _rules(stage: Stage) -> Iterator[tuple[StageConditionType, int, Rule]]:
    places = (
        (StageConditionType.BEFORE_ENTRY, stage.before_entry),
        (StageConditionType.ON_SUCCESS, stage.on_success),
        (StageConditionType.ON_FAILURE, stage.on_failure),
    )
    for kind, place in places:
        for condition in place.conditions if place else ():
            yield from ((kind, index, rule) for index, rule in enumerate(condition.rules))


def _texts(path: str, rule: Rule) -> Iterator[tuple[str, str]]:
    yield from ((f"{path}.configuration.{key}", text) for key, text in rule.configuration.items())
    yield from ((f"{path}.commands[{index}]", text) for index, text in enumerate(rule.commands))


def reserved_problem(reference: Reference, variables: Collection[str]) -> str | None:
    """Return what is wrong with a reference to the run itself or to a pipeline variable."""
    if reference.namespace == "codepipeline" and reference.key != EXECUTION_ID:
        return f"{reference}: only {EXECUTION_ID} exists there (W-02)"
    if reference.namespace == "variables" and reference.key not in variables:
        return f"{reference}: spec.variables declares no such variable"
    return None


def _reference_problem(
    reference: Reference, namespaces: dict[str, int], variables: set[str], last: int
) -> str | None:
    if reference.namespace in RESERVED_NAMESPACES:
        return reserved_problem(reference, variables)
    if reference.namespace not in namespaces:
        return f'{reference}: no action has the namespace "{reference.namespace}" (W-02)'
    is_made = namespaces[reference.namespace] <= last
    return None if is_made else f"{reference}: the action that makes it must run before (V-15)"
