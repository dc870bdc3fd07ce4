"""Conditions of stages on a real cluster (C-01..C-07, C-21..C-25), and
overrides by kubectl alone.
"""

from __future__ import annotations

import json
from typing import Any

from tests.e2e.conftest import Team, commands, stage
from tests.e2e.test_stop import as_asker, conditions, rows
from tests.support.kube import Document, eventually

NEVER = "0 0 0 1 1 ? 2099"


def rule(provider: str, name: str, **fields: Any) -> Document:
    type_id = {"category": "Rule", "owner": "AWS", "provider": provider, "version": "1"}
    return {"name": name, "ruleTypeId": type_id, **fields}


def place(result: str, *rules: Document) -> Document:
    return {"conditions": [{"result": result, "rules": list(rules)}]}


def asks(*lines: str, **fields: Any) -> Document:
    configuration = {"Image": "docker.io/library/busybox:1.35"}
    return rule("Commands", "Ask", configuration=configuration, commands=list(lines), **fields)


def override(team: Team, **request: Any) -> None:
    """Ask for an override as a user does who has nothing but kubectl."""
    patch = json.dumps({"spec": {"overrides": [request]}})
    team.kube.kubectl(
        "-n", team.namespace, *as_asker(request), "patch", "plr", "run", "--type=merge", "-p", patch
    )


def test_oracle_o_24_stage_is_skipped_where_a_variable_says_so(team: Team) -> None:
    makes = commands("Make", "GO=no", namespace="Build", outputVariables=["GO"])
    check = {"Variable": "#{Build.GO}", "Operator": "MATCHES", "Value": "y|yes"}
    skipped = {
        **stage("Deploy", commands("Ship", "exit 1")),
        "beforeEntry": place("SKIP", rule("VariableCheck", "Go", configuration=check)),
    }
    team.pipeline("web", stage("Build", makes), skipped, stage("After", commands("Look", "true")))
    team.start("web")
    status = team.ended()
    assert status["state"] == "Succeeded"
    assert rows(status) == {
        "Build": "Succeeded", "Make": "Succeeded", "Deploy": "Skipped", "After": "Succeeded",
        "Look": "Succeeded"
    }  # fmt: skip
    told = status["stageStates"][1]["beforeEntryConditionState"]["ruleStates"][0]["summary"]
    assert told == "#{Build.GO} MATCHES y|yes: it is no"


def test_c_24_rules_commands_read_an_artifact_before_and_after_the_stage(team: Team) -> None:
    makes = commands(
        "Make", "echo fine > report", outputArtifacts=[{"name": "Report", "files": ["report"]}]
    )
    reads = {"inputArtifacts": [{"name": "Report"}]}
    deploy = {
        **stage("Deploy", commands("Ship", "true")),
        "beforeEntry": place("FAIL", asks("grep fine report", **reads)),
        "onSuccess": place("FAIL", asks("echo 'not good enough'; exit 3", **reads)),
    }
    team.pipeline("web", stage("Build", makes), deploy)
    team.start("web")
    status = team.ended()
    assert rows(status) == {
        "Build": "Succeeded",
        "Make": "Succeeded",
        "Deploy": "Failed",
        "Ship": "Succeeded",
    }
    assert conditions(status)["Succeeded"] == ("False", "ConditionFailed")
    state = status["stageStates"][1]
    assert state["beforeEntryConditionState"]["status"] == "Succeeded"
    row = state["onSuccessConditionState"]["ruleStates"][0]["executions"][0]
    assert (row["status"], row["errorDetails"]["code"]) == ("Failed", "JobFailed")
    assert row["hasLog"], "its log is stored as an action's"

    override(
        team,
        stageName="Deploy",
        conditionType="ON_SUCCESS",
        requestedBy="alice",
        reason="good enough",
    )
    eventually(lambda: team.status()["state"] == "Succeeded", 20, "the run went on")
    assert team.status()["stageStates"][1]["onSuccessConditionState"]["status"] == "Overridden"


def test_c_21_window_is_waited_for_in_its_zone_and_overridden(team: Team) -> None:
    window = rule(
        "DeploymentWindow", "Window", configuration={"Cron": NEVER, "TimeZone": "Europe/Berlin"}
    )
    always = rule(
        "DeploymentWindow",
        "Always",
        configuration={"Cron": "0 * * ? * *", "TimeZone": "America/New_York"},
    )
    build = {**stage("Build", commands("Make", "true")), "beforeEntry": place("FAIL", always)}
    team.pipeline(
        "web",
        build,
        {**stage("Deploy", commands("Ship", "true")), "beforeEntry": place("FAIL", window)},
    )
    team.start("web")
    waiting = eventually(
        lambda: _reason(team) == "EvaluatingCondition" and team.status(), 30, "it waits"
    )
    assert rows(waiting)["Build"] == "Succeeded"
    assert "Window: the window does not open until" in waiting["statusSummary"]
    override(team, stageName="Deploy", conditionType="BEFORE_ENTRY")
    assert team.ended()["state"] == "Succeeded"


def test_c_04_failure_condition_decides_on_the_rollback(team: Team) -> None:
    ship = commands("Ship", '[ "$PENSTOCK_RUN" = run ]')
    back = {"onFailure": place("ROLLBACK", asks('echo "$PENSTOCK_RUN" | grep bad'))}
    team.pipeline("web", {**stage("Deploy", ship), **back})
    team.start("web")
    assert team.ended()["state"] == "Succeeded"
    team.start("web", "worse")
    assert "automaticRollback" not in team.ended("worse")
    team.start("web", "bad")
    name = team.ended("bad")["automaticRollback"]["run"]
    eventually(
        lambda: team.kube.find("pipelineruns", team.namespace, name), 10, "the rollback exists"
    )


def _reason(team: Team) -> str:
    condition = team.condition("pipelineruns", "run", "Succeeded")
    return str(condition["reason"]) if condition else ""
