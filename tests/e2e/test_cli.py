"""What `penstock` asks and waits for on a real cluster: it does what editing
by hand does, its exit code tells.
"""

from __future__ import annotations

import re

import pytest
import yaml

from tests.e2e.conftest import Team, commands, stage
from tests.e2e.test_conditions import NEVER, place, rule
from tests.e2e.test_examples import penstock
from tests.support.approvals import approval_action, pending
from tests.support.install import ROOT, s3_client
from tests.support.kube import eventually


def asking(team: Team) -> None:
    """Apply a Pipeline that asks, and then ships."""
    team.pipeline("web", stage("Prod", approval_action(), commands("Ship", "true", runOrder=2)))


def test_oracle_o_52_start_with_the_same_client_token_twice_is_one_execution(team: Team) -> None:
    asking(team)
    token = ("start", "web", "--client-request-token", "Build-7F")
    first, second = penstock(team, *token), penstock(team, *token)
    assert (first.returncode, second.returncode) == (0, 0), second.stderr
    assert first.stdout == second.stdout
    (run,) = team.kube.objects("pipelineruns", team.namespace)
    assert run["metadata"]["name"] == first.stdout.strip()
    assert run["spec"]["requestedBy"] == run["spec"]["trigger"]["triggerDetail"] != ""
    other = penstock(team, *token, "--var", "A=b")
    assert (other.returncode, "ConflictException" in other.stderr) == (1, True)


def test_reject_retry_and_approve_tell_by_their_exit_codes_what_became(team: Team) -> None:
    asking(team)
    team.start("web")
    first = pending(team.kube, team.namespace)
    rejected = penstock(team, "reject", "run", "--comment", "not yet", "--wait", "--timeout", "20")
    assert rejected.returncode == 0, rejected.stdout + rejected.stderr
    status = team.ended()
    who = first["status"] and team.execution("Ok")["lastUpdatedBy"]
    assert (status["state"], status["statusSummary"]) == (
        "Failed",
        f"Prod/Ok: rejected by {who}: not yet",
    )
    again = penstock(team, "approve", "run")
    assert (again.returncode, again.stderr) == (
        1,
        "penstock: ApprovalAlreadyCompleted: Prod/Ok of run is Rejected\n",
    )
    refused = penstock(team, "retry", "run", "Nope", "--wait", "--timeout", "20")
    assert refused.returncode == 1
    assert refused.stderr.startswith("penstock: StageNotFound: "), refused.stderr

    assert penstock(team, "retry", "run", "Prod", "--reason", "tested meanwhile").returncode == 0
    second = pending(team.kube, team.namespace)
    assert second["metadata"]["name"] != first["metadata"]["name"]
    old = penstock(team, "approve", "run", "--token", first["spec"]["token"])
    assert (old.returncode, "InvalidApprovalToken" in old.stderr) == (1, True)
    assert "waits for approval" in penstock(team, "describe", "run").stdout
    approved = penstock(team, "approve", "run", "--action", "Prod/Ok", "--wait", "--timeout", "20")
    assert approved.returncode == 0, approved.stdout + approved.stderr
    assert penstock(team, "watch", "run", "--timeout", "60").returncode == 0


def test_rollback_runs_the_stage_as_of_an_earlier_run(team: Team) -> None:
    team.pipeline(
        "web", stage("Build", commands("Make", "true")), stage("Prod", commands("Ship", "true"))
    )
    assert penstock(team, "start", "web", "--name", "good", "--wait").returncode == 0
    back = penstock(team, "rollback", "web", "Prod", "--to", "good", "--name", "back", "--wait")
    assert back.returncode == 0, back.stdout + back.stderr
    run = team.run("back")
    assert (run["spec"]["executionType"], run["status"]["trigger"]["triggerType"]) == (
        "ROLLBACK",
        "ManualRollback",
    )
    assert [state["stageName"] for state in run["status"]["stageStates"]] == ["Prod"]
    nowhere = penstock(team, "rollback", "web", "Prod", "--to", "nowhere", "--wait")
    assert nowhere.returncode == 1


def test_transition_is_disabled_and_enabled_and_the_declaration_stays_the_floor(team: Team) -> None:
    stages = (stage("Build", commands("Make", "true")), stage("Prod", commands("Ship", "true")))
    team.pipeline("web", *stages)
    disabled = penstock(
        team, "transition", "disable", "web", "Prod", "--reason", "incident 42", "--wait"
    )
    assert disabled.returncode == 0, disabled.stderr
    team.start("web")
    why = "its inbound transition is disabled: incident 42"
    eventually(lambda: why in team.status().get("statusSummary", ""), 30, "the run waits")
    enabled = penstock(team, "transition", "enable", "web", "Prod", "--wait")
    assert enabled.returncode == 0, enabled.stderr
    assert team.ended()["state"] == "Succeeded"

    team.pipeline(
        "web", *stages, disableInboundStageTransitions=[{"stageName": "Prod", "reason": "freeze"}]
    )
    declared = penstock(team, "transition", "enable", "web", "Prod")
    assert (declared.returncode, "itself disables it" in declared.stderr) == (1, True)
    missing = penstock(team, "transition", "disable", "web", "Prdo", "--reason", "x")
    assert (missing.returncode, missing.stderr.startswith("penstock: StageNotFound: ")) == (1, True)


