"""Bug 05: manifests mean to us what they mean to kubectl, over generated scalars, keys and documents.

``kubectl label --local`` reads files as ``apply`` does and asks no server, so that it can be asked about anything.
"""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from penstock.actions.kubernetes.dialect import json_number, read_yaml
from penstock.actions.yaml_documents import YamlError

_HEAD = "apiVersion: example.com/v1\nkind: Case\nmetadata: {name: c}\n"
_LABEL = ("label", "--local", "-f", "-", "a=b", "-o", "json")
_SEEDS = range(6)
_PIECES = [
    "0", "1", "9", "0x", "0o", "0b", "_", "+", "-", ".", "e", "E", "1e3", "yes", "no", "on", "off",
    "y", "N", "~", "null", ".inf", ".nan", "12", "30", ":", "true", "=", "<<", "2020-01-02", "T",
    "Z", "08", "0755", "99999999999999999999", "9223372036854775808", "18446744073709551615", "F",
    "a",
]  # fmt: skip
_TAGS = ["", "", "", "", "!!int ", "!!float ", "!!str ", "!!bool ", "!!null ", "!x ", "! "]
_TABLE = [
    "=", "<<", "~", "null", "Null", "NULL", "y", "Y", "yes", "Yes", "YES", "n", "N", "no", "No",
    "NO", "on", "On", "ON", "off", "Off", "OFF", "true", "True", "TRUE", "false", "False", "FALSE",
    "yEs", "nULL", "0755", "0o755", "0O755", "08", "09", "00", "-017", "0x1F", "0XfF", "-0x1",
    "0b101", "-0b11", "0b", "0x", "0b-1", "0b+1", "1_000", "1__0", "_1", "1_", "+12", "-12", "+-1",
    "12:30", "12:30:00", "190:20:30.15", "1.10", "1.0", "1e3", "1E+2", "1.", ".5", ".5_0", "-.5",
    "+.5", "1e400", "1e-400", "e3", "-0.0", "1.2.3", "1,000", ".e3", ".", "..", "-x",
    "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809",
    "18446744073709551616", "07777777777777777777777", "2020-01-02", "2020-1-2",
    "2001-12-14t21:59:43.10-05:00", "2001-12-14T21:59:43Z", "20:30", "2020-13-45", ".inf", "-.Inf",
    "+.INF", ".nan", ".NaN", "nan", "inf", "a:b", "http://x:1/y#z", "'0755'", "\"yes\"",
    "\"\\u00e9\"", "'it''s'", "!!str 1.10", "!!int '12'", "!x y", "!!binary aGk=",
]  # fmt: skip


