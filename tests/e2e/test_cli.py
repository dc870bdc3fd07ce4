"""What `penstock` asks and waits for on a real cluster: it does what editing by hand does, its exit code tells."""

from __future__ import annotations

from tests.approvals import approval_action, pending
from tests.e2e.conftest import Team, commands, stage
from tests.e2e.kube import eventually
from tests.e2e.test_conditions import NEVER, place, rule
from tests.e2e.test_examples import penstock


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
    assert (status["state"], status["statusSummary"]) == ("Failed", f"Prod/Ok: rejected by {who}: not yet")
    again = penstock(team, "approve", "run")
    assert (again.returncode, again.stderr) == (1, "penstock: ApprovalAlreadyCompleted: Prod/Ok of run is Rejected\n")
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
    team.pipeline("web", stage("Build", commands("Make", "true")), stage("Prod", commands("Ship", "true")))
    assert penstock(team, "start", "web", "--name", "good", "--wait").returncode == 0
    back = penstock(team, "rollback", "web", "Prod", "--to", "good", "--name", "back", "--wait")
    assert back.returncode == 0, back.stdout + back.stderr
    run = team.run("back")
    assert (run["spec"]["executionType"], run["status"]["trigger"]["triggerType"]) == ("ROLLBACK", "ManualRollback")
    assert [state["stageName"] for state in run["status"]["stageStates"]] == ["Prod"]
    nowhere = penstock(team, "rollback", "web", "Prod", "--to", "nowhere", "--wait")
    assert nowhere.returncode == 1


def test_transition_is_disabled_and_enabled_and_the_declaration_stays_the_floor(team: Team) -> None:
    stages = (stage("Build", commands("Make", "true")), stage("Prod", commands("Ship", "true")))
    team.pipeline("web", *stages)
    disabled = penstock(team, "transition", "disable", "web", "Prod", "--reason", "incident 42", "--wait")
    assert disabled.returncode == 0, disabled.stderr
    team.start("web")
    why = "its inbound transition is disabled: incident 42"
    eventually(lambda: why in team.status().get("statusSummary", ""), 30, "the run waits")
    enabled = penstock(team, "transition", "enable", "web", "Prod", "--wait")
    assert enabled.returncode == 0, enabled.stderr
    assert team.ended()["state"] == "Succeeded"

    team.pipeline("web", *stages, disableInboundStageTransitions=[{"stageName": "Prod", "reason": "freeze"}])
    declared = penstock(team, "transition", "enable", "web", "Prod")
    assert (declared.returncode, "itself disables it" in declared.stderr) == (1, True)
    missing = penstock(team, "transition", "disable", "web", "Prdo", "--reason", "x")
    assert (missing.returncode, missing.stderr.startswith("penstock: StageNotFound: ")) == (1, True)


def test_override_lets_a_run_go_on_and_is_refused_where_there_is_nothing_to_override(team: Team) -> None:
    """C-07"""
    never = {"Cron": NEVER, "TimeZone": "UTC"}
    prod = {
        **stage("Prod", commands("Ship", "true")),
        "beforeEntry": place("FAIL", rule("DeploymentWindow", "Never", configuration=never)),
    }
    team.pipeline("web", stage("Build", commands("Make", "true")), prod)
    team.start("web")
    eventually(lambda: len(team.status().get("stageStates", [])) == 2, 30, "the run waits for its window")
    wrong = penstock(team, "override", "run", "Prod", "--condition", "ON_SUCCESS", "--wait", "--timeout", "20")
    assert (wrong.returncode, wrong.stderr.startswith("penstock: ConditionNotOverridable: ")) == (1, True), wrong.stderr
    done = penstock(team, "override", "run", "Prod", "--condition", "BEFORE_ENTRY", "--wait", "--timeout", "60")
    assert done.returncode == 0, done.stdout + done.stderr
