"""Conditions of stages and their rules (C-01..C-09, C-21..C-25)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from penstock.api.kinds.build_project import BuildProjectSpec
from penstock.engine.commands import CreateRun, DeleteJob
from tests.unit.engine.simulation import World, commands_action, git_action, stage
from tests.unit.engine.test_retry import attempts, end
from tests.unit.engine.test_stop import conditions, events, statuses


def rule(provider: str, name: str = "Check", **fields: Any) -> dict[str, Any]:
    """Return a rule."""
    return {"name": name, "ruleTypeId": {"category": "Rule", "provider": provider}, **fields}


def is_set(value: str = "yes", operator: str = "EQ", name: str = "Check") -> dict[str, Any]:
    configuration = {"Variable": "#{Build.DEPLOY}", "Value": value, "Operator": operator}
    return rule("VariableCheck", name, configuration=configuration)


def window(cron: str = "0 * 14 ? * *", name: str = "Window", **fields: Any) -> dict[str, Any]:
    return rule("DeploymentWindow", name, configuration={"Cron": cron, "TimeZone": "UTC"}, **fields)


def asks(name: str = "Ask", *commands: str) -> dict[str, Any]:
    return rule("Commands", name, commands=list(commands or ("ask",)))


def invokes() -> dict[str, Any]:
    return rule("LambdaInvoke", "Invoke", configuration={"FunctionName": "judge"})


def place(result: str, *rules: dict[str, Any]) -> dict[str, Any]:
    return {"conditions": [{"result": result, "rules": list(rules)}]}


def before_deploy(value: str = "yes", runs: int = 1, **conditions_: Any) -> World:
    """Return a world whose runs have built, with DEPLOY set; a stage with
    conditions and another follow.
    """
    makes = commands_action("Make", namespace="Build", outputVariables=["DEPLOY"])
    world = World.of(
        stage("Build", makes),
        {**stage("Deploy", commands_action("Ship")), **conditions_},
        stage("After", commands_action("Look")),
        executionMode="QUEUED",
    )
    for number in range(1, runs + 1):
        build(world, f"run-{number}", value)
    return world


def build(world: World, run: str, value: str) -> None:
    world.advance(1)
    world.start(run)
    world.settle()
    world.succeed(world.job_for("Make", run), variables={"DEPLOY": value})
    world.settle()


def condition(world: World, kind: str, run: str = "run-1") -> str | None:
    for state in world.status(run).stage_states:
        if state.stage_name == "Deploy" and (found := getattr(state, f"{kind}_condition_state")):
            return str(found.status) if found.status else None
    return None


# ---- before entry


def test_c_04_stage_whose_entry_condition_succeeds_starts() -> None:
    world = before_deploy(beforeEntry=place("FAIL", is_set()))
    assert condition(world, "before_entry") == "Succeeded"
    assert world.rule("before_entry", "Check").summary == "#{Build.DEPLOY} EQ yes: it is yes"
    end(world, "Ship", "Look")
    assert world.status().state == "Succeeded"
    assert world.pipeline is not None
    shown = {
        s.stage_name: s.before_entry_condition_state for s in world.pipeline.status.stage_states
    }
    assert shown["Deploy"] is not None
    assert shown["Deploy"].status == "Succeeded"


@pytest.mark.parametrize(
    ("operator", "value", "expected"),
    [
        ("EQ", "no", "Failed"),
        ("NE", "no", "Succeeded"),
        ("NE", "yes", "Failed"),
        ("CONTAINS", "e", "Succeeded"),
        ("CONTAINS", "E", "Failed"),
        ("MATCHES", "y|yes", "Succeeded"),
        ("MATCHES", "y", "Failed"),
    ],
)
def test_c_23_variable_is_compared_as_text(operator: str, value: str, expected: str) -> None:
    world = before_deploy(beforeEntry=place("FAIL", is_set(value, operator)))
    assert condition(world, "before_entry") == expected


def test_c_04_stage_whose_entry_condition_fails_fails_and_starts_nothing() -> None:
    world = before_deploy("no", beforeEntry=place("FAIL", is_set(), is_set("no", name="Other")))
    assert world.status().state == "Failed"
    assert statuses(world) == {"Build": "Succeeded", "Make": "Succeeded", "Deploy": "Failed"}
    assert conditions(world)["Succeeded"] == ("False", "ConditionFailed")
    assert (
        world.status().status_summary
        == "Deploy: beforeEntry: Check: #{Build.DEPLOY} EQ yes: it is no"
    )
    assert world.rule("before_entry", "Other").status == "Succeeded"


def test_oracle_o_24_entry_skip_leaves_the_stage_out_and_goes_on() -> None:
    world = before_deploy("no", beforeEntry=place("SKIP", is_set()))
    assert statuses(world) == {
        "Build": "Succeeded", "Make": "Succeeded", "Deploy": "Skipped", "After": "InProgress",
        "Look": "InProgress"
    }  # fmt: skip
    end(world, "Look")
    assert world.status().state == "Succeeded"
    world.retry("Deploy")
    world.settle()
    assert [a.refused.code for a in world.status().retries if a.refused] == ["StageNotRetryable"]
    world.override("Deploy")
    world.settle()
    assert [a.refused.code for a in world.status().overrides if a.refused] == [
        "ConditionNotOverridable"
    ]


def test_last_stage_that_is_skipped_ends_the_run_well() -> None:
    check = {**is_set("never"), "configuration": {"Variable": "a", "Value": "b", "Operator": "EQ"}}
    world = World.of(
        {**stage("Deploy", commands_action("Ship")), "beforeEntry": place("SKIP", check)}
    )
    world.start()
    world.settle()
    assert (world.status().state, statuses(world)) == ("Succeeded", {"Deploy": "Skipped"})


def test_c_03_rule_that_cannot_be_evaluated_errs_and_skips_nothing() -> None:
    unset = rule(
        "VariableCheck", configuration={"Variable": "#{Build.NONE}", "Value": "", "Operator": "EQ"}
    )
    world = before_deploy(beforeEntry=place("SKIP", unset))
    assert condition(world, "before_entry") == "Errored"
    assert world.status().state == "Failed"
    assert "#{Build.NONE} has no value" in (world.status().status_summary or "")


def test_c_05_window_is_waited_for_inside_the_locked_stage() -> None:
    world = before_deploy(runs=2, beforeEntry=place("FAIL", window()))
    assert statuses(world)["Deploy"] == "InProgress"
    assert world.reason() == "EvaluatingCondition"
    assert (
        world.status().status_summary
        == "Deploy: beforeEntry: Window: the window opens at 2026-11-21T14:00:00Z"
    )
    assert world.last_plan.look_again == world.now.replace(hour=14, minute=0, second=0)
    assert "Deploy" not in statuses(world, "run-2")
    world.advance(2 * 3600)
    world.settle()
    assert statuses(world)["Ship"] == "InProgress"
    end(world, "Ship")
    assert statuses(world, "run-2")["Ship"] == "InProgress", "the window is open already"


def test_c_21_window_that_does_not_open_in_time_fails() -> None:
    world = before_deploy(
        beforeEntry=place("FAIL", window("0 0 9 ? * * 2030", timeoutInMinutes=60))
    )
    assert "does not open until 2026-11-21T13:00:01Z, the limit" in (
        world.status().status_summary or ""
    )
    world.advance(3600)
    world.settle()
    assert world.status().state == "Failed"
    assert "the window did not open until" in (world.status().status_summary or "")


def test_window_is_not_waited_for_when_another_rule_has_failed() -> None:
    world = before_deploy("no", beforeEntry=place("FAIL", window(), is_set()))
    assert world.status().state == "Failed"
    assert world.rule("before_entry", "Window").status == "Abandoned"


def test_c_24_commands_rule_runs_as_a_job_that_holds_the_stage() -> None:
    world = before_deploy(runs=2, beforeEntry=place("FAIL", asks("Ask", 'ask "#{Build.DEPLOY}"')))
    row = world.rule("before_entry", "Ask").executions[-1]
    assert "Ship" not in statuses(world)
    request = world.request(row.job_name)
    assert (request.attempt.action, request.provider) == ("beforeEntry/Ask", "commands")
    assert request.script is not None
    assert list(request.script.values.values()) == ["yes"]
    world.succeed(row.job_name)
    world.settle()
    assert condition(world, "before_entry") == "Succeeded"
    assert statuses(world)["Ship"] == "InProgress"
    assert world.jobs, "the sweep took a Job for unknown"


def test_rule_whose_commands_fail_fails_and_one_that_is_lost_errs() -> None:
    world = before_deploy(beforeEntry=place("FAIL", asks()))
    world.fail(world.rule("before_entry", "Ask").executions[-1].job_name, message="said no")
    world.settle()
    assert condition(world, "before_entry") == "Failed"
    assert ("RuleFailed", "Deploy/beforeEntry/Ask: JobFailed: said no") in events(world)
    world = before_deploy(beforeEntry=place("FAIL", asks()))
    for _ in range(world.settings.lost_tries):
        world.end_pod(world.rule("before_entry", "Ask").executions[-1].job_name, "")
        world.settle()
    assert condition(world, "before_entry") == "Errored"


# ---- on success


def test_c_04_stage_whose_success_condition_fails_fails() -> None:
    world = before_deploy("no", onSuccess=place("FAIL", is_set()))
    end(world, "Ship")
    assert (world.status().state, world.reason()) == ("Failed", "ConditionFailed")
    assert statuses(world)["Deploy"] == "Failed"


def test_oracle_o_26_success_condition_rolls_back() -> None:
    """O-26 with a rule that Penstock has: what matters is the result."""
    world = before_deploy(onSuccess=place("ROLLBACK", asks()))
    end(world, "Ship")
    world.succeed(world.rule("on_success", "Ask").executions[-1].job_name)
    world.settle()
    end(world, "Look")
    build(world, "run-2", "yes")
    end(world, "Ship", run="run-2")
    world.fail(world.rule("on_success", "Ask", run="run-2").executions[-1].job_name)
    world.settle()
    (created,) = [c.manifest for c in world.history if isinstance(c, CreateRun)]
    back = created["metadata"]["name"]
    assert world.status("run-2").state == "Failed"
    assert f"rolled back to run run-1 by run {back}" in (world.status("run-2").status_summary or "")
    end(world, "Ship", run=back)
    assert world.status(back).state == "Succeeded", "a rollback's stage has no conditions"


# ---- on failure


@pytest.mark.parametrize(("value", "expected"), [("yes", 1), ("no", 0)])
def test_c_04_failure_condition_engages_its_result_when_it_succeeds(
    value: str, expected: int
) -> None:
    world = before_deploy(value, onFailure={**place("ROLLBACK", is_set()), "result": "ROLLBACK"})
    end(world, "Ship", "Look")
    build(world, "run-2", value)
    world.fail(world.job_for("Ship", "run-2"))
    world.settle()
    assert world.status("run-2").state == "Failed"
    assert len([c for c in world.history if isinstance(c, CreateRun)]) == expected
    assert condition(world, "on_failure", "run-2") == ("Succeeded" if expected else "Failed")


@pytest.mark.parametrize(("succeeds", "expected"), [(True, "Failed"), (False, "Succeeded")])
def test_c_22_error_of_a_function_meets_the_condition_of_a_failed_stage(
    succeeds: bool, expected: str
) -> None:
    world = before_deploy(onFailure=place("ROLLBACK", invokes()))
    world.fail(world.job_for("Ship"))
    world.settle()
    job = world.rule("on_failure", "Invoke").executions[-1].job_name
    (world.succeed if succeeds else world.fail)(job)
    world.settle()
    assert condition(world, "on_failure") == expected


@pytest.mark.parametrize(("succeeds", "expected"), [(True, "InProgress"), (False, "Skipped")])
def test_c_06_function_may_say_that_a_stage_is_skipped(succeeds: bool, expected: str) -> None:
    world = before_deploy(beforeEntry=place("SKIP", invokes()))
    job = world.rule("before_entry", "Invoke").executions[-1].job_name
    (world.succeed if succeeds else world.fail)(job)
    world.settle()
    assert statuses(world)["Deploy"] == expected


def test_failed_stage_stays_open_while_its_failure_condition_is_evaluated() -> None:
    world = before_deploy(onFailure=place("ROLLBACK", asks()))
    world.fail(world.job_for("Ship"))
    world.settle()
    assert statuses(world)["Deploy"] == "InProgress"
    world.retry("Deploy")
    world.settle()
    assert [a.refused.code for a in world.status().retries if a.refused] == ["Conflict"]
    world.fail(world.rule("on_failure", "Ask").executions[-1].job_name)
    world.settle()
    assert world.status().state == "Failed"


# ---- retry, stop, crash


def test_c_08_condition_that_failed_a_stage_is_evaluated_again_by_a_retry() -> None:
    world = before_deploy(beforeEntry=place("FAIL", asks()))
    world.fail(world.rule("before_entry", "Ask").executions[-1].job_name)
    world.settle()
    world.retry("Deploy")
    world.settle()
    rows = world.rule("before_entry", "Ask").executions
    assert [(row.attempt, row.status) for row in rows] == [(1, "Failed"), (2, "InProgress")]
    world.succeed(rows[-1].job_name)
    world.settle()
    world.fail(world.job_for("Ship"))
    world.settle()
    world.retry("Deploy")
    world.settle()
    assert attempts(world, "Ship") == [(1, 1, "Failed"), (2, 1, "InProgress")]
    assert len(world.rule("before_entry", "Ask").executions) == 2, (
        "what was passed is not asked again"
    )


def test_stopped_stage_whose_success_condition_was_not_met_goes_on_with_it_after_a_retry() -> None:
    world = before_deploy(onSuccess=place("FAIL", asks()))
    end(world, "Ship")
    world.stop(abandon=True)
    world.settle()
    assert statuses(world)["Deploy"] == "Stopped"
    assert condition(world, "on_success") == "Abandoned"
    world.retry("Deploy")
    world.settle()
    assert attempts(world, "Ship") == [(1, 1, "Succeeded")]
    rows = world.rule("on_success", "Ask").executions
    assert [(row.attempt, row.status) for row in rows] == [(1, "Abandoned"), (2, "InProgress")]
    world.succeed(rows[-1].job_name)
    world.settle()
    assert statuses(world)["Look"] == "InProgress"


def test_stop_by_waiting_waits_for_a_rules_job_and_not_for_a_window() -> None:
    world = before_deploy(beforeEntry=place("FAIL", asks(), window()))
    world.stop()
    world.settle()
    assert world.status().state == "Stopping"
    world.succeed(world.rule("before_entry", "Ask").executions[-1].job_name)
    world.settle()
    assert world.status().state == "Stopped"
    assert condition(world, "before_entry") == "Abandoned"
    assert world.rule("before_entry", "Window").status == "Abandoned"


def test_rule_whose_job_was_never_created_is_created_once_after_a_crash() -> None:
    world = before_deploy(runs=0, beforeEntry=place("FAIL", asks()))
    world.start()
    world.settle()
    world.succeed(world.job_for("Make"), variables={"DEPLOY": "yes"})
    plan = world.plan()
    world.apply(type(plan)(run_statuses=plan.run_statuses))
    world.settle()
    assert world.rule("before_entry", "Ask").executions[-1].job_name in world.jobs


# ---- overrides (C-07)


def test_c_07_window_is_overridden_while_it_is_waited_for() -> None:
    world = before_deploy(beforeEntry=place("FAIL", window()))
    world.override("Deploy", requestedBy="alice", reason="urgent")
    world.settle()
    assert condition(world, "before_entry") == "Overridden"
    assert world.rule("before_entry", "Window").status == "Abandoned"
    assert statuses(world)["Ship"] == "InProgress"
    told = (
        "Condition beforeEntry of stage Deploy is overridden by alice (spec.overrides[0]): urgent"
    )
    assert ("ConditionOverridden", told) in events(world)


def test_c_07_rules_job_under_way_is_abandoned_when_its_condition_is_overridden() -> None:
    world = before_deploy(onSuccess=place("FAIL", asks()))
    end(world, "Ship")
    job = world.rule("on_success", "Ask").executions[-1].job_name
    world.override("Deploy", "ON_SUCCESS")
    world.settle()
    assert [c.name for c in world.history if isinstance(c, DeleteJob)] == [job]
    assert world.rule("on_success", "Ask").executions[-1].status == "Abandoned"
    assert statuses(world)["Look"] == "InProgress"


def test_oracle_o_25_entry_condition_that_has_failed_its_stage_is_overridden() -> None:
    """O-25 with a rule that Penstock has: the stage goes on."""
    world = before_deploy("no", beforeEntry=place("FAIL", is_set()))
    assert world.status().state == "Failed"
    world.override("Deploy")
    world.settle()
    assert (world.status().state, statuses(world)["Ship"]) == ("InProgress", "InProgress")
    assert world.status().execution_attempt == 2
    end(world, "Ship", "Look")
    assert world.status().state == "Succeeded"


def test_stop_that_came_too_late_does_not_end_what_an_override_lets_go_on() -> None:
    world = before_deploy("no", beforeEntry=place("FAIL", is_set()))
    world.stop(reason="too late")
    world.settle()
    world.override("Deploy")
    world.settle()
    assert (world.status().state, statuses(world)["Ship"]) == ("InProgress", "InProgress")


def test_c_07_success_condition_that_has_failed_its_stage_is_overridden() -> None:
    world = before_deploy("no", onSuccess=place("FAIL", is_set()))
    end(world, "Ship")
    world.override("Deploy", "ON_SUCCESS")
    world.settle()
    assert statuses(world)["Deploy"] == "Succeeded"
    assert statuses(world)["Look"] == "InProgress"


def test_c_07_failure_condition_that_is_overridden_leaves_the_stage_failed() -> None:
    world = before_deploy(onFailure=place("ROLLBACK", asks()))
    world.fail(world.job_for("Ship"))
    world.settle()
    world.override("Deploy", "ON_FAILURE")
    world.settle()
    assert world.status().state == "Failed"
    assert not [c for c in world.history if isinstance(c, CreateRun)]


@pytest.mark.parametrize(
    ("kind", "place_name"), [("ON_FAILURE", "onFailure"), ("ON_SUCCESS", "onSuccess")]
)
def test_stage_is_held_until_the_pod_of_an_overridden_rule_has_ended(
    kind: str, place_name: str
) -> None:
    """A pod that the cache has not seen yet may run all the same: the next run stays out."""
    declared: dict[str, Any] = {place_name: place("ROLLBACK", asks())}
    world = before_deploy(**declared)
    ended = world.fail if kind == "ON_FAILURE" else world.succeed
    ended(world.job_for("Ship"))
    world.settle()
    rule_name = "on_failure" if kind == "ON_FAILURE" else "on_success"
    job = world.rule(rule_name, "Ask").executions[-1].job_name
    build(world, "run-2", "yes")
    world.do_pods_linger = True
    world.run_pod(job)
    world.override("Deploy", kind)
    world.settle()
    pod = world.pods[job].name
    assert statuses(world)["Deploy"] == "InProgress"
    assert world.status().status_summary == (
        f"Deploy: waiting for pod {pod} to end; if its node is lost: kubectl delete pod {pod} "
        f"--force"
    )
    assert "Deploy" not in statuses(world, "run-2")
    del world.pods[job]
    world.settle()
    assert statuses(world)["Deploy"] == ("Failed" if kind == "ON_FAILURE" else "Succeeded")
    assert "Deploy" in statuses(world, "run-2")


def test_cancelled_run_is_held_until_the_pod_of_an_overridden_rule_has_ended() -> None:
    """The override and the edit are seen in one pass, before the cache sees the rule's pod."""
    world = before_deploy(onSuccess=place("FAIL", asks()))
    world.succeed(world.job_for("Ship"))
    world.settle()
    job = world.rule("on_success", "Ask").executions[-1].job_name
    world.do_pods_linger = True
    world.run_pod(job)
    world.override("Deploy", "ON_SUCCESS")
    world.edit(stages=[stage("Build", commands_action("Other"))])
    world.settle()
    assert statuses(world)["Deploy"] == "InProgress"
    assert world.status().state == "InProgress"
    del world.pods[job]
    world.settle()
    assert world.status().state == "Cancelled"


