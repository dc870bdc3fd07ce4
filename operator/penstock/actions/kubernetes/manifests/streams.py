"""The documents of a file, as kubectl finds them.

kubectl cuts a file at its lines of ``---`` before it reads any YAML, and
reads one document of each piece. A file that begins with ``{`` it reads as
JSON texts that follow one another; where that fails at the first or the
second, it reads on as YAML. Source: k8s.io/apimachinery's
``YAMLOrJSONDecoder`` and cli-runtime's ``FileVisitor``, with which
``tests/fuzz/fuzz_manifests.py`` compares.
"""

import codecs
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from penstock.actions.kubernetes.manifests.dialect import KUBECTL, json_number
from penstock.actions.yaml_documents import DEPTH, DocumentBounds, Rules, YamlError, documents

_BOUNDS = DocumentBounds(500_000, 32 * 1024 * 1024)
_MARK = "\ufeff"
# What is space to Go.
_SPACE = "\t\n\v\f\r \u0085\u00a0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)
# Bytes by which kubectl guesses whether a file is JSON.
_GUESSED = 4096
_SURROGATE = re.compile("[\ud800-\udfff]")
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NOTHING = object()
_INNER_MARK = re.compile("(?:^|[\n\r\u0085\u2028\u2029])\ufeff")


class _Unfinished(ValueError):
    """A text is JSON only to ``at``, behind the last whole document; ``count`` counts these."""

    def __init__(self, why: str, at: int, count: int) -> None:
        super().__init__(why)
        self.at = at
        self.count = count


def read_stream(data: bytes, is_called_json: bool = False) -> Iterator[Any]:
    """Yield documents, None if empty; raise YamlError for text kubectl would refuse or cut off.

    ``is_called_json`` says what a file that is neither JSON nor YAML should have been.
    """
    text, first, why = _decoded(data), 0, ""
    if text.encode()[:_GUESSED].decode(errors="ignore").lstrip(_SPACE).startswith("{"):
        try:
            yield from _json_texts(text, None)
        except _Unfinished as error:
            rest = _without_space(text[error.at :])
            if error.count > 1 or not rest.strip("\t\r\n\v\f"):
                raise YamlError(f"not JSON: {error}") from error
            text, first = rest, text.count("\n", 0, len(text) - len(rest))
            why = f"not JSON: {error}" if is_called_json and not error.count else ""
        except ValueError as error:
            raise YamlError(str(error)) from error
        else:
            return
    try:
        yield from _read_pieces(text, first, KUBECTL, _BOUNDS)
    except YamlError as error:
        if why:
            raise YamlError(why) from error
        raise


def read_yaml(
    data: str | bytes, rules: Rules = KUBECTL, bounds: DocumentBounds = _BOUNDS
) -> Iterator[Any]:
    """Yield a YAML file's documents, None for an empty one; raise YamlError like `read_stream`."""
    text = _decoded(data) if isinstance(data, bytes) else data.removeprefix(_MARK)
    return _read_pieces(text, 0, rules, bounds)


def read_json(text: str | bytes, number: Callable[[str], Any] | None = None) -> Iterator[Any]:
    """Yield the JSON documents that follow one another; raise ValueError for anything else.

    ``number`` makes a value of the text of a number.
    """
    return _json_texts(_decoded(text) if isinstance(text, bytes) else text, number)


def _decoded(data: bytes) -> str:
    """Return a file's text: UTF-8, or UTF-16 that says so; kubectl would apply others mutilated."""
    coding = "utf-8-sig"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        coding = "utf-16"
    try:
        return data.decode(coding)
    except UnicodeDecodeError as error:
        why = f"byte {error.start + 1} of the file is no {error.encoding}; save it as UTF-8"
        raise YamlError(why, data.count(b"\n", 0, error.start) + 1) from error


def _without_space(text: str) -> str:
    """Return a text without space before its first line, as kubectl turning from JSON to YAML."""
    rest = text.lstrip(_SPACE)
    space, line, _ = text[: len(text) - len(rest)].partition("\n")
    return text[len(space) + len(line) :]


