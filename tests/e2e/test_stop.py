"""Stopping runs on a real cluster (X-53..X-58): waiting, abandoning, queued
runs, too late, and by kubectl alone.
"""

from __future__ import annotations

import json
from typing import Any

from tests.e2e.conftest import Team, commands, stage
from tests.e2e.failures import living
from tests.e2e.gates import Gate
from tests.e2e.test_examples import penstock
from tests.support.kube import Document, eventually

SLOW = "trap 'sleep 3; exit 1' TERM; sleep 30 & wait"
"""Commands that take three seconds to end when their pod is deleted."""


def is_under_way(team: Team, *actions: str, run: str = "run") -> bool:
    """Whether the pods of these actions run."""
    pods = [team.pod_of(team.execution(action, run).get("jobName", "none")) for action in actions]
    return all(pod and pod["status"].get("phase") == "Running" for pod in pods)


def rows(status: Document) -> dict[str, str]:
    """Return the stages and actions of a run with their status."""
    found: dict[str, str] = {}
    for state in status["stageStates"]:
        found[state["stageName"]] = state["status"]
        found |= {
            a["actionName"]: a["executions"][-1]["status"] for a in state.get("actionStates", [])
        }
    return found


def conditions(status: Document) -> dict[str, tuple[str, str]]:
    return {item["type"]: (item["status"], item["reason"]) for item in status["conditions"]}


def event_notes(team: Team, run: str) -> list[tuple[str, str]]:
    events = team.kube.objects("events", team.namespace)
    return [(e["reason"], e["note"]) for e in events if e["regarding"]["name"] == run]


def as_asker(request: Document) -> tuple[str, ...]:
    """Return kubectl's flags to be whom a request names: the API server refuses another's name."""
    return (
        ("--as", request["requestedBy"], "--as-group", "system:masters")
        if "requestedBy" in request
        else ()
    )


def ask(team: Team, run: str = "run", **request: Any) -> None:
    """Ask a run to stop as a user does who has nothing but kubectl."""
    patch = json.dumps({"spec": {"stop": request}})
    team.kube.kubectl(
        "-n", team.namespace, *as_asker(request), "patch", "plr", run, "--type=merge", "-p", patch
    )


def test_oracle_o_15_stop_and_wait_lets_both_parallel_actions_end_and_starts_nothing_more(
    team: Team,
) -> None:
    gate = Gate(team.cluster)
    both = (commands("A", gate.line), commands("B", gate.line, "echo done"))
    team.pipeline(
        "web",
        stage("Build", *both, commands("C", "true", runOrder=2)),
        stage("Prod", commands("D", "true")),
    )
    team.start("web")
    eventually(lambda: is_under_way(team, "A", "B"), 30, "both actions run")
    ask(team, reason="wrong branch", requestedBy="alice")
    eventually(lambda: team.status()["state"] == "Stopping", 10, "the run stops")
    stopping = team.status()
    assert rows(stopping) == {"Build": "Stopping", "A": "InProgress", "B": "InProgress"}
    assert conditions(stopping)["Reconciling"] == ("True", "Stopping")
    gate.open()

    status = team.ended()
    assert status["state"] == "Stopped"
    assert rows(status) == {"Build": "Stopped", "A": "Succeeded", "B": "Succeeded"}
    assert status["statusSummary"] == "stopped, as asked by alice: wrong branch"
    assert conditions(status) == {
        "Succeeded": ("False", "Stopped"),
        "Ready": ("False", "Stopped"),
        "Stalled": ("True", "Stopped"),
    }
    assert status["observedGeneration"] == team.run()["metadata"]["generation"]
    told = eventually(
        lambda: dict(event_notes(team, "run")).get("RunStopped"), 10, "an Event tells of it"
    )
    assert told == "Run stopped: stopped, as asked by alice: wrong branch"


