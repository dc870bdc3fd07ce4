"""Checks a definition beyond the API server's schema (V rules).

Problems are values with the field's path.

Three kinds of findings: `Problem` (the Pipeline is not Ready), a warning (accepted, but without
effect here), and an incompatibility (legal here, refused by AWS).
"""

from collections.abc import Iterable, Iterator

from pydantic.alias_generators import to_camel

from penstock.api.kinds.pipeline import PipelineSpec
from penstock.api.walks import no_such_stage
from penstock.engine.definition.action_validation import PlacedAction, action_problems
from penstock.engine.definition.findings import Findings, Problem
from penstock.engine.definition.frozen import groups_of
from penstock.engine.definition.references import reserved_problem, rule_reference_problems
from penstock.engine.definition.rules import declared_of, rules_of
from penstock.engine.definition.stage_validation import (
    stage_incompatibilities,
    stage_problems,
    stage_warnings,
)
from penstock.engine.definition.triggers import trigger_problems
from penstock.engine.definition.unsupported import regions_without_effect, unsupported
from penstock.engine.definition.weight import too_heavy
from penstock.engine.language.variables import (
    RESERVED_NAMESPACES,
    Reference,
    references,
)
from penstock.engine.objects.action_types import NO_TYPES, ActionTypes


def validate(
    spec: PipelineSpec, types: ActionTypes = NO_TYPES, *, has_default_store: bool
) -> Findings:
    """Return all findings about a spec that the API server accepted."""
    # Nothing else is looked at then, as looking is what would be too heavy.
    if heavy := tuple(too_heavy(spec)):
        return Findings(heavy)
    placed = tuple(_placed(spec, types))
    problems = [
        *unsupported(spec),
        *trigger_problems(spec),
        *_stores(spec, has_default_store),
        *_transitions(spec),
        *stage_problems(spec),
        *rule_reference_problems(spec),
        *(problem for item in placed for problem in action_problems(item, types)),
        *_artifacts(spec),
        *_namespaces(placed),
        *_references(spec, placed),
    ]
    return Findings(
        tuple(problems), tuple(_warnings(spec, placed)), tuple(_incompatibilities(spec, placed))
    )


def _placed(spec: PipelineSpec, types: ActionTypes) -> Iterator[PlacedAction]:
    for number, stage in enumerate(spec.stages):
        for index, action in enumerate(stage.actions):
            path = f"spec.stages[{number}].actions[{index}]"
            yield PlacedAction(
                path, stage, action, types.declaration(action.action_type_id), number == 0
            )


def _stores(spec: PipelineSpec, has_default_store: bool) -> Iterator[Problem]:
    needs_store = any(
        a.input_artifacts or a.output_artifacts for s in spec.stages for a in s.actions
    )
    if not spec.store and not has_default_store and len(spec.artifact_stores or {}) < 2:
        why = "to keep its artifacts" if needs_store else "to keep claims and logs"
        what = f"a pipeline needs a store {why}: set one, or the chart's defaultArtifactStore"
        yield Problem("spec.artifactStore", what)
    if spec.store and spec.store.type == "Volume":
        for name in ("endpoint", "region", "credentials", "encryption_key"):
            if getattr(spec.store, name) is not None:
                yield Problem(
                    f"{spec.store_path}.{to_camel(name)}",
                    "means nothing for a store of type Volume; remove it",
                )


def _transitions(spec: PipelineSpec) -> Iterator[Problem]:
    for index, item in enumerate(spec.disable_inbound_stage_transitions):
        if what := no_such_stage(item.stage_name, spec):
            yield Problem(f"spec.disableInboundStageTransitions[{index}].stageName", what)


def _artifacts(spec: PipelineSpec) -> Iterator[Problem]:
    """V-07 and V-08: names are unique, and made before they are read."""
    made: set[str] = set()
    for number, stage in enumerate(spec.stages):
        index_of = {action.name: index for index, action in enumerate(stage.actions)}
        for group in groups_of(stage):
            paths = [f"spec.stages[{number}].actions[{index_of[action.name]}]" for action in group]
            # Inputs before outputs: the actions of a group run together, so none reads its
            # neighbour's.
            for path, action in zip(paths, group, strict=True):
                for place, artifact in enumerate(action.input_artifacts):
                    if artifact.name not in made:
                        unmade = f'no earlier action makes the artifact "{artifact.name}" (V-08)'
                        yield Problem(f"{path}.inputArtifacts[{place}]", unmade)
            for path, action in zip(paths, group, strict=True):
                for place, output in enumerate(action.output_artifacts):
                    if output.name in made:
                        twice = f'another action makes "{output.name}" already (V-07)'
                        yield Problem(f"{path}.outputArtifacts[{place}]", twice)
                    made.add(output.name)