def _read_pieces(text: str, first: int, rules: Rules, bounds: DocumentBounds) -> Iterator[Any]:
    for line, piece in _pieces(text, first):
        try:
            _check_characters(piece.removeprefix(_MARK))
            found = documents(piece, rules, bounds)
            yield next(found, None)
        except YamlError as error:
            raise YamlError(error.why, line + error.line if error.line else 0) from error
        _check_ended(found, line)


def _check_ended(rest: Iterator[Any], line: int) -> None:
    """Refuse anything after a piece's document, readable or not: kubectl would cut it off."""
    try:
        is_more, at = next(rest, _NOTHING) is not _NOTHING, 1
    except YamlError as error:
        is_more, at = True, error.line
    if is_more:
        raise YamlError(
            'behind the end of a document nothing is read; begin the next with "---"', line + at
        )


def _check_characters(piece: str) -> None:
    """Refuse characters unfit for YAML, and marks libyaml skips but kubectl takes into a key."""
    if found := _UNPRINTABLE.search(piece):
        sign = f"U+{ord(found[0]):04X}"
        why = (
            f"the character {sign} may not stand in YAML; remove it, or write \\x or \\u in double "
            f"quotes"
        )
        raise YamlError(why, piece.count("\n", 0, found.start()) + 1)
    if found := _INNER_MARK.search(piece):
        place = piece.count("\n", 0, found.end()) + 1
        raise YamlError(
            "a byte order mark (U+FEFF) stands at the start of the line; remove it", place
        )


def _pieces(text: str, first: int) -> Iterator[tuple[int, str]]:
    """Yield the pieces of a text between ``---`` lines, each with the number of lines before it.

    A line of ``---`` with nothing before it is no end of anything: it belongs
    to the piece that it begins.
    """
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    start = 0
    for number, line in enumerate(lines):
        if not line.startswith("---"):
            continue
        behind = line[3:].strip(_SPACE)
        if behind and not behind.startswith("#"):
            raise YamlError(
                'behind "---" only a comment may stand, as for kubectl', first + number + 1
            )
        if number > start:
            yield first + start, "\n".join([*lines[start:number], ""])
            start = number + 1
    yield first + start, "\n".join([*lines[start:], ""])


def _json_texts(text: str, number: Callable[[str], Any] | None) -> Iterator[Any]:
    decoder = json.JSONDecoder(
        parse_float=number or _json_float,
        parse_int=number or _json_int,
        parse_constant=_no_constant,
    )
    at, ended, count = 0, 0, 0
    while at < len(text):
        if text[at] in " \t\r\n":
            at += 1
            continue
        try:
            value, end = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            raise _Unfinished(str(error), ended, count) from error
        except RecursionError as error:
            raise ValueError("there are too many levels") from error
        _check(value)
        yield _without_surrogates(value) if "\\u" in text else value
        at, ended, count = end, end, count + 1


def _check(value: Any) -> None:
    """Refuse a document that is larger or deeper than one in YAML may be."""
    pending, nodes = [(value, 0)], 0
    while pending:
        node, depth = pending.pop()
        nodes += 1
        if depth > DEPTH or nodes > _BOUNDS.nodes:
            raise ValueError(f"there are more than {DEPTH} levels or {_BOUNDS.nodes} nodes")
        if isinstance(node, dict | list):
            pending.extend(
                (item, depth + 1) for item in (node.values() if isinstance(node, dict) else node)
            )


def _json_float(text: str) -> Any:
    return json_number(float(text))


def _json_int(text: str) -> Any:
    # 64 bits have at most 20 digits, and Python takes long over very long ones.
    return json_number(int(text) if len(text) < 30 else float(text))


def _no_constant(text: str) -> Any:
    raise json.JSONDecodeError(f"{text} is no value of a manifest", text, 0)


def _without_surrogates(value: Any) -> Any:
    """Return a value without halves of characters, as Go reads them."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return value
