"""Retrying a stage: what runs again, what is kept, what is counted (X-60..X-62, X-65, X-66)."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.engine.commands import CreateJob, DeleteRun
from penstock.engine.settings import Settings
from tests.unit.engine.simulation import World, commands_action, stage
from tests.unit.engine.test_stop import conditions, events, statuses


def failed(**fields: Any) -> World:
    """Return the world of O-08: Make has failed and Lint still runs; Pack and
    Prod are to follow.
    """
    output = {"outputArtifacts": [{"name": "Report", "files": ["r"]}]}
    actions = (
        commands_action("Make"),
        commands_action("Lint", **output),
        commands_action("Pack", runOrder=2),
    )
    build = {**stage("Build", *actions), **fields}
    reads = commands_action("Check", inputArtifacts=[{"name": "Report"}])
    world = World.of(build, stage("Prod", reads))
    world.start()
    world.settle()
    world.fail(world.job_for("Make"))
    world.run_pod(world.job_for("Lint"))
    world.settle()
    return world


def end(world: World, *actions: str, run: str = "run-1") -> None:
    for action in actions:
        world.succeed(world.job_for(action, run))
        world.settle()


def attempts(world: World, action: str, run: str = "run-1") -> list[tuple[int, int, str]]:
    for state in world.status(run).stage_states:
        for item in state.action_states:
            if item.action_name == action:
                return [(row.attempt, row.try_, str(row.status)) for row in item.executions]
    return []


def test_oracle_o_09_failed_actions_run_again_and_what_had_not_started_follows() -> None:
    world = failed()
    end(world, "Lint")
    assert world.status().state == "Failed"
    kept = world.execution("Lint")
    world.advance(60)
    world.retry("Build", requestedBy="alice", reason="flaky")
    world.settle()

    assert world.status().state == "InProgress"
    assert (world.status().execution_attempt, world.status().completion_time) == (2, None)
    assert conditions(world) == {
        "Succeeded": ("Unknown", "InProgress"),
        "Ready": ("False", "InProgress"),
        "Reconciling": ("True", "InProgress"),
    }
    assert statuses(world) == {"Build": "InProgress", "Make": "InProgress", "Lint": "Succeeded"}
    assert (
        "RunResumed",
        "Retrying stage Build, FAILED_ACTIONS, as asked by alice (retry 1): flaky",
    ) in events(world)
    end(world, "Make", "Pack", "Check")

    assert world.status().state == "Succeeded"
    assert attempts(world, "Make") == [(1, 1, "Failed"), (2, 1, "Succeeded")]
    assert attempts(world, "Pack") == [(1, 1, "Succeeded")]
    assert world.execution("Lint") == kept, "a sibling that had succeeded is not touched"
    retried = world.execution("Make")
    assert retried is not None
    assert retried.start_time == "2026-11-21T12:01:00.000Z", "times are those of the attempt"
    assert kept is not None
    inputs = world.request(world.job_for("Check")).inputs
    assert [item.key for item in inputs] == [
        f"pipeline-uid/uid-run-1/Build/Lint/1/{kept.pod_uid}/Report"
    ]
    assert conditions(world) == {"Succeeded": ("True", "Succeeded"), "Ready": ("True", "Succeeded")}


def test_x_61_failed_actions_run_again_while_a_sibling_still_runs() -> None:
    world = failed()
    world.retry("Build")
    world.settle()

    assert statuses(world) == {"Build": "InProgress", "Make": "InProgress", "Lint": "InProgress"}
    assert attempts(world, "Lint") == [(1, 1, "InProgress")]
    assert world.status().execution_attempt is None, "the run had not ended"
    assert events(world)[-1] == (
        "StageRetried",
        "Retrying stage Build, FAILED_ACTIONS, as asked (retry 1)",
    )
    end(world, "Lint", "Make", "Pack", "Check")
    assert world.status().state == "Succeeded"


def test_x_61_all_actions_run_again_from_the_first_and_overwrite_what_they_made() -> None:
    world = failed()
    end(world, "Lint")
    first = world.execution("Lint")
    world.retry("Build", "ALL_ACTIONS")
    world.settle()
    assert statuses(world) == {"Build": "InProgress", "Make": "InProgress", "Lint": "InProgress"}
    end(world, "Make", "Lint")
    assert attempts(world, "Lint") == [(1, 1, "Succeeded"), (2, 1, "Succeeded")], (
        "its history stays"
    )
    end(world, "Pack")
    second = world.execution("Lint")
    assert first is not None
    assert second is not None
    inputs = world.request(world.job_for("Check")).inputs
    assert [item.key for item in inputs] == [
        f"pipeline-uid/uid-run-1/Build/Lint/2/{second.pod_uid}/Report"
    ]
    assert second.pod_uid != first.pod_uid


def test_x_61_group_that_failed_late_waits_for_its_turn_when_all_actions_run_again() -> None:
    world = failed()
    end(world, "Lint")
    world.retry("Build")
    world.settle()
    end(world, "Make")
    world.fail(world.job_for("Pack"))
    world.settle()
    world.retry("Build", "ALL_ACTIONS")
    world.settle()

    pack = next(a for a in world.status().stage_states[0].action_states if a.action_name == "Pack")
    assert (pack.awaits_retry, attempts(world, "Pack")) == (True, [(1, 1, "Failed")])
    end(world, "Make")
    assert attempts(world, "Pack") == [(1, 1, "Failed")]
    end(world, "Lint")
    assert attempts(world, "Pack") == [(1, 1, "Failed"), (2, 1, "InProgress")]
    assert attempts(world, "Make") == [(1, 1, "Failed"), (2, 1, "Succeeded"), (3, 1, "Succeeded")]


def test_x_66_state_of_the_stage_counts_retries_in_the_run_and_in_the_pipeline() -> None:
    world = failed()
    end(world, "Lint")
    for _ in range(2):
        world.retry("Build")
        world.settle()
        world.fail(world.job_for("Make"))
        world.settle()
    counted = world.status().stage_states[0].retry_stage_metadata
    assert counted is not None
    assert counted.to_dict() == {
        "manualStageRetryAttempt": 2,
        "latestRetryTrigger": "ManualStageRetry",
    }
    assert world.status().execution_attempt == 3
    assert [answer.refused for answer in world.status().retries] == [None, None]
    assert world.pipeline is not None
    assert world.pipeline.status.stage_states[0].retry_stage_metadata == counted


@pytest.mark.parametrize("abandon", [False, True])
def test_x_62_stopped_stage_is_retried_and_goes_on(abandon: bool) -> None:
    world = World.of(stage("Build", commands_action("Make"), commands_action("Pack", runOrder=2)))
    world.start()
    world.settle()
    world.stop(abandon=abandon)
    world.succeed(world.job_for("Make")) if not abandon else None
    world.settle()
    assert world.status().state == "Stopped"
    world.retry("Build")
    world.settle()

    assert world.status().state == "InProgress"
    assert attempts(world, "Make") == (
        [(1, 1, "Abandoned"), (2, 1, "InProgress")] if abandon else [(1, 1, "Succeeded")]
    )
    assert attempts(world, "Pack") == ([] if abandon else [(1, 1, "InProgress")])
    trigger = world.status().stop_trigger
    assert trigger is not None
    assert trigger.resumed_time is not None


def test_run_that_was_stopped_and_retried_is_stopped_again_by_a_new_request() -> None:
    world = World.of(stage("Build", commands_action("Make")))
    world.start()
    world.settle()
    world.stop(abandon=True)
    world.settle()
    world.retry("Build")
    world.settle()
    assert world.status().state == "InProgress"

    world.stop(abandon=True, afterRetries=1, reason="again")
    world.settle()
    assert world.status().state == "Stopped"
    assert world.status().status_summary == "stopped, as asked: again; abandoned: Build/Make"
    assert attempts(world, "Make") == [(1, 1, "Abandoned"), (2, 1, "Abandoned")]


def test_run_that_was_never_stopped_is_stopped_after_a_retry_as_ever() -> None:
    world = failed()
    end(world, "Lint")
    world.retry("Build")
    world.settle()
    world.stop(abandon=True)
    world.settle()
    assert world.status().state == "Stopped"


def test_lost_try_of_a_retried_attempt_is_made_again_within_that_attempt() -> None:
    world = failed()
    end(world, "Lint")
    world.retry("Build")
    world.settle()
    world.end_pod(world.job_for("Make"), "")
    world.settle()
    assert attempts(world, "Make") == [(1, 1, "Failed"), (2, 1, "Unknown"), (2, 2, "InProgress")]


def test_attempt_waits_for_containers_of_the_one_before() -> None:
    """Law: locks follow containers. A try that timed out may run on until its pod is gone."""
    world = failed()
    world.do_pods_linger = True
    end(world, "Lint")
    old = world.job_for("Make")
    world.run_pod(old)
    world.retry("Build")
    world.settle()
    assert attempts(world, "Make") == [(1, 1, "Failed")]
    assert world.status().state == "InProgress"

    world.fail(old)
    world.settle()
    assert attempts(world, "Make") == [(1, 1, "Failed"), (2, 1, "InProgress")]


def test_resumed_run_holds_its_stage_before_those_that_wait() -> None:
    freeze = [{"stageName": "Prod", "reason": "freeze"}]
    world = World.of(
        stage("Build", commands_action("Make")),
        stage("Prod", commands_action("Check")),
        executionMode="QUEUED",
    )
    world.start()
    world.settle()
    end(world, "Make")
    world.start("run-2")
    world.settle()
    end(world, "Make", run="run-2")
    assert world.reason("run-2") == "Waiting"
    assert world.pipeline is not None
    assert world.pipeline.spec is not None
    frozen = world.pipeline.spec.model_validate(
        {**world.pipeline.spec.to_dict(), "disableInboundStageTransitions": freeze}
    )
    world.change_pipeline(spec=frozen)
    world.fail(world.job_for("Check"))
    world.settle()
    assert world.reason("run-2") == "TransitionDisabled"
    world.retry("Prod")
    world.settle()

    assert statuses(world)["Prod"] == "InProgress", "a retry is no transition"
    assert statuses(world, "run-2") == {"Build": "Succeeded", "Make": "Succeeded"}


def test_retry_written_with_the_status_but_not_the_job_is_carried_out_once() -> None:
    """The operator dies between the status that starts the attempt and its Job."""
    world = failed()
    end(world, "Lint")
    world.retry("Build")
    plan = world.plan()
    world.apply(type(plan)(run_statuses=plan.run_statuses))
    world.settle()
    created = [c.manifest["metadata"]["name"] for c in world.history if isinstance(c, CreateJob)]
    assert created.count(world.job_for("Make")) == 1
    assert attempts(world, "Make") == [(1, 1, "Failed"), (2, 1, "InProgress")]


def test_run_that_is_resumed_is_not_deleted_by_the_history_limit() -> None:
    world = World.of(stage("Build", commands_action("Make")), failedRunsHistoryLimit=1)
    world.start()
    world.settle()
    world.fail(world.job_for("Make"))
    world.settle()
    world.change_pipeline(spec=world.spec.model_copy(update={"failed_runs_history_limit": 0}))
    world.retry("Build")
    world.settle()
    assert not [c for c in world.history if isinstance(c, DeleteRun)]
    assert world.status().state == "InProgress"


def test_pipeline_shows_the_run_that_entered_a_stage_last_and_the_youngest_as_its_last_run() -> (
    None
):
    world = World.of(
        stage("Build", commands_action("Make")),
        stage("Prod", commands_action("Check")),
        executionMode="QUEUED",
    )
    world.start()
    world.settle()
    end(world, "Make")
    world.fail(world.job_for("Check"))
    world.settle()
    world.advance(5)
    world.start("run-2")
    world.settle()
    world.fail(world.job_for("Make", "run-2"))
    world.settle()
    world.advance(5)
    world.retry("Prod")
    world.settle()
    assert world.pipeline is not None
    shown = {
        s.stage_name: s.latest_execution.run
        for s in world.pipeline.status.stage_states
        if s.latest_execution
    }
    assert shown == {"Build": "run-2", "Prod": "run-1"}
    assert world.pipeline.status.last_run == "run-2"


# ---- automatic

RETRY = {"onFailure": {"result": "RETRY"}}


def test_oracle_o_12_stage_is_retried_once_by_itself_and_then_fails() -> None:
    world = failed(**RETRY)
    end(world, "Lint")
    assert attempts(world, "Make") == [(1, 1, "Failed"), (2, 1, "InProgress")]
    assert attempts(world, "Lint") == [(1, 1, "Succeeded")]
    assert events(world)[-1] == ("StageRetried", "Retrying stage Build: automatic retry 1 of 1")
    world.fail(world.job_for("Make"))
    world.settle()

    assert world.status().state == "Failed"
    counted = world.status().stage_states[0].retry_stage_metadata
    assert counted is not None
    assert counted.to_dict() == {
        "autoStageRetryAttempt": 1,
        "latestRetryTrigger": "AutomatedStageRetry",
    }
    assert [reason for reason, _ in events(world)].count("RunFailed") == 1


def test_x_65_automatic_retry_of_all_actions() -> None:
    world = failed(
        onFailure={"result": "RETRY", "retryConfiguration": {"retryMode": "ALL_ACTIONS"}}
    )
    end(world, "Lint")
    assert attempts(world, "Lint") == [(1, 1, "Succeeded"), (2, 1, "InProgress")]


def test_more_automatic_retries_wait_twice_as_long_each_and_keep_the_stage() -> None:
    world = failed(
        onFailure={
            "result": "RETRY",
            "retryConfiguration": {"maxAttempts": 2, "backoffSeconds": 30},
        }
    )
    end(world, "Lint")
    assert attempts(world, "Make") == [(1, 1, "Failed")]
    assert world.reason() == "Retrying"
    assert (
        world.status().status_summary
        == "Build: automatic retry not before 2026-11-21T12:00:30.000Z"
    )
    assert world.last_plan.look_again == world.now.replace(second=30)
    world.start("run-2")
    world.settle()
    assert world.status("run-2").stage_states == ()

    world.advance(30)
    world.settle()
    world.fail(world.job_for("Make"))
    world.settle()
    assert attempts(world, "Make") == [(1, 1, "Failed"), (2, 1, "Failed")]
    world.advance(59)
    world.settle()
    assert len(attempts(world, "Make")) == 2
    world.advance(1)
    world.settle()
    assert attempts(world, "Make")[2:] == [(3, 1, "InProgress")]
    world.fail(world.job_for("Make"))
    world.settle()
    assert world.status().state == "Failed"


def test_run_that_waits_for_its_automatic_retry_can_be_stopped_at_once() -> None:
    world = failed(onFailure={"result": "RETRY", "retryConfiguration": {"backoffSeconds": 600}})
    end(world, "Lint")
    world.stop()
    world.settle()
    assert world.status().state == "Stopped"
    assert statuses(world)["Build"] == "Stopped"


def test_action_that_cannot_start_is_retried_no_more_often_than_declared() -> None:
    """Its variable has no value: it fails at once, in the same pass, each time."""
    unset = commands_action("Use", 'echo "#{Build.NONE}"', runOrder=2)
    makes = commands_action("Make", namespace="Build", outputVariables=["NONE"])
    world = World.of(
        {**stage("Build", makes, unset), "onFailure": {"result": "RETRY"}}, settings=Settings()
    )
    world.start()
    world.settle()
    end(world, "Make")
    assert attempts(world, "Use") == [(1, 1, "Failed"), (2, 1, "Failed")]
    assert world.status().state == "Failed"


def test_stopping_run_is_not_retried_by_itself() -> None:
    world = failed(**RETRY)
    world.stop()
    end(world, "Lint")
    assert world.status().state == "Stopped"
    assert attempts(world, "Make") == [(1, 1, "Failed")]


def test_stop_that_came_too_late_does_not_end_what_a_retry_resumes() -> None:
    world = World.of(stage("Build", commands_action("Make")))
    world.start()
    world.settle()
    world.fail(world.job_for("Make"))
    world.settle()
    world.stop(reason="too late")
    world.settle()
    world.retry("Build")
    world.settle()
    assert world.status().state == "InProgress"

    world.stop(afterRetries=1, reason="this time")
    world.settle()
    assert world.status().state == "Stopping"


def test_stop_that_is_asked_for_together_with_a_retry_and_counts_it_stops_what_is_resumed() -> None:
    world = World.of(stage("Build", commands_action("Make")))
    world.start()
    world.settle()
    world.fail(world.job_for("Make"))
    world.settle()
    world.retry("Build")
    world.stop(afterRetries=1, reason="not yet")
    world.settle()
    assert world.status().state == "Stopped"
    assert [row.attempt for row in world.status().stage_states[0].action_states[0].executions] == [
        1
    ]
