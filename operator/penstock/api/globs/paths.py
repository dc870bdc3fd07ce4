r"""The glob engine (G-30..G-36, D-9): ``* ** ? [abc] [!a] {a,b} \``, and folder walks by patterns.

A pattern becomes a small automaton, and matching carries the set of states that it has reached: a
value costs at most its length times the pattern's, no input makes it backtrack. A walk carries that
set from folder to folder, so that a folder below which nothing can match is never entered. There a
pattern that matches a folder means all of it.

Braces mean the patterns that they stand for, one beside the other: ``{a/,b}**/c`` is ``a/**/c`` or
``b**/c``. Their number, a pattern's length and the size of the automaton are bounded; what is
larger is refused.
"""

from collections.abc import Sequence
from typing import NamedTuple

from penstock.api.globs.syntax import (
    IS_SLASH,
    NOT_SLASH,
    Folders,
    GlobError,
    One,
    Stars,
    Tokens,
    pieces_of,
    sequences_of,
)

MOST_CHARACTERS = 1_000
"""How long a pattern may be."""
MOST_MOVES = 20_000
"""The most states reachable from all states without a character: an automaton's memory and time."""


class Step(NamedTuple):
    """A step over one of ``characters``, or (negated) none of them, and the state behind it."""

    characters: tuple[tuple[str, str], ...]
    is_negated: bool
    target: int

    def accepts(self, character: str) -> bool:
        """Whether the character is one that leads on."""
        return any(low <= character <= high for low, high in self.characters) != self.is_negated


_ACROSS = Stars(2)
_ANY: tuple[tuple[tuple[str, str], ...], bool] = ((), True)


class Pattern(NamedTuple):
    """A pattern as written, and its automaton: steps and free moves by state, first, last state."""

    text: str
    steps: tuple[tuple[Step, ...], ...]
    moves: tuple[frozenset[int], ...]
    last: int

    def start(self) -> frozenset[int]:
        """Return the states before the first character."""
        return self.moves[0]

    def feed(self, states: frozenset[int], text: str) -> frozenset[int]:
        """Return the states behind a text."""
        for character in text:
            if not states:
                break
            reached: set[int] = set()
            for state in states:
                for step in self.steps[state]:
                    if step.accepts(character):
                        reached |= self.moves[step.target]
            states = frozenset(reached)
        return states

    def matches(self, value: str) -> bool:
        """Whether the pattern matches the whole value, case sensitive (G-36)."""
        return self.last in self.feed(self.start(), value)


class Match(NamedTuple):
    """The patterns' progress at a path: ``states`` per pattern; ``complete`` are satisfied ones."""

    states: tuple[frozenset[int], ...]
    complete: frozenset[int]
    is_root: bool = False

    @property
    def can_continue(self) -> bool:
        """Whether anything below this path could match."""
        return any(self.states)


def compile_glob(text: str) -> Pattern:
    """Return the automaton of a pattern; raise GlobError for one that is not complete."""
    if len(text) > MOST_CHARACTERS:
        raise GlobError(f'the pattern "{text[:60]}…" is longer than {MOST_CHARACTERS} characters')
    builder = _Builder(text)
    last = builder.build(sequences_of(text))
    return Pattern(text, tuple(map(tuple, builder.steps)), builder.closures(), last)


def parse(text: str) -> Pattern:
    """Return the pattern of files below a folder; raise GlobError if it leads out of it."""
    # The paths that are walked have neither empty names nor dots.
    names = [name for name in text.strip().split("/") if name not in ("", ".")]
    if text.startswith("/") or ".." in names or "\0" in text:
        raise GlobError(f'the pattern "{text}" leads out of the source folder')
    compiled = compile_glob("/".join(names))
    return Pattern(text, compiled.steps, compiled.moves, compiled.last)


def start(patterns: Sequence[Pattern]) -> Match:
    """Return the match at the folder that the patterns are relative to."""
    return _match(patterns, tuple(pattern.start() for pattern in patterns), is_root=True)


def step(patterns: Sequence[Pattern], match: Match, name: str) -> Match:
    """Return the match at an entry of the folder where ``match`` holds."""
    fed = name if match.is_root else f"/{name}"
    states = (
        pattern.feed(reached, fed) for pattern, reached in zip(patterns, match.states, strict=True)
    )
    return _match(patterns, tuple(states), is_root=False)


def _match(
    patterns: Sequence[Pattern], states: tuple[frozenset[int], ...], *, is_root: bool
) -> Match:
    pairs = enumerate(zip(patterns, states, strict=True))
    return Match(
        states, frozenset(index for index, (pattern, now) in pairs if pattern.last in now), is_root
    )


class _Builder:
    """Makes one automaton of the patterns that a pattern stands for."""

    def __init__(self, text: str) -> None:
        self.steps: list[list[Step]] = [[]]
        self._moves: list[set[int]] = [set()]
        self._text = text

    def build(self, sequences: list[Tokens]) -> int:
        """Add the states of every pattern; return the last state of all."""
        end = self._new()
        for sequence in sequences:
            self._moves[self._sequence(self._free(0), sequence)].add(end)
        return end

    def closures(self) -> tuple[frozenset[int], ...]:
        """Return, by state, every state reachable without a character, itself included."""
        found, moves = [], 0
        for state in range(len(self._moves)):
            reached, waiting = {state}, [state]
            while waiting:
                new = self._moves[waiting.pop()] - reached
                reached |= new
                waiting += new
            moves += len(reached)
            if moves > MOST_MOVES:
                raise GlobError(f'the pattern "{self._text}" has too many stars and braces')
            found.append(frozenset(reached))
        return tuple(found)

    def _sequence(self, state: int, sequence: Tokens) -> int:
        for piece in pieces_of(sequence):
            if isinstance(piece, One):
                state = self._step(state, *piece)
            elif isinstance(piece, Folders):
                state = self._folders(state)
            else:
                state = self._stars(state, piece)
        return state

    def _stars(self, state: int, stars: Stars) -> int:
        """Build ``*`` within a name, or ``**`` across names."""
        loop = self._free(state)
        self.steps[loop].append(Step(*(NOT_SLASH if stars.length == 1 else _ANY), loop))
        return self._free(loop)

    def _folders(self, state: int) -> int:
        behind = self._step(self._stars(state, _ACROSS), *IS_SLASH)
        # The way without any folder.
        self._moves[state].add(behind)
        return behind

    def _new(self) -> int:
        self.steps.append([])
        self._moves.append(set())
        return len(self.steps) - 1

    def _free(self, state: int) -> int:
        new = self._new()
        self._moves[state].add(new)
        return new

    def _step(self, state: int, characters: tuple[tuple[str, str], ...], is_negated: bool) -> int:
        new = self._new()
        self.steps[state].append(Step(characters, is_negated, new))
        return new
