"""Judges a simple command: which of its words may hold a value.

Known programs and builtins that evaluate words have a rule each, all others take a value as one
argument. A rule accepts what it knows to be data and refuses the rest.
"""

import re
from collections.abc import Callable, Iterator, Sequence

from penstock.engine.language.shell import programs
from penstock.engine.language.shell.context import Context, check_assignment, refuse
from penstock.engine.language.shell.evaluators import check_evaluator, is_input
from penstock.engine.language.shell.outside import check_program, check_xargs
from penstock.engine.language.shell.syntax import RESERVED, Simple, Unsafe, Word

Code = Callable[[str, Context, Word], None]
"""Judges a literal text that is run as code."""

# What code must hold to make code of a variable's value.
_MAY_EVALUATE = re.compile(
    r"\$[\w({@*#?!$-]|`|\(\(|\[{1,2}\s|\w\[|\b(eval|let|declare|typeset|local|read|unset|printf|test)\b"
)
_NAME = re.compile(r"[\w.-]+=!?")

MOST_WRAPPERS = 10
"""How many programs that run another one (`env nice nohup …`) are looked through."""


def check_command(command: Simple, context: Context, code: Code) -> None:
    """Raise Refused unless every value in a command is data."""
    if command.words:
        Checked(command, context, code).check(command.words)


