"""The chart's life around runs under way: upgrade, uninstall, and installing it again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster import Cluster
from tests.e2e.conftest import QUICK_VALUES, Team, commands, stage
from tests.e2e.failures import running_pod
from tests.e2e.gates import Gate
from tests.support.install import SYSTEM, helm, install_chart
from tests.support.kube import Kube, eventually

pytestmark = pytest.mark.alone(reason="it upgrades and uninstalls the chart")

OPERATOR = "app.kubernetes.io/name=penstock"
AT_WORK = "at work"


@pytest.fixture
def gate(cluster: Cluster) -> Gate:
    """What the first action of `under_way` waits for."""
    return Gate(cluster)


@pytest.fixture
def under_way(cluster: Cluster, kube: Kube, team: Team, gate: Gate) -> Iterator[Team]:
    """A run whose first action is at work; the chart is as it was afterwards."""
    team.pipeline(
        "web",
        stage("Work", commands("Do", f"echo {AT_WORK}", gate.line)),
        stage("End", commands("Last", "true")),
    )
    team.start("web")
    running_pod(team, "run", says=AT_WORK)
    yield team
    install_chart(cluster, kube, QUICK_VALUES)


def operator_pods(kube: Kube) -> set[str]:
    return {pod["metadata"]["name"] for pod in kube.objects("pods", SYSTEM, OPERATOR)}


def tries(team: Team) -> list[int]:
    return [team.execution(action)["try"] for action in ("Do", "Last")]


def test_chart_runs_two_replicas_of_which_one_leads(kube: Kube, team: Team) -> None:
    def leading() -> list[str]:
        return [
            name for name in operator_pods(kube) if "Leading" in kube.log(SYSTEM, name, "operator")
        ]

    def disruptions() -> tuple[int, int]:
        budget = kube.get("poddisruptionbudgets", SYSTEM, "penstock")["status"]
        return budget["desiredHealthy"], budget["disruptionsAllowed"]

    # Another test may have stopped and started the operator just before.
    eventually(
        lambda: len(operator_pods(kube)) == 2 and disruptions() == (1, 1),
        60,
        "two operator pods ready",
    )
    eventually(leading, 30, "one of them leads")
    assert len(leading()) == 1


def test_upgrade_of_chart_and_definitions_lets_runs_under_way_go_on(
    cluster: Cluster, kube: Kube, under_way: Team, gate: Gate
) -> None:
    before = operator_pods(kube)
    install_chart(cluster, kube, {**QUICK_VALUES, "logFormat": "plain"})
    gate.open()
    assert under_way.ended()["state"] == "Succeeded"
    assert tries(under_way) == [1, 1]
    eventually(lambda: not before & operator_pods(kube), 60, "the old operator pods gone")
    assert kube.get("customresourcedefinitions", None, "pipelines.penstock.dev")


def test_uninstall_says_what_it_keeps_and_a_new_installation_takes_the_run_over(
    cluster: Cluster, kube: Kube, under_way: Team, gate: Gate
) -> None:
    said = helm(
        cluster, "uninstall", "penstock", "--namespace", SYSTEM, "--wait", "--timeout", "60s"
    )
    for plural in ("approvals", "pipelines", "pipelineruns", "connections", "stagetransitions"):
        assert f"{plural}.penstock.dev" in said
    assert kube.find("validatingadmissionpolicies", None, "penstock-approvals"), (
        "pending Approvals stay guarded"
    )
    assert kube.find("deployments", SYSTEM, "penstock") is None
    assert under_way.status()["state"] == "InProgress"
    install_chart(cluster, kube, QUICK_VALUES)

    gate.open()
    assert under_way.ended()["state"] == "Succeeded"
    assert tries(under_way) == [1, 1]
