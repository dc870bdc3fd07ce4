"""Reads the answers of the API server.

An object that Python cannot read is a problem of that object alone.

Python's json raises RecursionError some thousand levels deep; the API server takes ten thousand. No
field of ours is that deep, but ``metadata.managedFields`` and kinds of others may be.
"""

import json
import re
from typing import Any

# More levels than any field has that a decision reads.
_DEEPEST = 100

# Strings are matched as a whole: a bracket within one opens nothing.
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[][{}]', re.DOTALL)


def decode(text: str | bytes) -> Any:
    """Return the value of a JSON text; what lies deeper than 100 levels of a text too deep is null.

    Raises ValueError for a text that is not JSON.
    """
    try:
        return json.loads(text)
    except RecursionError:
        shallow = cut(text.decode() if isinstance(text, bytes) else text, _DEEPEST)
        return json.loads(shallow)


def cut(text: str, deepest: int) -> str:
    """Return a JSON text with null for all lists and objects below ``deepest``, in linear time."""
    kept: list[str] = []
    depth = begin = 0
    for token in _TOKEN.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth == deepest + 1:
                kept += [text[begin : token.start()], "null"]
        elif token[0] in "]}":
            depth -= 1
            if depth == deepest:
                begin = token.end()
    return "".join(kept) + text[begin:]
