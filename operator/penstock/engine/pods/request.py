"""Builds the ActionRequest of one try: everything resolved, nothing secret.

The same status always gives the same request, so a Job that must be created again is the same Job.
"""

from collections.abc import Mapping

from penstock.actions.custom.declaration import render_link
from penstock.api.contract.contracts import (
    REQUEST_VERSION,
    SECRETS_DIR,
    ActionRequest,
    ArtifactLocation,
    ArtifactOrder,
    Custom,
    Script,
    ScriptCommand,
)
from penstock.api.kinds.action_type import ActionTypeSettings
from penstock.api.kinds.pipeline import Action
from penstock.api.kinds.run import PipelineRunStatus
from penstock.api.status.executions import ActionStatus
from penstock.engine.definition.configurations import configuration_problems
from penstock.engine.definition.errors import RequestError
from penstock.engine.definition.frozen import Definition
from penstock.engine.language.json_values import resolve_json
from penstock.engine.language.shell.lexer import LexerError, lex
from penstock.engine.language.variables import (
    EXECUTION_ID,
    Reference,
    UnresolvedError,
    Values,
    resolve,
)
from penstock.engine.pods.access import aws_access, connection_access, secret_names, store_of
from penstock.engine.pods.build import build_of
from penstock.engine.pods.context import TryContext
from penstock.engine.settings import Settings


def values_of(
    run_uid: str, definition: Definition, status: PipelineRunStatus
) -> dict[Reference, str]:
    """Return every variable that has a value by now.

    It covers reserved namespaces, and those of succeeded actions.
    """
    values = {Reference("codepipeline", EXECUTION_ID): run_uid}
    values |= {Reference("variables", item.name): item.resolved_value for item in status.variables}
    taken_over = status.rollback_metadata.output_variables if status.rollback_metadata else {}
    values |= {
        Reference(name, key): value
        for name, outputs in taken_over.items()
        for key, value in outputs.items()
    }
    # Last, as what this run makes replaces what it took over.
    for stage_state in status.stage_states:
        namespaces = {
            action.name: action.namespace
            for action in definition.stage(stage_state.stage_name).actions
        }
        for state in stage_state.action_states:
            namespace, latest = namespaces.get(state.action_name), state.latest
            if namespace and latest and latest.status is ActionStatus.SUCCEEDED:
                values |= {
                    Reference(namespace, key): value
                    for key, value in latest.output_variables.items()
                }
    return values


def resolved_key(action: Action, key: str, values: Values) -> str:
    """Return the value of one key of an action's configuration, empty where it is absent.

    Raise RequestError for a variable without value.
    """
    try:
        return resolve(action.configuration.get(key, ""), values)
    except UnresolvedError as error:
        raise _unresolved(action, error) from error


def build_request(
    context: TryContext,
    values: Values,
    artifacts: Mapping[str, ArtifactLocation],
    settings: Settings,
) -> ActionRequest:
    """Return the request.

    Raise RequestError for a variable without value, a bad value, or too much of it.
    """
    action = context.action
    configuration = resolved_configuration(context, values)
    try:
        script = _script(action, values) if context.declared.runs_commands else None
    except UnresolvedError as error:
        raise _unresolved(action, error) from error
    except LexerError as error:
        raise RequestError("ConfigurationError", str(error)) from error
    request = ActionRequest(
        version=REQUEST_VERSION,
        attempt=context.attempt,
        provider=context.declared.folder,
        store=store_of(context.definition.artifact_store),
        configuration=configuration,
        inputs=tuple(_input(item.name, artifacts) for item in action.input_artifacts),
        outputs=tuple(ArtifactOrder(item.name, item.files) for item in action.output_artifacts),
        script=script,
        build=build_of(context, configuration, values, settings),
        aws=aws_access(context, configuration, settings),
        custom=_custom(context, configuration),
        connection=connection_access(context),
        revision=context.revision,
        ref=context.ref,
        secrets={key: f"{SECRETS_DIR}/{key}" for key in secret_names(context, configuration)},
        limits=settings.limits._replace(timeout_s=timeout_of(context, settings)),
    )
    _check_size(request, settings)
    return request


