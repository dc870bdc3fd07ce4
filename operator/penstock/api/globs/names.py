"""Globs of names, many at a time: branches, tags and the files of a change (G-21).

The pieces of a glob are `syntax`'s, as for paths. They become one regular expression of google-re2,
which goes through a name once. What a character may cost is bounded by the number of the pieces.
"""

from collections.abc import Iterable
from functools import cached_property

import re2

from penstock.api.globs.syntax import (
    Folders,
    GlobError,
    One,
    Stars,
    Tokens,
    pieces_of,
    sequences_of,
)

MOST_PIECES = 1_000
"""Of the includes, or the excludes, of a filter: characters, those of sets among them, and
wildcards, braces multiplied out."""
MOST_STARS = 128
# Of one automaton: of 64 KiB of a program, and as many states as make it quick.
_MEMORY = 4 * 1024 * 1024


class NameFilter:
    """Takes a name that any of ``includes`` matches, or any at all without them, and no exclude.

    A pattern matches the whole name, case sensitive (G-36).
    """

    def __init__(self, includes: Iterable[str] = (), excludes: Iterable[str] = ()) -> None:
        self._includes, self._excludes = tuple(includes), tuple(excludes)

    def check(self) -> None:
        """Raise GlobError for a pattern that is not complete, or too large."""
        _ = self._included, self._excluded

    def takes(self, name: str) -> bool:
        """Whether the filter takes a name; raise GlobError."""
        if self._excluded is not None and self._excluded.fullmatch(name):
            return False
        return self._included is None or self._included.fullmatch(name) is not None

    @cached_property
    def _included(self) -> "re2._Regexp | None":
        return _any_of(self._includes)

    @cached_property
    def _excluded(self) -> "re2._Regexp | None":
        return _any_of(self._excludes)


def _any_of(patterns: tuple[str, ...]) -> "re2._Regexp | None":
    if not patterns:
        return None
    sequences: list[Tokens] = []
    for pattern in patterns:
        sequences += sequences_of(pattern, MOST_PIECES)
    every = [token for tokens in sequences for token in tokens]
    stars = sum(isinstance(token, Stars) for token in every)
    # With more, the automaton outgrows its memory, and a name takes milliseconds (measured).
    if stars > MOST_STARS or sum(map(_size, every)) > MOST_PIECES:
        raise GlobError(
            f"the patterns {', '.join(patterns)[:100]} are too many or too long: with braces "
            f"multiplied out they may have {MOST_PIECES:,} characters, {MOST_STARS} of them stars"
        )
    options = re2.Options()
    options.max_mem, options.dot_nl, options.log_errors = _MEMORY, True, False
    options.never_capture = True
    try:
        return re2.compile("|".join(map(_expression, sequences)), options)
    except re2.error as error:
        raise GlobError(f"the patterns {', '.join(patterns)[:100]} are too large") from error
    finally:
        # RE2's module keeps what it compiled, a hundred automata of anybody's.
        re2.purge()


def _size(token: Stars | One) -> int:
    return max(1, len(token.characters)) if isinstance(token, One) else 1


def _expression(tokens: Tokens) -> str:
    return "".join(map(_piece, pieces_of(tokens)))


def _piece(piece: Stars | One | Folders) -> str:
    if isinstance(piece, Folders):
        return "(?:.*/)?"
    if isinstance(piece, One):
        return _set(piece)
    return "[^/]*" if piece.length == 1 else ".*"


def _set(token: One) -> str:
    if not token.characters:
        # A set of the slash alone is none: nothing matches it.
        return "." if token.is_negated else "[^\\x00-\\x{10FFFF}]"
    members = "".join(f"{_code(low)}-{_code(high)}" for low, high in token.characters)
    return f"[{'^' if token.is_negated else ''}{members}]"


def _code(character: str) -> str:
    return f"\\x{{{ord(character):X}}}"
