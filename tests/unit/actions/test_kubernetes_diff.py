"""What the log says about changes: laws for any object, and how it reads."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.actions.kubernetes.applyset.diff import changes

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
BODIES = st.dictionaries(
    st.text(min_size=1, max_size=8).filter(lambda key: key not in ("metadata", "status")), VALUES
)


def config(**fields: Any) -> dict[str, Any]:
    return {"kind": "ConfigMap", "metadata": {"name": "x", **fields.pop("metadata", {})}, **fields}


@given(BODIES, st.integers(), st.integers())
def test_what_only_the_server_writes_is_no_change(body: dict[str, Any], old: int, new: int) -> None:
    before, after = (
        {
            **body,
            "kind": "X",
            "metadata": {"name": "x", "generation": n, "managedFields": [n]},
            "status": {"n": n},
        }
        for n in (old, new)
    )
    assert changes(before, after) == []


@given(BODIES, BODIES)
def test_every_difference_is_told_within_bounds(old: dict[str, Any], new: dict[str, Any]) -> None:
    lines = changes(config(spec=old), config(spec=new))
    assert bool(lines) is (old != new)
    assert len(lines) <= 41
    assert all(len(line) < 4000 for line in lines)


@given(
    st.dictionaries(st.sampled_from("abc"), st.text(min_size=9)),
    st.dictionaries(st.sampled_from("abc"), st.text()),
)
def test_no_value_of_a_secret_is_shown(old: dict[str, str], new: dict[str, str]) -> None:
    """GHSA-3v3m-wc6v-x4x3: rendered objects of kind Secret are never echoed."""
    lines = changes(
        {"kind": "Secret", "metadata": {}, "data": old},
        {"kind": "Secret", "metadata": {}, "data": new},
    )
    assert set(lines) <= {f"data{key}: changed" for key in ("", ".a", ".b", ".c")}


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ({"data": {"a": "1"}}, {"data": {"a": "2", "b.c": "3"}},
        ['data.a: "1" -> "2"', 'data["b.c"]: (none) -> "3"']),
        (
            {"spec": {"containers": [{"name": "web", "image": "web:1"}, {"name": "log"}]}},
            {"spec": {"containers": [{"name": "log"}, {"name": "web", "image": "web:2"}]}},
            ['spec.containers[web].image: "web:1" -> "web:2"'],
        ),
        ({"spec": {"args": ["a", "b"]}}, {"spec": {"args": ["a", "c"]}}, ['spec.args[1]: "b" -> '
                                                                          '"c"']),
        (
            {"data": {"f": "a\nb\nc\n"}},
            {"data": {"f": "a\nB\nc\n"}},
            ["data.f:", "  @@ -1,3 +1,3 @@", "   a", "  -b", "  +B", "   c"],
        ),
        (
            {"spec": [{"name": "a"}, {"name": "b"}]},
            {"spec": [{"name": "b"}, {"name": "a"}]},
            ['spec: order of entries: ["a", "b"] -> ["b", "a"]'],
        ),
        ({"spec": {"x": {"a": 1}}}, {"spec": {"x": [1]}}, ['spec.x: {"a": 1} -> [1]']),
        ({"metadata": {"labels": {"a/b": "1"}}}, {}, ['metadata.labels: {"a/b": "1"} -> (none)']),
    ],
)  # fmt: skip
def test_changes_are_paths_with_old_and_new(
    old: dict[str, Any], new: dict[str, Any], lines: list[str]
) -> None:
    assert (
        changes(config(**json.loads(json.dumps(old))), config(**json.loads(json.dumps(new))))
        == lines
    )
