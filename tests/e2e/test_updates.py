"""Edits of a Pipeline under its runs, and runs side by side, on a real
cluster (X-38..X-43, X-21).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster import Cluster
from tests.e2e.conftest import Team, commands, stage
from tests.e2e.gates import Gate
from tests.e2e.triggers_process import TriggersProcess
from tests.support.kube import Document, Kube, eventually


@pytest.fixture
def triggers(cluster: Cluster, kube: Kube, team: Team) -> Iterator[TriggersProcess]:
    process = TriggersProcess(cluster, kube, namespaces=[team.namespace])
    yield process
    process.stop()


def declare(team: Team, *lines: str, **spec: Any) -> None:
    """Apply the Pipeline with these commands in its first action."""
    make = commands("Make", *lines)
    team.pipeline("web", stage("Build", make, commands("Pack", "true", runOrder=2)), **spec)


def rows(status: Document) -> list[tuple[str, str]]:
    """Return the actions of a run that started, with their status."""
    states = [action for state in status.get("stageStates", []) for action in state["actionStates"]]
    return [(action["actionName"], action["executions"][-1]["status"]) for action in states]


def start_in_order(team: Team, *names: str) -> None:
    """Start runs one after the other: of two that are seen at once in one
    second, names decide who came first.
    """
    for name in names:
        team.start("web", name)
        eventually(lambda: team.condition("pipelineruns", name, "Succeeded"), 10, f"{name} is seen")  # noqa: B023


def is_running(team: Team, run: str) -> bool:
    return bool(rows(team.status(run)) == [("Make", "InProgress")])


def test_oracle_o_19_edit_lets_the_running_action_end_and_cancels_the_run(team: Team) -> None:
    gate = Gate(team.cluster)
    declare(team, gate.line, executionMode="QUEUED")
    start_in_order(team, "run", "next")
    eventually(
        lambda: is_running(team, "run") and team.condition("pipelineruns", "next", "Succeeded"),
        20,
        "it runs",
    )
    declare(team, "true", executionMode="QUEUED")
    assert team.ended("next")["state"] == "Cancelled"
    assert rows(team.status("run")) == [("Make", "InProgress")]

    gate.open()
    status = team.ended()
    assert (status["state"], status["stageStates"][0]["status"]) == ("Cancelled", "Cancelled")
    assert rows(status) == [("Make", "Succeeded")]
    told = team.condition("pipelineruns", "run", "Succeeded")
    assert told is not None
    assert told["reason"] == "PipelineUpdated"
    assert team.kube.get("pipelines", team.namespace, "web")["status"]["version"] == 2
    team.start("web", "after")
    assert team.ended("after")["state"] == "Succeeded"


def test_on_update_finish_and_a_re_sync_end_no_run(team: Team) -> None:
    gate = Gate(team.cluster)
    old = (gate.line, "echo old")
    declare(team, *old, onUpdate="Finish")
    team.start("web")
    eventually(lambda: is_running(team, "run"), 20, "it runs")
    declare(team, *old, onUpdate="Finish")
    declare(team, "echo new", onUpdate="Finish")
    gate.open()
    assert rows(team.ended()) == [("Make", "Succeeded"), ("Pack", "Succeeded")]


def test_oracle_o_04_parallel_runs_share_a_stage_and_those_above_the_limit_wait(team: Team) -> None:
    gate = Gate(team.cluster)
    declare(team, gate.line, executionMode="PARALLEL", maxConcurrentExecutions=2)
    for name in ("first", "second", "third"):
        team.start("web", name)
    eventually(
        lambda: is_running(team, "first") and is_running(team, "second"), 20, "two run at once"
    )
    waiting = eventually(
        lambda: team.condition("pipelineruns", "third", "Succeeded"), 10, "the third waits"
    )
    assert (waiting["reason"], waiting["message"]) == (
        "Queued",
        "waiting for one of 2 runs under way to end (spec.maxConcurrentExecutions)",
    )
    declare(team, "true", executionMode="PARALLEL", maxConcurrentExecutions=2)
    gate.open()
    ended = {name: team.ended(name) for name in ("first", "second", "third")}
    assert {status["state"] for status in ended.values()} == {"Succeeded"}
    assert [ended[name]["pipelineVersion"] for name in ("first", "second", "third")] == [1, 1, 2]


def test_x_21_pipeline_that_edits_itself_is_started_again_when_it_asks_for_it(
    team: Team, triggers: TriggersProcess
) -> None:
    def started() -> list[str]:
        runs = team.kube.objects("pipelineruns", team.namespace)
        return sorted(run["spec"]["trigger"]["triggerDetail"] for run in runs)

    def remembered() -> object:
        return team.kube.get("pipelines", team.namespace, "web")["status"].get("restartedVersion")

    triggers.start()
    declare(team, "true", restartExecutionOnUpdate=True)
    eventually(lambda: remembered() == 1, 20, "the first version is remembered")
    declare(team, "echo edited", restartExecutionOnUpdate=True)
    eventually(lambda: remembered() == 2, 20, "the edit is remembered")
    assert started() == [
        "pipeline web created",
        "restartExecutionOnUpdate: version 2 of pipeline web",
    ]
