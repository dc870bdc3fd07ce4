"""References in JSON: no value changes what a document is made of, and any
text at all is read or refused.
"""

import json
from pathlib import Path
from random import Random
from typing import Any

from penstock.actions import bounded_json
from penstock.engine.language.json_values import is_resolvable, resolve_json
from penstock.engine.language.variables import Reference, UnresolvedError
from tests.fuzz.finding import Finding

BATCH = 200
_VALUES = [
    '", "Admin": "yes',
    "\\",
    '"',
    "}",
    "]",
    "#{S.A}",
    "",
    "\n",
    "é\u2028",
    "null",
    "1",
    "\x00",
    "[" * 2_000,
]
_ODD = '[]{}",:\\ntrue01.eE-#S.A \n\ud800é'
_ODD_PIECES = [*_ODD, "#{S.A}", '"#{S.A}"', "NaN", "1e999", "[" * 70, '{"a":' * 70, '"\\"']


def document(random: Random, depth: int = 0) -> Any:
    """Return a document whose texts hold references."""
    kind = random.randrange(6 if depth < 5 else 3)
    if kind < 2:
        return random.choice(["x", "#{S.A}", "a#{S.A}b#{S.B}", "#{S.A", '"#{S.B}"'])
    if kind == 2:
        return random.choice([None, True, 1, -1.5, 10**20, ""])
    if kind < 5:
        return {f"k{n}": document(random, depth + 1) for n in range(random.randrange(4))}
    return [document(random, depth + 1) for _ in range(random.randrange(4))]


def filled(node: Any, values: dict[str, str]) -> Any:
    """Return the document with values for references, replaced side by side."""
    if isinstance(node, dict):
        return {key: filled(item, values) for key, item in node.items()}
    if isinstance(node, list):
        return [filled(item, values) for item in node]
    if not isinstance(node, str):
        return node
    parts = node.split("#{S.A}")
    return values["A"].join(values["B"].join(part.split("#{S.B}")) for part in parts)


def batch(random: Random, folder: Path) -> int:
    """Resolve documents, and texts that may be none."""
    for _ in range(BATCH // 2):
        values = {key: random.choice(_VALUES) for key in "AB"}
        resolved = {Reference("S", key): value for key, value in values.items()}
        made = [document(random), "#{S.A}"]
        if json.loads(resolve_json(json.dumps(made), resolved)) != filled(made, values):
            raise Finding(f"{made!r} with {values!r}")
        odd = "".join(random.choices(_ODD_PIECES, k=random.randrange(25)))
        check(odd, resolved)
    return BATCH


def check(text: str, values: dict[Reference, str]) -> None:
    """Raise Finding if a text is neither read nor refused, or differently in two places."""
    try:
        is_read = True
        bounded_json.loads(text)
    except ValueError:
        is_read = False
    except Exception as error:
        raise Finding(f"{text!r}: {error!r}") from error
    try:
        is_resolved = True
        resolve_json(text, values)
    except (ValueError, UnresolvedError):
        is_resolved = False
    except Exception as error:
        raise Finding(f"{text!r}: {error!r}") from error
    if is_resolved != is_resolvable(text) or (is_read and not is_resolved):
        raise Finding(
            f"{text!r}: read {is_read}, resolved {is_resolved}, resolvable {is_resolvable(text)}"
        )
