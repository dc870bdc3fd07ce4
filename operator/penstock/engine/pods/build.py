"""The BuildProject of a CodeBuild action as its attempt has it, with the action's variables."""

from collections.abc import Mapping

from penstock.actions.declaration import ProjectKeys
from penstock.api.contract.contracts import Build
from penstock.engine.definition.errors import RequestError
from penstock.engine.language.variables import Values, resolve
from penstock.engine.pods.context import TryContext
from penstock.engine.settings import Settings


def build_of(
    context: TryContext, configuration: Mapping[str, str], values: Values, settings: Settings
) -> Build | None:
    """Return the project as the attempt has it, None for a provider that needs none.

    Raise RequestError where the project is gone, or its image is one of AWS
    that the installation does not map.
    """
    keys = context.declared.project
    if keys is None:
        return None
    name = configuration[keys.name]
    project = context.projects.get(name)
    if project is None:
        gone = (
            f"the ControllerRevision with BuildProject {name} as the attempt began is gone: start "
            f"a new run"
        )
        raise RequestError("DefinitionLost", gone)
    image = settings.build_images.get(project.image, project.image)
    if image.startswith("aws/codebuild/"):
        raise RequestError(
            "ConfigurationError", f"BuildProject {name}: the chart's buildImages map no {image}"
        )
    environment = {item.name: item.value for item in project.environment_variables}
    overrides = _overrides(keys, context.action.configuration.get(keys.environment) or "[]", values)
    inputs = [item.name for item in context.action.input_artifacts]
    primary = inputs[0] if len(inputs) == 1 else configuration.get(keys.primary_input, "")
    return Build(
        project=name,
        image=image,
        buildspec=project.buildspec or "",
        environment=environment,
        overrides=overrides,
        source_revision=context.source_revisions.get(primary, ""),
        started_ms=round(context.started.timestamp() * 1000),
        region=context.action.region or settings.aws_region or "",
    )


def _overrides(keys: ProjectKeys, text: str, values: Values) -> dict[str, str]:
    """Return the action's own environment variables (P-10).

    References are resolved within each value: what a commit message says is never read as JSON.
    """
    try:
        found = keys.read_environment(text)
    except ValueError as error:
        raise RequestError(
            "ConfigurationError", f"configuration.{keys.environment} {error}"
        ) from error
    return {name: resolve(value, values) for name, value in found.items()}
