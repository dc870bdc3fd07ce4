"""Retrying stages on a real cluster (X-60..X-66), asked for by kubectl alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cluster import Cluster
from tests.e2e.conftest import Team, commands, stage
from tests.e2e.effects import Effects, tries_of
from tests.e2e.gates import Gate
from tests.e2e.test_stop import as_asker, conditions, event_notes, is_under_way, rows
from tests.support.kube import Document, eventually


@pytest.fixture
def effects(cluster: Cluster) -> Effects:
    return Effects(cluster)


FAILS_AT_FIRST = '[ "$PENSTOCK_ATTEMPT" = 2 ]'


def retry(team: Team, run: str = "run", **request: Any) -> None:
    """Ask for a retry as a user does who has nothing but kubectl: the first one makes the list."""
    known = team.run(run)["spec"].get("retries", [])
    patch = json.dumps({"spec": {"retries": [*known, request]}})
    team.kube.kubectl(
        "-n", team.namespace, *as_asker(request), "patch", "plr", run, "--type=merge", "-p", patch
    )


def attempts(status: Document, action: str) -> list[tuple[int, str]]:
    """Return the attempts of an action with what became of them."""
    states = [
        a for s in status["stageStates"] for a in s["actionStates"] if a["actionName"] == action
    ]
    return [(row["attempt"], row["status"]) for row in states[0]["executions"]]


def test_oracle_o_09_failed_action_runs_again_with_the_artifacts_of_its_siblings(
    team: Team,
) -> None:
    fetched = commands(
        "Lint", "echo linted > report", outputArtifacts=[{"name": "Report", "files": ["report"]}]
    )
    reads = commands("Check", "grep linted report", inputArtifacts=[{"name": "Report"}])
    team.pipeline(
        "web",
        stage(
            "Build", commands("Make", FAILS_AT_FIRST), fetched, commands("Pack", "true", runOrder=2)
        ),
        stage("Prod", reads),
    )
    team.start("web")
    failed = team.ended()
    assert rows(failed) == {"Build": "Failed", "Make": "Failed", "Lint": "Succeeded"}
    uid = team.run()["metadata"]["uid"]
    retry(team, stageName="Build", retryMode="FAILED_ACTIONS", requestedBy="alice", reason="flaky")
    eventually(lambda: team.status()["state"] == "InProgress", 10, "the run is resumed")
    status = team.ended()

    assert status["state"] == "Succeeded"
    assert team.run()["metadata"]["uid"] == uid
    assert attempts(status, "Make") == [(1, "Failed"), (2, "Succeeded")]
    assert attempts(status, "Lint") == [(1, "Succeeded")]
    assert status["executionAttempt"] == 2
    assert conditions(status) == {
        "Succeeded": ("True", "Succeeded"),
        "Ready": ("True", "Succeeded"),
    }
    assert status["observedGeneration"] == team.run()["metadata"]["generation"]
    told = eventually(
        lambda: dict(event_notes(team, "run")).get("RunResumed"), 10, "an Event tells of it"
    )
    assert told == "Retrying stage Build, FAILED_ACTIONS, as asked by alice (retry 1): flaky"


def test_oracle_o_10_only_the_failed_one_is_retried_while_a_sibling_runs(team: Team) -> None:
    gate = Gate(team.cluster)
    team.pipeline(
        "web", stage("Build", commands("Make", FAILS_AT_FIRST), commands("Slow", gate.line))
    )
    team.start("web")
    eventually(lambda: team.execution("Make").get("status") == "Failed", 30, "one action failed")
    eventually(lambda: is_under_way(team, "Slow"), 10, "its sibling runs")
    retry(team, stageName="Build", retryMode="ALL_ACTIONS")
    refused = eventually(
        lambda: team.condition("pipelineruns", "run", "RequestRefused"), 10, "the refusal"
    )
    assert refused["reason"] == "Conflict"
    retry(team, stageName="Build", retryMode="FAILED_ACTIONS")
    eventually(lambda: team.execution("Make")["attempt"] == 2, 10, "the failed action runs again")
    assert team.execution("Slow")["status"] == "InProgress"
    gate.open()
    status = team.ended()
    assert status["state"] == "Succeeded"
    assert attempts(status, "Slow") == [(1, "Succeeded")]
    assert [answer.get("refused", {}).get("code") for answer in status["retries"]] == [
        "Conflict",
        None,
    ]


def test_oracle_o_11_run_is_not_retried_where_a_newer_one_has_entered(team: Team) -> None:
    team.pipeline("web", stage("Build", commands("Make", '[ "$PENSTOCK_RUN" = next ]')))
    team.start("web")
    team.ended()
    team.start("web", "next")
    team.ended("next")
    retry(team, stageName="Build")
    refused = eventually(
        lambda: team.condition("pipelineruns", "run", "RequestRefused"), 10, "the refusal"
    )
    assert refused["reason"] == "NotLatestPipelineExecution"
    assert team.status()["state"] == "Failed"
    team.kube.kubectl(
        "-n", team.namespace, "wait", "--for=condition=Succeeded=False", "plr/run", "--timeout=50s"
    )


def test_oracle_o_12_stage_is_retried_by_itself_as_often_as_it_declares(
    team: Team, effects: Effects
) -> None:
    again = {
        "result": "RETRY",
        "retryConfiguration": {"retryMode": "ALL_ACTIONS", "backoffSeconds": 1},
    }
    body = stage("Build", effects.action("First"), commands("Fails", "exit 1", runOrder=2))
    team.pipeline("web", {**body, "onFailure": again})
    team.start("web")
    status = team.ended()
    assert status["state"] == "Failed"
    assert attempts(status, "First") == [(1, "Succeeded"), (2, "Succeeded")]
    assert attempts(status, "Fails") == [(1, "Failed"), (2, "Failed")]
    counted = {"autoStageRetryAttempt": 1, "latestRetryTrigger": "AutomatedStageRetry"}
    assert status["stageStates"][0]["retryStageMetadata"] == counted
    assert effects.per_try() == {t: 1 for t in tries_of(team.run()) if "/First/" in t}


def test_x_62_stopped_stage_is_retried_and_stopped_again(team: Team) -> None:
    team.pipeline("web", stage("Build", commands("Slow", "sleep 30")))
    team.start("web")
    for number in range(2):
        eventually(lambda: is_under_way(team, "Slow"), 30, "the action runs")
        ask = {"abandon": True} | ({"afterRetries": number} if number else {})
        team.kube.patch("pipelineruns", team.namespace, "run", {"spec": {"stop": ask}})
        assert team.ended()["state"] == "Stopped"
        if number == 0:
            retry(team, stageName="Build")
            eventually(lambda: team.status()["state"] == "InProgress", 10, "the run is resumed")
    assert attempts(team.status(), "Slow") == [(1, "Abandoned"), (2, "Abandoned")]