def _kubectl(text: str) -> list[dict[str, Any]] | None:
    """Return the objects that kubectl finds, None if it refuses."""
    done = subprocess.run(
        ["kubectl", "--kubeconfig=/dev/null", *_LABEL],
        input=text.encode(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    if done.returncode:
        return None
    decoder, found, at = json.JSONDecoder(), [], 0
    told = done.stdout.decode().strip()
    while at < len(told):
        item, at = decoder.raw_decode(told, at)
        found.append(item)
        at += len(told[at:]) - len(told[at:].lstrip())
    return found


def _ours(text: str) -> list[Any] | None:
    try:
        return [item for item in read_yaml(text) if item is not None]
    except YamlError:
        return None


def _numbers(value: Any) -> Any:
    """Tell numbers from booleans, and take 1.0 for 1, as JSON does."""
    if isinstance(value, dict):
        return {key: _numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    return ("number", json_number(value)) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _values(found: list[Any]) -> list[Any]:
    return [_numbers({key: value for key, value in item.items() if key not in ("metadata",)}) for item in found]


def _agree(bodies: list[str]) -> None:
    """Compare what both read; a whole stream at once, since kubectl takes a moment to start."""
    ours = {body: _ours(_HEAD + body) for body in bodies}
    taken = [body for body in bodies if ours[body] is not None]
    theirs = _kubectl("---\n".join(_HEAD + body for body in taken))
    assert theirs is not None, [body for body in taken if _kubectl(_HEAD + body) is None]
    read = [item for body in taken for item in ours[body] or []]
    assert _values(theirs) == _values(read)


def _scalars(source: random.Random, count: int) -> Iterator[str]:
    for _ in range(count):
        yield source.choice(_TAGS) + "".join(source.choices(_PIECES, k=source.randint(1, 4)))


def test_every_scalar_of_the_table_means_what_kubectl_makes_of_it() -> None:
    _agree([f"v: {text}\nk:\n  - {text}\n" for text in (word.replace("\t", " ") for word in _TABLE)])


@pytest.mark.parametrize("seed", _SEEDS)
def test_generated_scalars_and_keys_mean_what_kubectl_makes_of_them(seed: int) -> None:
    source = random.Random(seed)
    _agree([f"v: {text}\n" for text in _scalars(source, 400)])
    _agree([f"k:\n  {text}: v\n" for text in _scalars(source, 400)])


def _node(source: random.Random, depth: int) -> str:
    """Return a node in flow style, with anchors, aliases and merge keys."""
    leaf = [*_TABLE[:40], "a b", "'q'", '"\\n"', "*one", "&two x", "1.10", "é"]
    if depth == 0 or source.random() < 0.3:
        return source.choice(leaf).replace("\t", " ")
    if source.random() < 0.4:
        return f"[{', '.join(_node(source, depth - 1) for _ in range(source.randint(0, 3)))}]"
    keys = ["a", "b", "'c'", "1", "y", "0x10", "1.5", "<<", "=", "~", "2020-01-01"]
    pairs = (f"{source.choice(keys)}: {_node(source, depth - 1)}" for _ in range(source.randint(0, 3)))
    return f"{{{', '.join(pairs)}}}"


@pytest.mark.parametrize("seed", _SEEDS)
def test_generated_documents_mean_what_kubectl_makes_of_them(seed: int) -> None:
    source = random.Random(seed)
    _agree([f"one: &one {{a: 1, b: 0o7}}\nv: {_node(source, 3)}\n" for _ in range(300)])


@pytest.mark.parametrize(
    "text",
    [
        "v: |\n  x\n---\n# nothing\n---\n", "v: |+\n  x\n\n\n", "v: >\n  a\n  b\n\n  c\n", "v: \"a\\\n  b\"\n",
        "v: |\r\n  x\r\n   ---\r\n", "v: 'a\n\n  b'\n", "v: a\n  b\n", "v:\n- a\n-   - b\n", "? v\n: x\n",
        "v: x # y\n", "v: x#y\n", "v:\tx\n", "v: a\tb\n", "v: [a,\n\tb]\n", "v: x\n...\n", "v: |2\n   x\n",
    ],
)  # fmt: skip
def test_layout_means_what_kubectl_makes_of_it(text: str) -> None:
    _agree([text])


@pytest.mark.parametrize(
    "text",
    [
        "v: .inf\n", "v: .nan\n", "v: !!int x\n", "v: !!bool 1\n", "v: !!float 9223372036854775808\n", "~: v\n",
        "[1]: v\n", "a: &a [*a]\n", "a: *b\n", "<<: 1\n", "--- {b: 2}\n", "a:\n\tb: 1\n", "v: [\n", "v: \x01\n",
    ],
)  # fmt: skip
def test_what_kubectl_refuses_is_refused(text: str) -> None:
    assert (_kubectl(_HEAD + text), _ours(_HEAD + text)) == (None, None)


def test_list_and_json_stream_hold_the_objects_that_kubectl_finds() -> None:
    names = [
        item["metadata"]["name"]
        for text in (
            "apiVersion: v1\nkind: ConfigMapList\nitems: [{metadata: {name: a}}, {metadata: {name: b}}]\n",
            '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"}}\n' * 2,
        )
        for item in _kubectl(text) or []
    ]
    assert names == ["a", "b", "c", "c"]
