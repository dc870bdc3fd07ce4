r"""Puts variable references into shell commands so that no value is ever parsed as code.

CodePipeline replaces ``#{ns.key}`` in a command's text, so a commit message may become a command. Here a
reference becomes the expansion of an environment variable, quoted for the place where it stands: bare it
becomes ``"${V}"``, inside double quotes ``${V}``, inside single quotes ``'"${V}"'``. Where an expansion
would still be read as code (the text of ``sh -c`` or ``eval``, arithmetic, backquotes) or not at all (a
quoted here-document) the reference is refused with what to do instead.
"""

import re
from dataclasses import dataclass, field

from penstock.engine.variables import REFERENCE, Reference

_SHELLS = {"sh", "bash", "dash", "ash", "ksh", "zsh", "busybox"}
_HEREDOC = re.compile(r"<<-?[ \t]*(\\?['\"]?)([A-Za-z0-9_.-]+)['\"]?")
_END_OF_COMMAND = ";&|\n(){}"


class LexerError(ValueError):
    """A reference stands where its value could become code; the message says where and what to do."""


@dataclass(frozen=True, slots=True)
class LexedCommand:
    """A command as the shell may read it, and the shell variable for each reference in it."""

    code: str
    variables: dict[str, Reference]


@dataclass(slots=True)
class _Words:
    """The words of the simple command under the cursor, as far as they tell what reads its arguments."""

    before: list[str] = field(default_factory=list)
    current: str = ""

    def push(self) -> None:
        if self.current:
            self.before.append(self.current)
        self.current = ""

    def reader(self) -> str | None:
        """Return which command would read the current word as code, None if none would."""
        names = [word.rpartition("/")[2] for word in self.before]
        for name in ("eval", "trap"):
            if name in names:
                return name
        for index, name in enumerate(names):
            if name in _SHELLS:
                options = self.before[index + 1 :]
                if any(re.fullmatch(r"-[a-z]*c[a-z]*", word) for word in options) and all(
                    word[:1] in "-+" or word in _SHELLS for word in options
                ):
                    return f"{name} -c"
        return None


def variable_of(reference: Reference) -> str:
    """Return the shell variable that carries a reference's value; distinct for distinct references."""
    encoded = "".join(
        char if char.isascii() and char.isalnum() else f"_{ord(char):x}_"
        for char in f"{reference.namespace}.{reference.key}"
    )
    return f"PENSTOCK_VALUE_{encoded}"


def lex(command: str) -> LexedCommand:
    """Return the command with its references quoted; raise LexerError where that cannot be done."""
    if not REFERENCE.search(command):
        return LexedCommand(command, {})
    return _Lexer(command).run()


