"""References in configuration that is JSON: resolved within its texts, so that values stay values."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.engine.json_values import is_resolvable, resolve_json
from penstock.engine.variables import Reference, UnresolvedError

ID = Reference("S", "Id")
TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(['", "Admin": "yes', "\\", '"}'])


@given(TEXTS)
def test_any_value_stays_one_text(value: str) -> None:
    found = json.loads(resolve_json('{"A": "v#{S.Id}", "B": {"Fn::GetParam": ["X", "#{S.Id}", "k"]}}', {ID: value}))
    assert found == {"A": f"v{value}", "B": {"Fn::GetParam": ["X", value, "k"]}}


def test_text_that_is_one_reference_becomes_its_value() -> None:
    assert resolve_json("#{S.Id}", {ID: '{"A": "1"}'}) == '{"A": "1"}'


def test_json_without_references_stays_as_it_is() -> None:
    assert resolve_json('{ "A" : 1 }', {}) == '{ "A" : 1 }'


def test_reference_outside_of_texts_is_refused() -> None:
    assert not is_resolvable('{"A": #{S.Id}}')
    with pytest.raises(ValueError, match="within quotes"):
        resolve_json('{"A": #{S.Id}}', {ID: '1, "Admin": "yes"'})


def test_reference_without_value_names_itself() -> None:
    with pytest.raises(UnresolvedError) as raised:
        resolve_json('["#{S.Id}"]', {})
    assert raised.value.reference == ID
