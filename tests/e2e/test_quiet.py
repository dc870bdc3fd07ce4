"""What a run costs the API server, and what it leaves for people to see."""

from __future__ import annotations

import pytest

from tests.bench.audit import AuditLog
from tests.e2e.conftest import Team, commands, stage
from tests.support.kube import eventually

RUNS = 5
MOST_REQUESTS_PER_RUN = 10


@pytest.fixture
def audit(team: Team) -> AuditLog:
    assert team.cluster.audit_log, (
        "this cluster's API server keeps no audit log that is readable here"
    )
    return AuditLog(team.cluster.audit_log)


def test_run_of_one_action_costs_a_bounded_number_of_requests_and_then_none(
    team: Team, audit: AuditLog
) -> None:
    """Excessive reconciliation is a defect of its own: our own writes come
    back as events and plan to nothing.
    """
    team.pipeline("p", stage("Build", commands("A", "true")))
    for number in range(RUNS):
        team.start("p", f"run-{number}")
        assert team.ended(f"run-{number}")["state"] == "Succeeded"
    requests = audit.requests(team.namespace)
    assert requests.total() <= RUNS * MOST_REQUESTS_PER_RUN, requests
    assert requests["create jobs"] == RUNS
    assert team.cluster.audit_log is not None
    assert AuditLog(team.cluster.audit_log).requests(team.namespace, settle_s=5).total() == 0


def test_run_tells_its_start_its_failures_and_its_end_as_events(team: Team) -> None:
    team.pipeline("p", stage("Build", commands("Good", "true"), commands("Bad", "exit 3")))
    team.start("p")
    assert team.ended()["state"] == "Failed"
    # Events are written after the status that they tell of.
    events = eventually(
        lambda: found if len(found := events_of(team)) == 3 else None, 10, "three Events"
    )
    failure = "Build/Bad: JobFailed: Command failed with exit code 3: exit 3"
    assert events == {
        "RunStarted": ("Normal", "Started run of pipeline p, version 1"),
        "ActionFailed": ("Warning", failure),
        "RunFailed": ("Warning", "Run failed: Build/Bad: Command failed with exit code 3: exit 3"),
    }


def events_of(team: Team) -> dict[str, tuple[str, str]]:
    return {
        event["reason"]: (event["type"], event["note"])
        for event in team.kube.objects("events", team.namespace)
        if event["regarding"]["kind"] == "PipelineRun"
    }


def test_kubectl_waits_for_a_run_by_its_condition(team: Team) -> None:
    team.pipeline("p", stage("Build", commands("A", "sleep 1")))
    team.start("p")
    team.kube.kubectl(
        "-n", team.namespace, "wait", "--for=condition=Succeeded", "plr/run", "--timeout=55s"
    )
    shown = team.kube.kubectl("-n", team.namespace, "get", "plr", "--no-headers")
    assert shown.split()[:4] == ["run", "p", "Succeeded", "Succeeded"]
