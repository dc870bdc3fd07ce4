"""Users' regular expressions: as Python's own matcher where both know a construct, and never for long (C-23)."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.engine.patterns import PatternError, matches

ATOMS = st.sampled_from(
    ["a", "b", ".", "[ab]", "[^a]", "\\d", "\\w", "[a-c]", "\\.", "\\S", "(a|bc)", "(?:ab)", "(b|)"]
)
PIECES = st.tuples(ATOMS, st.sampled_from(["", "*", "+", "?", "{2}", "{1,3}", "{0,1}", "*?", "{2,}"])).map("".join)
PATTERNS = st.lists(PIECES, max_size=5).map("".join)


@given(PATTERNS, PATTERNS, st.text(alphabet="abc1._\n", max_size=12))
def test_automaton_agrees_with_pythons_matcher(first: str, second: str, text: str) -> None:
    pattern = f"{first}|^{second}$"
    assert matches(pattern, text) == (re.fullmatch(f"(?:{first})|(?:{second})", text, re.ASCII) is not None)


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("main|release/.*", "release/1.2", True),
        ("main", "not main", False),
        (".*main.*", "the main thing", True),
        ("v\\d+\\.\\d+", "v1.20", True),
        ("(?i)MAIN", "main", True),
        ("(?i)[A-M]+n", "main", True),
        ("(?s)a.b", "a\nb", True),
        ("a.b", "a\nb", False),
        ("\\d", "٣", False),
        ("", "", True),
    ],
)
def test_whole_text_is_matched(pattern: str, text: str, expected: bool) -> None:
    assert matches(pattern, text) is expected


@pytest.mark.parametrize(
    "pattern",
    [
        "(a",
        "(?=a)b",
        "(a)\\1",
        "\\bmain\\b",
        "(?i:a)",
        "(a{100}){100}",
        "(((){900}){900}){900}",
        "(?x) a",
        "a{1000000000}",
        "(?<!a)b",
    ],
)
def test_what_an_automaton_cannot_do_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError, match=r"^Value"):
        matches(pattern, "a")


def test_pattern_that_backtracks_for_ever_elsewhere_takes_no_time() -> None:
    assert not matches("(a+)+(a|aa)*b", "a" * 1000)
