"""What a shell command is made of, as far as it decides whether a value in it is data."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from penstock.engine.language.variables import Reference

_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=")
RESERVED = frozenset(
    {
        "if",
        "then",
        "elif",
        "else",
        "fi",
        "for",
        "while",
        "until",
        "do",
        "done",
        "case",
        "esac",
        "in",
        "{",
        "}",
        "!",
    }
)
"""The words that open, part and close compound commands, in every shell."""
# A shell makes other words of these, unless they are quoted.
_UNSETTLED = re.compile(r"[*?\[{]")


class Unsafe(Exception):
    """A command that is not known to keep a value data: ``place`` says where, ``at`` is the index.

    ``reference`` is None where the parser got lost, rather than met a reference.
    """

    def __init__(self, place: str, at: int, reference: Reference | None = None) -> None:
        super().__init__(place)
        self.place, self.at, self.reference = place, at, reference


@dataclass(frozen=True, slots=True)
class Literal:
    """Text that stands for itself."""

    text: str
    is_quoted: bool = False


@dataclass(frozen=True, slots=True)
class Value:
    """A reference, which a value will stand for."""

    reference: Reference
    at: int


@dataclass(frozen=True, slots=True)
class Parameter:
    """``$name`` or ``${name…}``; ``is_assigned`` for ``${name:=…}``."""

    name: str
    at: int
    parts: tuple["Part", ...] = ()
    is_assigned: bool = False
    is_quoted: bool = False


@dataclass(frozen=True, slots=True)
class Substitution:
    """``$(…)`` or backquotes."""

    program: "Program"
    at: int
    is_quoted: bool = False


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """``$((…))``, or a ``${…}`` that may hold arithmetic: names in it are evaluated."""

    at: int
    parts: tuple["Part", ...] = ()


Part = Literal | Value | Parameter | Substitution | Arithmetic


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a command; ``at`` is where it begins."""

    parts: tuple[Part, ...]
    at: int

    @property
    def literal(self) -> str | None:
        """The word's text if nothing in it is expanded, else None."""
        if all(isinstance(part, Literal) for part in self.parts):
            return self.text
        return None

    @property
    def plain(self) -> str | None:
        """The word's text if it is certain to arrive as it is written, else None."""
        return None if self.literal is None or _UNSETTLED.search(self.bare) else self.literal

    @property
    def text(self) -> str:
        """What of the word is literal."""
        return "".join(part.text for part in self.parts if isinstance(part, Literal))

    @property
    def bare(self) -> str:
        """What of the word is neither quoted nor expanded."""
        return "".join(p.text for p in self.parts if isinstance(p, Literal) and not p.is_quoted)

    @property
    def prefix(self) -> str:
        """The literal text that the word begins with."""
        found = ""
        for part in self.parts:
            if not isinstance(part, Literal):
                break
            found += part.text
        return found

    @property
    def splits(self) -> bool:
        """Whether the word may arrive as several, or none."""
        return any(isinstance(p, Parameter | Substitution) and not p.is_quoted for p in self.parts)

    def assigned(self) -> str | None:
        """Return the name that the word assigns to, None if it is no assignment."""
        first = self.parts[0] if self.parts else None
        # With its name in quotes a word assigns nothing: the shell takes it for a command.
        if isinstance(first, Literal) and not first.is_quoted:
            match = _ASSIGNMENT.match(first.text)
            return match[1] if match else None
        return None


@dataclass(slots=True)
class Redirect:
    """A redirection to a word, or (``<<``) a here-document whose body is the word."""

    operator: str
    descriptor: str
    word: Word


@dataclass(slots=True)
class Simple:
    """A simple command: assignments, words, redirections."""

    at: int
    assignments: list[Word] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    redirects: list[Redirect] = field(default_factory=list)


@dataclass(slots=True)
class Compound:
    """Anything with commands inside.

    ``kind`` is the word that opens it. ``name`` is the name of a loop or function.
    """

    kind: str
    at: int
    programs: list["Program"] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    redirects: list[Redirect] = field(default_factory=list)
    name: str = ""


@dataclass(slots=True)
class ShellPipeline:
    """Commands whose output is the next one's input."""

    stages: list["Command"]


Command = Simple | Compound
Program = list[ShellPipeline]


def commands_in(program: Program) -> Iterator[Command]:
    """Yield every command, those within compounds and substitutions too."""
    for pipeline in program:
        for command in pipeline.stages:
            yield from within(command)


def within(command: Command) -> Iterator[Command]:
    """Yield a command and all that are inside of it."""
    yield command
    if isinstance(command, Compound):
        for program in command.programs:
            yield from commands_in(program)
    for part in parts_of(command):
        if isinstance(part, Substitution):
            yield from commands_in(part.program)


def words_of(command: Command) -> Iterator[Word]:
    """Yield the words of a command itself, redirections and assignments among them."""
    if isinstance(command, Simple):
        yield from command.assignments
    yield from command.words
    for redirect in command.redirects:
        yield redirect.word


def parts_of(command: Command) -> Iterator[Part]:
    """Yield the parts of a command's own words, and the parts nested in these."""
    for word in words_of(command):
        yield from flat(word.parts)


def flat(parts: tuple[Part, ...]) -> Iterator[Part]:
    """Yield parts and the parts nested in them, without entering substitutions."""
    for part in parts:
        yield part
        if isinstance(part, Parameter | Arithmetic):
            yield from flat(part.parts)


def values_in(parts: tuple[Part, ...]) -> Iterator[Value]:
    """Yield the references in parts, those inside of substitutions too."""
    for part in flat(parts):
        if isinstance(part, Value):
            yield part
        elif isinstance(part, Substitution):
            yield from values_of_all(part.program)


def values_of_all(program: Program) -> Iterator[Value]:
    """Yield the references in a program."""
    for command in commands_in(program):
        yield from (part for part in parts_of(command) if isinstance(part, Value))


def expands(parts: tuple[Part, ...]) -> bool:
    """Whether anything in parts is expanded."""
    return any(not isinstance(part, Literal) for part in parts)
