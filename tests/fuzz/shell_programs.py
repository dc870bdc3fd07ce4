"""Random shell programs with references: a grammar that composes every
context, and mutations of a corpus.
"""

from random import Random
from typing import NamedTuple

from tests.fuzz.finding import CORPUS

REFERENCES = ("#{S.A}", "#{S.B}")


class Program(NamedTuple):
    """A program, and by number what its probes must be given if they are run at all."""

    text: str
    expected: dict[str, tuple[str, ...]]


def values(random: Random, marker: str) -> tuple[str, str]:
    """Return a value for each reference, most of them hostile: what runs them makes the marker."""
    run = random.choice([f"touch {marker}", f">{marker}", f"{{ :>{marker}; }}"])
    shapes = (
        "$({})", "`{}`", "; {} ;", "x; {} #", "\n{}\n", "'; {}; '", '"; {}; "', "$({}) `{}` \\",
        "| {}", "&& {}",
        "a[$({})]", "x[$({})]=1", "a[`{}`]", "$(({}))", "${{x:-$({})}}", ") {} (", "} {} {{", "*",
        "?", "[a-z]", "-n",
        "--", "-e {}", "-c {}", "-exec {} ;", "-v", "-eq", "!", "(", ")", "]", "]]", "=", "~", "$X",
        "${{V}}", " a  b ",
        "\\", "\\\\n", "'", '"', "\t", "a\nb", "", "é\u0081\u0301", "\u0081\u0088", "%s%d", "%n",
        "EOF\n{}\n", "EOF",
        "}}",
        "{{a,b}}", "<({})", ">({})", "0 + a[$({})]", "1", "0", "-", "+", "in", "esac", ";; *) {};;",
        "done; {}",
        "fi\n{}", ":",
        "__import__('os').system('{}')", "system('{}')", "'\"$({})\"'", "\"'$({})'\"", "\\$({})",
        "#", "# {}", "!!",
        "&",
    )  # fmt: skip
    return tuple(_filled(random.choice(shapes), run) for _ in REFERENCES)  # type: ignore[return-value]


def _filled(shape: str, run: str) -> str:
    return shape.replace("{}", run).replace("{{", "{").replace("}}", "}")


class Grammar:
    """Writes one program. ``A`` and ``B`` in an expectation stand for the values."""

    def __init__(self, random: Random, given: tuple[str, str]) -> None:
        self.random, self.given = random, given
        self.expected: dict[str, tuple[str, ...]] = {}
        self.depth, self.probes = 0, 0

    def _number(self) -> str:
        self.probes += 1
        return f"@{self.probes}"

    def program(self) -> Program:
        text = self.listed()
        return Program(text, self.expected)

    def listed(self) -> str:
        joints = [
            "; ",
            "\n",
            " && ",
            " || ",
            " & ",
            " ;",
            "\n\n# it's \" `\n",
            " |",
            " &&\n",
            " | \\\n",
        ]
        text = self.command()
        for _ in range(self.random.choice([0, 0, 0, 1, 1, 2])):
            text += ("\n" if "<<" in text else self.random.choice(joints)) + self.command()
        return text + "\n:" if "<<" in text else text

    def hidden(self) -> str:
        """Return commands for a place where they are read in another way:
        nothing is expected of them.
        """
        known = dict(self.expected)
        text = self.listed()
        self.expected = known
        return text

    def command(self) -> str:
        self.depth += 1
        kinds = [self.probe] * 7 + [self.plain] * 3 + [self.odd] * 3
        if self.depth < 4:
            kinds += [self.compound] * 4 + [self.heredoc] * 2
        text = self.random.choice(kinds)()
        self.depth -= 1
        return text

    # ---- words that are known to arrive

    def word(self) -> tuple[str, str]:
        """Return a word, and what it must be when it arrives."""
        pieces = [self.piece() for _ in range(self.random.choice([1, 1, 1, 2, 3]))]
        return "".join(text for text, _ in pieces), "".join(value for _, value in pieces)

    def piece(self) -> tuple[str, str]:
        index = self.random.randrange(len(REFERENCES))
        reference, value = REFERENCES[index], self.given[index]
        shape, wanted = self.random.choice(PIECES)
        return shape.replace("{}", reference), wanted.replace("{}", value)

    def probe(self) -> str:
        number = self._number()
        words = [self.word() for _ in range(self.random.choice([1, 1, 2]))]
        self.expected[number] = tuple(value for _, value in words)
        probe = self.random.choice(
            ["probe"] * 8 + ["command probe", "V=x probe", "./probe", "env probe", '"probe"']
        )
        return f"{probe} {number} " + " ".join(text for text, _ in words)

    def heredoc(self) -> str:
        number, index = self._number(), self.random.randrange(len(REFERENCES))
        self.expected[number] = (f"x{self.given[index]}y\n",)
        dash = self.random.choice(["", "-"])
        tab = "\t" if dash else ""
        return f"slurp {number} <<{dash}EOF\n{tab}x{REFERENCES[index]}y\n{tab}EOF"

    # ---- the rest

    def reference(self) -> str:
        return self.random.choice(REFERENCES)

    def some_word(self) -> str:
        return self.word()[0] if self.random.random() < 0.6 else self.random.choice(FRAGMENTS)

    def plain(self) -> str:
        shape = self.random.choice(PLAIN)
        while "{}" in shape:
            shape = shape.replace("{}", self.word()[0], 1)
        return shape

    def compound(self) -> str:
        shape = self.random.choice(COMPOUND)
        while "{}" in shape:
            is_plain = "'{}'" not in shape and "`{}`" not in shape
            shape = shape.replace("{}", self.listed() if is_plain else self.hidden(), 1)
        while "<w>" in shape:
            shape = shape.replace("<w>", self.some_word(), 1)
        return shape

    def odd(self) -> str:
        """Write a context where a value may well be code: most of these are refused."""
        shape = self.random.choice(ODD)
        while "{}" in shape:
            shape = shape.replace("{}", self.some_word(), 1)
        while "<r>" in shape:
            shape = shape.replace("<r>", self.reference(), 1)
        while "<l>" in shape:
            shape = shape.replace("<l>", self.hidden() if self.depth < 4 else ":", 1)
        return shape


