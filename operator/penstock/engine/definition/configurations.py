"""Checks the configuration of actions and rules against what their provider declares (V-10)."""

from collections.abc import Callable, Iterator

from pydantic import ValidationError

from penstock.actions.declaration import Declaration
from penstock.engine.definition.findings import Problem
from penstock.engine.language.json_values import PROBLEM, is_resolvable
from penstock.engine.language.variables import references


def configuration_problems(
    path: str, declared: Declaration, configuration: dict[str, str]
) -> Iterator[Problem]:
    """Yield a configuration's problems; values with references are checked once resolved."""
    broken = {
        key
        for key, as_json in declared.json_keys.items()
        if not _is_resolvable(as_json, configuration.get(key))
    }
    yield from (Problem(f"{path}.configuration.{key}", PROBLEM) for key in sorted(broken))
    # References stand within the texts of JSON: what the JSON itself says can be judged now.
    judged = {*declared.literals, *declared.json_keys} - broken
    open_keys = {key for key, value in configuration.items() if any(references(value))} - judged
    try:
        declared.configuration.model_validate(configuration)
    except ValidationError as error:
        for detail in error.errors(include_url=False, include_input=False, include_context=False):
            key = str(detail["loc"][0]) if detail["loc"] else ""
            # An unknown key stays unknown, whatever its reference becomes.
            if key not in open_keys or detail["type"] == "extra_forbidden":
                message = detail["msg"].removeprefix("Value error, ")
                message = (
                    "unknown key for this provider (V-10)"
                    if detail["type"] == "extra_forbidden"
                    else message
                )
                yield Problem(f"{path}.configuration{'.' if key else ''}{key}", message)


def _is_resolvable(as_json: Callable[[str], str | None], value: str | None) -> bool:
    return is_resolvable(as_json(value or "") or "")
