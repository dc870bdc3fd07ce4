"""Reads users' JSON within bounds: code that walks it recurses, and no text may end the operator.

A text that is refused raises ValueError, never RecursionError. Nothing but JSON is read: no NaN and
no Infinity, which Python would write out again as what no other reader takes.
"""

import json
import math
import re
from typing import Any

MOST_CHARACTERS = 200_000
"""How long a text may be: four times what a value of a configuration may be on AWS."""
MOST_DEPTH = 64
"""How deep lists and objects may be nested."""
# A string without an end is one match up to the end: no quote within it is tried anew.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\\?\Z)|[\[{]|[\]}]', re.DOTALL)


def loads(text: str) -> Any:
    """Return what JSON says; raise ValueError for a text that is none, too long or too deep."""
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"it has {len(text)} characters, more than {MOST_CHARACTERS}")
    if _depth(text) > MOST_DEPTH:
        raise ValueError(f"it is nested more than {MOST_DEPTH} levels deep")
    return json.loads(text, parse_constant=_refuse, parse_float=_number)


def _depth(text: str) -> int:
    depth = most = 0
    for match in _TOKEN.finditer(text):
        if match[0] in ("[", "{"):
            depth += 1
            most = max(most, depth)
        elif match[0] in ("]", "}"):
            depth -= 1
    return most


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is too large a number")
    return number