def refusals(world: World) -> list[str]:
    return [answer.refused.code for answer in world.status().overrides if answer.refused]


def test_override_that_cannot_be_is_refused_once() -> None:
    world = before_deploy(beforeEntry=place("FAIL", is_set()))
    for name, kind in (
        ("Deploy", "BEFORE_ENTRY"),
        ("Deploy", "ON_SUCCESS"),
        ("After", "ON_SUCCESS"),
        ("No", "ON_SUCCESS"),
    ):
        world.override(name, kind)
    world.settle()
    assert refusals(world) == ["ConditionNotOverridable"] * 3 + ["StageNotFound"]
    assert conditions(world)["RequestRefused"] == ("True", "StageNotFound")
    end(world, "Ship", "Look")
    world.override("Deploy")
    world.settle()
    assert len(refusals(world)) == 5
    assert world.snapshot().late == ()


def test_condition_of_a_stage_that_a_newer_run_has_entered_is_not_overridden() -> None:
    world = before_deploy("no", beforeEntry=place("FAIL", is_set()))
    build(world, "run-2", "yes")
    world.override("Deploy")
    world.settle()
    assert refusals(world) == ["NotLatestPipelineExecution"]


def test_window_of_a_cancelled_run_is_left() -> None:
    world = before_deploy(beforeEntry=place("FAIL", window()))
    world.edit(stages=[stage("Build", commands_action("Other"))])
    world.settle()
    assert world.status().state == "Cancelled"
    assert condition(world, "before_entry") == "Abandoned"


