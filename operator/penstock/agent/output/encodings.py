"""The forms in which tools print a secret: as it is, and in the encodings that they use.

Base64 depends on what stands before a value, so that each of its three alignments is a form of its
own. It and hex are folded into lines: their forms are short parts, of which each line that shows
more than a few bytes holds one.
"""

import base64
import json
import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import quote, quote_plus

# Shorter secrets stand in ordinary words: to mask them would hide the log.
SHORTEST = 4
_PART, _STRIDE = 12, 48
"""Of any 60 characters in a row, one part is whole: tools fold at 60 (xxd), 64 (PEM), 76 (MIME)."""
# Shorter values found within a secret stand in ordinary words.
_DERIVED = 6
_WORDS = {"localhost", "production", "development", "staging", "default", "enabled", "disabled"}
_PUBLIC = {"username", "user", "accessKeyId", "email", "host"}
_ASSIGNMENT = re.compile(r"\s*(?:export\s+)?[A-Za-z_][A-Za-z0-9_.]*\s*[=:]\s*(.+)")
_IN_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


class Forms(NamedTuple):
    """``texts`` give a secret away alone; ``parts`` give away the base64 or hex run around them."""

    texts: frozenset[bytes]
    parts: frozenset[bytes]


def forms_of(value: str) -> Forms:
    """Return every form of a secret value, none for one of less than four bytes."""
    texts: set[bytes] = set()
    parts: set[bytes] = set()
    for secret in (value, *_secrets_within(value)):
        for line in {line.strip() for line in secret.splitlines()}:
            texts |= {text.encode("utf-8", "surrogatepass") for text in _texts(line)}
        parts |= set(_parts(secret.strip().encode("utf-8", "surrogatepass")))
    return Forms(
        frozenset(text for text in texts if len(text) >= SHORTEST),
        frozenset(part for part in parts if len(part) >= SHORTEST),
    )


def _texts(line: str) -> set[str]:
    """Return a line as it is, backwards, and as in a URL, JSON, HTML and a quoted shell word."""
    if len(line.encode("utf-8", "surrogatepass")) < SHORTEST:
        return set()
    line = line.encode("utf-8", "replace").decode()
    in_url = {quote(line, safe=""), quote(line), quote_plus(line)}
    # Tools write the hex digits of an escape in large letters or in small ones.
    in_url |= {re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), text) for text in in_url}
    in_json = {json.dumps(line)[1:-1], json.dumps(line, ensure_ascii=False)[1:-1]}
    return {
        line,
        line[::-1],
        line.replace("'", "'\\''"),
        line.translate(_IN_HTML),
        *in_url,
        *in_json,
    }


def _parts(data: bytes) -> Iterator[bytes]:
    if len(data) < SHORTEST:
        return
    for text in (data.hex().encode(), data.hex().upper().encode()):
        yield from _cut(text)
    for offset in range(3):
        encoded = base64.b64encode(bytes(offset) + data)
        # Without the characters that the bytes before and behind decide, too.
        core = encoded[-(-8 * offset // 6) : 8 * (offset + len(data)) // 6]
        yield from _cut(core)
        yield from _cut(core.translate(_URL_SAFE))


def _cut(text: bytes) -> Iterator[bytes]:
    yield from (text[at : at + _PART] for at in range(0, max(len(text) - _PART, 0) + 1, _STRIDE))
    yield text[-_PART:]


def _secrets_within(value: str) -> Iterator[str]:
    """Yield the values in a secret that is JSON or ``KEY=VALUE`` lines, but no harmless words."""
    try:
        found = list(_leaves(json.loads(value))) if value.lstrip()[:1] in ("{", "[") else []
    except (ValueError, RecursionError):
        found = []
    for line in value.splitlines():
        if match := _ASSIGNMENT.fullmatch(line):
            text = match[1].strip()
            found.append(
                text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text
            )
    yield from (text for text in found if len(text) >= _DERIVED and text.lower() not in _WORDS)


def _leaves(document: object) -> Iterator[str]:
    pending = [document]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            # A name or an address beside a secret stands in many lines that are harmless.
            pending += [value for key, value in node.items() if key not in _PUBLIC]
        elif isinstance(node, list):
            pending += node
        elif isinstance(node, str | int | float) and not isinstance(node, bool):
            yield str(node)
