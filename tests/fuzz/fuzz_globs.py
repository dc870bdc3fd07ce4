"""Globs against regular expressions that are written from the same pieces, and any text at all."""

import itertools
import re
from pathlib import Path
from random import Random

from penstock.api.globs import names
from penstock.api.globs import paths as globs
from penstock.api.globs.syntax import GlobError
from tests.fuzz.finding import Finding

BATCH = 500
_ODD = "ab./-*?[]{},\\!^\0é\n"

Piece = tuple[str, str]
"""A piece of a pattern, and the expression for it; ``**`` is looked at with
what stands around it.
"""

_PIECES: list[Piece] = [
    ("a", "a"), ("b", "b"), ("/", "/"), ("/", "/"), ("?", "[^/]"), ("*", "[^/]*"), ("**", "**"),
    ("**", "**"),
    ("[ab]", "[ab]"), ("[!a]", "[^a/]"), ("\\*", "\\*"), (".", "\\."), ("[a-c]", "[a-c]"),
    ("[.-0]", "[.0]"),
]  # fmt: skip


def pieces(random: Random) -> list[Piece]:
    """Return a pattern without braces; no star stands directly before
    another, which would be one glob.
    """
    found: list[Piece] = []
    for _ in range(random.randrange(5)):
        piece = random.choice(_PIECES)
        if not (found and found[-1][0].startswith("*") and piece[0].startswith("*")):
            found.append(piece)
    return found


def pattern(random: Random) -> tuple[str, str]:
    """Return a pattern, and the expression that it is."""
    parts: list[list[list[Piece]]] = []
    for _ in range(random.choice([1, 1, 2, 3])):
        parts.append(
            [pieces(random)]
            if random.random() < 0.6
            else [pieces(random) for _ in range(random.choice([1, 2, 3]))]
        )
    text = ""
    for part in parts:
        inner = ",".join("".join(shown for shown, _ in each) for each in part)
        is_open = len(part) > 1 or text[-1:] == "*" or inner[:1] == "*"
        text += f"{{{inner}}}" if is_open else inner
    flat = [list(itertools.chain.from_iterable(chosen)) for chosen in itertools.product(*parts)]
    return text, "|".join(map(_expression, flat))


def _expression(flat: list[Piece]) -> str:
    out, index = "", 0
    while index < len(flat):
        shown, expression = flat[index]
        index += 1
        if (
            shown == "**"
            and (index == 1 or flat[index - 2][0] == "/")
            and flat[index : index + 1] == [("/", "/")]
        ):
            expression, index = "(?:.*/)?", index + 1
        out += ".*" if expression == "**" else expression
    return out


def batch(random: Random, folder: Path) -> int:
    """Compare, and try texts that are no patterns."""
    for _ in range(BATCH // 2):
        text, expression = pattern(random)
        compiled, among = globs.compile_glob(text), names.NameFilter((text,))
        for _ in range(4):
            value = "".join(random.choices("ab/.c*", k=random.randrange(7)))
            wanted = re.fullmatch(expression, value, re.DOTALL) is not None
            if not compiled.matches(value) == among.takes(value) == wanted:
                raise Finding(f"{text!r} and {value!r}: wanted {wanted}, as {expression!r}")
        odd = "".join(random.choices(_ODD, k=random.randrange(30)))
        try:
            globs.parse(odd)
            globs.compile_glob(odd).matches("a/b")
            names.NameFilter((odd,)).takes("a/b")
        except GlobError:
            continue
        except Exception as error:
            raise Finding(f"{odd!r}: {error!r}") from error
    return BATCH
