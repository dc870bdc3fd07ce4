"""A pipeline as it comes from AWS, with its ConnectionArn, and a Connection of the team's own."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import pytest

from tests.cluster import Cluster
from tests.e2e.conftest import Team, commands, stage
from tests.e2e.operator_process import settle
from tests.e2e.receiver_process import ReceiverProcess
from tests.e2e.test_secrets import push_private
from tests.e2e.triggers_process import TriggersProcess
from tests.support.install import SYSTEM
from tests.support.kube import Document, Kube, eventually

ARN = "arn:aws:codestar-connections:eu-west-1:123456789012:connection/7c1b-shop"
COMMAND = re.compile(r"`kubectl ([^`]+)`")


@pytest.fixture
def triggers(cluster: Cluster, kube: Kube, team: Team) -> Iterator[TriggersProcess]:
    process = TriggersProcess(cluster, kube, namespaces=[team.namespace])
    yield process
    process.stop()


def source(team: Team) -> Document:
    type_id = {
        "category": "Source",
        "owner": "AWS",
        "provider": "CodeStarSourceConnection",
        "version": "1",
    }
    return {
        "name": "Fetch",
        "actionTypeId": type_id,
        "namespace": "SourceVariables",
        "configuration": {
            "ConnectionArn": ARN,
            "FullRepositoryId": f"private/{team.namespace}",
            "BranchName": "main",
        },
        "outputArtifacts": [{"name": "Source"}],
    }


def define(team: Team) -> None:
    show = commands(
        "Show",
        'test "#{SourceVariables.BranchName}" = main',
        "cat index.html",
        inputArtifacts=[{"name": "Source"}],
    )
    team.pipeline("shop", stage("Source", source(team)), stage("Show", show))


def connect(team: Team, **fields: str) -> None:
    found = team.cluster.git
    spec = {
        "providerType": "Gitea",
        "endpoint": found.url,
        "arn": ARN,
        "credentialsSecret": "git",
        **fields,
    }
    body = {
        "apiVersion": "penstock.dev/v1alpha1",
        "kind": "Connection",
        "metadata": {"name": "shop"},
        "spec": spec,
    }
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "git"},
        "stringData": {"username": found.user, "password": found.password},
    }
    team.kube.apply([secret, body], team.namespace)


def last_error(team: Team) -> str:
    status = team.kube.get("pipelines", team.namespace, "shop")["status"]
    sources = status.get("sources", [])
    return str(sources[0].get("lastError", "")) if sources else ""


def ready(team: Team) -> tuple[str, str]:
    found = team.condition("connections", "shop", "Ready") or {}
    return found.get("status", ""), found.get("reason", "")


def seen(team: Team) -> tuple[str, str]:
    found = team.condition("pipelines", "shop", "SourcesSeen") or {}
    return found.get("status", ""), found.get("reason", "")


def events(team: Team) -> set[str]:
    found = team.kube.objects("events", team.namespace)
    return {event["reason"] for event in found if event["regarding"]["kind"] == "Pipeline"}


def runs(team: Team) -> list[str]:
    return [run["metadata"]["name"] for run in team.kube.objects("pipelineruns", team.namespace)]


def test_p_01_run_without_its_connection_says_what_to_apply_and_then_fetches(
    cluster: Cluster, team: Team
) -> None:
    repository = push_private(cluster, team.namespace)
    define(team)
    team.start("shop", "first")
    assert team.ended("first")["state"] == "Failed"
    said = team.execution("Fetch", "first")["errorDetails"]["message"]
    assert said.startswith(f"there is no Connection for {ARN}; apply one")

    connect(team)
    team.start("shop", "second")
    assert team.ended("second")["statusSummary"] == "all stages succeeded"
    row = team.execution("Fetch", "second")
    assert row["connection"]["name"] == "shop"
    assert row["outputVariables"]["CommitId"] == repository.commit
    assert row["outputVariables"]["ConnectionArn"] == ARN


def test_g_02_push_starts_a_run_once_the_team_lets_triggers_read_its_secret(
    cluster: Cluster, team: Team, triggers: TriggersProcess
) -> None:
    push_private(cluster, team.namespace)
    connect(team)
    triggers.start()
    define(team)
    eventually(lambda: "may not read the Secret git" in last_error(team), 60, "the refusal")
    eventually(lambda: ready(team) == ("False", "PermissionError"), 60, "the Connection says so")
    eventually(lambda: seen(team) == ("False", "PermissionError"), 60, "the Pipeline says so")
    eventually(lambda: "SourceNotSeen" in events(team), 60, "an Event tells of it")
    # The message's own commands, as they stand there.
    for command in COMMAND.findall(last_error(team)):
        team.kube.kubectl(*shlex.split(command))
    eventually(lambda: last_error(team) == "", 60, "the source is seen")
    eventually(lambda: ready(team) == ("True", "Connected"), 120, "the Connection works")
    eventually(lambda: seen(team) == ("True", "Seen"), 60, "the Pipeline's sources are seen")
    before = runs(team)
    second = push_private(cluster, team.namespace, "Good day")
    (new,) = eventually(lambda: set(runs(team)) - set(before), 60, "a run of the push")
    assert team.ended(new)["state"] == "Succeeded"
    assert team.execution("Fetch", new)["outputVariables"]["CommitId"] == second.commit
    assert cluster.git.password not in triggers.log()


def test_signed_delivery_starts_one_run_at_once_however_often_it_comes(
    cluster: Cluster, kube: Kube, team: Team
) -> None:
    """Nothing is polled meanwhile: the next look would be in months."""
    triggers = TriggersProcess(cluster, kube, namespaces=[team.namespace], poll_s=1e7)
    receiver = ReceiverProcess(cluster, kube, namespaces=[team.namespace])
    repository = f"private/{team.namespace}"
    hook = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hook"}}
    team.kube.apply([{**hook, "stringData": {"secret": "hook secret"}}], team.namespace)
    grant(team, "git", "penstock-triggers")
    push_private(cluster, team.namespace)
    connect(team, webhookSecret="hook")
    try:
        triggers.start()
        receiver.start()
        define(team)
        eventually(lambda: seen(team) == ("True", "Seen"), 60, "the source is seen")
        first = eventually(lambda: runs(team), 60, "the creation's run")
        eventually(lambda: listening(team)[0] == "False", 60, "the receiver says what it lacks")
        for command in COMMAND.findall(listening(team)[1]):
            team.kube.kubectl(*shlex.split(command))

        def deliver(secret: str = "hook secret", name: str = "") -> int:
            return receiver.deliver(team.namespace, "shop", repository, secret, name)

        second = push_private(cluster, team.namespace, "Good day")
        # What could not be read is read again after some seconds.
        eventually(lambda: deliver(name="d-1") in (200, 202), 90, "the delivery is taken", 1.0)
        assert deliver("another secret") == 401
        (new,) = eventually(lambda: set(runs(team)) - set(first), 60, "a run of the push")
        assert team.ended(new)["state"] == "Succeeded"
        assert team.execution("Fetch", new)["outputVariables"]["CommitId"] == second.commit
        assert deliver(name="d-1") == 200
        assert deliver(name="d-2") == 202
        settle(3)
        assert set(runs(team)) == {*first, new}, "what was told before starts nothing"
        assert listening(team)[0] == "True"
    finally:
        receiver.stop()
        triggers.stop()


def grant(team: Team, secret: str, account: str) -> None:
    """Let an account of the chart read a Secret, as the messages say."""
    role = f"penstock-{secret}-{account}"
    team.kube.kubectl(
        *("-n", team.namespace, "create", "role", role, "--verb=get"),
        *("--resource=secrets", f"--resource-name={secret}"),
    )
    team.kube.kubectl(
        *("-n", team.namespace, "create", "rolebinding", role, f"--role={role}"),
        f"--serviceaccount={SYSTEM}:{account}",
    )


def listening(team: Team) -> tuple[str, str]:
    found = team.condition("connections", "shop", "WebhooksReady") or {}
    return found.get("status", ""), found.get("message", "")
