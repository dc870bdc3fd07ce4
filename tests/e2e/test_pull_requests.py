"""Pull requests and signed webhooks of a real Git host (G-25, O-31, O-32)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from tests.cluster import Cluster
from tests.e2e.conftest import Team, commands, stage
from tests.e2e.operator_process import settle
from tests.e2e.receiver_process import ReceiverProcess
from tests.e2e.test_connections import grant, listening, runs, seen, source
from tests.e2e.test_filters import fetched, remembered
from tests.e2e.triggers_process import TriggersProcess
from tests.support.git_host import HostedRepository, ready
from tests.support.kube import Document, Kube, eventually

HOOK_SECRET = "the webhook's secret"


@pytest.fixture
def repository(cluster: Cluster, team: Team) -> HostedRepository:
    return HostedRepository.made(ready(cluster), team.namespace)


@pytest.fixture
def triggers(cluster: Cluster, kube: Kube, team: Team) -> Iterator[TriggersProcess]:
    process = TriggersProcess(cluster, kube, namespaces=[team.namespace])
    yield process
    process.stop()


def define(team: Team, repository: HostedRepository, **filters: Any) -> None:
    """Apply a Connection with its Secret, let triggers read it, and apply the Pipeline."""
    credential = {"username": repository.user, "password": repository.password}
    for name, texts in (("git", credential), ("hook", {"secret": HOOK_SECRET})):
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}}
        team.kube.apply([{**secret, "stringData": texts}], team.namespace)
    grant(team, "git", "penstock-triggers")
    grant(team, "hook", "penstock-receiver")
    connection = {
        "apiVersion": "penstock.dev/v1alpha1",
        "kind": "Connection",
        "metadata": {"name": "shop"},
        "spec": {
            "providerType": "Gitea",
            "endpoint": repository.host.url,
            "credentialsSecret": "git",
            "webhookSecret": "hook",
        },
    }
    team.kube.apply([connection], team.namespace)
    fetch = source(team)
    fetch["configuration"] |= {
        "ConnectionArn": "shop",
        "FullRepositoryId": repository.full_name,
    }
    show = commands("Show", "ls", inputArtifacts=[{"name": "Source"}])
    git = {"sourceActionName": "Fetch", **filters}
    team.pipeline(
        "shop",
        stage("Source", fetch),
        stage("Show", show),
        triggers=[{"providerType": "CodeStarSourceConnection", "gitConfiguration": git}],
        pipelineType="V2",
        executionMode="PARALLEL",
    )


def new_run(team: Team, known: set[str]) -> Document:
    (name,) = eventually(lambda: set(runs(team)) - known, 60, "a run of the event")
    known.add(name)
    return team.run(name)


def detail(run: Document) -> str:
    return str(run["spec"]["trigger"]["triggerDetail"])


def is_remembered(team: Team, ref: str, commit: str | None) -> bool:
    return remembered(team).get(ref) == commit


def test_oracle_o_31_events_of_a_pull_request_start_runs_of_its_head(
    team: Team, repository: HostedRepository, triggers: TriggersProcess
) -> None:
    old = repository.push("svc/old", "old")
    before = repository.open("old")
    triggers.start()
    branches, files = {"includes": ["main"]}, {"includes": ["svc/**"]}
    define(team, repository, pullRequest=[{"branches": branches, "filePaths": files}])
    is_first = partial(is_remembered, team, f"refs/pull/{before}", old)
    eventually(is_first, 60, "what is open when the Pipeline is made")
    known = set(eventually(lambda: runs(team), 60, "the creation's run"))

    # A push starts nothing, nor does a pull request of a fork, nor one that changes other files.
    repository.push("svc/main", "main")
    fork = repository.fork(f"{team.namespace}-stranger")
    fork.push("svc/evil", "evil")
    stranger = HostedRepository(
        repository.host, repository.owner, repository.name, fork.user, fork.password
    )
    stranger.open(f"{fork.owner}:evil")
    docs = repository.push("docs/page", "docs")
    of_docs = repository.open("docs")
    eventually(partial(is_remembered, team, f"refs/pull/{of_docs}", docs), 60, "the look")

    first = repository.push("svc/page", "feature/x")
    number = repository.open("feature/x")
    run = new_run(team, known)
    words = f"pull request {number} opened: feature/x into main, at {first}"
    assert (detail(run), run["spec"]["trigger"]["triggerType"]) == (words, "WebhookV2")
    assert fetched(team, run["metadata"]["name"]) == ("feature/x", first)

    # What happens while nobody looks is caught up.
    triggers.kill()
    second = repository.push("svc/other", "feature/x")
    triggers.start()
    run = new_run(team, known)
    assert detail(run).startswith(f"pull request {number} updated:")
    assert fetched(team, run["metadata"]["name"]) == ("feature/x", second)

    repository.merge(number)
    run = new_run(team, known)
    assert detail(run) == f"pull request {number} closed: feature/x into main, at {second}"
    assert fetched(team, run["metadata"]["name"]) == ("feature/x", second)
    eventually(partial(is_remembered, team, f"refs/pull/{number}", None), 60, "it is forgotten")

    repository.close(before)
    assert detail(new_run(team, known)).startswith(f"pull request {before} closed:")
    eventually(lambda: seen(team) == ("True", "Seen"), 60, "all is seen")


def test_oracle_o_32_signed_webhooks_of_the_host_start_runs_at_once(
    cluster: Cluster, kube: Kube, team: Team, repository: HostedRepository
) -> None:
    """Nothing is polled meanwhile: the next look would be in months."""
    triggers = TriggersProcess(cluster, kube, namespaces=[team.namespace], poll_s=1e7)
    receiver = ReceiverProcess(cluster, kube, namespaces=[team.namespace], is_reachable=True)
    try:
        triggers.start()
        receiver.start()
        both = {"branches": {"includes": ["main"]}}
        define(team, repository, push=[both], pullRequest=[{**both, "events": ["OPEN"]}])
        eventually(lambda: seen(team) == ("True", "Seen"), 60, "the source is seen")
        known = set(eventually(lambda: runs(team), 60, "the creation's run"))
        wrong = partial(receiver.deliver, team.namespace, "shop", repository.full_name, "wrong")
        eventually(lambda: wrong() == 401, 60, "the receiver listens", 1.0)
        eventually(lambda: listening(team)[0] == "True", 60, "the receiver has read its secret")
        hook = f"/hooks/{team.namespace}/shop"
        repository.call(f"{receiver.address}{hook}", "another secret")
        repository.push("ignored")
        settle(5)
        assert set(runs(team)) == known, "what another secret has signed makes nobody look"
        repository.call(f"{receiver.address}{hook}", HOOK_SECRET)

        pushed = repository.push("page")
        run = new_run(team, known)
        assert fetched(team, run["metadata"]["name"]) == ("main", pushed)

        head = repository.push("feature", "feature")
        number = repository.open("feature")
        run = new_run(team, known)
        assert detail(run).startswith(f"pull request {number} opened:")
        assert fetched(team, run["metadata"]["name"]) == ("feature", head)
    finally:
        receiver.stop()
        triggers.stop()
