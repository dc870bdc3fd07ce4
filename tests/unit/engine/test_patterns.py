"""Users' regular expressions: as Python's own matcher where both know a
construct, and never for long (C-23).
"""

from __future__ import annotations

import re
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.engine.language.patterns import MOST_CHARACTERS, MOST_PATTERN, PatternError, matches
from tests.fuzz import fuzz_patterns

ATOMS = st.sampled_from(
    ["a", "b", ".", "[ab]", "[^a]", "\\d", "\\w", "[a-c]", "\\.", "\\S", "(a|bc)", "(?:ab)", "(b|)"]
)
PIECES = st.tuples(
    ATOMS, st.sampled_from(["", "*", "+", "?", "{2}", "{1,3}", "{0,1}", "*?", "{2,}"])
).map("".join)
PATTERNS = st.lists(PIECES, max_size=5).map("".join)


@given(PATTERNS, PATTERNS, st.text(alphabet="abc1._\n", max_size=12))
def test_matcher_agrees_with_pythons(first: str, second: str, text: str) -> None:
    pattern = f"{first}|^{second}$"
    assert matches(pattern, text) == (
        re.fullmatch(f"(?:{first})|(?:{second})", text, re.ASCII) is not None
    )


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
        ("a.b", "a\u2028b", False),
        ("\\s", "\x0b", True),
        ("[\\s]", "\x0b", True),
        ("\\S", "\x0b", False),
        ("[^\\S]", "\x0b", True),
        ("(?i)k", "K", True),
        ("\\u00e9\\x41\\x{42}\\0101", "éABA", True),
        ("\\Qa.b\\E+", "a.bb", True),
        ("\\p{Lu}\\P{Lu}", "Éé", True),
        ("(?<name>a)", "a", True),
        ("a\\-b\\.c", "a-b.c", True),
        ("[a\\]\\[]+", "[a]", True),
        ("a$", "a\n", False),
        ("a\x00b", "a\x00b", True),
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
        "(?>a)b",
        "a++",
        "(?m)^a",
        "(?P<n>a)",
        "(*ACCEPT)",
        "a{,5}",
        "a{",
        "[a[b]]",
        "[a&&b]",
        "[[:alpha:]]",
        "[]a]",
        "[a",
        "\\12",
        "\\C",
        "\\v",
        "\\Z",
        "\\p{Greek}",
        "(?i)é",
        "\ud800",
        "\\ud800",
        "\\",
        "*a",
    ],
)
def test_what_backtracks_or_means_something_else_to_java_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError, match=r"^Value"):
        matches(pattern, "a")


def test_pattern_that_backtracks_for_ever_elsewhere_takes_no_time() -> None:
    assert not matches("(a+)+(a|aa)*b", "a" * 1000)


@pytest.mark.parametrize(
    "pattern",
    [
        "[" + "".join(chr(0x100 + 2 * number) for number in range(9_900)) + "]{490}",
        "[" + "".join(chr(0x100 + 2 * number) for number in range(990)) + "]{490}",
        "\\p{L}{900}",
        "(((a{9}){9}){9}){9}",
        "(a|b)" * 2_000,
        "x" * (MOST_PATTERN + 1),
    ],
)
def test_attack_02_expression_that_unfolds_is_refused_as_too_large(pattern: str) -> None:
    with pytest.raises(PatternError, match=r"too large|at most"):
        matches(pattern, "a")


def test_attack_02_work_is_bounded_by_expression_and_text_together() -> None:
    assert not matches("(a?b?){300}", "x" * 100)
    with pytest.raises(PatternError, match="too large for a text of this length"):
        matches("(a?b?c?d?){900}", "a" * MOST_CHARACTERS)
    with pytest.raises(PatternError, match="texts of more than"):
        matches("a", "a" * (MOST_CHARACTERS + 1))


@pytest.mark.parametrize("text", ["\ud800", "(?i)\u212a"])
def test_text_that_cannot_be_matched_is_an_error_of_the_pattern(text: str) -> None:
    with pytest.raises(PatternError, match=r"^Value"):
        matches("(?i).*", text[-1])


@given(
    st.text(max_size=40)
    | st.text(alphabet="ab\\[](){}*+?|^$.,-&0123456789dwsQEpPuxkz:<>!=i", max_size=25),
    st.text(),
)
def test_any_text_is_an_expression_or_an_error(pattern: str, text: str) -> None:
    try:
        matches(pattern, text)
    except PatternError as error:
        assert str(error).startswith("Value")


@pytest.mark.parametrize("number", range(3))
def test_fuzzer_of_patterns_finds_nothing(number: int, tmp_path: Path) -> None:
    assert fuzz_patterns.batch(Random(number), tmp_path) == fuzz_patterns.BATCH
