"""Bug 12: a list of globs is split where a comma is no part of a glob."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.api.globs import paths as globs
from penstock.api.globs.lists import split_globs


@pytest.mark.parametrize(
    ("text", "patterns"),
    [
        ("brace/{base,web}/*.yaml", ["brace/{base,web}/*.yaml"]),
        ("{a,b}/x, {c,d}/y ,z", ["{a,b}/x", "{c,d}/y", "z"]),
        ("a[,]b,c", ["a[,]b", "c"]),
        ("[],]x,y", ["[],]x", "y"]),
        ("[!],]x,y", ["[!],]x", "y"]),
        ("{a,[}],b},c", ["{a,[}],b}", "c"]),
        (r"a\,b,c", [r"a\,b", "c"]),
        (r"\{a,b\}", [r"\{a", r"b\}"]),
        (r"{a\},b},c", [r"{a\},b}", "c"]),
        (r"a\\,b", ["a\\\\", "b"]),
        ("a\\ , b", ["a\\ ", "b"]),
        ("{a,b", ["{a,b"]),
        ("[a,b", ["[a,b"]),
        ("a,,b, ,", ["a", "b"]),
        ("", []),
    ],
)
def test_bug_12_comma_within_a_glob_does_not_split_it(text: str, patterns: list[str]) -> None:
    assert split_globs(text) == patterns


ATOM = st.sampled_from(
    ["a", "*", "?", "/", "[,]", "[!,]", "[a-c]", "{a,b}", "{,x}", "{[,],c}", r"\,", r"\{", r"\["]
)
PATTERN = st.lists(ATOM, min_size=1, max_size=6).map("".join)


@given(st.lists(PATTERN, min_size=1, max_size=4))
def test_bug_12_list_of_whole_globs_is_taken_apart_into_them(patterns: list[str]) -> None:
    for pattern in patterns:
        globs.compile_glob(pattern)
    assert split_globs(" , ".join(patterns)) == patterns
