"""Reads ParameterOverrides (P-36, P-37); pure, for declaration and execution alike."""

import json
from typing import Any, NamedTuple

from penstock.actions import bounded_json

ATTRIBUTES = ("BucketName", "ObjectKey", "URL")
_FUNCTIONS = {"Fn::GetParam": 3, "Fn::GetArtifactAtt": 2}


class GetParam(NamedTuple):
    """The value of ``key`` in the JSON ``file`` of an input artifact."""

    artifact: str
    file: str
    key: str


class GetArtifactAtt(NamedTuple):
    """Where an input artifact is: ``attribute`` is BucketName, ObjectKey or URL."""

    artifact: str
    attribute: str


Value = str | GetParam | GetArtifactAtt


def read_overrides(text: str) -> dict[str, Value]:
    """Return values by parameter; raise ValueError with the parameter's name for a bad value."""
    return {name: _value(name, value) for name, value in json_object(text).items()}


def json_object(text: str) -> dict[str, Any]:
    """Return the JSON object that a text is; raise ValueError for anything else."""
    try:
        found = bounded_json.loads(text)
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from error
    if not isinstance(found, dict):
        raise ValueError("a JSON object of parameters and values is wanted")
    return found


def plain(value: Any) -> str | None:
    """Return a JSON value as CloudFormation's text: a list joined by commas, None for an object."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        # As JSON writes it: true, and not Python's True.
        return json.dumps(value)
    if isinstance(value, list):
        items = [plain(item) for item in value]
        return None if None in items else ",".join(item for item in items if item is not None)
    return None


def _value(name: str, value: Any) -> Value:
    if isinstance(value, dict):
        return _function(name, value)
    text = plain(value)
    if text is None:
        raise ValueError(f"{name}: a text, or one of {', '.join(_FUNCTIONS)}, is wanted")
    return text


def _function(name: str, value: dict[str, Any]) -> GetParam | GetArtifactAtt:
    function, arguments = next(iter(value.items())) if len(value) == 1 else ("", None)
    if function not in _FUNCTIONS:
        raise ValueError(f"{name}: the functions here are {', '.join(_FUNCTIONS)}")
    number = _FUNCTIONS[function]
    if not (
        isinstance(arguments, list)
        and len(arguments) == number
        and all(isinstance(a, str) for a in arguments)
    ):
        raise ValueError(f"{name}: {function} takes a list of {number} texts")
    if function == "Fn::GetParam":
        return GetParam(*arguments)
    if arguments[1] not in ATTRIBUTES:
        raise ValueError(
            f"{name}: an artifact has the attributes {', '.join(ATTRIBUTES)}, and no {arguments[1]}"
        )
    return GetArtifactAtt(*arguments)
