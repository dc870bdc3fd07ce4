"""Values of a file put into manifests at ``${NAME}``.

Pure. Only the scalars of parsed manifests are looked at, never their text: no value can add a field
or an object. A scalar that is ``${NAME}`` and nothing else takes the value with its type; within a
longer text stands what the file of values says, letter by letter: a version 1.10 is never 1.1.
``$${`` stands for ``${``.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from penstock.actions.execution import CONFIGURATION_ERROR, ActionError
from penstock.actions.kubernetes.manifests.dialect import json_number, resolve
from penstock.actions.kubernetes.manifests.files import Manifest
from penstock.actions.kubernetes.manifests.streams import read_json, read_yaml
from penstock.actions.yaml_documents import Rules, Scalar

Value = str | int | float | bool


class Written(NamedTuple):
    """A value, and how the file writes it."""

    value: Value | None
    text: str

    @property
    def is_unclear(self) -> bool:
        """Whether the value is no text and its spelling differs from it: 1.10, 0012, 1e3, no."""
        return not isinstance(self.value, str) and json.dumps(self.value) != self.text


_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLACE = re.compile(r"\$(\$?)\{([^}]*)(\}?)")


def read_values(place: str, data: bytes) -> dict[str, Written]:
    """Read values: a JSON or YAML mapping of scalars; ``NAME=value`` lines for other file names."""
    document = _document(place, data)
    if not isinstance(document, dict):
        raise _problem(place, "a mapping of names to values is wanted")
    found: dict[str, Written] = {}
    for name, value in document.items():
        if not _NAME.fullmatch(name):
            raise _problem(
                place, f'"{name}" is no name: letters, digits and _ are, and no digit first'
            )
        written = value if isinstance(value, Written) else _as_json(value)
        if written is None or written.value is None:
            raise _problem(f"{place}: {name}", "a text, a number, true or false is wanted")
        found[name] = written
    return found


def _document(place: str, data: bytes) -> Any:
    try:
        if place.endswith((".yaml", ".yml")):
            documents = [item for item in read_yaml(data, _AS_WRITTEN) if not _is_nothing(item)]
        elif place.endswith(".json"):
            documents = list(read_json(data, _number))
        else:
            return _lines(place, data.decode("utf-8"))
    except ValueError as error:
        raise _problem(place, f"it cannot be read: {str(error).splitlines()[0]}") from error
    return documents[0] if len(documents) == 1 else None


def _is_nothing(document: Any) -> bool:
    return isinstance(document, Written) and document.value is None


def _as_json(value: Any) -> Written | None:
    """Return a value of a JSON file that is no number: its numbers are written already."""
    return (
        Written(value, value if isinstance(value, str) else json.dumps(value))
        if isinstance(value, Value)
        else None
    )


def _scalar(scalar: Scalar) -> Written:
    value = resolve(scalar)
    return Written(value, value if isinstance(value, str) else scalar.text)


def _number(text: str) -> Written:
    # No integer of 64 bits has more than 20 characters, and int() refuses a text of thousands.
    return Written(
        json_number(float(text) if set(text) & set(".eE") or len(text) > 20 else int(text)), text
    )


_AS_WRITTEN = Rules(_scalar, lambda scalar: scalar.text, is_strict=True)


def with_values(manifest: Manifest, values: Mapping[str, Written]) -> Manifest:
    """Return the manifest with every ``${NAME}`` replaced.

    A name without a value is an error with its path.
    """

    def replaced(node: Any, path: str) -> Any:
        if isinstance(node, dict):
            return {
                key: replaced(item, f"{path}.{key}" if path else str(key))
                for key, item in node.items()
            }
        if isinstance(node, list):
            return [replaced(item, f"{path}[{index}]") for index, item in enumerate(node)]
        return _filled(node, values, f"{manifest.place}: {path}") if isinstance(node, str) else node

    return Manifest(replaced(manifest.body, ""), manifest.place)


def _filled(text: str, values: Mapping[str, Written], place: str) -> Value | None:
    # A place that fills the whole field keeps the value's type: `replicas: ${COUNT}` is a number.
    whole = _PLACE.fullmatch(text)
    if whole and not whole[1] and whole[3]:
        return _typed(whole[2], values, place)

    def fill(match: re.Match[str]) -> str:
        if match[1]:
            return f"${{{match[2]}{match[3]}"
        if not match[3]:
            raise _problem(place, '"${" without "}"; write $${ for a literal one')
        return _value(match[2], values, place).text

    return _PLACE.sub(fill, text)


def _typed(name: str, values: Mapping[str, Written], place: str) -> Value | None:
    """Return a value with its type; refuse 1.10 and its like, which may be a version."""
    written = _value(name, values, place)
    if written.is_unclear:
        meant = json.dumps(written.value)
        raise _problem(
            place,
            f"${{{name}}} is written {written.text}: quote it if it is a text, or write {meant}",
        )
    return written.value


def _value(name: str, values: Mapping[str, Written], place: str) -> Written:
    if name not in values:
        raise _problem(place, f"${{{name}}} has no value; write $${{ for a literal ${{")
    return values[name]


def _lines(place: str, text: str) -> dict[str, Written]:
    found: dict[str, Written] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, separator, value = line.partition("=")
        if not separator:
            raise _problem(f"{place}, line {number}", "NAME=value is wanted")
        value = value.strip()
        is_quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
        value = value[1:-1] if is_quoted else value
        found[name.strip()] = Written(value, value)
    return found


def _problem(place: str, why: str) -> ActionError:
    return ActionError(CONFIGURATION_ERROR, f"{place}: {why}")
