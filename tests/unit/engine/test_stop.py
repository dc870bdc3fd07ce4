"""Stop and wait, stop and abandon (X-53..X-58)."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.engine.commands import CreateJob, DeleteJob, EmitEvent
from tests.unit.engine.simulation import World, commands_action, stage


def building(**fields: Any) -> World:
    """Return a world whose run-1 builds with two actions at once; a third and
    a stage are to follow.
    """
    actions = (
        commands_action("Make"),
        commands_action("Lint"),
        commands_action("Pack", runOrder=2),
    )
    world = World.of(stage("Build", *actions), stage("Prod", commands_action("Check")), **fields)
    world.start()
    world.settle()
    for action in ("Make", "Lint"):
        world.run_pod(world.job_for(action))
    return world


def events(world: World) -> list[tuple[str, str]]:
    return [
        (event.reason, event.message) for event in world.history if isinstance(event, EmitEvent)
    ]


def statuses(world: World, run: str = "run-1") -> dict[str, str]:
    """Return the stages and the actions of a run with their status."""
    found = {}
    for state in world.status(run).stage_states:
        found[state.stage_name] = str(state.status)
        found |= {a.action_name: str(a.latest.status) for a in state.action_states if a.latest}
    return found


def conditions(world: World, run: str = "run-1") -> dict[str, tuple[str, str]]:
    return {c.type: (c.status, c.reason) for c in world.status(run).conditions}


def test_oracle_o_15_stop_and_wait_lets_running_actions_end_and_starts_no_other() -> None:
    world = building()
    world.stop(reason="wrong branch", requestedBy="alice")
    world.settle()

    assert world.status().state == "Stopping"
    assert statuses(world) == {"Build": "Stopping", "Make": "InProgress", "Lint": "InProgress"}
    assert world.status().status_summary == (
        "stopping, as asked by alice: wrong branch; waiting for Build/Make, Build/Lint to end"
    )
    assert conditions(world) == {
        "Succeeded": ("Unknown", "Stopping"),
        "Ready": ("False", "Stopping"),
        "Reconciling": ("True", "Stopping"),
    }
    assert events(world)[-1] == ("RunStopping", "Stopping the run, as asked by alice: wrong branch")
    assert not [c for c in world.history if isinstance(c, DeleteJob)], (
        "stop and wait ends nothing itself"
    )

    world.succeed(world.job_for("Make"))
    world.settle()
    assert world.status().state == "Stopping"

    world.succeed(world.job_for("Lint"))
    world.settle()
    assert world.status().state == "Stopped"
    assert statuses(world) == {"Build": "Stopped", "Make": "Succeeded", "Lint": "Succeeded"}
    assert world.status().status_summary == "stopped, as asked by alice: wrong branch"
    assert conditions(world) == {
        "Succeeded": ("False", "Stopped"),
        "Ready": ("False", "Stopped"),
        "Stalled": ("True", "Stopped"),
    }
    assert events(world)[-1] == (
        "RunStopped",
        "Run stopped: stopped, as asked by alice: wrong branch",
    )


def test_stop_and_wait_whose_action_fails_ends_stopped_and_names_the_failure() -> None:
    world = building()
    world.stop()
    world.fail(world.job_for("Make"))
    world.succeed(world.job_for("Lint"))
    world.settle()

    assert world.status().state == "Stopped"
    assert statuses(world) == {"Build": "Failed", "Make": "Failed", "Lint": "Succeeded"}
    assert world.status().status_summary == "stopped, as asked; failed: Build/Make"


def test_stop_and_wait_makes_no_new_try_of_a_lost_one() -> None:
    world = building()
    world.stop()
    world.end_pod(world.job_for("Make"), "")
    world.succeed(world.job_for("Lint"))
    world.settle()

    lost = world.execution("Make")
    assert lost is not None
    assert (lost.try_, lost.status) == (1, "Failed")
    assert lost.error_details is not None
    assert "it is not run again, as the run is stopping" in lost.error_details.message
    assert world.status().state == "Stopped"


def test_oracle_o_16_abandoned_run_is_stopped_when_its_containers_have_ended() -> None:
    world = building()
    world.do_pods_linger = True
    jobs = {world.job_for("Make"), world.job_for("Lint")}
    world.stop(abandon=True, reason="now")
    world.settle()

    assert world.status().state == "Stopping"
    assert statuses(world) == {"Build": "Stopping", "Make": "Abandoned", "Lint": "Abandoned"}
    assert {c.name for c in world.history if isinstance(c, DeleteJob)} == jobs
    pods = [f"pod {world.job_for(action)}-x" for action in ("Make", "Lint")]
    hints = "".join(f"; if its node is lost: kubectl delete {pod} --force" for pod in pods)
    assert (
        world.status().status_summary
        == f"stopping, as asked: now; waiting for {', '.join(pods)} to end{hints}"
    )

    for job in sorted(jobs):
        world.succeed(job)
    world.settle()
    assert world.status().state == "Stopped"
    assert statuses(world) == {"Build": "Stopped", "Make": "Abandoned", "Lint": "Abandoned"}
    assert (
        world.status().status_summary == "stopped, as asked: now; abandoned: Build/Make, Build/Lint"
    )


def test_abandoned_action_keeps_its_pod_and_says_that_nothing_is_undone() -> None:
    world = building()
    world.stop(abandon=True)
    world.settle()

    row = world.execution("Make")
    assert row is not None
    assert (row.status, row.pod_name, row.output_artifacts) == (
        "Abandoned",
        f"{row.job_name}-x",
        (),
    )
    assert row.completion_time is not None
    assert row.running_time is not None
    assert row.error_details is not None
    assert row.error_details.model_dump() == {
        "code": "Abandoned",
        "message": "the run was stopped while the action ran; what it had done by then is not "
        "undone",
    }


def test_action_that_ended_before_it_was_abandoned_keeps_its_result() -> None:
    world = building()
    world.succeed(world.job_for("Make"))
    world.stop(abandon=True)
    world.settle()

    assert statuses(world) == {"Build": "Stopped", "Make": "Succeeded", "Lint": "Abandoned"}


def test_job_of_an_abandoned_action_that_was_never_created_is_not_created() -> None:
    """Crash between the status that starts an action and its Job; then the run is abandoned."""
    world = World.of(stage("Build", commands_action("Make")))
    world.start()
    plan = world.plan()
    world.apply(type(plan)(revisions=plan.revisions, run_statuses=plan.run_statuses))
    world.stop(abandon=True)
    world.settle()

    assert world.status().state == "Stopped"
    assert not [c for c in world.history if isinstance(c, CreateJob)]


def test_abandoned_job_whose_deletion_was_not_sent_is_deleted_later() -> None:
    world = building()
    world.stop(abandon=True)
    plan = world.plan()
    world.apply(type(plan)(run_statuses=plan.run_statuses))
    world.settle()

    assert world.jobs == {}
    assert world.status().state == "Stopped"


def test_x_57_stage_of_a_stopped_run_is_free_only_when_its_containers_have_ended() -> None:
    world = building(executionMode="QUEUED")
    world.do_pods_linger = True
    world.start("run-2")
    world.stop(abandon=True)
    world.settle()
    assert world.status("run-2").stage_states == ()

    world.fail(world.job_for("Make"))
    world.settle()
    assert world.status("run-2").stage_states == ()

    world.fail(world.job_for("Lint"))
    world.settle()
    assert world.status("run-1").state == "Stopped"
    assert statuses(world, "run-2") == {
        "Build": "InProgress",
        "Make": "InProgress",
        "Lint": "InProgress",
    }


@pytest.mark.parametrize("mode", ["QUEUED", "SUPERSEDED"])
def test_x_56_waiting_run_is_stopped_at_once_and_never_enters(mode: str) -> None:
    world = building(executionMode=mode)
    world.start("run-2")
    world.settle()
    world.stop("run-2", reason="not this one")
    world.settle()

    assert world.status("run-2").state == "Stopped"
    assert world.status("run-2").stage_states == ()
    assert world.status("run-2").status_summary == "stopped, as asked: not this one"
    assert world.status("run-1").state == "InProgress"


def test_x_56_run_between_two_stages_is_stopped_at_once() -> None:
    world = building(executionMode="QUEUED")
    for action in ("Make", "Lint", "Pack"):
        world.settle()
        world.succeed(world.job_for(action))
    world.settle()
    world.start("run-2")
    for action in ("Make", "Lint", "Pack"):
        world.settle()
        world.succeed(world.job_for(action, "run-2"))
    world.settle()
    assert world.reason("run-2") == "Waiting"

    world.stop("run-2")
    world.settle()
    assert world.status("run-2").state == "Stopped"
    assert statuses(world, "run-2")["Build"] == "Succeeded"


def test_run_that_is_stopped_before_its_pipeline_exists_is_stopped_at_once() -> None:
    world = World.of(stage("Build", commands_action("Make")))
    world.pipeline, world.is_pipeline_absent = None, True
    world.start()
    world.settle()
    world.stop(requestedBy="bob")
    world.settle()

    assert world.status().state == "Stopped"
    assert world.status().status_summary == "stopped, as asked by bob"
    assert world.status().start_time is not None


def test_run_created_with_a_stop_starts_nothing() -> None:
    world = World.of(stage("Build", commands_action("Make")))
    world.start(stop={"reason": "only listed"})
    world.settle()

    assert world.status().state == "Stopped"
    assert world.jobs == {}


def test_oracle_o_17_stop_and_wait_may_be_raised_to_abandon() -> None:
    """That nothing else may be asked of a stopping run is the schema's rule."""
    world = building()
    world.stop(reason="wait", requestedBy="alice")
    world.settle()
    world.advance(60)
    world.stop(abandon=True, reason="it hangs", requestedBy="bob")
    world.settle()

    trigger = world.status().stop_trigger
    assert trigger is not None
    assert (trigger.abandon, trigger.reason, trigger.requested_by) == (True, "it hangs", "bob")
    assert world.status().state == "Stopped"
    assert (
        world.status().status_summary
        == "stopped, as asked by bob: it hangs; abandoned: Build/Make, Build/Lint"
    )


def test_stop_goes_on_when_the_pipeline_is_deleted() -> None:
    world = building()
    world.stop()
    world.settle()
    world.pipeline, world.is_pipeline_absent = None, True
    for action in ("Make", "Lint"):
        world.succeed(world.job_for(action))
    world.settle()

    assert world.status().state == "Stopped"


def test_texts_of_a_request_stand_on_one_line() -> None:
    world = building()
    world.stop(abandon=True, reason="one\n\n two\t", requestedBy="  ")
    world.settle()
    trigger = world.status().stop_trigger
    assert trigger is not None
    assert (trigger.reason, trigger.requested_by) == ("one two", None)
