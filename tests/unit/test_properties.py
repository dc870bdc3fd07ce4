"""How properties are explored: many inputs, none by luck in a run that judges
a change, and no failure unseen.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.fuzz import fuzz_properties
from tests.fuzz.finding import Finding
from tests.support.properties import examples

_PROPERTY = """
from hypothesis import given, strategies as st
from tests.support.properties import examples

@examples(10)
@given(st.integers())
def test_none_is_larger(number: int) -> None:
    assert number < {most}
"""


@pytest.fixture
def exploring() -> Iterator[int]:
    settings.load_profile("explore")
    yield settings().max_examples
    settings.load_profile("steady")


def test_inputs_of_a_run_that_judges_a_change_are_the_same_each_time() -> None:
    assert (settings().derandomize, settings().deadline, examples(60).max_examples) == (
        True,
        None,
        60,
    )


def test_property_with_a_number_of_its_own_is_explored_with_a_multiple_of_it(
    exploring: int,
) -> None:
    assert (examples(60).max_examples, examples(60).derandomize) == (60 * exploring // 100, False)
    assert examples(60).max_examples > 60


def test_property_that_fails_while_it_is_explored_is_a_finding(tmp_path: Path) -> None:
    file = tmp_path / "test_integers.py"
    file.write_text(_PROPERTY.format(most="1_000_000"))
    with pytest.raises(
        Finding, match=r"(?s)--hypothesis-seed=7 .*number=1000000.*reproduce_failure"
    ):
        fuzz_properties.explore([str(file)], 7, tmp_path)


def test_examples_of_a_property_that_holds_are_counted(tmp_path: Path) -> None:
    file = tmp_path / "test_integers.py"
    file.write_text(_PROPERTY.format(most="float('inf')"))
    assert fuzz_properties.explore([str(file)], 7, tmp_path) == fuzz_properties.EXAMPLES // 10
