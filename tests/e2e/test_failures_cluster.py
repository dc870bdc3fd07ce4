"""Failures whose cause is the namespace or the node: no pod, no volume, no
room, nothing produced.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.cluster import Cluster
from tests.e2e.conftest import Team, commands
from tests.e2e.failures import ACTION, Failing, assert_shown, new_team, start_all
from tests.support.kube import Kube

BIG = "dd if=/dev/zero of=big bs=1M count=900 && sleep 35"
CASES = (
    Failing(
        "artifact-never-produced",
        commands(ACTION, "true", outputArtifacts=[{"name": "Out", "files": ["site/*.html"]}]),
        "ConfigurationError",
        'Output artifact "Out": no file matches the pattern "site/*.html"',
    ),
    Failing(
        "service-account-missing",
        commands(ACTION, "true"),
        "NoPod",
        re.compile(r'no pod was created within 15 s; .*serviceaccount "nope" not found'),
        spec={"serviceAccountName": "nope"},
    ),
    Failing(
        "claim-missing",
        commands(ACTION, "true"),
        "StartTimedOut",
        re.compile(
            r"the action's pod did not start within 60 s; .*persistentvolumeclaim \"nope\" not "
            r"found.*",
            re.DOTALL,
        ),
        spec={"artifactStore": {"type": "Volume", "location": "nope"}},
        seconds=120,
    ),
    Failing(
        "workspace-full",
        commands(ACTION, BIG),
        "WorkspaceFull",
        re.compile(
            r"the action's files outgrew the limit of its workspace, and the pod was evicted: "
            r'Usage of EmptyDir volume "workspace" exceeds the limit "800Mi"\.'
        ),
    ),
)
QUOTA = Failing(
    "quota-exceeded",
    commands(ACTION, "true"),
    "NoPod",
    re.compile(
        r"no pod was created within 15 s; .*exceeded quota: none, requested: pods=1, used: pods=0, "
        r"limited: pods=0"
    ),
)


@pytest.fixture(scope="module")
def failing(cluster: Cluster, kube: Kube) -> Iterator[Team]:
    with new_team(cluster, kube) as team:
        yield start_all(team, CASES)


def test_quota_that_leaves_no_room_for_a_pod_fails_the_action(
    cluster: Cluster, kube: Kube, failing: Team
) -> None:
    with new_team(cluster, kube) as team:
        quota = {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "none"},
            "spec": {"hard": {"pods": "0"}},
        }
        kube.apply([quota], team.namespace)
        start_all(team, [QUOTA])
        assert_shown(team, QUOTA)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_action_that_the_cluster_gives_no_place_fails_with_the_cause(
    failing: Team, case: Failing
) -> None:
    assert_shown(failing, case)
