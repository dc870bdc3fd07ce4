"""Texts that others wrote, as a terminal may have them: what would steer it is shown instead.

A commit message, a variable or a log line may hold sequences that retitle a
window, clear it, write the clipboard, or turn the order of what follows.
Nothing of the kind reaches the terminal (attack 11).
"""

import difflib
import json
import re
import unicodedata
from collections.abc import Iterable
from typing import Any

# Control characters, halves of surrogate pairs, and what separates lines and paragraphs.
_STEERING = frozenset(("Cc", "Cs", "Zl", "Zp"))
# What turns the direction of the text around it. Other invisible characters belong to words and
# emoji.
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
_COLOUR = re.compile(r"(\x1b\[[0-9;]{0,20}m)")


def visible(text: str) -> str:
    """Return a text with every control character in hexadecimal; tab and newline stay."""
    return text if text.isascii() and text.isprintable() else "".join(map(_shown, text))


def first_line(text: str) -> str:
    """Return the first line of a text, fit to be printed within a line."""
    return visible(text.partition("\n")[0])


def in_line(text: str) -> str:
    """Return a text as one line.

    Its newlines are written out as well, so it cannot start a line of its own.
    """
    return visible(text).replace("\n", "\\n")


def log_line(text: str) -> str:
    """Return a line of a log with its colours, but no other control sequence.

    The colours end with the line.
    """
    if text.isascii() and text.isprintable():
        return text
    parts = _COLOUR.split(text.removesuffix("\r"))
    shown = "".join(part if place % 2 else visible(part) for place, part in enumerate(parts))
    return f"{shown}\x1b[0m" if len(parts) > 1 else shown


def to_json(document: Any) -> str:
    """Return a document as JSON, in which no control character stands, of whichever range."""
    text = json.dumps(document, indent=2, ensure_ascii=False)
    return "".join(
        char if char == "\n" or not _steers(char) else f"\\u{ord(char):04x}" for char in text
    )


def meant(name: str, known: Iterable[str]) -> str:
    """Return a hint about an unknown name: the name it resembles, and the known names."""
    names = sorted(set(known))
    near = difflib.get_close_matches(name, names, 1)
    hint = f'; did you mean "{near[0]}"?' if near else ""
    some = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
    return f"{hint}{'' if near else ';'} there is {some}" if names else hint


def _steers(char: str) -> bool:
    return char in _BIDI or unicodedata.category(char) in _STEERING


def _shown(char: str) -> str:
    return char if char in "\n\t" or not _steers(char) else char.encode("unicode_escape").decode()