def test_oracle_o_16_abandoned_actions_end_and_the_queued_run_enters_only_when_their_pods_are_gone(
    team: Team,
) -> None:
    team.pipeline(
        "web", stage("Build", commands("A", SLOW), commands("B", SLOW)), executionMode="QUEUED"
    )
    team.start("web")
    eventually(lambda: is_under_way(team, "A", "B"), 30, "both actions run")
    team.start("web", "next")
    eventually(
        lambda: team.condition("pipelineruns", "next", "Succeeded"), 10, "the next run waits"
    )
    first = team.run()["metadata"]["uid"]
    ask(team, abandon=True)
    eventually(lambda: rows(team.status())["A"] == "Abandoned", 10, "the actions are abandoned")
    assert team.status()["state"] == "Stopping"
    assert team.status("next").get("stageStates") is None

    eventually(lambda: team.status("next").get("stageStates"), 60, "the next run entered")
    assert not living(team, first), "the next run entered while containers of the abandoned one ran"
    status = team.ended()
    assert rows(status) == {"Build": "Stopped", "A": "Abandoned", "B": "Abandoned"}
    assert status["statusSummary"] == "stopped, as asked; abandoned: Build/A, Build/B"


def test_x_56_queued_run_is_stopped_at_once_and_the_one_behind_it_goes_on(team: Team) -> None:
    gate = Gate(team.cluster)
    team.pipeline("web", stage("Build", commands("A", gate.line)), executionMode="QUEUED")
    for name in ("run", "second", "third"):
        team.start("web", name)
        eventually(lambda: team.condition("pipelineruns", name, "Succeeded"), 10, "it is seen")  # noqa: B023
    stopped = penstock(team, "stop", "second", "--reason", "not needed", "--wait")
    assert (stopped.returncode, team.status("second")["state"]) == (0, "Stopped"), stopped.stderr
    assert team.status("run")["state"] == "InProgress", "the first was to run meanwhile"
    who = team.run("second")["spec"]["stop"]["requestedBy"]
    assert team.status("second")["statusSummary"] == f"stopped, as asked by {who}: not needed"

    gate.open()
    assert team.ended("third")["state"] == "Succeeded"
    assert team.ended("run")["state"] == "Succeeded"
    assert "stageStates" not in team.status("second")


def test_x_55_stop_that_comes_too_late_is_refused_where_people_look(team: Team) -> None:
    team.pipeline("web", stage("Build", commands("A", "true")))
    team.start("web")
    team.ended()
    refused = penstock(team, "stop", "run")
    assert refused.returncode == 1
    assert (
        refused.stderr == "penstock: PipelineExecutionNotStoppable: run run has ended: Succeeded\n"
    )

    ask(team)
    condition = eventually(
        lambda: team.condition("pipelineruns", "run", "RequestRefused"), 10, "the refusal"
    )
    assert condition["reason"] == "PipelineExecutionNotStoppable"
    assert team.status()["state"] == "Succeeded"
    assert team.status()["observedGeneration"] == team.run()["metadata"]["generation"]
    reason = "PipelineExecutionNotStoppable"
    told = eventually(lambda: dict(event_notes(team, "run")).get(reason), 10, "an Event")
    assert told == condition["message"]
    team.kube.kubectl(
        "-n", team.namespace, "wait", "--for=condition=Succeeded", "plr/run", "--timeout=50s"
    )


def test_command_stops_by_waiting_and_may_raise_it_to_abandon(team: Team) -> None:
    team.pipeline("web", stage("Build", commands("A", "sleep 60")))
    team.start("web")
    eventually(lambda: is_under_way(team, "A"), 30, "the action runs")
    assert penstock(team, "stop", "run").returncode == 0
    again = penstock(team, "stop", "run")
    assert again.returncode == 1
    assert "DuplicatedStopRequest: run run is asked to stop already; --abandon ends" in again.stderr
    assert penstock(team, "stop", "run", "--wait", "--abandon", "--timeout", "60").returncode == 0
    assert rows(team.status()) == {"Build": "Stopped", "A": "Abandoned"}
    assert penstock(team, "watch", "run").returncode == 3
