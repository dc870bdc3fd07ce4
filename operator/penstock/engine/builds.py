"""What a CodeBuild action runs on: its BuildProject as the attempt has it, with the action's own variables."""

from collections.abc import Mapping

from penstock.actions import bounded_json
from penstock.api.contracts import Build
from penstock.engine.settings import Settings
from penstock.engine.subjects import RequestError, Subject
from penstock.engine.variables import Values, resolve


def build_of(subject: Subject, configuration: Mapping[str, str], values: Values, settings: Settings) -> Build:
    """Return the project as the attempt has it; raise RequestError where it is gone, or its image is not mapped.

    An ``aws/codebuild/`` image must be one that the installation maps.
    """
    name = configuration["ProjectName"]
    project = subject.projects.get(name)
    if project is None:
        gone = f"the ControllerRevision with BuildProject {name} as the attempt began is gone: start a new run"
        raise RequestError("DefinitionLost", gone)
    image = settings.build_images.get(project.image, project.image)
    if image.startswith("aws/codebuild/"):
        raise RequestError("ConfigurationError", f"BuildProject {name}: the operator's build_images map no {image}")
    environment = {item.name: item.value for item in project.environment_variables}
    overrides = _overrides(subject.action.configuration.get("EnvironmentVariables") or "[]", values)
    inputs = [item.name for item in subject.action.input_artifacts]
    primary = configuration.get("PrimarySource") or (inputs[0] if inputs else "")
    return Build(
        project=name,
        image=image,
        buildspec=project.buildspec or "",
        environment=environment,
        overrides=overrides,
        source_revision=subject.source_revisions.get(primary, ""),
        started_ms=round(subject.started.timestamp() * 1000),
    )


def _overrides(text: str, values: Values) -> dict[str, str]:
    """Read the action's EnvironmentVariables (P-10); the secrets stores are refused by their type.

    References are resolved within each value: what a commit message says is never read as JSON.
    """
    try:
        items = bounded_json.loads(text)
    except ValueError as error:
        raise RequestError("ConfigurationError", "configuration.EnvironmentVariables is not JSON") from error
    found: dict[str, str] = {}
    for item in items if isinstance(items, list) else [None]:
        if (
            not isinstance(item, dict)
            or not isinstance(item.get("name"), str)
            or not isinstance(item.get("value"), str)
        ):
            message = "configuration.EnvironmentVariables is not a list of name and value"
            raise RequestError("ConfigurationError", message)
        if (kind := item.get("type", "PLAINTEXT")) != "PLAINTEXT":
            message = (
                f"configuration.EnvironmentVariables: {item['name']} has the type {kind}, which is not supported yet "
                "(B-12); PLAINTEXT is"
            )
            raise RequestError("ConfigurationError", message)
        found[item["name"]] = resolve(item["value"], values)
    return found
