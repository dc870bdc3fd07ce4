import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.cluster.decoding import cut, decode

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
)


def nested(levels: int, opener: str = "[", closer: str = "]") -> str:
    return opener * levels + "1" + closer * levels


def cut_by_hand(value: Any, deepest: int) -> Any:
    if isinstance(value, list):
        return [cut_by_hand(item, deepest - 1) for item in value] if deepest else None
    if isinstance(value, dict):
        return (
            {key: cut_by_hand(item, deepest - 1) for key, item in value.items()}
            if deepest
            else None
        )
    return value


@given(JSON, st.integers(0, 4))
def test_cut_text_is_the_value_without_what_lies_deeper(value: Any, deepest: int) -> None:
    assert json.loads(cut(json.dumps(value), deepest)) == cut_by_hand(value, deepest)


@given(JSON)
def test_text_that_python_can_read_is_read_whole(value: Any) -> None:
    assert decode(json.dumps(value).encode()) == value


@pytest.mark.parametrize("levels", [1_200, 10_000, 100_000])
def test_attack_01_text_too_deep_is_read_as_far_as_any_field_goes(levels: int) -> None:
    deep = nested(levels, '{"a]\\"":', "}")

    document = decode(f'{{"kind":"Pipeline","spec":{deep},"metadata":{{"name":"x"}}}}')

    assert (document["kind"], document["metadata"]) == ("Pipeline", {"name": "x"})


def test_text_that_is_not_json_is_a_value_error() -> None:
    for text in ("", "<html>", nested(2_000, "[", ""), b"\xff\xfe"):
        with pytest.raises(ValueError):
            decode(text)
