r"""Regular expressions of users, matched by RE2 (C-23, MATCHES).

Time grows with the text, and memory is bounded.

The operator serves all namespaces: an expression that backtracks for hours, or unfolds to millions
of states, would stop everybody's pipelines. RE2 knows no backtracking, and gives up where an
expression becomes too large.

An expression means what it means to Java, whose ``matches`` wants the whole text. What RE2 reads
otherwise is written for it in its own words (``.``, ``\s``, ``\u0041``), what it cannot do is
refused: look-arounds, back-references, possessive and atomic groups, flags but ``(?i)`` and
``(?s)`` at the beginning, ``\b``, and sets within sets. ``(?i)`` is of ASCII alone, as in Java;
``$`` is the end of the text, not a place before its last newline.
"""

import re

import re2

MOST_PATTERN = 4_000
MOST_CHARACTERS = 4_000
"""How long an expression and a text may be, in characters."""
MOST_MEMORY = 1 << 20
"""What RE2 may take for an expression and for matching it, in bytes."""
MOST_STEPS = 10_000_000
"""How many states may be visited, at worst: those of the expression for each byte of the text."""

_BAD_GROUP = re.compile(r"\((?:\?(?!:|<[A-Za-z][A-Za-z0-9]*>)|\*)")
_REPEATED = re.compile(r"\{[0-9]{1,4}(,[0-9]{0,4})?\}")
_FLAGS = re.compile(r"\(\?([is]+)\)")
_ESCAPE = re.compile(
    r"\\(?:[pP](?:\{[A-Z][a-z]?\}|[A-Z])|x[0-9A-Fa-f]{2}|x\{[0-9A-Fa-f]{1,6}\}|u(?![dD][89A-Fa-f])[0-9A-Fa-f]{4}|[dDwWsStnrfaAz]"
    r"|0[0-3]?[0-7]{1,2}|[^A-Za-z0-9])",
    re.DOTALL,
)
# Java's \s holds the vertical tab, and RE2's does not.
_SPACES = r"\t\n\x0b\f\r "
_NO_SPACES = r"\x00-\x08\x0e-\x1f\x21-\x{10ffff}"
# Java's dot stops at each of these ends of a line, RE2's at the newline alone.
_NO_LINE_END = r"[^\n\r\x{85}\x{2028}\x{2029}]"
# The sign of Kelvin and the long s, which RE2 takes for k and s under (?i), and Java does not.
_FOLDED_TO_ASCII = frozenset("\u212a\u017f")


class PatternError(ValueError):
    """An expression that cannot be used; the message says why."""


def matches(pattern: str, text: str) -> bool:
    """Whether the whole text matches, as Java's ``matches`` does; raise PatternError."""
    if len(pattern) > MOST_PATTERN:
        raise PatternError(f"Value: a regular expression has at most {MOST_PATTERN} characters")
    if len(text) > MOST_CHARACTERS:
        raise PatternError(
            f"Value is not matched with texts of more than {MOST_CHARACTERS} characters"
        )
    translated, is_folded = _translated(pattern)
    encoded = _encoded(text, is_folded)
    options = re2.Options()
    options.max_mem, options.log_errors, options.never_capture = MOST_MEMORY, False, True
    try:
        compiled = re2.compile(translated, options)
        if compiled.programsize * (len(encoded) + 1) > MOST_STEPS:
            raise PatternError(
                "Value: the regular expression is too large for a text of this length"
            )
        return compiled.fullmatch(encoded.decode()) is not None
    except re2.error as error:
        told = error.args[0].decode(errors="replace") if error.args else ""
        reason = "it is too large" if "too large" in told or "repetition size" in told else told
        raise PatternError(f"Value is no regular expression that can be used: {reason}") from error
    finally:
        # RE2's module keeps what it compiled, a hundred expressions of anybody's.
        re2.purge()


