"""File patterns of output artifacts, matched folder by folder in linear time.

``*`` and ``?`` stay within a name, ``**`` crosses folders, and a pattern that matches a folder means all of
it. A walk carries the set of positions that each pattern has reached, so a pattern costs at most its own
length per name, a folder that nothing can match is never entered, and no input makes it backtrack.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from penstock.artifacts.errors import ArtifactError


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern as the user wrote it, and its names."""

    text: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Match:
    """How far the patterns have got at a path: ``positions`` per pattern; ``complete`` are the satisfied ones."""

    positions: tuple[frozenset[int], ...]
    complete: frozenset[int]

    @property
    def can_continue(self) -> bool:
        """Whether anything below this path could match."""
        return any(self.positions)


def parse(text: str) -> Pattern:
    """Return a pattern; raise ArtifactError for one that leads out of its folder."""
    names = tuple(name for name in text.strip().split("/") if name not in ("", "."))
    if text.startswith("/") or ".." in names or "\0" in text:
        raise ArtifactError("ConfigurationError", f'the pattern "{text}" leads out of the source folder')
    return Pattern(text, tuple(_without_repeats(names)))


def start(patterns: Sequence[Pattern]) -> Match:
    """Return the match at the folder that the patterns are relative to."""
    return _match(patterns, tuple(_skip(pattern, {0}) for pattern in patterns))


def step(patterns: Sequence[Pattern], match: Match, name: str) -> Match:
    """Return the match at an entry of the folder where ``match`` holds."""
    reached = []
    for pattern, positions in zip(patterns, match.positions, strict=True):
        after = set()
        for position in positions:
            if position < len(pattern.names):
                if pattern.names[position] == "**":
                    after.add(position)
                elif matches_name(pattern.names[position], name):
                    after.add(position + 1)
        reached.append(_skip(pattern, after))
    return _match(patterns, tuple(reached))


def matches_name(pattern: str, name: str) -> bool:
    """Whether a name matches a pattern of ``*`` and ``?``; returns to the last star only, hence no blow-up."""
    at = in_pattern = 0
    star, resume = -1, 0
    while at < len(name):
        if in_pattern < len(pattern) and pattern[in_pattern] == "*":
            star, resume, in_pattern = in_pattern, at, in_pattern + 1
        elif in_pattern < len(pattern) and pattern[in_pattern] in ("?", name[at]):
            at, in_pattern = at + 1, in_pattern + 1
        elif star >= 0:
            resume += 1
            at, in_pattern = resume, star + 1
        else:
            return False
    return not pattern[in_pattern:].strip("*")


def _match(patterns: Sequence[Pattern], positions: tuple[frozenset[int], ...]) -> Match:
    complete = {index for index, pattern in enumerate(patterns) if len(pattern.names) in positions[index]}
    return Match(positions, frozenset(complete))


def _skip(pattern: Pattern, positions: set[int]) -> frozenset[int]:
    """Add the positions behind each ``**``, which may stand for no folder at all."""
    reached = set(positions)
    for position in sorted(positions):
        if position < len(pattern.names) and pattern.names[position] == "**":
            reached.add(position + 1)
    return frozenset(reached)


def _without_repeats(names: Sequence[str]) -> list[str]:
    return [name for index, name in enumerate(names) if name != "**" or names[index - 1 : index] != ("**",)]
