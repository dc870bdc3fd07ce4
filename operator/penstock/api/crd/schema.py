"""Translates a pydantic model to the structural OpenAPI schema of a CustomResourceDefinition.

pydantic writes JSON Schema 2020; the API server takes OpenAPI v3 with everything that is not
structural removed. What has no faithful translation raises `UntranslatableError` with its path, so
that a model can never promise users what the API server does not hold.
"""

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]

# Kept as they are; every other keyword must be translated below or is refused.
_KEPT = {
    "type", "description", "enum", "pattern", "format", "default", "minimum", "maximum", "required",
    "nullable",
    "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties",
    "x-kubernetes-validations", "x-kubernetes-list-type", "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type",
    "x-kubernetes-int-or-string",
}  # fmt: skip
_DROPPED = {"title", "examples", "deprecated", "$defs"}
_FORMATS = {"date-time", "int32", "int64", "byte"}


class UntranslatableError(TypeError):
    """A structural schema cannot express the model; the message names path and keyword."""


def structural_schema(model: type[BaseModel]) -> Schema:
    """Return the structural schema of ``model``; raise UntranslatableError where there is none."""
    document = model.model_json_schema(mode="validation", by_alias=True)
    return _translate(document, document.get("$defs", {}), model.__name__, ())


def _translate(
    node: Schema, definitions: dict[str, Schema], path: str, seen: tuple[str, ...]
) -> Schema:
    node = dict(node)
    if "$ref" in node:
        name = node.pop("$ref").removeprefix("#/$defs/")
        if name in seen:
            raise UntranslatableError(
                f"{path}: {name} contains itself, which a structural schema cannot say"
            )
        # What stands beside the reference is said of this very place, so it comes last and wins.
        return _translate({**definitions[name], **node}, definitions, path, (*seen, name))
    if "anyOf" in node:
        return _translate(_optional(node, path), definitions, path, seen)
    result: Schema = {}
    for keyword, value in node.items():
        if keyword in _DROPPED:
            continue
        _TRANSLATIONS.get(keyword, _keep)(result, keyword, value, path)
    if "properties" in node:
        result["properties"] = {
            name: _translate(item, definitions, f"{path}.{name}", seen)
            for name, item in node["properties"].items()
        }
    if "items" in node:
        result["items"] = _translate(node["items"], definitions, f"{path}[]", seen)
    if isinstance(node.get("additionalProperties"), dict):
        result["additionalProperties"] = _translate(
            node["additionalProperties"], definitions, f"{path}{{}}", seen
        )
    return _checked(result, path)


def _optional(node: Schema, path: str) -> Schema:
    """``X | None`` is X that may be absent; a null default would rewrite stored objects."""
    others = [option for option in node["anyOf"] if option != {"type": "null"}]
    if len(others) != 1 or len(others) == len(node["anyOf"]):
        raise UntranslatableError(
            f"{path}: anyOf of {len(others)} kinds; use one object and a CEL rule"
        )
    rest = {
        key: value
        for key, value in node.items()
        if key != "anyOf" and (key, value) != ("default", None)
    }
    return {**others[0], **rest}


def _keep(result: Schema, keyword: str, value: Any, path: str) -> None:
    if keyword not in _KEPT:
        raise UntranslatableError(f"{path}: {keyword} has no place in a structural schema")
    if keyword == "format" and value not in _FORMATS:
        raise UntranslatableError(f"{path}: format {value} is unknown to the API server")
    # The API server would write a default that says nothing into every stored object.
    if keyword == "default" and value in (None, [], {}):
        return
    result[keyword] = " ".join(value.split()) if keyword == "description" else value


def _const(result: Schema, _: str, value: Any, __: str) -> None:
    result["enum"] = [value]


def _exclusive(result: Schema, keyword: str, value: Any, _: str) -> None:
    # JSON Schema 2020 has one number here, and OpenAPI 3.0 a bound and a flag.
    result["minimum" if keyword == "exclusiveMinimum" else "maximum"] = value
    result[keyword] = True


def _additional(result: Schema, _: str, value: Any, path: str) -> None:
    if value is True:
        # One object that nobody can read would stop all: what users write has a shape and a size.
        raise UntranslatableError(f"{path}: is open-ended; declare its fields")
    # False is pydantic's extra="forbid": the API server prunes, or refuses under strict validation.


def _children(result: Schema, keyword: str, value: Any, path: str) -> None:
    """Translated by `_translate`, which knows the definitions."""


_TRANSLATIONS: dict[str, Callable[[Schema, str, Any, str], None]] = {
    "const": _const,
    "exclusiveMinimum": _exclusive,
    "exclusiveMaximum": _exclusive,
    "additionalProperties": _additional,
    "properties": _children,
    "items": _children,
}


def _checked(schema: Schema, path: str) -> Schema:
    if "type" not in schema:
        raise UntranslatableError(f"{path}: has no type")
    if schema.get("type") == "array" and "x-kubernetes-list-type" not in schema:
        raise UntranslatableError(f"{path}: say how the list merges (list_map, ATOMIC)")
    if "properties" in schema and "additionalProperties" in schema:
        raise UntranslatableError(f"{path}: properties and additionalProperties exclude each other")
    return schema
