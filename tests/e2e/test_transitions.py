"""Transitions on a real cluster (X-71..X-74): declared in the Pipeline, and
switched beside it by kubectl.
"""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.e2e.conftest import Team, commands, stage
from tests.support.kube import Document, eventually

FREEZE = [{"stageName": "Prod", "reason": "release freeze"}]


def declare(team: Team, mode: str, disabled: list[Document]) -> None:
    """Apply the Pipeline as a team keeps it in Git, with these transitions disabled."""
    stages = (stage("Build", commands("Make", "true")), stage("Prod", commands("Check", "true")))
    team.pipeline("web", *stages, executionMode=mode, disableInboundStageTransitions=disabled)


def prod(team: Team) -> Document:
    """Return stage Prod as the Pipeline's status shows it."""
    states = (
        team.kube.get("pipelines", team.namespace, "web").get("status", {}).get("stageStates", [])
    )
    return next((state for state in states if state["stageName"] == "Prod"), {})


def waiting(team: Team) -> list[str]:
    """Return the runs that the Pipeline's status shows in front of Prod."""
    return [item["run"] for item in prod(team).get("inboundExecutions", [])]


@pytest.mark.parametrize("mode", ["SUPERSEDED", "QUEUED"])
def test_oracle_o_18_runs_pile_up_in_front_of_a_disabled_stage_until_it_is_enabled(
    team: Team, mode: str
) -> None:
    declare(team, mode, FREEZE)
    runs = ["first", "second"]
    for name in runs:
        team.start("web", name)
        eventually(lambda: waiting(team)[-1:] == [name], 30, f"{name} waits in front of Prod")  # noqa: B023
    kept = runs[1:] if mode == "SUPERSEDED" else runs
    assert waiting(team) == kept
    state = prod(team)
    assert (
        state["inboundTransitionState"]["enabled"],
        state["inboundTransitionState"]["disabledReason"],
    ) == (
        False,
        "release freeze",
    )
    built = team.status("second")["stageStates"][0]["completionTime"]
    assert state["inboundExecutions"][-1]["waitingSince"] == built
    why = "waiting for stage Prod: its inbound transition is disabled: release freeze"
    assert team.status("second")["statusSummary"] == why

    declare(team, mode, [])
    ended = [team.ended(name) for name in runs]
    assert [status["state"] for status in ended] == [
        "Superseded" if mode == "SUPERSEDED" else "Succeeded",
        "Succeeded",
    ]
    entered = [
        status["stageStates"][1]["startTime"] for status in ended if len(status["stageStates"]) > 1
    ]
    assert entered == sorted(entered)
    eventually(lambda: not waiting(team), 10, "nobody waits any more")
    assert prod(team)["inboundTransitionState"]["enabled"] is True
    assert team.kube.get("pipelines", team.namespace, "web")["status"]["version"] == 1


def switch(team: Team, user: str, **spec: Any) -> None:
    """Write the switch in front of Prod as somebody does who has nothing but kubectl."""
    wanted = {"pipelineName": "web", "stageName": "Prod", "requestedBy": user, **spec}
    body = {
        "apiVersion": "penstock.dev/v1alpha1",
        "kind": "StageTransition",
        "metadata": {"name": "freeze"},
        "spec": wanted,
    }
    who = ("--as", user, "--as-group", "system:masters")
    arguments = (
        "-n",
        team.namespace,
        *who,
        "apply",
        "--server-side",
        f"--field-manager={user}",
        "--force-conflicts",
    )
    team.kube.kubectl(*arguments, "-f", "-", text=yaml.safe_dump(body))


def test_switch_holds_runs_until_somebody_enables_it_whatever_gitops_applies_again(
    team: Team,
) -> None:
    """Server-side apply of the Git version over it, as self-healing does, undoes nothing."""
    declare(team, "SUPERSEDED", [])
    switch(team, "alice", enabled=False, reason="incident 42")
    eventually(
        lambda: prod(team).get("inboundTransitionState"), 20, "the Pipeline shows the switch"
    )
    team.start("web")
    eventually(lambda: waiting(team) == ["run"], 30, "the run waits in front of Prod")
    declare(team, "SUPERSEDED", [])
    state = prod(team)["inboundTransitionState"]
    assert (state["enabled"], state["disabledReason"], state["lastChangedBy"]) == (
        False,
        "incident 42",
        "alice",
    )
    why = "waiting for stage Prod: its inbound transition is disabled: incident 42 (by alice)"
    assert team.status()["statusSummary"] == why
    assert "incident 42" in team.kube.kubectl("-n", team.namespace, "get", "stt")

    switch(team, "bob", enabled=True)
    assert team.ended()["state"] == "Succeeded"
    state = eventually(lambda: enabled(team), 10, "the Pipeline shows that it is enabled")
    assert state["lastChangedBy"] == "bob"
    assert "disabledReason" not in state


def enabled(team: Team) -> Document | None:
    state: Document = prod(team)["inboundTransitionState"]
    return state if state["enabled"] else None