def resolved_configuration(context: TryContext, values: Values) -> dict[str, str]:
    """Return the configuration; raise RequestError for a missing or bad value of a variable."""
    action = context.action
    if context.declared.is_type_lost:
        lost = (
            f"the ControllerRevision with ActionType {context.declared.provider} as the attempt "
            f"began is gone"
        )
        raise RequestError("DefinitionLost", f"{lost}: start a new run")
    try:
        configuration = {
            key: _resolved(context, key, value, values)
            for key, value in action.configuration.items()
        }
        # A pinned revision is taken as it is, even if it looks like a reference.
        configuration |= context.overrides
    except UnresolvedError as error:
        raise _unresolved(action, error) from error
    # A value with a reference cannot be judged with the definition, only now.
    for problem in configuration_problems("", context.declared, configuration):
        raise RequestError("ConfigurationError", str(problem).removeprefix("."))
    return configuration


def _resolved(context: TryContext, key: str, value: str, values: Values) -> str:
    # In JSON each text is resolved by itself: a value cannot add a field or end a text.
    as_json = context.declared.json_keys.get(key)
    text = as_json(value) if as_json else None
    if text is None:
        return resolve(value, values)
    try:
        return resolve_json(text, values)
    except ValueError as error:
        raise RequestError("ConfigurationError", f"configuration.{key} {error}") from error


def _unresolved(action: Action, error: UnresolvedError) -> RequestError:
    # CodePipeline says it in these very words.
    why = "An action in this pipeline failed because one or more variables could not be resolved: "
    return RequestError("ConfigurationError", f"{why}Action name={action.name} ({error})")


def timeout_of(context: TryContext, settings: Settings) -> float:
    """Return the action's time limit in seconds: its own, or its provider's.

    It is at most the installation's limit.
    """
    project = context.project
    minutes = context.action.timeout_in_minutes or (project.timeout_in_minutes if project else None)
    return min(
        float(minutes * 60) if minutes else context.declared.timeout_s, settings.action_timeout_s
    )


def _custom(context: TryContext, configuration: Mapping[str, str]) -> Custom | None:
    """Return the ActionType as the attempt has it, None for an action of a built-in provider."""
    declared, spec = context.declared, context.declared.action_type
    if spec is None:
        return None
    links = spec.settings or ActionTypeSettings()
    return Custom(
        name=declared.provider,
        commands=spec.template.commands,
        environment={item.name: item.value for item in spec.template.environment_variables},
        secrets=declared.secret_names(configuration),
        entity_url=render_link(links.entity_url_template, configuration),
        execution_url=render_link(links.execution_url_template, configuration),
        revision_url=render_link(links.revision_url_template, configuration),
    )


def _script(action: Action, values: Values) -> Script:
    lexed = [lex(command) for command in action.commands]
    used: dict[str, Reference] = {}
    for command in lexed:
        used |= command.variables
    # A shell would expand a variable without a value to nothing, and go on.
    for reference in used.values():
        if reference not in values:
            raise UnresolvedError(reference)
    return Script(
        commands=tuple(
            ScriptCommand(text, command.code)
            for text, command in zip(action.commands, lexed, strict=True)
        ),
        values={name: values[reference] for name, reference in used.items()},
        environment={
            item.name: resolve(item.value, values) for item in action.environment_variables
        },
        output_variables=action.output_variables,
    )


def _input(name: str, artifacts: Mapping[str, ArtifactLocation]) -> ArtifactLocation:
    if name not in artifacts:
        raise RequestError(
            "ConfigurationError", f'the input artifact "{name}" was not made by this run'
        )
    return artifacts[name]


def _check_size(request: ActionRequest, settings: Settings) -> None:
    script, build = request.script or Script(()), request.build
    given = (
        (build.buildspec, *build.environment.values(), *build.overrides.values()) if build else ()
    )
    given += (
        (*request.custom.commands, *request.custom.environment.values()) if request.custom else ()
    )
    resolved = (
        *given,
        *request.configuration.values(),
        *script.values.values(),
        *script.environment.values(),
    )
    # A hostile value may hold a lone surrogate, which plain UTF-8 refuses to encode.
    size = sum(len(value.encode("utf-8", "surrogatepass")) for value in resolved)
    if size > settings.configuration_bytes:
        raise RequestError(
            "ConfigurationTooLarge",
            f"the resolved configuration is {size} bytes long, more than "
            f"{settings.configuration_bytes} (Q-12)",
        )
