"""Failures of the artifact store, which every action needs before anything else."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.cluster import Cluster
from tests.e2e.conftest import Team, commands, stage
from tests.e2e.failures import ACTION, Failing, assert_shown, new_team, silent_host, start_all
from tests.support.install import store_values
from tests.support.kube import Document, Kube

PORT = 7070
NOWHERE = f"http://no-such-host.penstock-dev:{PORT}"
CLOSED = "http://127.0.0.1:9"
WRONG_KEY = "wrong-secret-key"
SECRETS = {
    "wrong-user": {"accessKeyId": "nobody", "secretAccessKey": WRONG_KEY},
    "wrong-key": {"secretAccessKey": WRONG_KEY},
    "other-names": {"user": "nobody", "password": WRONG_KEY},
}
CHANGES: dict[str, Document] = {
    "wrong-user": {"credentials": {"secretName": "wrong-user"}},
    "wrong-key": {"credentials": {"secretName": "wrong-key"}},
    "no-secret": {"credentials": {"secretName": "no-such-secret"}},
    "other-names": {"credentials": {"secretName": "other-names"}},
    "no-bucket": {"location": "no-such-bucket"},
    "unknown-host": {"endpoint": NOWHERE},
    "closed-port": {"endpoint": CLOSED},
    "silent-host": {},
}
ANSWERS = {
    "wrong-user": (
        "PermissionError",
        "the credentials are wrong, check the keys in their Secret: "
        "(InvalidAccessKeyId|XAdminUserNotFound): .+",
    ),
    "wrong-key": (
        "PermissionError",
        "the credentials are wrong, check the keys in their Secret: SignatureDoesNotMatch: .+",
    ),
    "no-secret": (
        "ConfigurationError",
        "the credentials' Secret is missing, or has no key accessKeyId",
    ),
    "other-names": (
        "ConfigurationError",
        "the credentials' Secret is missing, or has no key accessKeyId",
    ),
    "no-bucket": ("ConfigurationError", "the bucket does not exist"),
    "unknown-host": (
        "SystemUnavailable",
        "could not be reached or used: failed to lookup address information.+",
    ),
    "closed-port": ("SystemUnavailable", "could not be reached or used: Connection refused"),
    "silent-host": ("SystemUnavailable", "could not be reached or used: no answer in time"),
}


def case_of(name: str, store: Document) -> Failing:
    """Return the pipeline that uses a store, and what must be said about it."""
    code, said = ANSWERS[name]
    where = re.escape(f'The artifact store "{store["location"]}" at {store["endpoint"]}')
    return Failing(
        name,
        commands(ACTION, "true"),
        code,
        re.compile(f"{where}:? {said}"),
        spec={"artifactStore": store},
    )


@pytest.fixture(scope="module")
def failing(cluster: Cluster, kube: Kube) -> Iterator[tuple[Team, dict[str, Failing]]]:
    with new_team(cluster, kube) as team:
        for name, keys in SECRETS.items():
            texts = {"accessKeyId": cluster.s3.access_key, **keys} if name == "wrong-key" else keys
            secret = {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": name},
                "stringData": texts,
            }
            kube.apply([secret], team.namespace)
        silent = {"endpoint": f"http://{silent_host(team, PORT)}:{PORT}"}
        stores = {name: {**store_values(cluster), **changes} for name, changes in CHANGES.items()}
        stores["silent-host"] |= silent
        cases = {name: case_of(name, store) for name, store in stores.items()}
        start_all(team, cases.values())
        yield team, cases


@pytest.mark.parametrize("name", CHANGES)
def test_store_that_cannot_be_used_fails_the_action_before_it_starts(
    failing: tuple[Team, dict[str, Failing]], name: str
) -> None:
    team, cases = failing
    last = assert_shown(team, cases[name])
    assert WRONG_KEY not in str(team.run(name))
    assert "hasLog" not in last


def test_store_as_it_is_lets_the_same_action_succeed(cluster: Cluster, team: Team) -> None:
    team.pipeline(
        "web", stage("Work", commands(ACTION, "true")), artifactStore=store_values(cluster)
    )
    team.start("web")
    assert team.ended()["state"] == "Succeeded"
