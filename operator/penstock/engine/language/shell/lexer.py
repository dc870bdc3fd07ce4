r"""Puts variable references into shell commands so that no value is ever parsed as code.

CodePipeline replaces ``#{ns.key}`` in a command's text, so a commit message
may become a command. Here a reference becomes the expansion of an environment
variable, quoted for the place where it stands: bare it becomes ``"${V}"``,
inside double quotes ``${V}``, inside single quotes ``'"${V}"'``.

A reference is accepted where its value is known to be data in dash, bash and busybox's ash, and
refused anywhere else: `shell/` reads the command as all three read it, follows values through its
variables and pipes, and knows which words of a command may be code. A command that it cannot read
for certain is refused.

Not seen: what becomes of a file that a value was written to, but where the same command runs it by
that name; what a program that is not known makes of its arguments, which may be options where they
begin with a dash; what a text in another language (awk, Python, make) makes of variables; and
variables, functions, aliases and options that another command of the action has set.
"""

from dataclasses import dataclass

from penstock.engine.language.shell.context import context_of
from penstock.engine.language.shell.cursor import variable_of
from penstock.engine.language.shell.grammar import Parser
from penstock.engine.language.shell.judge import Judge
from penstock.engine.language.shell.syntax import Unsafe
from penstock.engine.language.variables import REFERENCE, Reference

__all__ = ["LexedCommand", "LexerError", "lex", "variable_of"]

MOST_CHARACTERS = 10_000
"""How long a command with references may be: reading one takes time in proportion, and memory."""


class LexerError(ValueError):
    """A reference stands where its value could become code.

    The message says where it is, and how to change it.
    """


@dataclass(frozen=True, slots=True)
class LexedCommand:
    """A command as the shell may read it, and the shell variable for each reference in it."""

    code: str
    variables: dict[str, Reference]


def lex(command: str) -> LexedCommand:
    """Return the command with its references quoted; raise LexerError where that cannot be done."""
    # Without a reference nothing can go wrong here, so even a command that is not understood
    # passes.
    if not REFERENCE.search(command):
        return LexedCommand(command, {})
    try:
        if len(command) > MOST_CHARACTERS:
            raise Unsafe(f"a command of more than {MOST_CHARACTERS} characters", MOST_CHARACTERS)
        parser = Parser(command)
        program = parser.program()
        Judge().program(program, context_of(program))
    except Unsafe as refused:
        raise _error(command, refused) from refused
    return LexedCommand("".join(parser.out), parser.variables)


def _error(command: str, refused: Unsafe) -> LexerError:
    reference = refused.reference or _nearest(command, refused.at)
    return LexerError(
        f"{reference} stands in {refused.place} at character {refused.at + 1}, where its value "
        f"could be read as code; "
        f"set an environment variable of the action to {reference} and let the shell expand that "
        f"there, quoted "
        '("$NAME"), outside of arithmetic and of text that is run (sh -c \'echo "$NAME"\')'
    )


def _nearest(command: str, at: int) -> Reference:
    """Return the first reference from a place on, or else the last before it."""
    found = [(match.start(), Reference(*match.groups())) for match in REFERENCE.finditer(command)]
    return next((reference for start, reference in found if start >= at), found[-1][1])