def _namespaces(placed: Iterable[PlacedAction]) -> Iterator[Problem]:
    """V-11: namespaces are unique, not reserved, and no artifact's name."""
    items = tuple(placed)
    artifacts = {artifact.name for item in items for artifact in item.action.output_artifacts}
    seen: set[str] = set()
    for item in items:
        namespace = item.action.namespace
        if namespace is None:
            continue
        path = f"{item.path}.namespace"
        if namespace in RESERVED_NAMESPACES:
            yield Problem(path, f'"{namespace}" is reserved (V-11)')
        if namespace in artifacts:
            yield Problem(path, f'"{namespace}" is the name of an artifact (V-11)')
        if namespace in seen:
            yield Problem(path, f'another action has the namespace "{namespace}" (V-11)')
        seen.add(namespace)


def _references(spec: PipelineSpec, placed: Iterable[PlacedAction]) -> Iterator[Problem]:
    """Check that each variable is read only after its action (V-15).

    Sources read no pipeline variables.
    """
    order = {
        action.namespace: (number, action.order)
        for number, stage in enumerate(spec.stages)
        for action in stage.actions
        if action.namespace
    }
    declared = {variable.name for variable in spec.variables}
    stage_numbers = {stage.name: number for number, stage in enumerate(spec.stages)}
    for item in placed:
        here = (stage_numbers[item.stage.name], item.action.order)
        for path, text in _texts(item):
            for reference in references(text):
                if problem := _reference_problem(reference, here, order, declared, item):
                    yield Problem(path, problem)


def _texts(item: PlacedAction) -> Iterator[tuple[str, str]]:
    action = item.action
    yield from (
        (f"{item.path}.configuration.{key}", value) for key, value in action.configuration.items()
    )
    yield from (
        (f"{item.path}.commands[{index}]", text) for index, text in enumerate(action.commands)
    )
    for index, variable in enumerate(action.environment_variables):
        yield f"{item.path}.environmentVariables[{index}].value", variable.value


def _reference_problem(
    reference: Reference,
    here: tuple[int, int],
    order: dict[str, tuple[int, int]],
    declared: set[str],
    item: PlacedAction,
) -> str | None:
    is_source = item.action.action_type_id.category == "Source"
    if reference.namespace == "variables" and is_source:
        return f"{reference}: pipeline variables cannot be used in source actions (W-03)"
    if reference.namespace in RESERVED_NAMESPACES:
        return reserved_problem(reference, declared)
    if reference.namespace not in order:
        return f'{reference}: no action has the namespace "{reference.namespace}" (W-02)'
    # Of two actions with one runOrder neither waits for the other.
    if order[reference.namespace] >= here:
        return f"{reference}: the action that makes it must run before (V-15)"
    return None


def _calls_aws(spec: PipelineSpec, placed: Iterable[PlacedAction]) -> bool:
    declared = (*(item.declared for item in placed), *map(declared_of, rules_of(spec)))
    return any(item.calls_aws for item in declared if item)


def _warnings(spec: PipelineSpec, placed: Iterable[PlacedAction]) -> Iterator[Problem]:
    yield from stage_warnings(spec)
    found = tuple(placed)
    accepted: list[tuple[str, object]] = [
        ("spec.version", spec.version is not None),
        ("spec.pipelineType", spec.pipeline_type == "V2"),
        ("spec.roleArn", spec.role_arn and not _calls_aws(spec, found)),
    ]
    for item in found:
        if not (item.declared and item.declared.calls_aws):
            accepted.append((f"{item.path}.roleArn", item.action.role_arn))
        for key in _idle_keys(item):
            accepted.append(
                (f"{item.path}.configuration.{key}", item.action.configuration.get(key))
            )
    accepted += [(path, True) for path in regions_without_effect(spec)]
    for path, value in accepted:
        if value:
            yield Problem(path, "accepted, without effect here")


def _idle_keys(item: PlacedAction) -> Iterator[str]:
    if item.declared is None:
        return
    configuration, inputs = item.action.configuration, item.action.input_artifacts
    yield from (*item.declared.without_effect, *item.declared.idle_keys(configuration))
    # P-10 gives the key a meaning with several inputs only; definitions in use name something else
    # beside one.
    project = item.declared.project
    if project and len(inputs) == 1 and configuration.get(project.primary_input) != inputs[0].name:
        yield project.primary_input


def _incompatibilities(spec: PipelineSpec, placed: Iterable[PlacedAction]) -> Iterator[Problem]:
    yield from stage_incompatibilities(spec)
    if len(spec.stages) < 2:
        yield Problem("spec.stages", "AWS wants at least two stages (V-01)")
    for item in placed:
        is_source = item.action.action_type_id.category == "Source"
        if item.is_first_stage and not is_source:
            yield Problem(
                f"{item.path}.actionTypeId",
                "AWS wants only Source actions in the first stage (V-02)",
            )
        if item.declared and item.declared.runs_commands and not item.action.input_artifacts:
            yield Problem(
                f"{item.path}.inputArtifacts", "AWS wants an input artifact for Commands (P-18)"
            )
    if all(a.action_type_id.category == "Source" for s in spec.stages for a in s.actions):
        yield Problem("spec.stages", "AWS wants at least one action that is no Source (V-04)")
