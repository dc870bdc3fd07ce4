"""What is known around a command: where values may be by then."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from penstock.engine.language.shell.programs import ASSIGNING, is_special
from penstock.engine.language.shell.syntax import (
    Command,
    Compound,
    Parameter,
    Part,
    Program,
    ShellPipeline,
    Simple,
    Unsafe,
    Word,
    commands_in,
    expands,
    parts_of,
    values_in,
    values_of_all,
    within,
)

_READERS = {"read", "mapfile", "readarray", "getopts"}
_SETTINGS = {"alias", "unalias", "enable", "shopt"}
_PREFIXES = {"command", "builtin", "time", "-p"}
_DEFINING = re.compile(r"\(|\b(function|alias|enable|shopt|declare|typeset|local|set)\b")
_DECLARING = {"declare", "typeset", "local"}


class Context(NamedTuple):
    """What is known around a command.

    ``is_tainted``: a variable may hold a value, so that any expansion may.
    ``is_fed``: its input may be a value.
    """

    is_tainted: bool
    is_fed: bool
    functions: frozenset[str] = frozenset()
    written: frozenset[str] = frozenset()
    depth: int = 0

    def is_hot(self, word: Word) -> bool:
        """Whether a value may be in a word."""
        return self.is_hot_in(word.parts)

    def is_hot_in(self, parts: tuple[Part, ...]) -> bool:
        """Whether a value may be in parts of a word."""
        return any(values_in(parts)) or (self.is_tainted and expands(parts))


def refuse(place: str, word: Word) -> Unsafe:
    """Return what to raise for a word that must not hold a value."""
    value = next(values_in(word.parts), None)
    return Unsafe(place, value.at if value else word.at, value.reference if value else None)


def context_of(program: Program) -> Context:
    """Return what is known of a whole command before its parts are looked at."""
    functions = frozenset(
        command.name
        for command in commands_in(program)
        if isinstance(command, Compound) and command.kind == "function"
    )
    has_values = any(values_of_all(program))
    # Where no value stands in the command, nothing that it stores can be one.
    is_tainted = has_values and any(_stores(command, functions) for command in commands_in(program))
    if has_values:
        _refuse_settings(program)
    context = Context(is_tainted, is_fed=False, functions=functions)
    return context._replace(written=frozenset(_written(program, context)))


def _refuse_settings(program: Program) -> None:
    """Raise Refused for a command that changes how others are read.

    So too if it changes which variables evaluate values.
    """
    for command in commands_in(program):
        words = command.words if isinstance(command, Simple) else []
        if words and words[0].literal == "[[" and words[-1].literal != "]]":
            raise Unsafe("a command with a '[[' that ends in another command", words[0].at)
        for index, word in enumerate(words[:3]):
            text = word.literal
            # Only behind one of these is the next word still the name of a command.
            if index and words[index - 1].literal not in _PREFIXES:
                break
            if text == "eval" and _DEFINING.search(" ".join(other.text for other in words[1:])):
                raise Unsafe("a command with an 'eval' that changes how others are read", word.at)
            if text in _SETTINGS:
                raise Unsafe(
                    f"a command with '{text}', which changes how others are read,", word.at
                )
            options = [
                other.prefix for other in words[index + 1 :] if other.prefix[:1] in ("", "-", "+")
            ]
            # -i evaluates whatever is assigned later, and -n makes another variable's name of it.
            if text in _DECLARING and any(
                set(option) & set("in") or option == "" for option in options
            ):
                raise Unsafe(
                    f"a command with '{text}' and options that may make variables evaluate", word.at
                )
            # With -k the shell takes assignments from among the arguments, too.
            if text == "set" and any("k" in option for option in options):
                raise Unsafe("a command with 'set -k'", word.at)


def _written(program: Program, context: Context) -> Iterator[str]:
    """Yield the names of the files that pipelines with values write."""
    for command in commands_in(program):
        if isinstance(command, Simple) and command.words and command.words[0].literal == "exec":
            yield from _targets(command)
    for pipeline in _pipelines(program):
        inner = [command for stage in pipeline.stages for command in within(stage)]
        if any(context.is_hot_in((part,)) for command in inner for part in parts_of(command)):
            for command in inner:
                yield from _targets(command)
                if command.words and command.words[0].literal in ("tee", "dd", "sponge"):
                    yield from (re.split("[/=]", word.text)[-1] for word in command.words[1:])


def _targets(command: Command) -> Iterator[str]:
    for redirect in command.redirects:
        if (
            ">" in redirect.operator
            and redirect.word.text != "/dev/null"
            and "&" not in redirect.operator
        ):
            yield redirect.word.text.rpartition("/")[2]


def _pipelines(program: Program) -> Iterator[ShellPipeline]:
    yield from program
    for command in commands_in(program):
        if isinstance(command, Compound):
            for inner in command.programs:
                yield from inner


def _stores(command: Command, functions: frozenset[str]) -> bool:
    """Whether a command may put a value where a later one finds it again, but for files."""
    # `$_` is the last word of the command before, and `${V:=text}` assigns.
    if any(
        isinstance(part, Parameter)
        and (part.name == "_" or (part.is_assigned and any(values_in(part.parts))))
        for part in parts_of(command)
    ):
        return True
    if isinstance(command, Compound):
        # Of the compounds only `for` assigns something by itself.
        return command.kind == "for" and any(_has_value(word) for word in command.words)
    if any(word.literal in _READERS for word in command.words):
        return True
    if any(_has_value(word) for word in command.assignments):
        return True
    is_storing = any(
        word.literal in ASSIGNING or word.literal in functions or word.literal == "set"
        for word in command.words
    )
    return is_storing and any(_has_value(word) for word in command.words)


def _has_value(word: Word) -> bool:
    return any(values_in(word.parts))


def check_assignment(word: Word, context: Context) -> None:
    """Raise Refused for a value in a variable that means something to a shell or a program."""
    name = word.assigned() or ""
    if is_special(name) and context.is_hot(word):
        raise refuse(f"the value of the variable {name}", word)
