"""Bug 05: what a manifest means. Every expected value here is what kubectl 1.35 makes of the text;
tests/fuzz/fuzz_manifests.py asks it again, over generated files.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.actions.execution import ActionError
from penstock.actions.kubernetes.manifests.files import read_manifests
from penstock.actions.kubernetes.manifests.streams import read_json, read_yaml
from penstock.actions.yaml_documents import YamlError
from tests.unit.actions.kubernetes_jobs import job_for, never

HEAD = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"


def meaning(text: str) -> Any:
    (document,) = read_yaml(text)
    return document


def same(left: Any, right: Any) -> bool:
    """Whether two values are the same, and of the same type."""
    return (type(left), left) == (type(right), right)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("=", "="), ("<<", "<<"), ("~", None), ("", None), ("null", None), ("Null", None),
        ("nULL", "nULL"),
        ("y", True), ("N", False), ("yes", True), ("Off", False), ("oN", "oN"), ("on", True),
        ("TRUE", True),
        ("0755", 493), ("0o755", 493), ("0O17", 15), ("08", 8), ("0", 0), ("-017", -15), ("00", 0),
        ("0x1F", 31),
        ("0X1f", 31), ("0b101", 5), ("-0b11", -3), ("0b", "0b"), ("1_000", 1000), ("_1", "_1"),
        ("+12", 12),
        ("12:30:00", "12:30:00"), ("190:20:30.15", "190:20:30.15"), ("1.10", 1.1), ("1.0", 1),
        ("1e3", 1000),
        ("1E+2", 100), ("1.", 1), (".5", 0.5), (".5_0", 0.5), ("-.5", -0.5), ("1e400", "1e400"),
        ("e3", "e3"),
        ("-0.0", 0), ("1.2.3", "1.2.3"), ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", 2.0**63),
        ("99999999999999999999", 1e20), ("0xFFFFFFFFFFFFFFFFF", "0xFFFFFFFFFFFFFFFFF"),
        ("2020-01-02", "2020-01-02"),
        ("2001-12-14t21:59:43.10-05:00", "2001-12-14t21:59:43.10-05:00"), ("!!str 1.10", "1.10"),
        ("!!int '12'", 12), ("!!float 3", 3), ("!!bool yes", True), ("!!null ''", None),
        ("!!binary aGk=", "hi"),
        ("!vault x", "x"), ("!!python/name:os.system", None), ("! '12'", "12"), ("'12'", "12"),
        ('"yes"', "yes"),
        ("-6647735113237421130.", -6647735113237421000), ("9e18", 9 * 10**18),
        ("a\tb", "a\tb"), ("a:b", "a:b"), ("http://x:1/y#z", "http://x:1/y#z"),
        ("|-\n  0755", "0755"),
        (">-\n  a\n  b", "a b"), ("nan", "nan"), ("inf", "inf"), ("1,000", "1,000"), ("é", "é"),
    ],
)  # fmt: skip
def test_bug_05_scalar_means_what_it_means_to_kubectl(text: str, value: Any) -> None:
    expected = "" if "python" in text else value
    assert same(meaning(f"v: {text}\n")["v"], expected)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("n", "false"), ("on", "true"), ("1", "1"), ("010", "8"), ("0x10", "16"), ("1.10", "1.1"),
        ("1e3", "1000"),
        ("1e20", "1e+20"), (".2", "0.2"), ("1.23456789", "1.2345679"), ("0.00001", "1e-05"),
        (".inf", ".inf"),
        ("-.inf", "-.inf"), ("1e39", ".inf"), ("'010'", "010"), ("=", "="),
        ("2020-01-02", "2020-01-02"), ("12:30", "12:30"), ("!!binary aGk=", "hi"), ("&a k", "k"),
        ("'y'", "y"),
        ('"<<"', "<<"),
    ],
)  # fmt: skip
def test_bug_05_key_is_the_text_that_kubectl_makes_of_it(key: str, text: str) -> None:
    assert meaning(f"{key}: v\n") == {text: "v"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}", {"p": 1, "q": 3}),
        ("a: &x {p: 1, q: 2}\nb: {q: 3, <<: *x}", {"p": 1, "q": 2}),
        ("a: &x {p: 1}\nc: &y {p: 2, q: 2}\nb: {<<: [*x, *y], r: 3}", {"p": 1, "q": 2, "r": 3}),
        ("a: &x 5\nb: [*x, *x]", [5, 5]),
        ("a: 1\nb: 1\nb: 2", 2),
        ("b: !!set {x, y: }", {"x": None, "true": None}),
        ("b: !!omap [x: 1]", [{"x": 1}]),
        ("b: {a:1}", {"a:1": None}),
        ("b: [a:b,c]", ["a:b", "c"]),
        ("? b\n: x", "x"),
        ("b: [x,\n\tz]", ["x", "z"]),
        ("a: &x {p: &x 1}\nb: *x", 1),
        ("a: &x [&y 1, &x 2, *y]\nb: [*x, *y]", [2, 1]),
        ("b: [!!str , a]", ["", "a"]),
    ],
)
def test_bug_05_structure_means_what_it_means_to_kubectl(text: str, value: Any) -> None:
    assert meaning(f"{text}\n")["b"] == value


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a: 1\n---\nb: 2\n", [{"a": 1}, {"b": 2}]),
        ("# only words\n---\na: 1\n--- # behind\n", [None, {"a": 1}, None]),
        ("\ufeffa: 1\n---\n\ufeffb: 2\n", [{"a": 1}, {"b": 2}]),
        ("a: |\r\n  x\r\n  ---\r\nb: 1\r\n---\r\nc: 2\r\n", [{"a": "x\n---\n", "b": 1}, {"c": 2}]),
        ("a: 1\n...\n", [{"a": 1}]),
        ("a: |\n  x", [{"a": "x\n"}]),
        ("a: |\n  x\n---\n", [{"a": "x\n"}]),
        ("\ufeff---\na: 1\n", [{"a": 1}]),
        ("a: 1\n---\u00a0\u2003\nb: 2\n", [{"a": 1}, {"b": 2}]),
        ("a: 1\n---# behind\nb: 2\n", [{"a": 1}, {"b": 2}]),
    ],
)
def test_bug_05_file_is_cut_into_the_documents_that_kubectl_sees(
    text: str, found: list[Any]
) -> None:
    assert [item for item in read_yaml(text) if item] == [item for item in found if item]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("v: .inf", "inf is no value of a manifest"),
        ("v: -.INF", "-inf is no value of a manifest"),
        ("v: .nan", "nan is no value of a manifest"),
        ("v: !!int x", '"x" is no !!int'),
        ("v: !!int 1.5", '"1.5" is no !!int'),
        ("v: !!bool 1", '"1" is no !!bool'),
        ("v: !!float 9223372036854775808", "is no !!float"),
        ("v: !!timestamp x", '"x" is no !!timestamp'),
        ("v: !!timestamp 2001-02-30", '"2001-02-30" is no !!timestamp'),
        ("v: !!timestamp 2001-01-01T10:00:00-25:00", "is no !!timestamp"),
        ("v: !!binary /w==", "what !!binary holds is no text"),
        ("~: v", "a key is null"),
        ("[1]: v", "a list or a mapping is no key"),
        ("? {a: b}\n: v", "a list or a mapping is no key"),
        ("1: a\n'1': b", 'two keys of different types are both "1" in JSON'),
        ("a: &a [*a]", "anchor a contains itself"),
        ("a: *b", "anchor b is not there"),
        ("a: &a 1\n---\nb: *a", "anchor a is not there"),
        ("<<: 1", "a merge key (<<) takes a mapping"),
        (
            "a: 1\n...\nb: 2",
            'line 3: behind the end of a document nothing is read; begin the next with "---"',
        ),
        ("{a: 1}\n{b: 2}", "behind the end of a document nothing is read"),
        ("a: 1\n...\n~: 2", "behind the end of a document nothing is read"),
        ("---# c\na: 1", "line 2: behind the end of a document nothing is read"),
        (
            "a: 1\n\ufeffb: 2",
            "line 2: a byte order mark (U+FEFF) stands at the start of the line; remove it",
        ),
        ("---\n\ufeffa: 1", "a byte order mark (U+FEFF)"),
        ("a: \x01\n", "line 1: the character U+0001 may not stand in YAML; remove it, or write"),
        (
            "a: [!!str, b]",
            "a comma stands right behind the tag tag:yaml.org,2002:str; put a space before it",
        ),
        ("a: {!x,b : 1}", "a comma stands right behind the tag !x"),
        ("a: [!!, b]", "line 1: not YAML: a tag has no name; write one with a name"),
        ("a: {b: 1,!!,yes: Off}", "a tag has no name"),
        ("a: !!", "a tag has no name"),
        ("a: [b ? c]", 'line 1: a "?" stands in a text in brackets or braces; quote it'),
        ("a: {b?: c}", 'a "?" stands in a text in brackets'),
        (".nan: 1", "a key is no number; quote it"),
        ("a: &x [&x [*x]]", "anchor x contains itself"),
        ("a: [b:, c]", 'found unexpected ":"; put a space behind it'),
        ('a: "\\q"', "found unknown escape character; write"),
        ("a: 1\n--- {b: 2}", 'behind "---" only a comment may stand'),
        ("%YAML 1.1\n---\na: 1", "not YAML"),
        ("a:\n\tb: 1", "not YAML"),
        ("[" * 300 + "]" * 300, "there are more than 200 levels"),
    ],
)
def test_bug_05_what_kubectl_refuses_or_cuts_off_is_refused(text: str, why: str) -> None:
    with pytest.raises(YamlError) as caught:
        list(read_yaml(text))
    assert why in str(caught.value)


def test_bug_05_refusal_names_the_line_of_the_file(tmp_path: Path) -> None:
    folder = job_for(
        tmp_path, {"a.yaml": f"{HEAD}---\r\n# x\r\n{HEAD}data:\n  a: !!int x\n"}
    ).inputs["Build"]
    with pytest.raises(ActionError) as caught:
        read_manifests(folder, "", never)
    assert caught.value.message == 'a.yaml, line 10: "x" is no !!int'


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}\n' * 2, ["a", "a"]),
        ('{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"},}', ["a"]),
        (
            "apiVersion: v1\nkind: ConfigMapList\nitems: [{metadata: {name: a}}, {metadata: {name: "
            "b}}]",
            ["a", "b"],
        ),
        (
            "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Pod, metadata: {name: "
            "p}}",
            ["p"],
        ),
        (f"{HEAD}---\napiVersion: v1\nkind: List\nitems:\n", ["x"]),
        (f"{HEAD}---\napiVersion: v1\nkind: List\nitems: []\n", ["x"]),
    ],
)
def test_bug_05_lists_and_json_streams_hold_the_objects_that_kubectl_finds(
    tmp_path: Path, text: str, names: list[str]
) -> None:
    folder = job_for(tmp_path, {"a.json": text}).inputs["Build"]
    manifests, _ = read_manifests(folder, "a.json", never)
    assert [item.name for item in manifests] == names


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("apiVersion: v1\nkind: List\nitems: {}\n", "List: items is no list"),
        ("apiVersion: v1\nkind: List\nmetadata: c\nitems: []\n", "List: metadata is no mapping"),
        (
            "apiVersion: v1\nkind: List\nmetadata: {uid: 5}\nitems: []\n",
            "List: metadata.uid is no text; quote it",
        ),
        (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: 007}\n",
            "metadata.name is no text; quote it",
        ),
        (
            "apiVersion: 1\nkind: ConfigMap\nmetadata: {name: x}\n",
            "apiVersion is no text; quote it",
        ),
        ("apiVersion: v1\nkind: yes\nmetadata: {name: x}\n", "kind is no text; quote it"),
        (
            "apiVersion: v1\nkind: A\nmetadata: {name: x, labels: {a: 1}}\n",
            "A x: metadata.labels.a is no text; quote it",
        ),
        (
            "apiVersion: v1\nkind: A\nmetadata: {name: x, annotations: {a: yes}}",
            "metadata.annotations.a is no text",
        ),
        (
            "apiVersion: v1\nkind: A\nmetadata: {name: x, namespace: 1}",
            "metadata.namespace is no text; quote it",
        ),
        (
            "apiVersion: a/b/c\nkind: A\nmetadata: {name: x}",
            'apiVersion "a/b/c" is neither a version nor group/version',
        ),
        (
            "apiVersion: v1\nkind: AList\nitems: [{kind: B, metadata: {name: x}}]",
            "apiVersion or kind is missing",
        ),
        (
            "apiVersion: v1\nkind: AList\nitems: [{apiVersion: v1, metadata: {name: x}}]",
            "apiVersion or kind is missing",
        ),
    ],
)
def test_bug_05_object_whose_name_or_kind_is_no_text_is_named(
    tmp_path: Path, text: str, why: str
) -> None:
    folder = job_for(tmp_path, {"a.yaml": text}).inputs["Build"]
    with pytest.raises(ActionError) as caught:
        read_manifests(folder, "", never)
    assert why in caught.value.message


def json_object(name: str, more: str = "") -> str:
    return f'{{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {{"name": "{name}"}}{more}}}'


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (f"{json_object('a')}\n---\n{json_object('b')}\n", ["a", "b"]),
        (f"{json_object('a')}---\n{HEAD}", ["a", "x"]),
        (f"{json_object('a')} # no JSON\n---\n{HEAD}", ["a", "x"]),
        (f"\u00a0{json_object('a')}", ["a"]),
        (f"\ufeff{json_object('a')}", ["a"]),
        (json_object("a", ', "v": "\\ud83d\\ude00"') + f"\n---\n{HEAD}", ["a", "x"]),
        (f"{json_object('a')}null", ["a"]),
        (
            f"{json_object('a')}\n{{apiVersion: v1, kind: ConfigMap, metadata: {{name: b}}}}",
            ["a", "b"],
        ),
    ],
)
def test_bug_05_json_is_read_on_as_yaml_where_kubectl_does(
    tmp_path: Path, text: str, names: list[str]
) -> None:
    folder = job_for(tmp_path, {"a.yaml": text}).inputs["Build"]
    assert [item.name for item in read_manifests(folder, "a.yaml", never)[0]] == names


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"{json_object('a')}{json_object('b')}\n---\n{HEAD}", "not JSON: "),
        (
            json_object("a", ', "v": 1e999'),
            "inf is no value of a manifest; quote it if it is a text",
        ),
    ],
)
def test_bug_05_json_that_kubectl_refuses_is_no_yaml(tmp_path: Path, text: str, why: str) -> None:
    folder = job_for(tmp_path, {"a.yaml": text}).inputs["Build"]
    with pytest.raises(ActionError) as caught:
        read_manifests(folder, "a.yaml", never)
    assert why in caught.value.message


@pytest.mark.parametrize("coding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize(
    "text", [f"{HEAD}---\n{HEAD}v: é\n", json_object("x") + json_object("y", ', "v": "é"')]
)
def test_bug_05_file_with_a_mark_is_read_in_the_coding_that_it_names(
    tmp_path: Path, coding: str, text: str
) -> None:
    folder = job_for(tmp_path, {"a.yaml": ""}).inputs["Build"]
    (folder / "a.yaml").write_bytes(text.encode(coding))
    assert [item.body.get("v") for item in read_manifests(folder, "a.yaml", never)[0]] == [
        None,
        "é",
    ]


def test_bug_05_file_in_no_unicode_is_refused_where_kubectl_mutilates_it(tmp_path: Path) -> None:
    folder = job_for(tmp_path, {"a.yaml": ""}).inputs["Build"]
    (folder / "a.yaml").write_bytes(f"{HEAD}v: é\n".encode("latin-1"))
    with pytest.raises(ActionError) as caught:
        read_manifests(folder, "a.yaml", never)
    assert caught.value.message.endswith(
        "a.yaml, line 4: byte 55 of the file is no utf-8; save it as UTF-8"
    )


@given(st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
))  # fmt: skip
def test_bug_05_json_is_read_as_it_is(value: Any) -> None:
    (found,) = read_json(json.dumps(value))
    assert found == value


def test_bug_05_half_a_character_in_json_becomes_what_go_makes_of_it() -> None:
    assert list(read_json('{"a": "\\ud83d!"}')) == [{"a": "\ufffd!"}]


@pytest.mark.parametrize("name", ["a.yaml", "a.json"])
def test_bug_05_file_that_is_neither_says_what_is_wrong(tmp_path: Path, name: str) -> None:
    folder = job_for(tmp_path, {name: '{"a": [1, 2'}).inputs["Build"]
    with pytest.raises(ActionError) as caught:
        read_manifests(folder, name, never)
    assert caught.value.message.startswith(
        f"{name}: not JSON: " if "json" in name else f"{name}, line 2: not YAML: "
    )


def test_bug_12_braces_in_manifest_files_are_one_glob(tmp_path: Path) -> None:
    files = {
        f"brace/{name}/a.yaml": HEAD.replace("name: x", f"name: {name}")
        for name in ("base", "web", "other")
    }
    folder = job_for(tmp_path, files).inputs["Build"]
    manifests, _ = read_manifests(folder, "brace/{base,web}/*.yaml", never)
    assert [item.name for item in manifests] == ["base", "web"]


def test_manifest_that_may_not_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = job_for(tmp_path, {"a.yaml": HEAD}).inputs["Build"]

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ActionError) as caught:
        read_manifests(folder, "", never)
    assert caught.value.message == "a.yaml: the file cannot be read: Permission denied"