def _encoded(text: str, is_folded: bool) -> bytes:
    if is_folded and _FOLDED_TO_ASCII.intersection(text):
        raise PatternError(
            "Value: (?i) is of ASCII alone, and the text holds a letter that others take for ASCII"
        )
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise PatternError("Value is not matched with a text that is no Unicode") from error


def _translated(pattern: str) -> tuple[str, bool]:
    """Return an expression as RE2 reads it, and whether case counts for nothing."""
    match = _FLAGS.match(pattern)
    flags, begun = (match[1], match.end()) if match else ("", 0)
    if "i" in flags and not pattern.isascii():
        raise PatternError("Value: (?i) is of ASCII alone; write other letters without it, as [éÉ]")
    if not _is_unicode(pattern):
        raise PatternError("Value is no regular expression that can be used: it is no Unicode")
    body = _Translator(pattern, begun, is_dotall="s" in flags).translated()
    return (f"(?{'i' if 'i' in flags else ''}s)" if flags else "") + body, "i" in flags


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)


class _Translator:
    """One pass over an expression."""

    def __init__(self, text: str, at: int, *, is_dotall: bool) -> None:
        self.text, self.at, self.is_dotall = text, at, is_dotall

    def translated(self) -> str:
        """Return the expression as RE2 reads it."""
        out: list[str] = []
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == "\\":
                out.append(self._escape(in_set=False))
            elif char == "[":
                out.append(self._set())
            else:
                self._check(char)
                out.append(_NO_LINE_END if char == "." and not self.is_dotall else char)
                self.at += 1
        return "".join(out)

    def _check(self, char: str) -> None:
        if char == "(" and _BAD_GROUP.match(self.text, self.at):
            what = (
                "look-arounds, atomic groups, and flags but (?i) and (?s) at the beginning are not "
                "supported"
            )
            raise PatternError(f"Value: {what}")
        if char == "{" and not _REPEATED.match(self.text, self.at):
            raise PatternError(
                r"Value: a { that repeats nothing is written \{, and a repetition is of at most "
                r"1000"
            )

    def _escape(self, *, in_set: bool) -> str:
        if self.text.startswith("\\Q", self.at) and not in_set:
            return self._quoted()
        match = _ESCAPE.match(self.text, self.at)
        if not match or (in_set and match[0][1] in "Az"):
            what = self.text[self.at : self.at + 2]
            raise PatternError(
                f"Value: {what} is not supported: no back-references, no \\b, \\B, \\v or \\h"
            )
        self.at = match.end()
        kind, text = match[0][1], match[0]
        if kind in "sS":
            inner = _SPACES if kind == "s" else _NO_SPACES
            return inner if in_set else f"[{inner}]"
        if kind == "u":
            return f"\\x{{{text[2:]}}}"
        if kind == "0":
            return f"\\x{{{int(text[2:], 8):x}}}"
        # RE2 takes no backslash before a character beyond ASCII; to Java it means nothing there.
        return text if kind.isascii() else kind

    def _quoted(self) -> str:
        end = self.text.find("\\E", self.at)
        inner = self.text[self.at + 2 : end if end >= 0 else len(self.text)]
        self.at = end + 2 if end >= 0 else len(self.text)
        return re2.escape(inner) if inner else ""

    def _set(self) -> str:
        out = ["["]
        self.at += 1
        if self.text.startswith("^", self.at):
            out.append("^")
            self.at += 1
        if self.text.startswith("]", self.at):
            raise PatternError(r"Value: a ] that a set begins with is written \]")
        while not self.text.startswith("]", self.at):
            char = self.text[self.at : self.at + 1]
            if not char:
                raise PatternError(
                    "Value is no regular expression that can be used: a [ is not closed"
                )
            if char == "[" or self.text.startswith("&&", self.at):
                raise PatternError(
                    r"Value: a set within a set is not supported; a [ in one is written \["
                )
            if char == "\\":
                out.append(self._escape(in_set=True))
            else:
                out.append(char)
                self.at += 1
        self.at += 1
        return "".join([*out, "]"])
