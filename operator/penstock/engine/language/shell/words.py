"""Reads words: quotes, escapes and expansions, as dash, bash and busybox's ash all read them.

What they read differently, or this reader does not know, raises Refused. References become quoted
expansions on the way: the text that is written out is the text that was read, but for them.
"""

import re

from penstock.engine.language.shell.cursor import Cursor
from penstock.engine.language.shell.syntax import (
    Arithmetic,
    Literal,
    Parameter,
    Part,
    Program,
    Substitution,
    Unsafe,
    Value,
    Word,
)
from penstock.engine.language.variables import REFERENCE, Reference

META = " \t\n;&|<>()"
_LENGTH = re.compile(r"\$\{#([A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*])?\}")
_HEAD = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*?$!-])")
_OPERATOR = re.compile(r":?[-=?+]|%%?|##?")
_OPAQUE = re.compile(r"\$\{[^'\"`$\\{}\n]*\}")
_NAME = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!-])")
_TAKES_VALUES = {"-", ":-", "+", ":+", "=", ":="}


class WordReader(Cursor):
    """Reads words; who reads programs fills in what is within substitutions."""

    def substituted(self) -> Program:
        """Read the inside of ``$(…)``, up to and with the parenthesis that ends it."""
        raise NotImplementedError

    def nested(self, text: str) -> Program:
        """Read another text that is code: the inside of backquotes."""
        raise NotImplementedError

    # ---- words

    def word(self) -> Word:
        """Read a word up to what ends one outside of quotes; it may be empty."""
        start, parts = self.at, list[Part]()
        while True:
            self.continuations()
            char = self.char()
            if match := self.match():
                parts.append(self.value(match, '"{}"'))
            elif not char or char in META:
                return self._whole(Word(merged(parts), start))
            else:
                parts += self._bare(char)

    def _whole(self, word: Word) -> Word:
        value = next((part for part in word.parts if isinstance(part, Value)), None)
        if value and "{" in word.bare:
            raise Unsafe(
                "a word with braces, which shells read differently", value.at, value.reference
            )
        return word

    def _bare(self, char: str) -> list[Part]:
        if char == "'":
            return self.single_quotes()
        if char == '"':
            return self.double_quotes()
        if char == "\\":
            return [self.escape()]
        if char in "$`":
            return [self.expansion(is_quoted=False)]
        if not char.isascii():
            raise self.lost(
                "a command with an unquoted character beyond ASCII, which may be a blank,"
            )
        return [Literal(self.run())]

    def escape(self, quotable: str = "") -> Literal:
        """Read a backslash and what it quotes: within double quotes, few characters."""
        self.refuse_reference("a word behind a backslash", 1)
        if self.at + 1 >= self.end:
            raise self.lost("a command that ends with a backslash")
        taken = self.within(2)
        # Within double quotes a backslash that quotes nothing stays.
        return Literal(taken if quotable and taken[1] not in quotable else taken[1], is_quoted=True)

    def single_quotes(self) -> list[Part]:
        """Read ``'…'``."""
        # An empty part, as '' is a word, too.
        begun, parts = self.at, list[Part]([Literal("", is_quoted=True)])
        self.take()
        while not self.sees("'"):
            if not self.char():
                raise self.lost("a command with a single quote that is not closed", begun)
            if match := self.match():
                parts.append(self.value(match, "'\"{}\"'"))
            else:
                parts.append(Literal(self.run(), is_quoted=True))
        self.take()
        return parts

    def double_quotes(self) -> list[Part]:
        """Read ``"…"``."""
        # An empty part, as "" is a word, too.
        begun, parts = self.at, list[Part]([Literal("", is_quoted=True)])
        self.take()
        while not self.sees('"'):
            if not self.char():
                raise self.lost("a command with a double quote that is not closed", begun)
            parts += self.in_double_quotes()
        self.take()
        return parts

    def in_double_quotes(self) -> list[Part]:
        """Read one thing that stands in double quotes, or in a here-document."""
        self.continuations()
        if match := self.match():
            return [self.value(match, "{}")]
        if self.sees("\\"):
            return [self.escape('$`"\\')]
        if self.char() in ("$", "`"):
            return [self.expansion(is_quoted=True)]
        return [] if self.char() in ('"', "") else [Literal(self.run(), is_quoted=True)]

    # ---- expansions

    def expansion(self, *, is_quoted: bool) -> Part:
        """Read what a ``$`` or a backquote begins."""
        if self.sees("`"):
            return self._backquotes(is_quoted)
        self.refuse_reference("a '$' expansion", 1)
        # Within double quotes a quote behind a dollar sign belongs to the text.
        for odd in ("$\\\n", "$[", *(() if is_quoted else ("$'", '$"'))):
            if self.sees(odd):
                raise self.lost(f"a command with {odd[:2]!r}, which shells read differently,")
        if self.sees("$(("):
            return self._arithmetic()
        if self.sees("$("):
            return self._substitution(is_quoted)
        if self.sees("${"):
            return self._parameter(is_quoted)
        if match := _NAME.match(self.text, self.at, self.end):
            begun = self.at
            self.take(match.end() - self.at)
            return Parameter(match[1], begun, is_quoted=is_quoted)
        return Literal(self.take(), is_quoted=True)

    def _substitution(self, is_quoted: bool) -> Part:
        begun, waiting = self.at, self.heredocs
        if waiting:
            raise self.lost("a substitution behind '<<' on one line")
        self.deeper()
        self.take(2)
        if self.sees("\\\n"):
            raise self.lost("a line continuation behind '$('")
        self.substitutions += 1
        program = self.substituted()
        self.substitutions -= 1
        self.depth -= 1
        return Substitution(program, begun, is_quoted)

    def _backquotes(self, is_quoted: bool) -> Part:
        begun, end = self.at, self.at + 1
        while end < self.end and self.text[end] != "`":
            # A backslash takes from the character behind it that it ends anything.
            end += 2 if self.text[end] == "\\" else 1
        if end >= self.end:
            raise self.lost("a command with a backquote that is not closed")
        raw = self.text[self.at + 1 : end]
        if match := REFERENCE.search(raw):
            at = begun + 1 + match.start()
            raise Unsafe("backquotes", at, Reference(*match.groups()))
        if is_quoted and '"' in raw:
            raise self.lost("backquotes with double quotes within double quotes")
        self.within(end + 1 - self.at)
        # Within backquotes a backslash quotes these three characters and no other.
        program = self.nested(re.sub(r"\\([\\`$])", r"\1", raw))
        return Substitution(program, begun, is_quoted)

    def _arithmetic(self) -> Part:
        begun, level, parts = self.at, 0, list[Part]()
        self.deeper()
        self.take(3)
        while not (level == 0 and self.sees("))")):
            char = self.char()
            self.refuse_reference("arithmetic")
            if not char or char in "'\"\\;" or (char == ")" and level == 0):
                raise self.lost("a '$((' that may be arithmetic or not", begun)
            level += {"(": 1, ")": -1}.get(char, 0)
            if char in "$`":
                parts.append(self.expansion(is_quoted=True))
            else:
                parts.append(Literal(self.within(), is_quoted=True))
        self.take(2)
        self.depth -= 1
        return Arithmetic(begun, tuple(parts))

    def _parameter(self, is_quoted: bool) -> Part:
        begun = self.at
        self.refuse_reference("the name of a '${' expansion", 2)
        # Before all else, as `#` is a parameter's name and an operator, too.
        if match := _LENGTH.match(self.text, self.at, self.end):
            self.take(match.end() - self.at)
            return Parameter(match[1] or "#", begun, is_quoted=is_quoted)
        match = _HEAD.match(self.text, self.at, self.end)
        if match and self.text[match.end() : self.end].startswith("}"):
            self.take(match.end() + 1 - self.at)
            return Parameter(match[1], begun, is_quoted=is_quoted)
        operator = _OPERATOR.match(self.text, match.end(), self.end) if match else None
        # bash takes `${!` for an indirection, unless a colon follows.
        if match and operator and not (match[1] == "!" and operator[0][0] != ":"):
            self.take(operator.end() - self.at)
            self.deeper()
            parts = self._operand(operator[0], is_quoted, begun)
            self.depth -= 1
            return Parameter(match[1], begun, parts, "=" in operator[0], is_quoted)
        if match := _OPAQUE.match(self.text, self.at, self.end):
            self.take(match.end() - self.at)
            return Arithmetic(begun, (Parameter("", begun),))
        raise self.lost("a '${' expansion that not every shell knows")

    def _operand(self, operator: str, is_quoted: bool, begun: int) -> tuple[Part, ...]:
        parts = list[Part]()
        while True:
            self.continuations()
            char = self.char()
            if char == "}":
                break
            if match := self.match():
                if operator not in _TAKES_VALUES:
                    self.refuse_reference(
                        f"the pattern or message of a '${{…{operator}…}}' expansion"
                    )
                parts.append(self.value(match, "{}" if is_quoted else '"{}"'))
            elif not char or char == "{" or (is_quoted and char in "'\""):
                raise self.lost("a '${' expansion whose end shells see in different places", begun)
            elif is_quoted:
                parts += self.in_double_quotes()
            elif char in META:
                parts.append(Literal(self.within()))
            else:
                parts += self._bare(char)
        self.take()
        return tuple(parts)


def merged(parts: list[Part]) -> tuple[Part, ...]:
    """Return parts with neighbouring literals of one kind made one."""
    found: list[Part] = []
    for part in parts:
        last = found[-1] if found else None
        is_alike = isinstance(part, Literal) and isinstance(last, Literal)
        if is_alike and part.is_quoted == last.is_quoted:  # type: ignore[union-attr]
            found[-1] = Literal(last.text + part.text, last.is_quoted)  # type: ignore[union-attr]
        else:
            found.append(part)
    return tuple(found)
