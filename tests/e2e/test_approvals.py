"""Manual approvals on a real cluster (P-60..P-62, T-05), the operator dying
in the middle; decided by kubectl alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.cluster import Cluster
from tests.e2e.conftest import Team, stage
from tests.e2e.effects import Effects, tries_of
from tests.e2e.operator_process import OperatorProcess
from tests.support.approvals import approval_action, pending
from tests.support.kube import Kube, eventually

pytestmark = [pytest.mark.own_operator, pytest.mark.usefixtures("without_chart")]


@pytest.fixture
def operator(cluster: Cluster, kube: Kube, team: Team) -> Iterator[OperatorProcess]:
    process = OperatorProcess(cluster, kube, namespaces=[team.namespace])
    yield process
    process.stop()


def decide(
    team: Team, approval: str, decision: str, user: str = "alice", comment: str = "as discussed"
) -> None:
    """Decide as somebody does who has nothing but kubectl."""
    made = {"user": user, "decision": decision, "comment": comment}
    patch = json.dumps([{"op": "add", "path": "/spec/decisions/-", "value": made}])
    who = ("--as", user, "--as-group", "system:masters")
    team.kube.kubectl(
        "-n", team.namespace, *who, "patch", "appr", approval, "--type=json", "-p", patch
    )


def test_operator_that_dies_after_each_of_its_writes_asks_once_and_follows_the_decision(
    cluster: Cluster, team: Team, operator: OperatorProcess
) -> None:
    """A fault point after every write: the Approval's creation, its status,
    the run's, the next action's Job.
    """
    effects = Effects(cluster)
    asks = approval_action(configuration={"ApproverUsers": "alice"})
    team.pipeline("web", stage("Prod", asks, effects.action("Ship", runOrder=2)), wait=False)
    team.start("web")
    lives, decided = 0, 0
    while team.status().get("state") in (None, "InProgress") and lives < 40:
        operator.start(die_after_writes=1)
        eventually(
            lambda: not operator.is_running or may_decide(team) or is_over(team),
            30,
            "a write, or the end",
        )
        operator.kill()
        lives += 1
        if may_decide(team):
            decide(team, pending(team.kube, team.namespace)["metadata"]["name"], "Approved")
            decided += 1
    approvals = team.kube.objects("approvals", team.namespace)

    assert team.status()["state"] == "Succeeded", operator.log()[-2000:]
    assert (decided, len(approvals)) == (1, 1)
    assert lives > 6, "the fault points were not met"
    assert approvals[0]["status"]["state"] == "Approved"
    row = team.execution("Ok")
    assert (row["status"], row["lastUpdatedBy"], row["summary"]) == (
        "Succeeded",
        "alice",
        "as discussed",
    )
    assert effects.per_try() == dict.fromkeys([t for t in tries_of(team.run()) if "Ship" in t], 1)


def may_decide(team: Team) -> bool:
    """Whether the Approval is pending, and nobody has decided."""
    found = team.kube.objects("approvals", team.namespace)
    return any(
        item["status"].get("state") == "Pending" and not item["spec"]["decisions"] for item in found
    )


def is_over(team: Team) -> bool:
    return team.status().get("state") not in (None, "InProgress")


def test_rejected_run_says_by_whom_and_why_and_the_next_run_is_asked_anew(
    team: Team, operator: OperatorProcess
) -> None:
    operator.start()
    team.pipeline("web", stage("Prod", approval_action()), executionMode="QUEUED")
    team.start("web")
    first = pending(team.kube, team.namespace)
    team.start("web", "next")
    eventually(
        lambda: "held by" in team.status("next").get("statusSummary", ""), 10, "the next run waits"
    )
    assert (
        team.status()["statusSummary"] == f"Prod: Ok waits for approval {first['metadata']['name']}"
    )
    decide(team, first["metadata"]["name"], "Rejected", comment="not on a Friday")
    status = team.ended()

    assert (status["state"], status["statusSummary"]) == (
        "Failed",
        "Prod/Ok: rejected by alice: not on a Friday",
    )
    second = pending(team.kube, team.namespace, "next")
    assert second["spec"]["token"] != first["spec"]["token"]
    team.kube.patch("pipelineruns", team.namespace, "next", {"spec": {"stop": {"abandon": True}}})
    assert team.ended("next")["state"] == "Stopped"
    name = second["metadata"]["name"]
    closed = eventually(
        lambda: state_of(team, name) != "Pending" and state_of(team, name),
        10,
        "the Approval closed",
    )
    assert closed == "Abandoned"


def state_of(team: Team, name: str) -> str:
    return str(team.kube.get("approvals", team.namespace, name)["status"].get("state"))


def test_oracle_o_06_approval_that_nobody_answers_expires_and_frees_the_stage(
    cluster: Cluster, kube: Kube, team: Team
) -> None:
    operator = OperatorProcess(
        cluster, kube, namespaces=[team.namespace], engine={"actionTimeoutSeconds": 3.0}
    )
    operator.start()
    try:
        team.pipeline("web", stage("Prod", approval_action()), executionMode="QUEUED")
        team.start("web")
        name = pending(team.kube, team.namespace)["metadata"]["name"]
        team.start("web", "next")
        status = team.ended(seconds=20)
        assert status["state"] == "Failed"
        assert status["statusSummary"].startswith("Prod/Ok: nobody decided until 2")
        assert team.execution("Ok")["errorDetails"]["code"] == "TimedOut"
        assert state_of(team, name) == "Expired"
        assert eventually(
            lambda: team.status("next").get("stageStates"), 10, "the next run entered"
        )
    finally:
        operator.stop()
