"""Values of a file put into manifests at ``${NAME}``.

Pure. Only the scalars of parsed manifests are looked at, never their text: no value can add a field or an object.
A scalar that is ``${NAME}`` and nothing else takes the value with its type; within a longer text the value is
written out. ``$${`` stands for ``${``.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

import yaml

from penstock.actions.execution import CONFIGURATION_ERROR, ActionError
from penstock.actions.kubernetes.manifests import Manifest, parse_yaml

Value = str | int | float | bool
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLACE = re.compile(r"\$(\$?)\{([^}]*)(\}?)")


def read_values(place: str, data: bytes) -> dict[str, Value]:
    """Read names and values: a JSON or YAML mapping of scalars, or lines of ``NAME=value`` for any other file name."""
    try:
        text = data.decode("utf-8")
        if place.endswith(".json"):
            document = json.loads(text)
        elif place.endswith((".yaml", ".yml")):
            document = parse_yaml(text)
        else:
            document = _lines(place, text)
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise _problem(place, f"it cannot be read: {str(error).splitlines()[0]}") from error
    if not isinstance(document, dict):
        raise _problem(place, "a mapping of names to values is wanted")
    for name, value in document.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise _problem(place, f'"{name}" is no name: letters, digits and _ are, and no digit first')
        if not isinstance(value, Value):
            raise _problem(f"{place}: {name}", "a text, a number, true or false is wanted")
    return document


def with_values(manifest: Manifest, values: Mapping[str, Value]) -> Manifest:
    """Return the manifest with every ``${NAME}`` replaced; a name without a value is an error with its path."""

    def replaced(node: Any, path: str) -> Any:
        if isinstance(node, dict):
            return {key: replaced(item, f"{path}.{key}" if path else str(key)) for key, item in node.items()}
        if isinstance(node, list):
            return [replaced(item, f"{path}[{index}]") for index, item in enumerate(node)]
        return _filled(node, values, f"{manifest.place}: {path}") if isinstance(node, str) else node

    return Manifest(replaced(manifest.body, ""), manifest.place)


def _filled(text: str, values: Mapping[str, Value], place: str) -> Value:
    whole = _PLACE.fullmatch(text)
    if whole and not whole[1] and whole[3]:
        return _value(whole[2], values, place)

    def fill(match: re.Match[str]) -> str:
        if match[1]:
            return f"${{{match[2]}{match[3]}"
        if not match[3]:
            raise _problem(place, '"${" without "}"; write $${ for a literal one')
        value = _value(match[2], values, place)
        return json.dumps(value) if isinstance(value, bool) else str(value)

    return _PLACE.sub(fill, text)


def _value(name: str, values: Mapping[str, Value], place: str) -> Value:
    if name not in values:
        raise _problem(place, f"${{{name}}} has no value; write $${{ for a literal ${{")
    return values[name]


def _lines(place: str, text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, separator, value = line.partition("=")
        if not separator:
            raise _problem(f"{place}, line {number}", "NAME=value is wanted")
        value = value.strip()
        is_quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
        found[name.strip()] = value[1:-1] if is_quoted else value
    return found


def _problem(place: str, why: str) -> ActionError:
    return ActionError(CONFIGURATION_ERROR, f"{place}: {why}")
