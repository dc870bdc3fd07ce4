"""Filters of names: the rows, the automaton of paths as an oracle, and their limits."""

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from penstock.api.globs.names import NameFilter
from penstock.api.globs.paths import compile_glob
from penstock.api.globs.syntax import GlobError

PIECES = [
    "a", "b", "/", "**/", "*", "**", "?", "[ab]", "[!a]", "[a-c]", "[.-0]", "[/]", "[!/]", "{a,b/}",
    "{**/,a}", "\\*", ".", "é", "[-a]", "[]]", "+", "^", "$", "|", "(", "-",
]  # fmt: skip


@pytest.mark.parametrize(
    ("pattern", "name", "is_taken"),
    [
        ("common/**/*.js", "common/app.js", True),
        ("dir/*", "dir/a/b", False),
        ("**", "a/b", True),
        ("v*", "v1/x", False),
        ("[!a]b", "bb", True),
        ("[!a]b", "ab", False),
        ("{a,b}c", "bc", True),
        ("main", "main2", False),
        ("prod*", "prod/a", False),
        ("Main", "main", False),
        ("a.c", "abc", False),
        ("a\nb", "a\nb", True),
    ],
)
def test_o_29_globs_of_names(pattern: str, name: str, is_taken: bool) -> None:
    assert NameFilter([pattern]).takes(name) is is_taken


def test_g_21_name_is_taken_by_any_include_unless_an_exclude_matches() -> None:
    both = NameFilter(["main", "release/**"], ["release/old-*", "main"])
    assert [name for name in ("main", "release/1", "release/old-1", "dev") if both.takes(name)] == [
        "release/1"
    ]
    assert NameFilter([], ["wip/**"]).takes("anything")
    assert not NameFilter([], ["wip/**"]).takes("wip/x")
    assert NameFilter().takes("anything")


@given(
    st.lists(st.sampled_from(PIECES), max_size=8).map("".join),
    st.lists(st.sampled_from([*"ab/.*é+^$|(-]\n", ".."]), max_size=8).map("".join),
)
def test_name_is_matched_as_a_path_is(pattern: str, name: str) -> None:
    assert NameFilter([pattern]).takes(name) == compile_glob(pattern).matches(name)


@given(st.lists(st.text(max_size=20), max_size=4), st.text(max_size=20))
def test_any_text_is_a_pattern_or_refused(patterns: list[str], name: str) -> None:
    criteria = NameFilter(patterns, patterns[:1])
    try:
        criteria.check()
    except GlobError:
        return
    criteria.takes(name)


@pytest.mark.parametrize("pattern", ["[a", "{a", "a\\", "[z-a]", "{a,b}" * 9])
def test_pattern_that_is_none_is_refused(pattern: str) -> None:
    with pytest.raises(GlobError):
        NameFilter(["main"], [pattern]).check()


@pytest.mark.parametrize(
    "patterns",
    [["**a" * 84], ["{**/,*a}" * 4 + "b"], ["**a" * 40 + "**b", "**b" * 40 + "**a", "*b**" * 20]],
)
def test_largest_filters_match_long_names_as_paths_are_matched(patterns: list[str]) -> None:
    criteria, compiled = NameFilter(patterns), [compile_glob(text) for text in patterns]
    for name in ("a/x" * 85, "aaab" * 60, "/" * 200, "aabb" * 60 + "b"):
        assert criteria.takes(name) == any(each.matches(name) for each in compiled)


@pytest.mark.parametrize(
    "patterns",
    [
        ["{**/,*a}" * 8 + "b"],
        ["*" + "a*" * 20] * 7,
        ["**a" + "?" * 250] * 4,
        ["{a,b}" * 8],
        ["[" + "".join(chr(0x4E00 + 37 * n) for n in range(100)) + "]{a,b,c}"] * 8,
    ],
)
def test_filter_that_would_take_much_time_is_refused(patterns: list[str]) -> None:
    with pytest.raises(GlobError, match=r"too many"):
        NameFilter((), patterns).check()


def test_dropped_filter_leaves_nothing_behind() -> None:
    """RE2's module would keep what it compiled."""
    NameFilter(["release/**"]).check()
    assert re2._Regexp._make.cache_info().currsize == 0