def test_override_lets_a_run_go_on_and_is_refused_where_there_is_nothing_to_override(
    team: Team,
) -> None:
    """C-07"""
    never = {"Cron": NEVER, "TimeZone": "UTC"}
    prod = {
        **stage("Prod", commands("Ship", "true")),
        "beforeEntry": place("FAIL", rule("DeploymentWindow", "Never", configuration=never)),
    }
    team.pipeline("web", stage("Build", commands("Make", "true")), prod)
    team.start("web")
    eventually(
        lambda: len(team.status().get("stageStates", [])) == 2, 30, "the run waits for its window"
    )
    wrong = penstock(
        team, "override", "run", "Prod", "--condition", "ON_SUCCESS", "--wait", "--timeout", "20"
    )
    assert (wrong.returncode, wrong.stderr.startswith("penstock: ConditionNotOverridable: ")) == (
        1,
        True,
    ), wrong.stderr
    done = penstock(
        team, "override", "run", "Prod", "--condition", "BEFORE_ENTRY", "--wait", "--timeout", "60"
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("lines", "code", "said"),
    [
        (["true"], 0, "Build/A: Succeeded"),
        (["exit 7"], 1, "Command failed with exit code 7: exit 7"),
    ],
)
def test_watch_tells_the_runs_end_by_its_exit_code(
    team: Team, lines: list[str], code: int, said: str
) -> None:
    spec = yaml.safe_load((ROOT / "examples" / "01-hello" / "pipeline.yaml").read_text())["spec"]
    action = {
        **spec["stages"][0]["actions"][0],
        "name": "A",
        "commands": lines,
        "outputVariables": [],
    }
    team.pipeline("p", {"name": "Build", "actions": [action]})
    watched = penstock(team, "start", "p", "--watch")
    assert (watched.returncode, said in watched.stdout) == (code, True), (
        watched.stdout + watched.stderr
    )


def test_start_of_a_pipeline_that_is_not_there_says_so(team: Team) -> None:
    begun = penstock(team, "start", "nope")
    assert begun.returncode == 1
    assert begun.stderr == 'penstock: pipelines.penstock.dev "nope" not found\n'


def test_start_twice_under_one_name_starts_one_run(team: Team) -> None:
    team.kube.apply((ROOT / "examples" / "01-hello" / "pipeline.yaml").read_text(), team.namespace)
    assert penstock(team, "start", "hello", "--name", "once").returncode == 0
    again = penstock(team, "start", "hello", "--name", "once")
    assert again.returncode == 1
    assert "already exists" in again.stderr
    assert len(team.kube.objects("pipelineruns", team.namespace)) == 1


def test_follow_prints_a_log_while_it_is_written(team: Team) -> None:
    spec = yaml.safe_load((ROOT / "examples" / "01-hello" / "pipeline.yaml").read_text())["spec"]
    lines = ["echo first", "sleep 3", "echo last"]
    action = {
        **spec["stages"][0]["actions"][0],
        "name": "A",
        "commands": lines,
        "outputVariables": [],
    }
    team.pipeline("p", {"name": "Build", "actions": [action]})
    team.start("p")
    followed = penstock(team, "logs", "run", "-f")
    assert [line for line in followed.stdout.splitlines() if "+ " not in line] == [
        "[Build/A] first",
        "[Build/A] last",
    ]


def test_first_hour_01_log_is_told_where_it_is_once_the_pod_is_gone(team: Team) -> None:
    """The key that is told is the key that the store has."""
    team.pipeline("web", stage("Build", commands("Make", "echo made")))
    assert penstock(team, "start", "web", "--name", "run", "--wait").returncode == 0
    assert "[Build/Make] made" in penstock(team, "logs", "run").stdout
    team.kube.kubectl(
        "-n", team.namespace, "delete", "job", team.execution("Make")["jobName"], "--wait"
    )
    eventually(lambda: not team.kube.objects("pods", team.namespace), 30, "the pod is gone")
    gone = penstock(team, "logs", "run")
    assert (gone.returncode, gone.stdout) == (1, "")
    told = re.search(r"its log is stored in the bucket (\S+) at (\S+) as (\S+)\n", gone.stderr)
    assert told, gone.stderr
    bucket, endpoint, key = told.groups()
    assert endpoint == team.cluster.s3.cluster_endpoint
    stored = s3_client(team.cluster).get_object(Bucket=bucket, Key=key)["Body"].read()
    assert b"made" in stored


def test_gitops_3_switch_that_git_declares_can_still_be_applied_from_git(team: Team) -> None:
    """The command leaves it alone, so that whoever applies it from Git is not
    refused for its requestedBy.
    """
    team.pipeline(
        "web", stage("Build", commands("Make", "true")), stage("Prod", commands("Ship", "true"))
    )
    labels = {"app.kubernetes.io/instance": "b6"}
    spec = {"pipelineName": "web", "stageName": "Prod", "enabled": False, "reason": "freeze"}
    declared = {
        "apiVersion": "penstock.dev/v1alpha1",
        "kind": "StageTransition",
        "metadata": {"name": "freeze", "labels": labels},
        "spec": spec,
    }
    team.kube.apply([declared], team.namespace)
    enabled = penstock(team, "transition", "enable", "web", "Prod")
    assert enabled.returncode == 1
    assert "is declared by app.kubernetes.io/instance: b6: change it there" in enabled.stderr
    assert team.kube.get("stagetransitions", team.namespace, "freeze")["spec"] == spec
    team.kube.kubectl("-n", team.namespace, "delete", "stt", "freeze")
    assert (
        penstock(team, "transition", "disable", "web", "Prod", "--reason", "x", "--wait").returncode
        == 0
    )
    assert penstock(team, "transition", "enable", "web", "Prod", "--wait").returncode == 0
