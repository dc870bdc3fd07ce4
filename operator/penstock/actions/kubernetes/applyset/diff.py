"""What a deploy changes, as lines for people: paths with old and new values, none of a Secret.

Pure: the object that stands there and the one that a dry run promises, in; lines out.
"""

import difflib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from penstock.api.text import shorten

_SERVERS_OWN = (
    "managedFields",
    "resourceVersion",
    "generation",
    "uid",
    "creationTimestamp",
    "selfLink",
)
# Lines of a log for one object: enough to see what changes.
_LINES = 40
# Characters that are shown of a value.
_VALUE = 160
# Lines that are shown of a text with line breaks, such as a ConfigMap's file.
_TEXT_LINES = 12
_ABSENT = object()


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return up to 40 lines ``path: old -> new`` of changed fields, without status and the like."""
    is_secret = after.get("kind") == "Secret"
    lines: list[str] = []
    for path, old, new in _differences(_plain(before), _plain(after), ""):
        lines += [f"{path}: changed"] if is_secret else _shown(path, old, new)
        if len(lines) > _LINES:
            return [*lines[:_LINES], "(and more)"]
    return lines


def _plain(item: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {
        key: value for key, value in (item.get("metadata") or {}).items() if key not in _SERVERS_OWN
    }
    return {**{key: value for key, value in item.items() if key != "status"}, "metadata": metadata}


def _differences(old: Any, new: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Yield (path, old, new) of each leaf that differs; list entries go by name if all have one."""
    if old == new:
        return
    left, right = _entries(old), _entries(new)
    if left is None or right is None or isinstance(old, dict) != isinstance(new, dict):
        yield path or ".", old, new
        return
    # By their names the entries are the same, so only their order has changed.
    if left == right:
        yield f"{path}: order of entries", list(left), list(right)
    for key in dict.fromkeys([*left, *right]):
        inner = f"{path}[{key}]" if isinstance(old, list) else _dotted(path, str(key))
        yield from _differences(left.get(key, _ABSENT), right.get(key, _ABSENT), inner)


def _entries(value: Any) -> dict[Any, Any] | None:
    if isinstance(value, dict):
        return value
    if not isinstance(value, list):
        return None
    names = [item.get("name") if isinstance(item, dict) else None for item in value]
    if all(isinstance(name, str) for name in names) and len(set(names)) == len(names):
        return dict(zip(names, value, strict=True))
    return dict(enumerate(value))


def _dotted(path: str, key: str) -> str:
    if not key or not all(letter.isalnum() or letter in "_-" for letter in key):
        return f'{path}["{key}"]'
    return f"{path}.{key}" if path else key


def _shown(path: str, old: Any, new: Any) -> list[str]:
    if isinstance(old, str) and isinstance(new, str) and "\n" in old + new:
        return [f"{path}:", *_text_lines(old, new)]
    return [f"{path}: {_value(old)} -> {_value(new)}"]


def _text_lines(old: str, new: str) -> list[str]:
    unified = difflib.unified_diff(old.splitlines(), new.splitlines(), n=1, lineterm="")
    lines = [f"  {shorten(line, _VALUE)}" for line in list(unified)[2:]]
    return lines if len(lines) <= _TEXT_LINES else [*lines[:_TEXT_LINES], "  (and more lines)"]


def _value(value: Any) -> str:
    return (
        "(none)"
        if value is _ABSENT
        else shorten(json.dumps(value, ensure_ascii=False, sort_keys=True), _VALUE)
    )
