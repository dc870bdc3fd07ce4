"""A provider's declaration decides here what one action may ask of it, wherever it stands."""

from collections.abc import Iterator
from dataclasses import dataclass

from penstock.actions.declaration import ArtifactBounds, Declaration, declarations
from penstock.api.kinds.pipeline import Action, ActionTypeId, Stage
from penstock.engine.definition.configurations import configuration_problems
from penstock.engine.definition.findings import Problem
from penstock.engine.language.shell.lexer import LexerError, lex
from penstock.engine.language.variables import references
from penstock.engine.objects.action_types import ActionTypeError, ActionTypes, is_custom


@dataclass(frozen=True, slots=True)
class PlacedAction:
    """An action with the path to it and what stands before it."""

    path: str
    stage: Stage
    action: Action
    declared: Declaration | None
    is_first_stage: bool


def action_problems(item: PlacedAction, types: ActionTypes) -> Iterator[Problem]:
    """Yield what is wrong with an action by itself."""
    type_id = item.action.action_type_id
    # There are several reasons for a missing ActionType, and `find` tells which it is.
    if item.declared is None and is_custom(item.action):
        try:
            types.find(type_id)
        except ActionTypeError as error:
            yield Problem(f"{item.path}.actionTypeId", str(error))
        return
    if item.declared is None or not item.declared.is_action:
        yield Problem(
            f"{item.path}.actionTypeId",
            f"unknown provider: {_type_text(type_id)}; {_known_beside(type_id)}",
        )
        return
    yield from _bounds(item, item.declared)
    yield from configuration_problems(item.path, item.declared, item.action.configuration)
    yield from _commands(item, item.declared)
    yield from _primary_source(item, item.declared)
    yield from _named_artifacts(item, item.declared)


def _known_beside(type_id: ActionTypeId) -> str:
    """Return the providers that may be meant: of this category, or of this name in another."""
    known = [
        (category, declared)
        for declared in declarations()
        if declared.is_action
        for category in (declared.category, *declared.also)
    ]
    near = [
        (category, declared)
        for category, declared in known
        if category == type_id.category or declared.provider == type_id.provider
    ]
    texts = [f"{category} / {item.owner} / {item.provider}" for category, item in near or known]
    return f"known are {', '.join(texts)}"


def _type_text(type_id: ActionTypeId) -> str:
    return (
        f"{type_id.category} / {type_id.owner or 'any owner'} / {type_id.provider} / "
        f"{type_id.version or '1'}"
    )


def _bounds(item: PlacedAction, declared: Declaration) -> Iterator[Problem]:
    def check(field: str, count: int, bounds: ArtifactBounds) -> Iterator[Problem]:
        if not bounds.least <= count <= bounds.most:
            wanted = (
                f"{bounds.least}"
                if bounds.least == bounds.most
                else f"{bounds.least} to {bounds.most}"
            )
            yield Problem(
                f"{item.path}.{field}", f"{declared.provider} takes {wanted}, not {count} (V-09)"
            )

    yield from check("inputArtifacts", len(item.action.input_artifacts), declared.inputs)
    yield from check("outputArtifacts", len(item.action.output_artifacts), declared.outputs)


def _commands(item: PlacedAction, declared: Declaration) -> Iterator[Problem]:
    action = item.action
    if declared.runs_commands and not action.commands:
        yield Problem(f"{item.path}.commands", "at least one command is needed (P-18)")
    if not declared.runs_commands:
        for field, value in (
            ("commands", action.commands),
            ("outputVariables", action.output_variables),
            ("environmentVariables", action.environment_variables),
        ):
            if value:
                yield Problem(f"{item.path}.{field}", f"{declared.provider} takes no {field}")
    for index, command in enumerate(action.commands):
        try:
            lex(command)
        except LexerError as error:
            yield Problem(f"{item.path}.commands[{index}]", str(error))


def _primary_source(item: PlacedAction, declared: Declaration) -> Iterator[Problem]:
    """P-10: more than one input needs a PrimarySource, which is one of them."""
    names = [artifact.name for artifact in item.action.input_artifacts]
    if declared.project is None or len(names) < 2:
        return
    key = declared.project.primary_input
    primary = item.action.configuration.get(key)
    if primary is None:
        yield Problem(
            f"{item.path}.configuration.{key}", "required with more than one input artifact (P-10)"
        )
    elif primary not in names and not any(references(primary)):
        yield Problem(
            f"{item.path}.configuration.{key}", f'"{primary}" is no input artifact (P-10)'
        )


def _named_artifacts(item: PlacedAction, declared: Declaration) -> Iterator[Problem]:
    names = {artifact.name for artifact in item.action.input_artifacts}
    for key, artifact in declared.artifacts_named(item.action.configuration):
        # A name with a reference is judged when it has a value.
        if artifact not in names and not any(references(artifact)):
            yield Problem(
                f"{item.path}.configuration.{key}",
                f'"{artifact}" is no input artifact of the action',
            )
