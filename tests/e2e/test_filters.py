"""A trigger with filters: branches by pattern, file paths and tags, on the real Git server."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from tests.cluster import Cluster
from tests.e2e.conftest import Team, commands, stage
from tests.e2e.test_connections import runs, seen, source
from tests.e2e.triggers_process import TriggersProcess
from tests.support.install import push_repository
from tests.support.kube import Document, Kube, eventually

FILTERS = [
    {
        "branches": {"includes": ["main", "feature/**"]},
        "filePaths": {"includes": ["svc/**"], "excludes": ["**/*.md"]},
    },
    {"tags": {"includes": ["v*"]}},
]


@pytest.fixture
def triggers(cluster: Cluster, kube: Kube, team: Team) -> Iterator[TriggersProcess]:
    process = TriggersProcess(cluster, kube, namespaces=[team.namespace])
    yield process
    process.stop()


def define(team: Team) -> None:
    fetch = source(team)
    fetch["configuration"] |= {
        "ConnectionArn": "shop",
        "FullRepositoryId": f"teams/{team.namespace}",
    }
    connection = {
        "apiVersion": "penstock.dev/v1alpha1",
        "kind": "Connection",
        "metadata": {"name": "shop"},
        "spec": {"providerType": "Gitea", "endpoint": team.cluster.git.url},
    }
    team.kube.apply([connection], team.namespace)
    git = {"sourceActionName": "Fetch", "push": FILTERS}
    show = commands("Show", "cat svc/page", inputArtifacts=[{"name": "Source"}])
    team.pipeline(
        "shop",
        stage("Source", fetch),
        stage("Show", show),
        triggers=[{"providerType": "CodeStarSourceConnection", "gitConfiguration": git}],
        pipelineType="V2",
        executionMode="PARALLEL",
    )


def remembered(team: Team) -> dict[str, str]:
    status = team.kube.get("pipelines", team.namespace, "shop")["status"]
    return dict((status.get("sources") or [{}])[0].get("refs") or {})


def is_remembered(team: Team, entry: tuple[str, str]) -> bool:
    return entry in remembered(team).items()


def fetched(team: Team, run: str) -> tuple[str, str]:
    """Return branch and commit that a run has fetched, once it has ended well."""
    assert team.ended(run)["state"] == "Succeeded"
    variables = team.execution("Fetch", run)["outputVariables"]
    return variables["BranchName"], variables["CommitId"]


def test_push_starts_a_run_of_its_branch_if_the_filters_take_it(
    cluster: Cluster, team: Team, triggers: TriggersProcess
) -> None:
    def push(files: dict[str, str], **where: str) -> str:
        return push_repository(cluster, f"teams/{team.namespace}", files, **where).commit

    def new_run(known: set[str]) -> Document:
        (name,) = eventually(lambda: set(runs(team)) - known, 60, "a run of the push")
        return team.run(name)

    first = push({"svc/page": "one", "README.md": "read"})
    triggers.start()
    define(team)
    eventually(lambda: remembered(team) == {"refs/heads/main": first}, 60, "the baseline")
    (created,) = eventually(lambda: runs(team), 60, "the creation's run")
    assert fetched(team, created) == ("main", first)

    # O-28: seen, and not taken.
    for branch in ("main", "feature/x"):
        commit = push({"svc/README.md": branch, "docs/page": branch}, branch=branch)
        entry = (f"refs/heads/{branch}", commit)
        eventually(partial(is_remembered, team, entry), 60, "the look")
    push({"svc/page": "elsewhere"}, branch="other")
    tagged = push({"svc/page": "tagged"}, tag="v1")

    # The tag came last: whatever should have started a run before it has had its look.
    run = new_run({created})
    assert run["spec"]["trigger"]["triggerType"] == "WebhookV2"
    assert fetched(team, run["metadata"]["name"]) == ("main", tagged)
    known = set(runs(team))

    # O-27: one file that is taken is enough.
    pushed = push({"svc/page": "feature", "README.md": "x"}, branch="feature/x")
    run = new_run(known)
    assert run["spec"]["sourceRevisions"][0]["ref"] == "refs/heads/feature/x"
    assert fetched(team, run["metadata"]["name"]) == ("feature/x", pushed)
    known = set(runs(team))

    # What is pushed while nobody looks is caught up, each branch for itself.
    triggers.kill()
    wanted = {
        ("main", push({"svc/page": "two"})),
        ("feature/y", push({"svc/page": "new"}, branch="feature/y")),
    }
    triggers.start()
    eventually(lambda: len(set(runs(team)) - known) == 2, 60, "a run of each branch")
    assert {fetched(team, name) for name in set(runs(team)) - known} == wanted
    assert seen(team) == ("True", "Seen")