def test_limit_of_a_window_counts_from_when_the_condition_was_come_to() -> None:
    world = before_deploy(beforeEntry=place("FAIL", window("0 0 9 ? * * 2030")))
    world.advance(timedelta(days=7).total_seconds() - 1)
    world.settle()
    assert world.status().state == "InProgress"
    world.advance(1)
    world.settle()
    assert world.status().state == "Failed"


def test_override_seen_together_with_the_end_of_the_last_action_creates_no_job() -> None:
    """The rule begins in the pass in which its condition is overridden."""
    world = before_deploy(onSuccess=place("FAIL", asks()))
    world.succeed(world.job_for("Ship"))
    world.override("Deploy", "ON_SUCCESS")
    jobs = set(world.jobs)
    world.settle()
    assert condition(world, "on_success") == "Overridden"
    assert world.rule("on_success", "Ask").executions == ()
    assert {
        world.manifests[job]["metadata"]["annotations"]["penstock.dev/action"]
        for job in set(world.jobs) - jobs
    } == {"Look"}


def test_c_25_build_rule_runs_on_its_project() -> None:
    builds = rule(
        "CodeBuild",
        "Audit",
        configuration={"ProjectName": "web"},
        inputArtifacts=[{"name": "Source"}],
    )
    world = World.of(
        stage("Source", git_action()),
        {**stage("Deploy", commands_action("Ship")), "beforeEntry": place("FAIL", builds)},
    )
    world.build_projects["web"] = BuildProjectSpec.model_validate(
        {"image": "docker.io/library/debian:12-slim"}
    )
    world.start()
    world.settle()
    end(world, "Fetch")
    row = world.rule("before_entry", "Audit").executions[-1]
    assert row.build_project is not None
    assert row.build_project.name == "web"
    request = world.request(row.job_name)
    assert request.build is not None
    assert [item.name for item in request.inputs] == ["Source"]
    assert row.build_project.revision in world.revisions
    world.succeed(row.job_name)
    world.settle()
    assert statuses(world)["Ship"] == "InProgress"
