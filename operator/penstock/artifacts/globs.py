r"""The glob engine (G-30..G-36, D-9): ``* ** ? [abc] [!a] {a,b} \``, and the walk of a folder by patterns.

A pattern becomes a small automaton, and matching carries the set of states that it has reached: a value costs
at most its length times the pattern's, no input makes it backtrack. A walk carries that set from folder to
folder, so that a folder below which nothing can match is never entered. There a pattern that matches a folder
means all of it.
"""

from collections.abc import Sequence
from typing import NamedTuple

from penstock.artifacts.errors import ArtifactError

_INVALID = "ConfigurationError"


class Step(NamedTuple):
    """What one character may be, and the state behind it: one of ``characters``, or (negated) none of them."""

    characters: tuple[tuple[str, str], ...]
    is_negated: bool
    target: int

    def accepts(self, character: str) -> bool:
        """Whether the character is one that leads on."""
        return any(low <= character <= high for low, high in self.characters) != self.is_negated


_SLASH = ("/", "/")
_NOT_SLASH = ((_SLASH,), True)
_ANY: tuple[tuple[tuple[str, str], ...], bool] = ((), True)


class Pattern(NamedTuple):
    """A pattern as the user wrote it, and its automaton: steps and free moves by state, first and last state."""

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
    """How far the patterns have got at a path: ``states`` per pattern; ``complete`` are the satisfied ones."""

    states: tuple[frozenset[int], ...]
    complete: frozenset[int]
    is_root: bool = False

    @property
    def can_continue(self) -> bool:
        """Whether anything below this path could match."""
        return any(self.states)


def compile_glob(text: str) -> Pattern:
    """Return the automaton of a pattern; raise ArtifactError for one that is not complete."""
    builder = _Builder(text)
    last = builder.sequence(0, in_braces=False)
    return Pattern(text, tuple(map(tuple, builder.steps)), builder.closures(), last)


def parse(text: str) -> Pattern:
    """Return the pattern of files below a folder; raise ArtifactError for one that leads out of it."""
    names = [name for name in text.strip().split("/") if name not in ("", ".")]
    if text.startswith("/") or ".." in names or "\0" in text:
        raise ArtifactError(_INVALID, f'the pattern "{text}" leads out of the source folder')
    compiled = compile_glob("/".join(names))
    return Pattern(text, compiled.steps, compiled.moves, compiled.last)


def start(patterns: Sequence[Pattern]) -> Match:
    """Return the match at the folder that the patterns are relative to."""
    return _match(patterns, tuple(pattern.start() for pattern in patterns), is_root=True)


def step(patterns: Sequence[Pattern], match: Match, name: str) -> Match:
    """Return the match at an entry of the folder where ``match`` holds."""
    fed = name if match.is_root else f"/{name}"
    states = (pattern.feed(reached, fed) for pattern, reached in zip(patterns, match.states, strict=True))
    return _match(patterns, tuple(states), is_root=False)


def _match(patterns: Sequence[Pattern], states: tuple[frozenset[int], ...], *, is_root: bool) -> Match:
    pairs = enumerate(zip(patterns, states, strict=True))
    return Match(states, frozenset(index for index, (pattern, now) in pairs if pattern.last in now), is_root)


class _Builder:
    """Reads a pattern from left to right, adding states behind the one it has reached."""

    def __init__(self, text: str) -> None:
        self.steps: list[list[Step]] = [[]]
        self._moves: list[set[int]] = [set()]
        self._text = text
        self._at = 0
        self._is_at_name = True

    def sequence(self, state: int, *, in_braces: bool) -> int:
        """Read up to the end, or to the ``,`` or ``}`` that ends an alternative; return the last state."""
        while self._at < len(self._text):
            character = self._text[self._at]
            if in_braces and character in ",}":
                break
            self._at += 1
            at_name, self._is_at_name = self._is_at_name, character == "/"
            if character == "*":
                state = self._stars(state, at_name)
            elif character == "?":
                state = self._step(state, *_NOT_SLASH)
            elif character == "[":
                state = self._set(state)
            elif character == "{":
                state = self._braces(state, at_name, in_braces)
            else:
                character = self._take("\\") if character == "\\" else character
                state = self._step(state, ((character, character),), False)
        return state

    def closures(self) -> tuple[frozenset[int], ...]:
        """Return, by state, every state that can be reached without a character, itself included."""
        found = []
        for state in range(len(self._moves)):
            reached, waiting = {state}, [state]
            while waiting:
                new = self._moves[waiting.pop()] - reached
                reached |= new
                waiting += new
            found.append(frozenset(reached))
        return tuple(found)

    def _stars(self, state: int, at_name: bool) -> int:
        """``*`` within a name, ``**`` across; ``**/`` where a name begins also means no folder at all (D-9)."""
        stars = 1
        while self._text.startswith("*", self._at):
            self._at, stars = self._at + 1, stars + 1
        loop = self._free(state)
        self.steps[loop].append(Step(*(_NOT_SLASH if stars == 1 else _ANY), loop))
        after = self._free(loop)
        if stars == 1 or not at_name or not self._text.startswith("/", self._at):
            return after
        self._at, self._is_at_name = self._at + 1, True
        behind = self._step(after, (_SLASH,), False)
        self._moves[state].add(behind)
        return behind

    def _set(self, state: int) -> int:
        """``[abc]``, ``[a-z]``, ``[!a]``; never a slash. Inside, only ``]`` and a ``-`` in the middle are special."""
        is_negated = self._text.startswith("!", self._at)
        self._at += is_negated
        members: list[tuple[str, str]] = []
        while (low := self._take("[")) != "]" or not members:
            high = low
            if self._text.startswith("-", self._at) and self._text[self._at + 1 : self._at + 2] not in ("", "]"):
                self._at += 1
                high = self._take("[")
            if high < low:
                raise ArtifactError(_INVALID, f'the pattern "{self._text}" has the range {low}-{high}')
            members.append((low, high))
        if is_negated:
            return self._step(state, (*members, _SLASH), True)
        for low, high in members:
            state_members = [(low, min(high, ".")), (max(low, "0"), high)] if low <= "/" <= high else [(low, high)]
            members = [*(item for item in members if item != (low, high)), *state_members]
        return self._step(state, tuple(item for item in members if item[0] <= item[1]), False)

    def _braces(self, state: int, at_name: bool, in_braces: bool) -> int:
        if in_braces:
            raise ArtifactError(_INVALID, f'the pattern "{self._text}" has braces within braces (G-34)')
        end = self._new()
        is_at_name = False
        while True:
            self._is_at_name = at_name
            self._moves[self.sequence(self._free(state), in_braces=True)].add(end)
            is_at_name |= self._is_at_name
            if self._take("{") == "}":
                self._is_at_name = is_at_name
                return end

    def _take(self, opened_by: str) -> str:
        if self._at >= len(self._text):
            raise ArtifactError(_INVALID, f'the pattern "{self._text}" ends behind an open {opened_by}')
        self._at += 1
        return self._text[self._at - 1]

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
