"""What a run is started with: variables, source revisions, and by whom (X-50, X-51, X-07)."""

from collections.abc import Iterator

from penstock.actions.declaration import declaration_of
from penstock.api.kinds.run import PipelineRunSpec, ResolvedVariable, RunTrigger
from penstock.engine.definition.frozen import Definition

VALIDATION = "ValidationException"
"""What CodePipeline answers a start with that names what the pipeline does not have."""


def trigger_of(spec: PipelineRunSpec | None) -> RunTrigger | None:
    """Return what started a run: as its spec says, else somebody, by hand (X-07)."""
    if spec is None or spec.trigger:
        return spec.trigger if spec else None
    kind = "ManualRollback" if spec.rollback else "StartPipelineExecution"
    return RunTrigger(trigger_type=kind, trigger_detail=spec.requested_by)


def resolved_variables(
    spec: PipelineRunSpec, definition: Definition
) -> tuple[ResolvedVariable, ...] | str:
    """Return the run's variables, or the sentence that refuses them (X-50)."""
    given = {variable.name: variable.value for variable in spec.variables}
    declared = {variable.name: variable.default_value for variable in definition.variables}
    for name in given.keys() - declared.keys():
        return f"spec.variables: the pipeline declares no variable {name} (X-50)"
    resolved = declared | given
    for name, value in resolved.items():
        if value is None:
            return f"spec.variables: {name} has no default and must be given (X-50)"
    return tuple(
        ResolvedVariable(name=name, resolved_value=value)
        for name, value in resolved.items()
        if value
    )


def revision_problems(spec: PipelineRunSpec, definition: Definition) -> Iterator[str]:
    """Yield what is wrong with the source revisions that a run names (X-51)."""
    actions = {action.name: action for action in definition.stages[0].actions}
    for index, pinned in enumerate(spec.source_revisions):
        path = f"spec.sourceRevisions[{index}]"
        action = actions.get(pinned.action_name)
        declared = declaration_of(action.action_type_id) if action else None
        if action is None or declared is None or not declared.overrides:
            known = ", ".join(actions)
            yield (
                f"{path}: the first stage has no source action {pinned.action_name}; it has "
                f"{known} (X-51)"
            )
            continue
        found = next(
            (item for item in declared.overrides if item.revision_type == pinned.revision_type),
            None,
        )
        if found is None:
            known = ", ".join(item.revision_type for item in declared.overrides)
            yield (
                f"{path}.revisionType: {declared.provider} takes {known}, not "
                f"{pinned.revision_type} (X-51)"
            )
        elif found.needs and action.configuration.get(found.needs) != "true":
            yield (
                f'{path}.revisionType: {pinned.revision_type} needs {found.needs}: "true" in '
                f"the "
                f"action (X-51)"
            )
