"""Bug 05: manifests mean to us what they mean to kubectl: batches of the
fuzzer that asks it, and tables by hand.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.fuzz import fuzz_manifests, kubectl
from tests.fuzz.finding import Finding
from tests.fuzz.yaml_words import ODD, WORDS

_HEAD = "apiVersion: example.com/v1\nkind: Case\nmetadata: {name: c}\n"


def _refused(text: str, folder: Path) -> tuple[bool, bool]:
    """Return whether kubectl refuses a text, and whether we do."""
    (answer,) = kubectl.ask(fuzz_manifests.emptied(folder / "asked"), [text.encode()])
    mine = fuzz_manifests.ours(text.encode(), fuzz_manifests.emptied(folder / "ours"))
    return bool(answer.refusal) and not answer.objects, bool(mine.refusal)


@pytest.mark.parametrize("seed", range(8))
def test_bug_05_generated_files_mean_what_kubectl_makes_of_them(seed: int, tmp_path: Path) -> None:
    assert fuzz_manifests.batch(Random(f"integration {seed}"), tmp_path) == fuzz_manifests.BATCH


def test_bug_05_every_word_means_what_kubectl_makes_of_it_in_every_place(tmp_path: Path) -> None:
    shapes = (
        "v: {}\n",
        "k:\n  - {}\n",
        "k:\n  {}: v\n",
        "k: [{}, a]\n",
        "k: {{ {}: a }}\n",
        "k: |\n  {}\n",
    )
    files = [_HEAD + shape.format(word) for word in (*WORDS, *ODD) for shape in shapes]
    fuzz_manifests.compare([text.encode() for text in files], tmp_path)


def test_bug_05_layout_means_what_kubectl_makes_of_it(tmp_path: Path) -> None:
    bodies = [
        "v: |\n  x\n---\n# nothing\n---\n", "v: |+\n  x\n\n\n", "v: >\n  a\n  b\n\n  c\n",
        "v: \"a\\\n  "
                                                                                           "b\"\n",
        "v: |\r\n  x\r\n   ---\r\n", "v: 'a\n\n  b'\n", "v: a\n  b\n", "v:\n- a\n-   - b\n",
        "? v\n: x\n",
        "v: x # y\n", "v: x#y\n", "v:\tx\n", "v: a\tb\n", "v: [a,\n\tb]\n", "v: x\n...\n",
        "v: |2\n   x\n",
        "v: [a?b]\n", "v: {a: b ?}\n", "v: [[a], b? c]\n", "v:\n- [?a]\n- b ? c\n",
        "v: {'a?b': \"?\"}\n",
        "v: [!!, a]\n", "v: {a: 1,!!,yes: Off}\n", "v: !! a\n", "v: [!!]\n", "v: [!foo,bar]\n",
    ]  # fmt: skip
    fuzz_manifests.compare([(_HEAD + body).encode() for body in bodies], tmp_path)


def test_bug_05_what_follows_json_is_what_kubectl_makes_of_it(tmp_path: Path) -> None:
    first = '{"apiVersion": "v1", "kind": "C", "metadata": {"name": "j"}}'
    ends = [
        "\v\n", "\v", "\f\n\n", "\u00a0\n", "\u2028", "\x85\n\x85\n",
        "\n# c\v\n", "\v\n---\n" + _HEAD, "\n\v\n" + _HEAD,
        "\v\n" + _HEAD, "\n\v\n---\n" + _HEAD, "\n\u00a0\n", f"{first}\v\n", "\v\n  \n", "\v\n\t\n",
        "\v\r\n\r\n",
    ]  # fmt: skip
    fuzz_manifests.compare([(first + end).encode() for end in ends], tmp_path)


def test_bug_05_metadata_is_of_the_types_that_kubectl_asks_for(tmp_path: Path) -> None:
    metas = [
        "c", "[]", "5", "null", "{}", "{name: 5}", "{name: a, labels: c}", "{name: a, labels: {b: "
                                                                           "1}}",
        "{name: a, annotations: [b]}", "{name: a, annotations: {b: 1}}", "{name: a, namespace: "
                                                                         "5}", "{name: a, uid: 5}",
        "{name: a, resourceVersion: 5}", "{name: a, resourceVersion: '5'}", "{name: a, finalizers: "
                                                                            "b}",
        "{name: a, ownerReferences: b}", "{name: a, other: 5}",
    ]  # fmt: skip
    items = "items:\n- {apiVersion: v1, kind: Case, metadata: {name: n}}\n"
    kinds = (("List", items), ("CaseList", items), ("Case", ""))
    files = [
        f"apiVersion: v1\nkind: {kind}\nmetadata: {meta}\n{rest}"
        for meta in metas
        for kind, rest in kinds
    ]
    fuzz_manifests.compare([text.encode() for text in files], tmp_path)


def test_bug_05_times_are_those_of_the_calendar_that_kubectl_has(tmp_path: Path) -> None:
    days = [
        "0000-02-29",
        "1900-02-29",
        "2000-02-29",
        "2001-02-29",
        "2001-04-31",
        "2001-13-01",
        "2001-1-0",
        "2001-1-1",
    ]
    clocks = [
        " 24:00:00", " 23:59:60", " 1:1:1", " 10:00:00,5", " 10:00:00.", "T10:00:00", "T10:00:00z",
        "t1:2:3Z",
        "T10:00:00+24:60", "T10:00:00+25:00", "T10:00:00-00:61", "T10:00:00.123456789123Z",
    ]  # fmt: skip
    times = [*days, *(f"2001-01-31{clock}" for clock in clocks)]
    files = [f"{_HEAD}v: {tag}{time}\n" for time in times for tag in ("!!timestamp ", "")]
    fuzz_manifests.compare([text.encode() for text in files], tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "v: .inf\n", "v: .nan\n", "v: !!int x\n", "v: !!bool 1\n",
        "v: !!float 9223372036854775808\n", "~: v\n",
        "[1]: v\n", "a: &a [*a]\n", "a: *b\n", "<<: 1\n", "--- {b: 2}\n", "a:\n\tb: 1\n", "v: [\n",
        "v: \x01\n",
        "---\n\ufeffapiVersion: v1\n",
    ],
)  # fmt: skip
def test_bug_05_what_kubectl_refuses_is_refused(text: str, tmp_path: Path) -> None:
    head = "" if "\ufeff" in text else _HEAD
    assert _refused(head + text, tmp_path) == (True, True)


def test_bug_05_fuzzer_sees_a_reader_that_is_wrong(tmp_path: Path) -> None:
    """The fuzzer is worth something: what another reader makes of a file is a difference."""
    (answer,) = kubectl.ask(
        fuzz_manifests.emptied(tmp_path / "asked"), [f"{_HEAD}v: 0755\n".encode()]
    )
    body = {"apiVersion": "example.com/v1", "kind": "Case", "metadata": {"name": "c"}}
    differences = [
        fuzz_manifests.difference(fuzz_manifests.Ours([{**body, "v": value}], ""), answer).split(
            "\n"
        )[0]
        for value in (493, 755, "0755", True)
    ]
    assert differences == ["", *["read differently"] * 3]
    assert fuzz_manifests.difference(fuzz_manifests.Ours([], "no"), answer).startswith(
        "refused for no good reason"
    )


def test_fuzzer_without_kubectl_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_CACHE_DIR", str(tmp_path))
    with pytest.raises(Finding, match="`make kubectl` builds it"):
        fuzz_manifests.batch(Random(1), tmp_path)