PIECES = [
    ("{}", "{}"),
    ('"{}"', "{}"),
    ("'{}'", "{}"),
    ('"a {} b"', "a {} b"),
    ("'<{}>'", "<{}>"),
    ("x{}", "x{}"),
    ('"$U{}"', "{}"),
    ('"${U}{}"', "{}"),
    ("\\a{}", "a{}"),
    ("'\"'{}", '"{}'),
    ("\"'{}'\"", "'{}'"),
    ("${U:-{}}", "{}"),
    ('"${U:-{}}"', "{}"),
    ('"${U-x{}}"', "x{}"),
    ("${U:-'{}'}", "{}"),
    ('${U:-"{}"}', "{}"),
    ("\\\n{}", "{}"),
    ('"\\\n{}"', "{}"),
    ('"\\"{}"', '"{}'),
    ('"$(printf %s. {})"', "{}."),
    ('"$(printf \'%s.\' "{}")"', "{}."),
    ('"$(printf "%s." \'{}\')"', "{}."),
    ("${PATH:+{}}", "{}"),
    ('"`:`{}"', "{}"),
    ("$U{}", "{}"),
    ('"$((1+2)){}"', "3{}"),
    ('"${U:-${U:-{}}}"', "{}"),
    ('"$(: "$(:)"; printf %s. "$(printf %s. {})")"', "{}.."),
    ('"${#U}{}"', "0{}"),
    ('"\\a{}"', "\\a{}"),
    ("''{}''", "{}"),
]
"""Pieces of words with a reference, and what they must be when they arrive."""
PLAIN = (CORPUS / "lexer" / "plain.txt").read_text().splitlines()
COMPOUND = (CORPUS / "lexer" / "compound.txt").read_text().split("\n---\n")
ODD = (CORPUS / "lexer" / "odd.txt").read_text().rstrip("\n").split("\n---\n")
FRAGMENTS = (CORPUS / "lexer" / "fragments.txt").read_text().rstrip("\n").split("\n")


def mutated(random: Random, given: tuple[str, str]) -> Program:
    """Return a program of the corpus or of the grammar with some of its text
    changed: nothing is expected of it.
    """
    text = (
        random.choice(ODD + COMPOUND + PLAIN)
        if random.random() < 0.5
        else Grammar(random, given).program().text
    )
    for mark in ("{}", "<w>", "<l>", "<r>"):
        while mark in text:
            text = text.replace(mark, random.choice([*REFERENCES, *FRAGMENTS]), 1)
    for _ in range(random.choice([1, 1, 2, 3, 5])):
        text = _changed(random, text)
    if not any(reference in text for reference in REFERENCES):
        at = random.randrange(len(text) + 1)
        text = text[:at] + random.choice(REFERENCES) + text[at:]
    return Program(text, {})


def _changed(random: Random, text: str) -> str:
    at, other = sorted((random.randrange(len(text) + 1), random.randrange(len(text) + 1)))
    other = min(other, at + 12)
    change = random.randrange(5)
    if change == 0:
        return text[:at] + text[other:]
    if change == 1:
        return text[:at] + random.choice(REFERENCES) + text[at:]
    if change == 2:
        return text[:at] + random.choice("'\"\\`$(){}[];&|<>#!*?~=-+, \t\n0a") + text[at:]
    if change == 3:
        return text[:at] + random.choice(FRAGMENTS) + text[at:]
    return text[:at] + text[at:other] * 2 + text[other:]
