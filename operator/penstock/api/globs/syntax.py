"""Reads a glob (G-30..G-36): what stands in it, and the patterns that its braces stand for."""

from collections.abc import Iterator
from typing import NamedTuple

MOST_EXPANSIONS = 256
"""How many patterns the braces of one may stand for."""
MOST_TOKENS = 8_000
"""How long these may be, taken together."""
_SLASH = ("/", "/")
NOT_SLASH = ((_SLASH,), True)


class GlobError(ValueError):
    """A pattern that is not complete, or too large; the text says which and why."""


class Stars(NamedTuple):
    """``*`` (one) within a name, ``**`` or more across names."""

    length: int


class One(NamedTuple):
    """One character: of these, or (negated) none of these."""

    characters: tuple[tuple[str, str], ...]
    is_negated: bool


class Folders(NamedTuple):
    """``**/`` at the beginning of a name: any folders with their slashes, or none (D-9)."""


_Token = Stars | One
Tokens = tuple[_Token, ...]
IS_SLASH = One((_SLASH,), False)


def sequences_of(text: str, most: int = MOST_TOKENS) -> list[Tokens]:
    """Return what a pattern stands for: each piece is what one of its alternatives says.

    Raise GlobError for a pattern that is not complete, or that has more than ``most`` pieces, each
    counted once for every combination of braces.
    """
    found: list[Tokens] = [()]
    for alternatives in _Parser(text).pattern():
        # Counted before anything is built, as building it is what takes the memory.
        count = len(found) * len(alternatives)
        tokens = sum(map(len, found)) * len(alternatives) + sum(map(len, alternatives)) * len(found)
        if count > MOST_EXPANSIONS or tokens > most:
            raise GlobError(f'the braces of the pattern "{text}" stand for too many patterns')
        found = [sequence + alternative for sequence in found for alternative in alternatives]
    return found


def pieces_of(tokens: Tokens) -> Iterator[Stars | One | Folders]:
    """Yield the tokens of a whole pattern, with its folders told from its other stars."""
    is_at_name, at = True, 0
    while at < len(tokens):
        token = tokens[at]
        is_folders = (
            isinstance(token, Stars)
            and token.length > 1
            and is_at_name
            and tokens[at + 1 : at + 2] == (IS_SLASH,)
        )
        yield Folders() if is_folders else token
        at += 1 + is_folders
        is_at_name = is_folders or token == IS_SLASH


class _Parser:
    """Reads a pattern from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def pattern(self) -> list[list[Tokens]]:
        """Return the pieces in order, each a list of alternatives: one, except for braces."""
        pieces: list[list[Tokens]] = []
        while self._at < len(self._text):
            if self._text[self._at] == "{":
                self._at += 1
                pieces.append(self._braces())
            else:
                pieces.append([self._sequence(ends="{")])
        return pieces

    def _braces(self) -> list[Tokens]:
        alternatives = []
        while True:
            alternatives.append(self._sequence(ends="{,}"))
            ended = self._take("{")
            if ended == "{":
                raise GlobError(f'the pattern "{self._text}" has braces within braces (G-34)')
            if ended == "}":
                return alternatives

    def _sequence(self, ends: str) -> Tokens:
        tokens: list[_Token] = []
        while self._at < len(self._text) and self._text[self._at] not in ends:
            character = self._take("")
            if character == "*":
                tokens.append(self._stars())
            elif character == "?":
                tokens.append(One(*NOT_SLASH))
            elif character == "[":
                tokens.append(self._set())
            else:
                character = self._take("\\") if character == "\\" else character
                tokens.append(One(((character, character),), False))
        return tuple(tokens)

    def _stars(self) -> Stars:
        begun = self._at
        while self._text.startswith("*", self._at):
            self._at += 1
        return Stars(1 + self._at - begun)

    def _set(self) -> One:
        """Parse ``[abc]``, ``[a-z]`` or ``[!a]``; never a slash.

        Inside, only ``]`` and a ``-`` in the middle are special.
        """
        is_negated = self._text.startswith("!", self._at)
        self._at += is_negated
        members: list[tuple[str, str]] = []
        # A bracket that comes first is a member, as in a shell.
        while (low := self._take("[")) != "]" or not members:
            high = low
            if self._text.startswith("-", self._at) and self._text[
                self._at + 1 : self._at + 2
            ] not in ("", "]"):
                self._at += 1
                high = self._take("[")
            if high < low:
                raise GlobError(f'the pattern "{self._text}" has the range {low}-{high}')
            members.append((low, high))
        if is_negated:
            return One((*members, _SLASH), True)
        # A range may run across the slash, which a set never matches: `.` and `0` stand beside it.
        halves = [
            half for low, high in members for half in ((low, min(high, ".")), (max(low, "0"), high))
        ]
        return One(tuple((low, high) for low, high in halves if low <= high), False)

    def _take(self, opened_by: str) -> str:
        if self._at >= len(self._text):
            raise GlobError(f'the pattern "{self._text}" ends behind an open {opened_by}')
        self._at += 1
        return self._text[self._at - 1]
