"""Resolves references in JSON configuration, within its texts only.

So no value can add a key or end a text.
"""

import json
from typing import Any

from penstock.actions import bounded_json
from penstock.engine.language.variables import (
    REFERENCE,
    Values,
    check_resolvable,
    references,
    resolve,
)

PROBLEM = (
    f"is JSON with references: write each reference within quotes, or the whole value as one "
    f"reference; it is nested at most {bounded_json.MOST_DEPTH} levels deep"
)


def resolve_json(text: str, values: Values) -> str:
    """Return JSON with the references in its texts resolved; raise ValueError if it is none.

    A text that is one reference as a whole is what that has for a value. Raise UnresolvedError for
    a reference without one, or where the values are too long together.
    """
    if REFERENCE.fullmatch(text.strip()) or not any(references(text)):
        return resolve(text, values)
    parsed = _parsed(text)
    check_resolvable(text, values)
    return json.dumps(_resolved(parsed, values))


def is_resolvable(text: str) -> bool:
    """Whether `resolve_json` takes a text."""
    if REFERENCE.fullmatch(text.strip()) or not any(references(text)):
        return True
    try:
        _parsed(text)
    except ValueError:
        return False
    return True


def _parsed(text: str) -> Any:
    try:
        return bounded_json.loads(text)
    except ValueError as error:
        raise ValueError(PROBLEM) from error


def _resolved(node: Any, values: Values) -> Any:
    if isinstance(node, dict):
        return {resolve(key, values): _resolved(item, values) for key, item in node.items()}
    if isinstance(node, list):
        return [_resolved(item, values) for item in node]
    return resolve(node, values) if isinstance(node, str) else node