class _Lexer:
    """One pass over a command. ``stack`` holds what is open: ``"``, ``$(``, ``$((``, ``${``, a backquote."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.out: list[str] = []
        self.stack: list[str] = []
        self.words: list[_Words] = [_Words()]
        self.variables: dict[str, Reference] = {}
        self.heredocs: list[tuple[str, bool]] = []

    def run(self) -> LexedCommand:
        while self.at < len(self.text):
            self._step()
        return LexedCommand("".join(self.out), self.variables)

    def _step(self) -> None:
        if match := REFERENCE.match(self.text, self.at):
            self._reference(Reference(*match.groups()), match.end())
        elif self.stack and self.stack[-1] == '"':
            self._in_double_quotes()
        else:
            self._bare()

    def _take(self, count: int = 1) -> str:
        taken = self.text[self.at : self.at + count]
        self.out.append(taken)
        self.at += len(taken)
        return taken

    def _put(self, reference: Reference, code: str, end: int) -> None:
        self.variables[variable_of(reference)] = reference
        self.out.append(code)
        self.words[-1].current += "x"
        self.at = end

    def _reference(self, reference: Reference, end: int) -> None:
        for opener, place in (("$((", "arithmetic"), ("`", "backquotes")):
            if opener in self.stack:
                raise self._refusal(reference, place)
        if self.at and self.text[self.at - 1] == "$" and not self._escaped(self.at - 1):
            raise self._refusal(reference, "a '$' expansion")
        if self.stack and self.stack[-1] == "${" and self.text[self.at - 2 : self.at] == "${":
            raise self._refusal(reference, "the name of a '${' expansion")
        if reader := self.words[-1].reader():
            raise self._refusal(reference, f"the text of '{reader}'")
        quoted = bool(self.stack) and '"' in self.stack and not self._inside_substitution()
        expansion = f"${{{variable_of(reference)}}}"
        self._put(reference, expansion if quoted else f'"{expansion}"', end)

    def _inside_substitution(self) -> bool:
        """Whether a ``$(`` stands nearer than the nearest double quote: its inside is bare again."""
        for opener in reversed(self.stack):
            if opener in ('"', "$("):
                return opener == "$("
        return True

    def _escaped(self, index: int) -> bool:
        backslashes = 0
        while index > 0 and self.text[index - 1] == "\\":
            backslashes, index = backslashes + 1, index - 1
        return backslashes % 2 == 1

    def _refusal(self, reference: Reference, place: str) -> LexerError:
        return LexerError(
            f"{reference} stands in {place} at character {self.at + 1}, where its value could be read as code; "
            f"set an environment variable of the action to {reference} and use that variable there"
        )

    def _open(self, opener: str, count: int) -> None:
        self.stack.append(opener)
        if opener == "$(":
            self.words.append(_Words())
        self._take(count)

    def _close(self) -> None:
        if self.stack.pop() == "$(":
            self.words.pop()
            self.words[-1].current += "x"

    def _in_double_quotes(self) -> None:
        if self.text.startswith("\\", self.at):
            self.words[-1].current += self._take(2)
        elif self.text[self.at] == '"':
            self._take()
            self._close()
        elif not self._expansion():
            self.words[-1].current += self._take()

    def _expansion(self) -> bool:
        for opener in ("$((", "$(", "${", "`"):
            if self.text.startswith(opener, self.at):
                if opener == "`" and "`" in self.stack:
                    self._take()
                    while self.stack and self.stack.pop() != "`":
                        pass
                    return True
                self._open(opener, len(opener))
                return True
        return False

    def _bare(self) -> None:
        char = self.text[self.at]
        if char == "\\":
            self.words[-1].current += self._take(2)
        elif char == "'" and not (self.stack and self.stack[-1] == "${" and self._quoted_outside()):
            self._single_quotes()
        elif char == '"':
            self._open('"', 1)
            self.words[-1].current += ""
        elif self._closes(char):
            pass
        elif not self._expansion():
            self._plain(char)

    def _quoted_outside(self) -> bool:
        return '"' in self.stack and not self._inside_substitution()

    def _closes(self, char: str) -> bool:
        top = self.stack[-1] if self.stack else ""
        if top == "$((" and self.text.startswith("))", self.at):
            self._take(2)
            self._close()
            return True
        if (top, char) in (("$(", ")"), ("${", "}")):
            self._take()
            self._close()
            return True
        return False

    def _plain(self, char: str) -> None:
        words = self.words[-1]
        if char == "<" and (match := _HEREDOC.match(self.text, self.at)) and not self._in_arithmetic():
            self.heredocs.append((match[2], bool(match[1])))
            self._take(match.end() - self.at)
        elif char == "#" and not words.current and not (self.stack and self.stack[-1] == "${"):
            self._comment()
        elif char in " \t":
            words.push()
            self._take()
        elif char in _END_OF_COMMAND and not (self.stack and self.stack[-1] == "${"):
            self.words[-1] = _Words()
            self._take()
            if char == "\n":
                self._heredoc_bodies()
        else:
            words.current += self._take()

    def _in_arithmetic(self) -> bool:
        return bool(self.stack) and self.stack[-1] == "$(("

    def _single_quotes(self) -> None:
        end = self.text.find("'", self.at + 1)
        end = len(self.text) if end < 0 else end
        self._take()
        while self.at < end:
            if match := REFERENCE.match(self.text, self.at):
                reference = Reference(*match.groups())
                if reader := self.words[-1].reader():
                    raise self._refusal(reference, f"the text of '{reader}'")
                if "`" in self.stack:
                    raise self._refusal(reference, "backquotes")
                self._put(reference, f"'\"${{{variable_of(reference)}}}\"'", match.end())
            else:
                self.words[-1].current += self._take()
        self._take()
        self.words[-1].current += ""

    def _comment(self) -> None:
        end = self.text.find("\n", self.at)
        self._take((len(self.text) if end < 0 else end) - self.at)

    def _heredoc_bodies(self) -> None:
        for word, is_quoted in self.heredocs:
            self._heredoc_body(word, is_quoted)
        self.heredocs.clear()

    def _heredoc_body(self, word: str, is_quoted: bool) -> None:
        while self.at < len(self.text):
            end = self.text.find("\n", self.at)
            line = self.text[self.at : len(self.text) if end < 0 else end + 1]
            if line.strip() == word:
                self._take(len(line))
                return
            for match in REFERENCE.finditer(line):
                if is_quoted:
                    self.at += match.start()
                    raise self._refusal(Reference(*match.groups()), "a quoted here-document")
                self.variables[variable_of(Reference(*match.groups()))] = Reference(*match.groups())
            self.out.append(REFERENCE.sub(lambda match: f"${{{variable_of(Reference(*match.groups()))}}}", line))
            self.at += len(line)
