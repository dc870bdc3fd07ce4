"""The glob engine against tables, and against a matcher that tries everything (G-30..G-36, D-9)."""

import re
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.api.globs import paths as globs
from penstock.api.globs import syntax
from tests.fuzz import fuzz_globs


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("*.js", ["a.js", ".js"], ["a/b.js", "a.jsx"]),  # G-30
        ("**", ["a", "a/b", ""], []),  # G-31
        ("dir/**", ["dir/a", "dir/a/b"], ["dir", "dirs/a"]),
        (
            "common/**/*.js",
            ["common/app.js", "common/a/b/app.js"],
            ["common.js", "x/common/app.js"],
        ),  # D-9
        ("**/*", ["a", "a/b", "a/b/c"], []),
        ("a**/b", ["a/b", "axx/y/b"], ["ab", "b"]),
        ("a?c", ["abc", "a.c"], ["a/c", "ac", "abbc"]),  # G-32
        ("[ab]*", ["a", "bcd"], ["c", ""]),  # G-33
        ("[!a]", ["b", "!"], ["a", "/"]),
        ("[!-a]", ["b"], ["-", "a"]),
        ("[-a]", ["-", "a"], ["b"]),
        ("[a-c]", ["a", "b", "c"], ["d", "-"]),
        ("[*?\\]", ["*", "?", "\\"], ["a"]),
        ("[+-9]", ["+", "0", "."], ["/", ":"]),
        ("{main,release/*}", ["main", "release/1"], ["release", "main2"]),  # G-34
        ("a{,b}c", ["ac", "abc"], ["abbc"]),
        ("{**/,x}y", ["y", "a/b/y", "xy"], ["ay"]),
        ("{a/,b}**/**", ["a/c", "a/b/c", "bx/c", "b/c"], ["bc", "ac", "b"]),
        ("{a/,b}**/c", ["a/c", "a/x/c", "b/c", "bx/y/c"], ["bc"]),
        ("{a,b/}**/c", ["a/c", "b/c", "b/x/c"], ["bxc", "ac"]),
        ("{**,a}/b", ["b", "x/y/b", "a/b"], ["ab"]),
        ("x{**/,y}z", ["x/z", "xa/b/z", "xyz"], ["xz"]),
        ("{,a/}{,b/}**/c", ["c", "a/c", "a/b/c", "b/q/c"], ["ac", "abc"]),
        ("{[,],b}", [",", "b"], ["["]),
        ("\\*\\{", ["*{"], ["a{"]),  # G-35
        ("main", ["main"], ["main2", "Main", "a/main"]),  # G-36
        ("prod*", ["prod", "prod-1"], ["prod/1"]),
    ],
)
def test_pattern_matches(pattern: str, matching: list[str], other: list[str]) -> None:
    compiled = globs.compile_glob(pattern)
    assert [value for value in matching if not compiled.matches(value)] == []
    assert [value for value in other if compiled.matches(value)] == []


@pytest.mark.parametrize("pattern", ["[a", "[]", "{a", "{a,{b}}", "a\\", "[z-a]"])
def test_incomplete_pattern_is_refused_by_its_text(pattern: str) -> None:
    with pytest.raises(syntax.GlobError, match=re.escape(pattern)):
        globs.compile_glob(pattern)


TEXTS = ["**/*", "**", "a*/**", "*/*"]


def tried(pattern: str, value: str) -> bool:
    """Match the way the rows are written, trying every way there is."""
    if not pattern:
        return not value
    if pattern.startswith("**"):
        rest = pattern.lstrip("*")
        return any(tried(rest, value[cut:]) for cut in range(len(value) + 1))
    if pattern[0] == "*":
        ends = [cut for cut in range(len(value) + 1) if "/" not in value[:cut]]
        return any(tried(pattern[1:], value[cut:]) for cut in ends)
    if not value:
        return False
    fits = value[0] != "/" if pattern[0] == "?" else value[0] == pattern[0]
    return fits and tried(pattern[1:], value[1:])


@given(
    st.text("ab*?/", max_size=8).filter(lambda text: "**/" not in text), st.text("ab/", max_size=8)
)
def test_automaton_agrees_with_trying_everything(pattern: str, value: str) -> None:
    assert globs.compile_glob(pattern).matches(value) == tried(pattern, value)


@given(
    st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=4), st.sampled_from(TEXTS)
)
def test_walk_agrees_with_the_whole_path(names: list[str], text: str) -> None:
    patterns = [globs.parse(text)]
    match = globs.start(patterns)
    is_taken = False
    for name in names:
        match = globs.step(patterns, match, name)
        is_taken |= bool(match.complete)
    assert is_taken == any(
        patterns[0].matches("/".join(names[:end])) for end in range(1, len(names) + 1)
    )


@given(st.text(max_size=40))
def test_any_text_is_a_pattern_or_refused(text: str) -> None:
    try:
        globs.compile_glob(text).matches("a/b.c")
    except syntax.GlobError as error:
        assert text in str(error)


@given(st.text("ab./-*?[]{},\\", max_size=12))
def test_escaped_text_matches_itself_alone(text: str) -> None:
    compiled = globs.compile_glob("".join(f"\\{character}" for character in text))
    assert compiled.matches(text)
    assert not compiled.matches(text + "x")


def test_pattern_that_makes_others_backtrack_visits_each_state_once_per_character() -> None:
    pattern = globs.compile_glob("**a" * 40 + "b")
    states = pattern.start()
    for character in "a" * 2000:
        states = pattern.feed(states, character)
        assert len(states) <= len(pattern.steps)
    assert pattern.last not in states


@pytest.mark.parametrize(
    "pattern",
    [
        "a" * (globs.MOST_CHARACTERS + 1),
        "**/" * 3_000,
        "**/" * 330,
        "*a" * 4_500,
        "{" + ",".join("a" * 300) + "}",
        "{a,b}" * 9,
        "{a,b}" * 199,
        "{" + "a" * 400 + "," + "b" * 400 + "}" + "{x,y}" * 7,
        "{**/,**/a/}" * 8 + "b",
        "{" + ",".join(["**/"] * 200) + "}" + "**/" * 60,
    ],
)
def test_weak_pattern_that_unfolds_is_refused(pattern: str) -> None:
    with pytest.raises(syntax.GlobError, match=r"longer than|too many"):
        globs.compile_glob(pattern)


@given(
    st.lists(
        st.sampled_from(["**/", "*", "**", "a", "/", "{a,b}", "{**/,a}", "[ab]", "?"]), max_size=200
    ).map("".join)
)
def test_weak_automaton_is_bounded_whatever_the_pattern(text: str) -> None:
    try:
        pattern = globs.compile_glob(text)
    except syntax.GlobError:
        return
    assert sum(map(len, pattern.moves)) <= globs.MOST_MOVES
    assert len(pattern.steps) <= 4 * syntax.MOST_TOKENS


@pytest.mark.parametrize("number", range(3))
def test_fuzzer_of_globs_finds_nothing(number: int, tmp_path: Path) -> None:
    assert fuzz_globs.batch(Random(number), tmp_path) == fuzz_globs.BATCH
