"""References in configuration that is JSON: resolved within its texts, so
that values stay values.
"""

import json
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.actions import bounded_json
from penstock.actions.cloudformation.overrides import read_overrides
from penstock.actions.cloudformation_stack_set.lists import read_parameters
from penstock.engine.language.json_values import is_resolvable, resolve_json
from penstock.engine.language.variables import (
    MOST_RESOLVED,
    Reference,
    TooLongError,
    UnresolvedError,
)
from tests.fuzz import fuzz_json

ID = Reference("S", "Id")
TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    ['", "Admin": "yes', "\\", '"}']
)


@given(TEXTS)
def test_any_value_stays_one_text(value: str) -> None:
    found = json.loads(
        resolve_json('{"A": "v#{S.Id}", "B": {"Fn::GetParam": ["X", "#{S.Id}", "k"]}}', {ID: value})
    )
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


@pytest.mark.parametrize("depth", [65, 200, 400, 900, 1_200, 50_000])
@pytest.mark.parametrize("shape", ['{"A":', "[", '[{"A":'])
def test_weak_json_that_is_nested_too_deep_is_refused(shape: str, depth: int) -> None:
    closing = "".join({"{": "}", "[": "]"}.get(char, "") for char in reversed(shape))
    nested = shape * depth + '"#{S.Id}"' + closing * depth
    assert not is_resolvable(nested)
    for read in (
        lambda text: resolve_json(text, {ID: "x"}),
        bounded_json.loads,
        read_overrides,
        read_parameters,
    ):
        with pytest.raises(ValueError, match=r".+"):
            read(nested)


def test_weak_json_as_deep_as_allowed_is_resolved() -> None:
    deep = "[" * bounded_json.MOST_DEPTH + '"#{S.Id} [[["' + "]" * bounded_json.MOST_DEPTH
    assert "x [[[" in resolve_json(deep, {ID: "x"})


@pytest.mark.parametrize(
    "text", ["NaN", "-Infinity", "1e999", "9" * 5_000, "[" + "1," * 200_000 + "1]", "\ufeff1", ""]
)
def test_weak_json_that_others_do_not_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        bounded_json.loads(text)


def test_weak_values_are_bounded_together() -> None:
    with pytest.raises(TooLongError, match="characters together"):
        resolve_json('["' + "#{S.Id}" * 20 + '"]', {ID: "x" * (MOST_RESOLVED // 10)})


@given(st.text(max_size=60) | st.text(alphabet='[]{}",:\\ntrue01.eE-#S.Id', max_size=40))
def test_any_text_is_json_or_refused(text: str) -> None:
    try:
        assert json.dumps(bounded_json.loads(text), allow_nan=False)
    except ValueError:
        return
    assert json.loads(text) == bounded_json.loads(text)


@pytest.mark.parametrize("number", range(3))
def test_fuzzer_of_json_finds_nothing(number: int, tmp_path: Path) -> None:
    assert fuzz_json.batch(Random(number), tmp_path) == fuzz_json.BATCH
