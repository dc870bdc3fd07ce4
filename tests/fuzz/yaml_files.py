"""Random files of manifests: every kind of scalar, key and collection of YAML, streams, lists,
JSON, and mutations.
"""

import json
from random import Random
from typing import Any

from tests.fuzz.mutations import mutated
from tests.fuzz.yaml_words import (
    CHARACTERS,
    COMMENTS,
    CONTROLS,
    DIRECTIVES,
    ESCAPES,
    HEADS,
    JSON_JOINTS,
    JSON_WORDS,
    KEYS,
    LINES,
    MARKERS,
    ODD_HEADS,
    PROPERTIES,
    WORDS,
    scalar_word,
)

_DEEPEST = 3
_SPLICES = [
    text.encode("utf-8", "surrogatepass")
    for text in (*WORDS, *MARKERS, *PROPERTIES, *DIRECTIVES, *ESCAPES, *CHARACTERS)
]


def file_of(random: Random) -> bytes:
    """Return a file: a stream of documents, of JSON, or either with some of its bytes changed."""
    kind = random.randrange(10)
    text = json_stream(random) if kind < 2 else Grammar(random).stream()
    data = encoded(random, text)
    return mutated(random, data, _SPLICES) if random.random() < 0.2 else data


def encoded(random: Random, text: str) -> bytes:
    """Return a text as an editor of some system may write it."""
    if random.random() < 0.08:
        text = text.replace("\n", random.choice(["\r\n", "\r\n", "\r", "\n\r"]))
    if random.random() < 0.05:
        text = f"\ufeff{text}"
    if random.random() < 0.02:
        text = text.replace("\n", "\n\ufeff", 1)
    if random.random() < 0.05:
        at = random.randrange(len(text) + 1)
        text = text[:at] + random.choice(CONTROLS) + text[at:]
    if random.random() < 0.03:
        return text.encode(
            random.choice(["utf-16", "utf-16-be", "utf-16-le", "utf-32"]), "surrogatepass"
        )
    return text.encode("utf-8", "surrogatepass")


