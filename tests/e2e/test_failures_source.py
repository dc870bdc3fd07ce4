"""Failures of a Git source: what is asked for is not there, not allowed, or never answers."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.cluster import Cluster
from tests.e2e.conftest import Team, commands, git
from tests.e2e.failures import ACTION, Failing, assert_shown, new_team, silent_host, start_all
from tests.support.install import push_repository
from tests.support.kube import Kube

NOWHERE = "http://no-such-host.penstock-dev/any.git"
CLOSED = "http://127.0.0.1:9/any.git"
NO_COMMIT = "f" * 40
WRONG_PASSWORD = "not-the-password"
NAMES = (
    "branch-missing",
    "commit-missing",
    "repository-missing",
    "revision-that-is-an-option",
    "branch-variable-that-is-an-option",
    "url-variable-of-a-file",
    "no-credentials",
    "wrong-credentials",
    "unknown-host",
    "closed-port",
    "silent-host",
)


def cases(cluster: Cluster, url: str, silent: str) -> Iterator[Failing]:
    """Yield one pipeline per thing that can be wrong with a source."""
    base = cluster.git.cluster_url
    yield Failing(
        "branch-missing",
        git(ACTION, url, Branch="nope"),
        "RevisionUnavailable",
        f'Branch "nope" was not found in {url}',
    )
    yield Failing(
        "commit-missing",
        git(ACTION, url, Commit=NO_COMMIT),
        "RevisionUnavailable",
        f"Commit {NO_COMMIT} was not found in {url}",
    )
    yield Failing(
        "repository-missing",
        git(ACTION, f"{base}/nothing-here.git", Branch="main"),
        "ConfigurationError",
        re.compile(rf"{re.escape(base)}/nothing-here\.git was not found: .*"),
    )
    yield from _options(url)
    yield from _refused(base)
    for name, where, why in (
        ("unknown-host", NOWHERE, "Name or service not known"),
        ("closed-port", CLOSED, "Connection refused"),
        ("silent-host", f"http://{silent}:8080/any.git", ".*(timed out|too slow).*"),
    ):
        host = re.escape(where.split("/")[2].partition(":")[0])
        message = re.compile(f"Git host {host} could not be reached: {why}")
        yield Failing(name, git(ACTION, where, Branch="main"), "SystemUnavailable", message)


def _options(url: str) -> Iterator[Failing]:
    pinned = {"actionName": ACTION, "revisionType": "COMMIT_ID", "revisionValue": "--upload-pack=x"}
    yield Failing(
        "revision-that-is-an-option",
        git(ACTION, url, Branch="main"),
        "ConfigurationError",
        "the revision '--upload-pack=x' is not a full commit id",
        run={"sourceRevisions": [pinned]},
    )
    for name, key, value, message in (
        (
            "branch-variable-that-is-an-option",
            "Branch",
            "--upload-pack=x",
            "configuration.Branch: a name that begins with '-' is refused: git would read it as an "
            "option",
        ),
        (
            "url-variable-of-a-file",
            "Url",
            "file:///etc",
            "configuration.Url: only http:// and https:// URLs are fetched",
        ),
    ):
        make = commands("Make", f"VALUE={value}", namespace="Made", outputVariables=["VALUE"])
        action = (
            git(ACTION, url, **{key: "#{Made.VALUE}"})
            if key != "Url"
            else git(ACTION, "#{Made.VALUE}")
        )
        yield Failing(
            name, {**action, "runOrder": 2}, "ConfigurationError", message, beside=(make,)
        )


def _refused(base: str) -> Iterator[Failing]:
    url = f"{base}/private/any.git"
    host = url.split("/")[2].partition(":")[0]
    start = f"Git host {host} refused access to {url}: it"
    none = (
        f"{start} wants a user and a password; name a Secret that holds them in CredentialsSecret"
    )
    yield Failing("no-credentials", git(ACTION, url, Branch="main"), "PermissionError", none)
    wrong = git(ACTION, url, Branch="main", CredentialsSecret="wrong")
    yield Failing(
        "wrong-credentials",
        wrong,
        "PermissionError",
        f"{start} did not accept the user and password in CredentialsSecret",
    )


@pytest.fixture(scope="module")
def failing(cluster: Cluster, kube: Kube) -> Iterator[tuple[Team, dict[str, Failing]]]:
    with new_team(cluster, kube) as team:
        repository = push_repository(cluster, team.namespace, {"index.html": "Hello"})
        keys = {"username": cluster.git.user, "password": WRONG_PASSWORD}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "wrong"}}
        kube.apply(
            [{**secret, "type": "kubernetes.io/basic-auth", "stringData": keys}], team.namespace
        )
        found = {
            case.name: case
            for case in cases(cluster, repository.cluster_url, silent_host(team, 8080))
        }
        start_all(team, found.values())
        yield team, found


@pytest.mark.parametrize("name", NAMES)
def test_source_that_cannot_be_fetched_fails_with_what_was_asked_for(
    failing: tuple[Team, dict[str, Failing]], name: str
) -> None:
    team, found = failing
    assert found.keys() == set(NAMES)
    assert_shown(team, found[name])
    assert WRONG_PASSWORD not in str(team.run(name))
