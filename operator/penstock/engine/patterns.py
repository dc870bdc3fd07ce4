"""Regular expressions of users, matched in time that grows with the text only (C-23, MATCHES).

The operator serves all namespaces: an expression that backtracks for hours would stop everybody's pipelines. So what
Java and Python write alike is read by Python's own parser, run as an automaton, and everything that needs
backtracking (look-arounds, back-references, possessive and atomic groups) is refused.
"""

import re
from collections.abc import Callable, Iterable
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

_MOST_STATES = 500
_MOST_STEPS = 5_000
_MOST_CHARACTERS = 4_000
_MANY = 1 << 20

Test = Callable[[str], bool]


class PatternError(ValueError):
    """An expression that cannot be used; the message says why."""


def matches(pattern: str, text: str) -> bool:
    """Whether the whole text matches, as Java's ``matches`` does; raise PatternError."""
    if len(text) > _MOST_CHARACTERS:
        raise PatternError(f"Value is not matched with texts of more than {_MOST_CHARACTERS} characters")
    return _Automaton(pattern).matches(text)


class _Automaton:
    """A Thompson automaton: ``edges`` of a state take a character, its ``jumps`` none, some at an end only."""

    def __init__(self, pattern: str) -> None:
        self.edges: list[list[tuple[Test, int]]] = []
        self.jumps: list[list[tuple[str, int]]] = []
        self.steps = 0
        try:
            tree = parser.parse(pattern)
        except (re.error, OverflowError, RecursionError) as error:
            raise PatternError(f"Value is no regular expression: {error}") from error
        self.flags = tree.state.flags & ~re.UNICODE
        if self.flags & ~(re.IGNORECASE | re.DOTALL):
            raise PatternError("Value: of the inline flags only i and s are supported")
        start = self._state()
        self.start, self.end = start, self._sequence(tree, start)

    def matches(self, text: str) -> bool:
        """Whether the whole text is accepted."""
        now = self._closure({self.start}, 0, len(text))
        for place, char in enumerate(text, start=1):
            folded = char.lower() if self.flags & re.IGNORECASE else char
            stepped = {target for state in now for test, target in self.edges[state] if test(folded)}
            now = self._closure(stepped, place, len(text))
            if not now:
                return False
        return self.end in now

    def _closure(self, states: Iterable[int], place: int, length: int) -> set[int]:
        found, waiting = set(states), list(states)
        while waiting:
            for where, target in self.jumps[waiting.pop()]:
                is_there = not where or (place == 0 if where == "start" else place == length)
                if is_there and target not in found:
                    found.add(target)
                    waiting.append(target)
        return found

    # ---- building

    def _state(self) -> int:
        if len(self.edges) >= _MOST_STATES:
            raise PatternError("Value: the regular expression is too large")
        self.edges.append([])
        self.jumps.append([])
        return len(self.edges) - 1

    def _sequence(self, items: Iterable[tuple[Any, Any]], state: int) -> int:
        self.steps += 1
        if self.steps > _MOST_STEPS:
            raise PatternError("Value: the regular expression is too large")
        for code, value in items:
            state = self._item(code, value, state)
        return state

    def _item(self, code: Any, value: Any, state: int) -> int:
        if code in (codes.MAX_REPEAT, codes.MIN_REPEAT):
            return self._repeat(value, state)
        if code is codes.SUBPATTERN:
            _, added, removed, inner = value
            if added or removed:
                raise PatternError("Value: flags of a group are not supported")
            return self._sequence(inner, state)
        if code is codes.BRANCH:
            end = self._state()
            for branch in value[1]:
                begin = self._state()
                self.jumps[state].append(("", begin))
                self.jumps[self._sequence(branch, begin)].append(("", end))
            return end
        target = self._state()
        if code is codes.AT:
            where = {codes.AT_BEGINNING: "start", codes.AT_BEGINNING_STRING: "start", codes.AT_END: "end",
                     codes.AT_END_STRING: "end"}.get(value)  # fmt: skip
            if where is None:
                raise PatternError("Value: \\b and \\B are not supported")
            self.jumps[state].append((where, target))
        else:
            self.edges[state].append((self._test(code, value), target))
        return target

    def _repeat(self, repeated: tuple[int, Any, Any], state: int) -> int:
        least, most, inner = repeated
        for _ in range(least):
            state = self._sequence(inner, state)
        if most is codes.MAXREPEAT or most >= _MANY:
            begin, end = self._state(), self._state()
            self.jumps[state].append(("", begin))
            self.jumps[begin].append(("", end))
            self.jumps[self._sequence(inner, begin)].append(("", begin))
            return end
        end = self._state()
        for _ in range(most - least):
            self.jumps[state].append(("", end))
            state = self._sequence(inner, state)
        self.jumps[state].append(("", end))
        return end

    def _test(self, code: Any, value: Any) -> Test:
        if code in (codes.LITERAL, codes.NOT_LITERAL):
            wanted, is_same = self._folded(chr(value)), code is codes.LITERAL
            return lambda char: (char == wanted) is is_same
        if code is codes.ANY:
            is_dotall = bool(self.flags & re.DOTALL)
            return lambda char: is_dotall or char not in "\n\r\u0085\u2028\u2029"
        if code is codes.IN:
            is_negated = value[0][0] is codes.NEGATE
            tests = [self._member(*item) for item in value[int(is_negated) :]]
            return lambda char: any(test(char) for test in tests) is not is_negated
        raise PatternError("Value: look-arounds, back-references and atomic groups are not supported")

    def _member(self, code: Any, value: Any) -> Test:
        if code is codes.LITERAL:
            wanted = self._folded(chr(value))
            return lambda char: char == wanted
        if code is codes.RANGE:
            least, most, is_folded = chr(value[0]), chr(value[1]), bool(self.flags & re.IGNORECASE)
            return lambda char: least <= char <= most or (is_folded and least <= char.upper() <= most)
        # As Java without its flag UNICODE_CHARACTER_CLASS: of ASCII alone.
        digit, space, word = _CLASSES
        kinds: dict[Any, Test] = {
            codes.CATEGORY_DIGIT: digit, codes.CATEGORY_SPACE: space, codes.CATEGORY_WORD: word,
            codes.CATEGORY_NOT_DIGIT: lambda char: not digit(char),
            codes.CATEGORY_NOT_SPACE: lambda char: not space(char),
            codes.CATEGORY_NOT_WORD: lambda char: not word(char),
        }  # fmt: skip
        return kinds[value]

    def _folded(self, char: str) -> str:
        return char.lower() if self.flags & re.IGNORECASE else char


_CLASSES: tuple[Test, Test, Test] = (
    lambda char: "0" <= char <= "9",
    lambda char: char in " \t\n\x0b\f\r",
    lambda char: char.isascii() and (char.isalnum() or char == "_"),
)