class Grammar:
    """Writes one file."""

    def __init__(self, random: Random) -> None:
        self.random, self.anchors = random, 0

    def stream(self) -> str:
        """Return some documents, with what may stand before and between them."""
        text = self.random.choice(
            ["", "", "", "---\n", "", "", "", "---\n", self.random.choice([*MARKERS, *DIRECTIVES])]
        )
        for number in range(self.random.choice([1, 1, 1, 1, 2, 3])):
            if number:
                text += self.random.choice(["---\n", "---\n", self.random.choice(MARKERS)])
            text += self.document()
        return text + self.random.choice(["", "", "", "...\n", "---\n", " ", "\n\n"])

    def document(self) -> str:
        """Return an object, mostly; a list of some; or any node."""
        self.anchors = 0
        kind = self.random.randrange(20)
        if kind == 0:
            return self.random.choice(
                [f"{self.flow(2)}\n", f"{self.block(0, 1)}\n", "", "\n", "# c\n", "null\n"]
            )
        if kind == 1:
            return self.listed()
        head = self.random.choice(HEADS if self.random.random() < 0.95 else ODD_HEADS)
        body = "".join(
            f"{self.random.choice(['v', 'data', 'w', self.key()])}:{self.value(0, 0)}\n"
            for _ in range(self.random.choice([1, 1, 2, 3]))
        )
        return self.random.choice([head + body, head + body, body + head])

    def listed(self) -> str:
        """Return a list of objects, some of which leave out what they are."""
        kind = self.random.choice(["List", "ConfigMapList", "CaseList", "Case"])
        api = self.random.choice(["v1", "example.com/v1"])
        said = ["", "apiVersion: v1, ", "kind: A, ", "apiVersion: v1, kind: B, "]
        items = "".join(
            f"- {self.random.choice(said)}metadata: {{name: "
            f"n{number}}}, v: {self.flow(1)}\n".replace("- ", "- {", 1).replace("\n", "}\n")
            for number in range(self.random.randrange(4))
        )
        items = items or self.random.choice(["[]\n", "null\n", "{}\n", "\n", "x\n"])
        name = self.random.choice(["items", "items", "items", "Items"])
        return (
            f"apiVersion: {api}\nkind: {kind}\n{name}:{' ' if items[0] != '-' else chr(10)}{items}"
        )

    def value(self, indent: int, depth: int) -> str:
        """Return what stands behind the colon of a key."""
        kind = self.random.randrange(10)
        gap = self.random.choice([" ", " ", " ", " ", "  ", "\t", " \t"])
        if kind < 4 or depth >= _DEEPEST:
            return gap + self.properties() + self.scalar(indent) + self.random.choice(COMMENTS)
        if kind < 6:
            return gap + self.properties() + self.block_scalar(indent)
        if kind < 8:
            return gap + self.properties() + self.flow(3 - depth) + self.random.choice(COMMENTS)
        deeper = indent + self.random.choice([0, 1, 2, 2, 2, 2, 2, 4])
        head = f"{gap}{self.properties()}{self.random.choice(COMMENTS)}"
        return f"{head}\n{self.block(deeper, depth + 1)}"

    def block(self, indent: int, depth: int) -> str:
        """Return a mapping or a sequence in block style."""
        lines, pad = [], " " * indent
        is_sequence = self.random.random() < 0.4
        for _ in range(self.random.choice([1, 2, 2, 3])):
            if is_sequence:
                lines.append(f"{pad}-{self.value(indent, depth)}")
            elif self.random.random() < 0.1:
                lines.append(
                    f"{pad}?{self.value(indent, depth)}\n{pad}:{self.value(indent, depth)}"
                )
            else:
                colon = self.random.choice([":", ":", ":", ":", " :", "\t:"])
                lines.append(f"{pad}{self.key()}{colon}{self.value(indent, depth)}")
            if self.random.random() < 0.1:
                lines.append(self.random.choice(["", "# c", f"{pad}# c", "  ", "\t", " \t# c"]))
        return "\n".join(lines)

    def key(self) -> str:
        """Return a key."""
        if self.random.random() < 0.5:
            return self.random.choice(["a", "b", "c", "a", "'a'", '"b"'])
        return self.properties() + self.random.choice(
            [self.random.choice(KEYS), scalar_word(self.random)]
        )

    def properties(self) -> str:
        """Return a tag, an anchor, both or mostly none."""
        kind = self.random.random()
        if kind < 0.85:
            return ""
        if kind < 0.92:
            return self.random.choice(PROPERTIES)
        self.anchors += 1
        return f"&x{self.anchors - 1} "

    def scalar(self, indent: int) -> str:
        """Return a scalar of one line or several: plain, quoted once or twice."""
        kind = self.random.randrange(8)
        if kind < 4:
            return scalar_word(self.random)
        if kind == 4:
            return f"*x{self.random.randrange(self.anchors)}" if self.anchors else ""
        joints = [
            "",
            "",
            "",
            "",
            "",
            "",
            " ",
            f"\n{' ' * (indent + 1)}",
            "\n\n ",
            "\n\t",
            " \n  ",
            "\t",
            "\\\n  ",
        ]
        kinds = self.random.choices(
            [ESCAPES, CHARACTERS, LINES, ["a", "b"]], k=self.random.randint(0, 4)
        )
        parts = [self.random.choice(kind) for kind in kinds]
        text = "".join(part + self.random.choice(joints) for part in parts)
        if kind == 5:
            return '"' + text + '"'
        if kind == 6:
            return "'" + text.replace("'", "''") + "'"
        return self.random.choice(["a", "1", "x y"]) + text

    def block_scalar(self, indent: int) -> str:
        """Return a literal or folded scalar."""
        marks = [
            self.random.choice(["", "", "", "", "", "", "", "", "1", "2", "4"]),
            self.random.choice(["", "", "-", "+"]),
        ]
        self.random.shuffle(marks)
        head = (
            self.random.choice("|>")
            + "".join(marks)
            + self.random.choice(["", "", "", "", "", "", " # c", " ", "\t", "#c"])
        )
        deeper = indent + self.random.choice([1, 1, 2, 2, 4])
        lines = []
        for _ in range(self.random.randint(0, 5)):
            pad = " " * max(0, deeper + self.random.choice([0] * 9 + [1, 2, 4, -1, -9]))
            lines.append(self.random.choice([pad, "", pad, pad]) + self.random.choice(LINES))
        return "\n".join([head, *lines])

    def flow(self, depth: int) -> str:
        """Return a node in flow style."""
        kind = self.random.randrange(10)
        if depth <= 0 or kind < 4:
            return self.properties() + self.random.choice(
                [scalar_word(self.random), self.scalar(2)]
            )
        gap = self.random.choice(["", "", " ", "\n  ", "\t", " # c\n  ", "\n"])
        joint = self.random.choice([", ", ",", ", ", f",{gap}"])
        count = self.random.randrange(4)
        end = self.random.choice(["", "", "", "", ",", gap])
        if kind < 6:
            items = [
                self.random.choice([self.flow(depth - 1), self.pair(depth - 1)])
                for _ in range(count)
            ]
            return f"[{gap}{joint.join(items)}{end}]"
        return f"{{{gap}{joint.join(self.pair(depth - 1) for _ in range(count))}{end}}}"

    def pair(self, depth: int) -> str:
        """Return a key and its value in flow style, or half of them."""
        colon = self.random.choice([": ", ": ", ": ", ":", " : ", ":\n   ", ":\t"])
        shape = self.random.randrange(12)
        if shape == 0:
            return self.random.choice(
                [
                    self.key(),
                    self.random.choice(PROPERTIES).strip(),
                    f"? {self.key()}",
                    f": {self.flow(depth)}",
                    f"{self.key()}:",
                ]
            )
        if shape == 1:
            return f"? {self.flow(depth)}{colon}{self.flow(depth)}"
        return f"{self.key()}{colon}{self.flow(depth)}"