class Checked:
    """A simple command under judgement; wrappers are looked through, with the rest of the words."""

    def __init__(self, command: Simple, context: Context, code: Code, wrappers: int = 0) -> None:
        self.command, self.context, self.code, self.wrappers = command, context, code, wrappers
        self.feeding = [
            redirect.word
            for redirect in command.redirects
            if redirect.operator in ("<", "<<") and context.is_hot(redirect.word)
        ]
        # What a command runs finds its words and its assignments in variables, too.
        is_tainted = context.is_tainted or any(self.hot([*command.words, *command.assignments]))
        self._within = context._replace(is_tainted=is_tainted)

    def hot(self, words: Sequence[Word]) -> Iterator[Word]:
        """Yield the words that may hold a value."""
        return (word for word in words if self.context.is_hot(word))

    def refuse_any(self, words: Sequence[Word], place: str) -> None:
        """Raise Refused if a word may hold a value."""
        for word in self.hot(words):
            raise refuse(place, word)

    def refuse_everywhere(self, words: Sequence[Word], place: str) -> None:
        """Raise Refused if a value may be in words, in the environment or in the input."""
        self.refuse_any([*words, *self.command.assignments, *self.feeding], place)

    def refuse_code(self, words: Sequence[Word], place: str) -> None:
        """Raise Refused if words that a shell may run may hold a value or make code of one.

        That goes for each of the words.
        """
        self.refuse_everywhere(words, place)
        self.judge_code(words)

    def judge_code(self, words: Sequence[Word]) -> None:
        """Raise Refused if literal words that a shell may run make code of a value.

        That goes for each of the words.
        """
        for word in words:
            text = word.literal or ""
            for code in {text, text[_named(text) :]}:
                if _MAY_EVALUATE.search(code):
                    self.code(code, self._within, word)

    @property
    def is_fed(self) -> bool:
        """Whether the command's input may be a value."""
        return self.context.is_fed or bool(self.feeding)

    def refuse_input(self, place: str) -> None:
        """Raise Refused if the command's input may be a value."""
        self.refuse_any(self.feeding, place)
        if self.context.is_fed:
            raise Unsafe(place, self.command.at)

    def refuse_written(self, words: Sequence[Word]) -> None:
        """Raise Refused if a command may run a file that a value was written to."""
        written = self.context.written
        for word in words:
            if word.text.rpartition("/")[2] in written or (written and word.literal is None):
                raise Unsafe("a command that runs a file which it writes", word.at)
            # Behind the first operand stand arguments, which are not run.
            if word.plain and word.plain[:1] not in "-+":
                return

    def check(self, words: list[Word]) -> None:
        """Judge a command by its first word."""
        first = words[0]
        if self.context.is_hot(first):
            raise refuse("the name of a command", first)
        # `plain` takes a bracket for a pattern, and here it is a name.
        name = first.literal if first.literal in ("[", "[[") else first.plain
        if name is None or first.assigned() or name in RESERVED:
            self.refuse_everywhere(
                words, "the arguments of a command whose name is not written out"
            )
            if self.context.is_fed or self.context.is_tainted or self.context.written:
                raise Unsafe("reach of a command whose name is not written out", first.at)
            return
        if programs.base_of(name) in self.context.written:
            raise Unsafe("a command that runs a file which it writes", first.at)
        self._named(programs.base_of(name), name, words)

    def _named(self, base: str, name: str, words: list[Word]) -> None:
        if name in ("[", "test", "[["):
            self._test(name, words[1:])
        elif name == "printf":
            self._printf(words)
        elif base in programs.WRAPPERS:
            self._wrapper(base, words)
        elif name in programs.BUILTINS:
            self._builtin(name, words)
        elif base in programs.PLAIN:
            return
        elif base == "xargs":
            check_xargs(self, words)
        elif programs.is_evaluator(base) or base == "jq":
            self.refuse_written(words[1:])
            check_evaluator(self, base, words)
        else:
            check_program(self, base, words)

    # ---- builtins

    def _test(self, name: str, words: list[Word]) -> None:
        """Allow a value only as operand of a literal operator, in a test of up to three words."""
        texts = [word.plain for word in words]
        if name != "test" and (not texts or texts[-1] != "]" * len(name)):
            self.refuse_any(words, f"a '{name}' whose end is not in the same command")
            return
        words, texts = (words, texts) if name == "test" else (words[:-1], texts[:-1])
        while len(words) > 1 and texts[0] == "!":
            words, texts = words[1:], texts[1:]
        if name == "[[" and self.context.is_tainted and not programs.TEXTUAL.issuperset(texts[1:2]):
            raise Unsafe("reach of a '[[' that may evaluate it", self.command.at)
        # One word by itself is only looked at for being empty.
        if not any(self.hot(words)) or (len(words) == 1):
            return
        binary = programs.BINARY if name != "[[" else programs.TEXTUAL
        is_binary = len(words) == 3 and texts[1] in binary
        if not (is_binary or (len(words) == 2 and texts[0] in programs.UNARY)):
            self.refuse_any(words, f"a '{name}' that may evaluate it")

    def _printf(self, words: list[Word]) -> None:
        rest = words[1:]
        if rest and rest[0].plain == "--":
            rest = rest[1:]
        if rest and (self.context.is_hot(rest[0]) or rest[0].prefix[:1] == "-"):
            self.refuse_any(words, "the format of 'printf', which has '%s' for a value,")

    def _builtin(self, name: str, words: list[Word]) -> None:
        # An index is arithmetic, and bash runs a substitution that arithmetic comes upon.
        if self.context.is_tainted and (name == "let" or any("[" in word.text for word in words)):
            raise Unsafe(f"reach of a '{name}' that may evaluate it", self.command.at)
        if name in ("eval", "trap"):
            self._evaluated(name, words)
        elif name in (".", "source"):
            self.refuse_everywhere(words, f"the text of '{name}'")
            operand = words[1].plain if len(words) > 1 else None
            if self.context.is_fed and (operand is None or is_input(operand)):
                raise Unsafe(f"the input of '{name}'", words[0].at)
            self.refuse_written(words[1:])
        elif name in programs.ASSIGNING:
            self._assigning(name, words[1:])
        # Behind -- come positional parameters, and no option of the shell.
        elif name == "set" and len(words) > 1 and words[1].plain == "--":
            return
        elif name in ("read", "mapfile", "readarray", "getopts"):
            self._reading(name, words)
        else:
            self.refuse_any(words, f"an argument of '{name}', which may evaluate it")

    def _evaluated(self, name: str, words: list[Word]) -> None:
        self.refuse_any(words, f"the text of '{name}'")
        texts = [word.literal for word in words[1:]]
        if texts[:1] == ["--"]:
            texts = texts[1:]
        # eval joins all its words to one text, trap runs the first of them.
        code = texts if name == "eval" else texts[:1]
        if None in code:
            if self.context.is_tainted or self.context.is_fed:
                raise Unsafe(f"reach of '{name}'", words[0].at)
        elif code:
            self.code(" ".join(text or "" for text in code), self.context, words[0])

    def _assigning(self, name: str, words: list[Word]) -> None:
        for word in self.hot(words):
            is_optional = any(
                other.plain is None or other.plain[:1] in "-+"
                for other in words
                if other is not word
            )
            # An option such as -i makes arithmetic of a value.
            has_options = any((other.prefix or "-")[:1] in "-+" for other in words)
            if not word.assigned() or (has_options and is_optional):
                raise refuse(f"an argument of '{name}', which may evaluate it", word)
            check_assignment(word, self.context)

    def _reading(self, name: str, words: list[Word]) -> None:
        self.refuse_any(words, f"an argument of '{name}', which may evaluate it")
        for word in words[1:]:
            # An index in a name is arithmetic, and mapfile runs the argument of -C for its lines.
            if (
                word.plain is None
                or "[" in word.plain
                or programs.is_special(word.plain)
                or word.plain == "-C"
            ):
                raise Unsafe(f"a command with a '{name}' whose variables are not plain", word.at)

    # ---- programs

    def _wrapper(self, base: str, words: list[Word]) -> None:
        wrapper, index = programs.WRAPPERS[base], 1
        place = f"the arguments of '{base}' before the command that it runs"
        # With -v it runs nothing, and only says what it would run.
        names_only = base == "command" and len(words) > 1 and words[1].plain in ("-v", "-V")
        if names_only:
            return
        while index < len(words) and (words[index].prefix[:1] == "-" or words[index].assigned()):
            word, text = words[index], words[index].plain
            if word.assigned() and wrapper.takes_assignments:
                check_assignment(word, self.context)
            elif text == "--":
                index += 1
                break
            elif text is not None and self._is_option(text, wrapper.flags.split()):
                pass
            elif text is not None and self._is_option(text, wrapper.valued.split()):
                index += 1
            else:
                self.refuse_code(words, place)
                self.refuse_input("the input of a command that is not known")
                return
            index += 1
        own = [word for word in words[: index + wrapper.operands] if not word.assigned()]
        self.refuse_any(own, place)
        inner = words[index + wrapper.operands :]
        if inner:
            self._look_through(base, inner, words)
        # Without a command, exec redirects the input of all that follows.
        elif base == "exec":
            self.refuse_any(self.feeding, "the input of 'exec'")

    def _look_through(self, base: str, inner: list[Word], words: list[Word]) -> None:
        if self.wrappers == MOST_WRAPPERS:
            raise Unsafe(
                f"a command behind more than {MOST_WRAPPERS} others that run it", inner[0].at
            )
        # A wrapper's assignments are in the environment of the command that it runs.
        assigned = [word for word in words[: len(words) - len(inner)] if word.assigned()]
        within = Simple(
            self.command.at, [*self.command.assignments, *assigned], inner, self.command.redirects
        )
        Checked(within, self.context, self.code, self.wrappers + 1).check(inner)

    def _is_option(self, text: str, known: list[str]) -> bool:
        return text in known if text.startswith("--") else len(text) == 2 and text[1] in known


def _named(text: str) -> int:
    """Return where a value begins in a possible setting (``--exec=…``, git's ``alias.x=!…``)."""
    found = _NAME.match(text)
    return found.end() if found else 0
