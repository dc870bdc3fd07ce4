"""A place in the text of a command: what was read is written out, a reference as its expansion."""

import re
from dataclasses import dataclass

from penstock.engine.language.shell.syntax import Redirect, Unsafe, Value
from penstock.engine.language.variables import REFERENCE, Reference

DEPTH = 100
"""How deep constructs may be nested."""
_RUN = re.compile(r"[A-Za-z0-9_./:=@%+,-]+")


def variable_of(reference: Reference) -> str:
    """Return the shell variable that carries a value; distinct for distinct references."""
    encoded = "".join(
        char if char.isascii() and char.isalnum() else f"_{ord(char):x}_"
        for char in f"{reference.namespace}.{reference.key}"
    )
    return f"PENSTOCK_VALUE_{encoded}"


@dataclass(slots=True)
class Heredoc:
    """A here-document that was announced; its body comes behind the next newline."""

    delimiter: str
    is_quoted: bool
    strips_tabs: bool
    at: int
    redirect: Redirect


class Cursor:
    """A place in a text, and what was written out so far."""

    def __init__(self, text: str, depth: int = 0) -> None:
        self.text = text
        self.at = 0
        self.end = len(text)
        self.depth = depth
        self.substitutions = 0
        self.out: list[str] = []
        self.variables: dict[str, Reference] = {}
        self.heredocs: list[Heredoc] = []

    def sees(self, text: str) -> bool:
        """Whether a text stands here."""
        return self.at + len(text) <= self.end and self.text.startswith(text, self.at)

    def char(self) -> str:
        """Return the character that stands here, nothing at the end."""
        return self.text[self.at] if self.at < self.end else ""

    def take(self, count: int = 1) -> str:
        """Write out so many characters as they are."""
        taken = self.text[self.at : min(self.at + count, self.end)]
        self.out.append(taken)
        self.at += len(taken)
        return taken

    def within(self, count: int = 1) -> str:
        """Take from inside a word.

        No newline is allowed there while a here-document waits for its body.
        """
        taken = self.take(count)
        if "\n" in taken and self.heredocs:
            raise self.lost("a newline within a word, before a here-document's body")
        return taken

    def lost(self, what: str, at: int | None = None) -> Unsafe:
        """Return what to raise where it is not certain how the text goes on."""
        return Unsafe(what, self.at if at is None else at)

    def deeper(self) -> None:
        """Enter a construct."""
        self.depth += 1
        if self.depth > DEPTH:
            raise self.lost(f"a command that is nested more than {DEPTH} levels deep")

    def run(self) -> str:
        """Take characters from inside a word that mean nothing anywhere, or else one."""
        match = _RUN.match(self.text, self.at, self.end)
        return self.within(match.end() - self.at if match else 1)

    def continuations(self) -> None:
        """Take line continuations."""
        while self.sees("\\\n"):
            self.within(2)

    def match(self) -> re.Match[str] | None:
        """Return the reference that stands here."""
        return REFERENCE.match(self.text, self.at, self.end)

    def value(self, match: re.Match[str], shape: str) -> Value:
        """Write out the expansion that a reference becomes."""
        reference = Reference(*match.groups())
        name = variable_of(reference)
        self.variables[name] = reference
        self.out.append(shape.format(f"${{{name}}}"))
        found = Value(reference, self.at)
        self.at = match.end()
        return found

    def refuse_reference(self, place: str, ahead: int = 0) -> None:
        """Raise Refused if a reference stands here, or so many characters ahead."""
        if match := REFERENCE.match(self.text, self.at + ahead, self.end):
            raise Unsafe(place, match.start(), Reference(*match.groups()))
