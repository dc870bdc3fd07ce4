"""Which pushes a trigger's filters take: the oracle's rows, and a second reading of them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.api.globs.syntax import GlobError
from penstock.api.kinds.triggers import GitConfiguration
from penstock.triggers.filters import CLOSED, OPEN, UPDATED, Filters, takes_any

MAIN, TAG = "refs/heads/main", "refs/tags/release-1"


def filters(*push: dict[str, Any]) -> Filters:
    given = {"sourceActionName": "Source", "push": list(push)}
    return Filters.of(GitConfiguration.model_validate(given))


def names(*includes: str, excludes: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"includes": list(includes), "excludes": list(excludes)}


def never() -> bool:
    return False


def starts(found: Filters, ref: str, *files: str) -> bool:
    if not found.watched({ref: "a"}, never):
        return False
    criteria = found.of_push(ref)
    return not all(criteria) or takes_any(criteria, files, never)


@pytest.mark.parametrize(
    ("files", "is_started"),
    [(["svc/a.go", "README.md"], True), (["svc/README.md"], False), (["lib/a.go"], False)],
    ids=["O-27", "O-28", "another folder"],
)
def test_oracle_o_27_o_28_change_starts_a_run_if_one_of_its_files_is_taken(
    files: list[str], is_started: bool
) -> None:
    found = filters(
        {"branches": names("main"), "filePaths": names("svc/**", excludes=("**/*.md",))}
    )
    assert starts(found, MAIN, *files) is is_started


def test_oracle_o_30_tag_starts_a_run_whatever_another_filter_says_of_branches() -> None:
    found = filters(
        {"tags": names("release-1")}, {"branches": names("main*", excludes=("feature*",))}
    )
    assert starts(found, TAG)
    assert starts(found, "refs/heads/main-2")
    assert not starts(found, "refs/heads/feature-x")
    assert not starts(found, "refs/tags/main"), "a branch's filter takes no tag"


def test_g_20_filter_without_files_needs_none_even_if_another_one_does() -> None:
    found = filters(
        {"branches": names("**"), "filePaths": names("svc/**")}, {"branches": names("main")}
    )
    assert not all(found.of_push(MAIN))
    assert all(found.of_push("refs/heads/dev"))


def test_patterns_that_take_too_long_are_given_up() -> None:
    found = filters({"branches": names("**"), "filePaths": names("svc/**")})
    with pytest.raises(GlobError, match="take too long"):
        found.watched({MAIN: "a"}, lambda: True)
    with pytest.raises(GlobError, match="take too long"):
        takes_any(found.of_push(MAIN), ["a"], lambda: True)


def test_path_that_no_system_has_is_taken_unmatched() -> None:
    found = filters({"branches": names("**"), "filePaths": names("svc/**")})
    assert starts(found, MAIN, "a" * 5_000)
    assert not starts(found, MAIN, "a" * 4_000)


def pull_filters(*pulls: dict[str, Any]) -> Filters:
    given = {"sourceActionName": "Source", "pullRequest": list(pulls)}
    return Filters.of(GitConfiguration.model_validate(given))


def test_g_25_filter_of_pull_requests_takes_events_by_the_branch_that_they_go_into() -> None:
    found = pull_filters(
        {"branches": names("main"), "events": ["OPEN", "CLOSED"]},
        {"branches": names("release/*"), "filePaths": names("svc/**")},
    )
    assert found.of_pull_request(OPEN, "main") == (None,)
    assert found.of_pull_request(UPDATED, "main") == ()
    assert found.of_pull_request(CLOSED, "main") == (None,)
    (criteria,) = found.of_pull_request(UPDATED, "release/1")
    assert criteria and criteria.takes("svc/a.go") and not criteria.takes("README.md")
    assert found.of_pull_request(OPEN, "dev") == ()
    branches = ["main", "release/1", "dev", "feature"]
    assert found.watched_destinations(branches, never) == {"main", "release/1"}
    with pytest.raises(GlobError, match="take too long"):
        found.watched_destinations(branches, lambda: True)


def test_g_20_pushes_and_pull_requests_stand_beside_each_other() -> None:
    push, pull = filters({"branches": names("main")}), pull_filters({"branches": names("main")})
    assert (push.watches_pull_requests, pull.watches_pull_requests) == (False, True)
    assert not pull.watched({MAIN: "a"}, never), "a push is none of a pull request's filter"
    assert push.of_pull_request(OPEN, "main") == ()
    assert pull.prefixes == {"refs/heads/"}, "by its branches one knows whose a pull request is"


# Each glob, and what a person makes of its row.
READINGS = {
    "*": "[^/]*", "**": ".*", "a": "a", "a/**": "a/.*", "**/b": "(.*/)?b", "*/b": "[^/]*/b",
    "{a,b}": "a|b", "b*": "b[^/]*", "[!a]": "[^a/]", "**/*.c": "(.*/)?[^/]*[.]c",
}  # fmt: skip
NAME = st.lists(st.sampled_from(["a", "b", "ab", "x.c"]), min_size=1, max_size=3).map("/".join)
LIST = st.lists(st.sampled_from(sorted(READINGS)), max_size=3, unique=True)


def oracle(includes: list[str], excludes: list[str], value: str) -> bool:
    def matches(patterns: list[str]) -> bool:
        return any(re.fullmatch(READINGS[pattern], value) for pattern in patterns)

    return (not includes or matches(includes)) and not matches(excludes)


@given(
    st.lists(st.tuples(LIST, LIST, LIST, LIST).filter(lambda each: each[0] or each[1]), min_size=1,
             max_size=3),
    NAME,
    st.lists(NAME, min_size=1, max_size=4),
)  # fmt: skip
def test_g_21_filters_agree_with_another_matcher(
    given: list[tuple[list[str], ...]], branch: str, files: list[str]
) -> None:
    found = filters(
        *(
            {"branches": names(*b, excludes=tuple(nb)), "filePaths": names(*f, excludes=tuple(nf))}
            for b, nb, f, nf in given
        )
    )
    wanted = any(
        oracle(b, nb, branch) and any(oracle(f, nf, file) for file in files)
        for b, nb, f, nf in given
    )
    assert starts(found, f"refs/heads/{branch}", *files) is wanted
