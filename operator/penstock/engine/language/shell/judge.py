"""Judges whether every value in a command is data, whichever shell runs it.

The words of a simple command are data to the shell; what the command makes of them is the business
of `commands.py`. Here is followed where values go within one command: into variables, and through
pipes. What a command writes to a file and runs from there, and what one command of an action leaves
to the next, is not seen here.
"""

from penstock.engine.language.shell.commands import check_command
from penstock.engine.language.shell.context import Context, check_assignment, context_of, refuse
from penstock.engine.language.shell.grammar import Parser
from penstock.engine.language.shell.programs import is_special
from penstock.engine.language.shell.syntax import (
    Arithmetic,
    Command,
    Parameter,
    Part,
    Program,
    Redirect,
    Simple,
    Substitution,
    Unsafe,
    Word,
    parts_of,
    values_in,
    within,
)

# Shells that run shells: deeper than this nobody writes by hand.
_DEPTH = 5
MOST_WITHIN = 20_000
"""The maximum count of characters read of code within a command.

A text may be looked at for each way that it may be run.
"""


class Judge:
    """Looks at every command of a program."""

    def __init__(self) -> None:
        self._within = 0

    def program(self, program: Program, context: Context) -> None:
        """Raise Unsafe where a value may be code."""
        for pipeline in program:
            around = context
            for command in pipeline.stages:
                self._command(command, around)
                # What one command of a pipe prints may come through all that follow.
                around = around._replace(is_fed=around.is_fed or self._is_source(command, context))

    def _is_source(self, command: Command, context: Context) -> bool:
        """Whether what a command prints may hold a value."""
        return any(
            (
                isinstance(inner, Simple)
                and inner.words
                and inner.words[0].literal in context.functions
            )
            or any(context.is_hot_in((part,)) for part in parts_of(inner))
            for inner in within(command)
        )

    def _command(self, command: Command, context: Context) -> None:
        around = context._replace(is_fed=context.is_fed or self._feeds(command.redirects, context))
        for part in parts_of(command):
            self._part(part, around)
        if isinstance(command, Simple):
            self._assignments(command.assignments, around)
            check_command(command, around, self._code)
            return
        # The loop puts its words into a variable that means something to a shell or a program.
        if command.kind == "for" and is_special(command.name):
            for word in command.words:
                if around.is_hot(word):
                    raise refuse(f"the values of the variable {command.name}", word)
        # A function may be called from anywhere, so a value may be its input.
        if command.kind == "function":
            around = around._replace(is_fed=True)
        for program in command.programs:
            self.program(program, around)

    def _code(self, text: str, context: Context, place: Word) -> None:
        """Look at a literal word that a command runs.

        ``context`` says what may be in its variables and its input.
        """
        # A literal text gets at a value only by a variable or by its input.
        if not (context.is_tainted or context.is_fed):
            return
        if context.depth > _DEPTH:
            raise Unsafe("code within code within code", place.at)
        self._within += len(text)
        if self._within > MOST_WITHIN:
            raise Unsafe(
                f"a command with more than {MOST_WITHIN} characters of code within it", place.at
            )
        try:
            program = Parser(text).program()
            found = context_of(program)
            self.program(
                program, context._replace(functions=found.functions, depth=context.depth + 1)
            )
        except Unsafe as refused:
            raise Unsafe(
                f"reach of {refused.place.removeprefix('reach of ')}", place.at
            ) from refused

    def _assignments(self, assignments: list[Word], context: Context) -> None:
        for word in assignments:
            check_assignment(word, context)

    def _part(self, part: Part, context: Context) -> None:
        if isinstance(part, Substitution):
            self.program(part.program, context)
        elif isinstance(part, Arithmetic) and any(values_in(part.parts)):
            raise refuse("arithmetic", Word(part.parts, part.at))
        # Arithmetic evaluates the text in a variable again, up to a substitution in an index.
        elif isinstance(part, Arithmetic) and context.is_tainted and _names(part):
            raise Unsafe("a variable that arithmetic may evaluate", part.at)
        elif isinstance(part, Parameter) and part.is_assigned and is_special(part.name):
            self._refuse_hot(part.parts, f"the value of the variable {part.name}", context)

    def _refuse_hot(self, parts: tuple[Part, ...], place: str, context: Context) -> None:
        if context.is_hot_in(parts):
            raise refuse(place, Word(parts, 0))

    def _feeds(self, redirects: list[Redirect], context: Context) -> bool:
        """Return whether redirections make a value a command's input.

        Raise Unsafe for redirections of other descriptors.
        """
        is_fed = False
        for redirect in redirects:
            if not context.is_hot(redirect.word):
                continue
            if redirect.operator == "<>":
                raise refuse(f"the target of a redirection '{redirect.operator}'", redirect.word)
            is_input = redirect.operator in ("<", "<<")
            if is_input and redirect.descriptor not in ("", "0"):
                raise refuse("the input of another descriptor than 0", redirect.word)
            is_fed |= is_input
        return is_fed


def _names(part: Arithmetic) -> bool:
    return any(
        isinstance(inner, Parameter | Substitution)
        or any(c.isalpha() for c in getattr(inner, "text", ""))
        for inner in part.parts
    )