def json_stream(random: Random) -> str:
    """Return objects in JSON one behind another, mostly without anything that
    JSON does not allow.
    """
    joint, end = random.choice(JSON_JOINTS), random.choice(JSON_JOINTS)
    texts = [json_text(random) for _ in range(random.choice([1, 1, 2, 3]))]
    return random.choice(["", "", "", "", " ", "\n", "\ufeff", "\u00a0"]) + joint.join(texts) + end


def json_text(random: Random) -> str:
    """Return one object in JSON."""
    head = {
        "apiVersion": "v1",
        "kind": random.choice(["Case", "List", "Secret"]),
        "metadata": {"name": "j"},
    }
    body = {**head, random.choice(["data", "v", "items", "Items"]): json_value(random, 0)}
    text = json.dumps(
        body, ensure_ascii=random.random() < 0.5, indent=random.choice([None, 1, "\t"])
    )
    for _ in range(random.choice([0, 0, 0, 1, 2])):
        text = text.replace('"REPLACE"', random.choice(JSON_WORDS), 1)
    return text


def json_value(random: Random, depth: int) -> Any:
    """Return a value for JSON; REPLACE stands where another text is put."""
    kind = random.randrange(7 if depth < 3 else 4)
    if kind < 2:
        return random.choice(["REPLACE", "x", "yes", "1", "", *CHARACTERS, *LINES])
    if kind < 4:
        return random.choice(
            [0, -1, 1.5, 2**63, 2**64, -(2**63) - 1, 9e18, 1e100, 10**40, True, None, 0.1 + 0.2]
        )
    if kind == 4:
        return [json_value(random, depth + 1) for _ in range(random.randrange(3))]
    keys = ["a", "b", "<<", "=", "apiVersion", "kind", "metadata", "1", "", "é", "\u2028"]
    return {random.choice(keys): json_value(random, depth + 1) for _ in range(random.randrange(4))}
