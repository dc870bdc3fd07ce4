"""Reads redirections and here-documents."""

import re

from penstock.engine.language.shell.cursor import Heredoc
from penstock.engine.language.shell.syntax import Literal, Part, Redirect, Unsafe, Word
from penstock.engine.language.shell.words import META, WordReader, merged
from penstock.engine.language.variables import REFERENCE, Reference

_REDIRECT = re.compile(r"([0-9]*)(<<-|<<<|<<|<>|<&|>>|>\||>&|<|>)")
_DELIMITER = re.compile(r"[ \t]*(?:(\\)|(['\"]))?([A-Za-z0-9_.+-]+)(?(2)\2)(?=[ \t\n;&|<>)]|\Z)")


class RedirectReader(WordReader):
    """Reads what stands between the words of a command."""

    def blanks(self) -> None:
        """Take blanks, continuations and comments."""
        while True:
            self.continuations()
            if self.char() and self.char() in " \t":
                self.take()
            # A reference begins like a comment.
            elif self.sees("#") and not self.match():
                end = self.text.find("\n", self.at, self.end)
                self.take((end if end >= 0 else self.end) - self.at)
            else:
                return

    def operator(self, text: str) -> bool:
        """Take an operator, if it stands here and a continuation does not make it another."""
        if not self.sees(text):
            return False
        self.take(len(text))
        if self.sees("\\\n") and self.text[self.at :].replace("\\\n", "")[:1] in tuple(";&|<>("):
            raise self.lost("a line continuation within an operator")
        return True

    def some_word(self) -> Word:
        """Read a word; raise Refused if there is none."""
        if not self.char() or self.char() in META:
            raise self.lost("a command that lacks a word")
        return self.word()

    def redirect(self, into: list[Redirect]) -> bool:
        """Read a redirection, if one stands here; whether one did."""
        match = _REDIRECT.match(self.text, self.at, self.end)
        if not match:
            return False
        descriptor, operator = match.groups()
        if operator == "<<<" or self.text.startswith("(", match.end()):
            raise self.lost("a command with '<<<', '<(' or '>(', which not every shell knows,")
        self.take(len(descriptor))
        self.operator(operator)
        if operator in ("<<", "<<-"):
            self._announce(descriptor, operator, into)
            return True
        self.blanks()
        word = self.some_word()
        if operator in ("<&", ">&") and not re.fullmatch("[0-9]+|-", word.literal or ""):
            raise self.lost(f"a command with '{operator}' and no number", word.at)
        into.append(Redirect(operator, descriptor, word))
        return True

    def _announce(self, descriptor: str, operator: str, into: list[Redirect]) -> None:
        match = _DELIMITER.match(self.text, self.at, self.end)
        if not match or self.match():
            raise self.lost("a command with a delimiter of a here-document that is no plain word")
        if self.substitutions:
            # bash 5.2 writes such a substitution anew before it runs it, and loses a ; behind the
            # body.
            raise self.lost("a here-document within '$(…)'")
        redirect = Redirect("<<", descriptor, Word((), self.at))
        is_quoted = bool(match[1] or match[2])
        self.heredocs.append(Heredoc(match[3], is_quoted, operator == "<<-", self.at, redirect))
        self.take(match.end() - self.at)
        into.append(redirect)

    def body(self, heredoc: Heredoc) -> None:
        """Read the body of a here-document, up to and with the line that ends it."""
        begun, line = self.at, self.at
        while True:
            end = self.text.find("\n", line, self.end)
            found = self.text[line : end if end >= 0 else self.end]
            if (found.lstrip("\t") if heredoc.strips_tabs else found) == heredoc.delimiter:
                break
            if end < 0:
                raise self.lost("a command with a here-document that is not closed", heredoc.at)
            line = end + 1
        match = REFERENCE.search(self.text, begun, line)
        if heredoc.is_quoted and match:
            raise Unsafe("a quoted here-document", match.start(), Reference(*match.groups()))
        parts = self._quoted_body(line) if heredoc.is_quoted else self._expanded_body(line)
        heredoc.redirect.word = Word(merged(parts), begun)
        self.take(len(found))

    def _quoted_body(self, end: int) -> list[Part]:
        return [Literal(self.take(end - self.at), is_quoted=True)]

    def _expanded_body(self, end: int) -> list[Part]:
        if "\\\n" in self.text[self.at : end]:
            raise self.lost("a here-document with a line continuation")
        parts, whole, self.end = list[Part](), self.end, end
        while self.char():
            # In a here-document a double quote is a character like any other.
            if self.sees('"'):
                parts.append(Literal(self.take(), is_quoted=True))
            else:
                parts += self.in_double_quotes()
        self.end = whole
        return parts
