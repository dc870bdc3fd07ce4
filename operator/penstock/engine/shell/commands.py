"""Judges a simple command: which of its words may hold a value.

Known programs and builtins that evaluate words have a rule each, all others take a value as one argument. A rule
accepts what it knows to be data and refuses the rest.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from penstock.engine.shell import programs
from penstock.engine.shell.context import Context, check_assignment, refuse
from penstock.engine.shell.evaluators import check_evaluator, is_input
from penstock.engine.shell.syntax import Refused, Simple, Word

Code = Callable[[str, Context, Word], None]
"""Judges a literal text that is run as code."""


def check_command(command: Simple, context: Context, code: Code) -> None:
    """Raise Refused unless every value in a command is data."""
    if command.words:
        Checked(command, context, code).check(command.words)


class Checked:
    """A simple command under judgement; wrappers are looked through, with the rest of the words."""

    def __init__(self, command: Simple, context: Context, code: Code) -> None:
        self.command, self.context, self.code = command, context, code
        self.feeding = [
            redirect.word
            for redirect in command.redirects
            if redirect.operator in ("<", "<<") and context.is_hot(redirect.word)
        ]

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

    def refuse_written(self, words: Sequence[Word]) -> None:
        """Raise Refused if a command that runs a file names one that a value was written to."""
        for word in words:
            if word.text.rpartition("/")[2] in self.context.written:
                raise Refused("a command that runs a file which it writes", word.at)

    def check(self, words: list[Word]) -> None:
        """Judge a command by its first word."""
        first = words[0]
        if self.context.is_hot(first):
            raise refuse("the name of a command", first)
        name = first.literal if first.literal in ("[", "[[") else first.plain
        if name is None:
            self.refuse_everywhere(words, "the arguments of a command whose name is not written out")
            if self.context.is_fed or self.context.is_tainted:
                raise Refused("reach of a command whose name is not written out", first.at)
            return
        if programs.base_of(name) in self.context.written:
            raise Refused("a command that runs a file which it writes", first.at)
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
        elif programs.is_evaluator(base) or base == "jq":
            self.refuse_written(words)
            check_evaluator(self, base, words)
        else:
            self._program(base, words)

    # ---- builtins

    def _test(self, name: str, words: list[Word]) -> None:
        """A value is an operand of an operator that is written out, in a test of at most three words."""
        texts = [word.plain for word in words]
        if name != "test" and (not texts or texts[-1] != "]" * len(name)):
            self.refuse_any(words, f"a '{name}' whose end is not in the same command")
            return
        words, texts = (words, texts) if name == "test" else (words[:-1], texts[:-1])
        while len(words) > 1 and texts[0] == "!":
            words, texts = words[1:], texts[1:]
        if name == "[[" and self.context.is_tainted and not programs.TEXTUAL.issuperset(texts[1:2]):
            raise Refused("reach of a '[[' that may evaluate it", self.command.at)
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
        if self.context.is_tainted and (name == "let" or any("[" in word.text for word in words)):
            raise Refused(f"reach of a '{name}' that may evaluate it", self.command.at)
        if name in ("eval", "trap"):
            self._evaluated(name, words)
        elif name in (".", "source"):
            self.refuse_everywhere(words, f"the text of '{name}'")
            operand = words[1].plain if len(words) > 1 else None
            if self.context.is_fed and (operand is None or is_input(operand)):
                raise Refused(f"the input of '{name}'", words[0].at)
            self.refuse_written(words)
        elif name in programs.ASSIGNING:
            self._assigning(name, words[1:])
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
        code = texts if name == "eval" else texts[:1]
        if None in code:
            if self.context.is_tainted or self.context.is_fed:
                raise Refused(f"reach of '{name}'", words[0].at)
        elif code:
            self.code(" ".join(text or "" for text in code), self.context, words[0])

    def _assigning(self, name: str, words: list[Word]) -> None:
        for word in self.hot(words):
            is_optional = any(other.plain is None or other.plain[:1] in "-+" for other in words if other is not word)
            has_options = any((other.prefix or "-")[:1] in "-+" for other in words)
            if not word.assigned() or (has_options and is_optional):
                raise refuse(f"an argument of '{name}', which may evaluate it", word)
            check_assignment(word, self.context)

    def _reading(self, name: str, words: list[Word]) -> None:
        self.refuse_any(words, f"an argument of '{name}', which may evaluate it")
        for word in words[1:]:
            if word.plain is None or "[" in word.plain or programs.is_special(word.plain) or word.plain == "-C":
                raise Refused(f"a command with a '{name}' whose variables are not plain", word.at)

    # ---- programs

    def _wrapper(self, base: str, words: list[Word]) -> None:
        wrapper, index = programs.WRAPPERS[base], 1
        place = f"the arguments of '{base}' before the command that it runs"
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
                self.refuse_everywhere(words, place)
                self._unknown_input(words)
                return
            index += 1
        own = [word for word in words[: index + wrapper.operands] if not word.assigned()]
        self.refuse_any(own, place)
        inner = words[index + wrapper.operands :]
        if inner:
            self._look_through(base, inner, words)
        elif base == "exec":
            self.refuse_any(self.feeding, "the input of 'exec'")

    def _look_through(self, base: str, inner: list[Word], words: list[Word]) -> None:
        assigned = [word for word in words if word not in inner and word.assigned()]
        within = Simple(self.command.at, [*self.command.assignments, *assigned], inner, self.command.redirects)
        Checked(within, self.context, self.code).check(inner)

    def _is_option(self, text: str, known: list[str]) -> bool:
        return text in known if text.startswith("--") else len(text) == 2 and text[1] in known

    def _unknown_input(self, words: list[Word]) -> None:
        if self.context.is_fed:
            raise Refused("the input of a command that is not known", words[0].at)

    def _program(self, base: str, words: list[Word]) -> None:
        """Judge a program that is not known to evaluate anything."""
        subject, prone = base, base in programs.OPTION_PRONE
        if base == "git":
            prone = self._git(words)
        elif base in programs.PACKAGE_MANAGERS and self._subcommand(words) not in programs.PACKAGE_MANAGERS[base]:
            self.refuse_everywhere(words, f"an argument of '{base}', which may hand it to a shell")
        if prone:
            self._not_an_option(subject, words)
        commands = programs.RUNNERS.get(base)
        if commands is not None and not any(word.plain in commands for word in words):
            commands = None
        is_runner = base not in programs.RUNNERS or commands is not None
        self._run_elsewhere(base, words, is_runner=is_runner, is_container=commands is not None)
        self._flags(base, words)
        self._fed(base, words, is_runner=is_runner)

    def _subcommand(self, words: list[Word]) -> str | None:
        return words[1].plain if len(words) > 1 else None

    def _git(self, words: list[Word]) -> bool:
        """Whether an option of the git command could run something; raise Refused where it is not known."""
        command = self._subcommand(words)
        if command in programs.GIT_PLAIN:
            return False
        if command in programs.GIT_NETWORK:
            return True
        self.refuse_everywhere(words, "an argument of a git command that may run it")
        return False

    def _not_an_option(self, base: str, words: list[Word]) -> None:
        is_behind = False
        for before, word in pairwise(words):
            is_behind |= word.plain == "--"
            is_named = base == "git" and before.plain in ("-b", "--branch")
            if self.context.is_hot(word) and word.prefix[:1] in ("", "-") and not (is_behind or is_named):
                if base == "java" and word.prefix.startswith("-D"):
                    continue
                raise refuse(f"an argument of '{base}' that could be an option, which may run something,", word)

    def _run_elsewhere(self, base: str, words: list[Word], *, is_runner: bool, is_container: bool) -> None:
        seen = ""
        for before, word in pairwise(words):
            if self.context.is_hot(word):
                if seen and is_runner:
                    raise refuse(f"the arguments of '{seen}', which '{base}' may run,", word)
                if is_runner and programs.names_evaluator(word.text) and " " in word.text:
                    raise refuse("a word that names a shell or an interpreter", word)
                is_operand = word.prefix[:1] != "-" and (before.plain or "")[:1] != "-"
                if is_container and not word.prefix and (is_operand or before.plain == "--"):
                    raise refuse(f"a word that '{base}' may run", word)
            elif is_runner and programs.names_evaluator(word.text):
                seen = seen or word.text

    def _flags(self, base: str, words: list[Word]) -> None:
        """Raise Refused for a value that is, or is in, the argument of an option that may take code."""
        harmless = programs.NO_CODE.get(base, set())
        for before, word in pairwise(words):
            if not self.context.is_hot(word):
                continue
            option, equals, _ = word.prefix.partition("=")
            for text in (before.plain or "", option if equals else ""):
                if programs.CODE_FLAG.fullmatch(text) and text not in harmless:
                    raise refuse(f"the argument of '{text}', which may be code,", word)

    def _fed(self, base: str, words: list[Word], *, is_runner: bool) -> None:
        if not (self.context.is_fed or self.feeding):
            return
        reads_code = (base == "xargs" or is_runner) and any(programs.names_evaluator(w.text) for w in words[1:])
        reads_code |= base in ("docker", "podman", "nerdctl") and any(word.plain == "-" for word in words)
        if reads_code:
            raise Refused(f"the input of '{base}', which may be code,", words[0].at)
