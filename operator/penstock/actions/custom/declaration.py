"""Any category / Custom (P-80): an ActionType is what a declaration is to a built-in provider."""

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import AfterValidator, ConfigDict, Field, create_model
from pydantic_core import PydanticCustomError

from penstock.actions.declaration import ArtifactBounds, Configuration, Declaration, OnLostPod
from penstock.api.kinds.action_type import ActionTypeSpec, ArtifactDetails, ConfigurationProperty

OWNER = "Custom"
FOLDER = "custom"
EXECUTION_ID = "{ExternalExecutionId}"
# A day, unless the ActionType says otherwise (T-09).
_TIMEOUT_S = 86_400.0
_SECRET = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_NUMBER = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?")
_BOOLEAN = re.compile("true|false")
_CONFIG = "{Config:"


def declaration_from(spec: ActionTypeSpec) -> Declaration:
    """Return what an ActionType declares."""
    secrets = tuple(item.name for item in spec.configuration_properties if item.secret)
    return Declaration(
        category=spec.category,
        owner=OWNER,
        provider=spec.provider,
        version=spec.version,
        folder=FOLDER,
        configuration=_configuration(spec.configuration_properties),
        inputs=_bounds(spec.input_artifact_details),
        outputs=_bounds(spec.output_artifact_details),
        on_lost_pod=OnLostPod(spec.on_lost_pod),
        timeout_s=float(spec.job_timeout or _TIMEOUT_S),
        secrets=secrets,
        literals=secrets,
        action_type=spec,
    )


def template_problem(spec: ActionTypeSpec) -> str:
    """Return what is wrong with the templates of links, an empty text if nothing is."""
    known = {item.name for item in spec.configuration_properties if not item.secret}
    given = spec.settings.to_dict() if spec.settings else {}
    for field, template in given.items():
        for part in template.split("{")[1:] if field.endswith("Template") else ():
            word = "{" + part.partition("}")[0] + "}"
            is_config = word.startswith(_CONFIG) and word[len(_CONFIG) : -1] in known
            # The action's page is shown from its start, and the id is known only once it has run.
            if not is_config and (word != EXECUTION_ID or field == "entityUrlTemplate"):
                named = ", ".join(f"{{Config:{name}}}" for name in sorted(known)) or "no {Config:…}"
                return f"spec.settings.{field}: {word} stands for nothing; {named} does (P-80)"
    return ""


def render_link(template: str | None, configuration: Mapping[str, str]) -> str:
    """Return a link with encoded property values; leave ``{ExternalExecutionId}`` to the agent."""
    parts = (template or "").split(_CONFIG)
    rest = (part.partition("}") for part in parts[1:])
    return parts[0] + "".join(
        quote(configuration.get(name, ""), safe="") + after for name, _, after in rest
    )


def _bounds(details: ArtifactDetails) -> ArtifactBounds:
    return ArtifactBounds(details.minimum_count, details.maximum_count)


class _Custom(Configuration):
    """The base of ActionTypes' configurations, without a source to look for docstrings in."""

    model_config = ConfigDict(use_attribute_docstrings=False)


def _configuration(properties: tuple[ConfigurationProperty, ...]) -> type[Configuration]:
    """Return the model of a configuration. Fields use aliases: a property may have any name."""
    fields: dict[str, Any] = {
        f"property_{index}": (
            _type_of(item) if item.required else _type_of(item) | None,
            Field(... if item.required else None, alias=item.name),
        )
        for index, item in enumerate(properties)
    }
    return create_model("CustomConfiguration", __base__=_Custom, **fields)


def _type_of(item: ConfigurationProperty) -> Any:
    if item.secret:
        why = (
            "names a Secret of the Pipeline's namespace: neither the secret itself nor a variable "
            "stands here"
        )
        return Annotated[str, AfterValidator(_matches(_SECRET, why))]
    if item.type == "Number":
        return Annotated[str, AfterValidator(_matches(_NUMBER, "is not a number"))]
    if item.type == "Boolean":
        return Annotated[str, AfterValidator(_matches(_BOOLEAN, 'is neither "true" nor "false"'))]
    return Annotated[str, Field(min_length=1)] if item.required else str


def _matches(pattern: re.Pattern[str], why: str) -> Callable[[str], str]:
    """Return a check that refuses what does not match, and says why without repeating it."""

    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise PydanticCustomError("custom_property", "{why}", {"why": why})
        return value

    return check
