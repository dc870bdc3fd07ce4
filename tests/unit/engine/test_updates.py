"""What an edit of the Pipeline does to its runs (X-40..X-43)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from penstock.api.kinds.pipeline import ArtifactStore
from penstock.engine.commands import EmitEvent
from tests.unit.engine.simulation import World, commands_action, stage

BUILD = stage("Build", commands_action("Make"), commands_action("Pack", runOrder=2))
PROD = stage("Prod", commands_action("Check"))
EDITED = [BUILD, stage("Prod", commands_action("Check", "true --really"))]


def under_way(mode: str = "SUPERSEDED", **fields: Any) -> World:
    """Return a world whose run-1 is in Build, with run-2 behind it."""
    world = World.of(BUILD, PROD, executionMode=mode, **fields)
    world.start("run-1")
    world.settle()
    world.start("run-2")
    world.settle()
    return world


def version(world: World) -> int | None:
    assert world.pipeline is not None
    return world.pipeline.status.version


@pytest.mark.parametrize("mode", ["SUPERSEDED", "QUEUED"])
def test_oracle_o_19_an_edit_cancels_a_run_once_its_running_action_has_ended(mode: str) -> None:
    world = under_way(mode)
    world.edit(stages=EDITED)
    world.settle()

    assert world.status("run-1").state == "InProgress"
    assert world.reason("run-1") == "PipelineUpdated"
    assert world.status("run-2").state == "Cancelled"

    world.succeed(world.job_for("Make", "run-1"))
    world.settle()
    status = world.status("run-1")
    assert (status.state, status.stage_states[0].status) == ("Cancelled", "Cancelled")
    assert world.execution("Make", "run-1").status == "Succeeded"  # type: ignore[union-attr]
    assert world.execution("Pack", "run-1") is None
    assert world.live_jobs() == []
    assert version(world) == 2
    assert "start a new run" in (status.status_summary or "")
    shown = {c.type: c.status for c in status.conditions}
    assert shown == {"Succeeded": "False", "Ready": "False", "Stalled": "True"}
    told = [c.reason for c in world.history if isinstance(c, EmitEvent) and c.name == "run-1"]
    assert told == ["RunStarted", "RunCancelled"]


def test_x_40_run_that_starts_after_the_edit_runs_the_new_definition() -> None:
    world = under_way()
    world.edit(stages=[stage("Build", commands_action("New"))])
    world.start("run-3")
    world.settle()
    world.succeed(world.job_for("Make", "run-1"))
    world.settle()
    assert world.live_jobs() == [world.job_for("New", "run-3")]
    assert world.status("run-3").pipeline_version == 2


@pytest.mark.parametrize(
    "fields",
    [
        {"disableInboundStageTransitions": [{"stageName": "Prod", "reason": "freeze"}]},
        {"successfulRunsHistoryLimit": 3},
        {"onUpdate": "Finish"},
        {"version": 7},
        {"startOnCreate": False},
    ],
)
def test_edit_that_changes_nothing_a_run_executes_cancels_nothing(fields: dict[str, Any]) -> None:
    world = under_way()
    world.edit(**fields)
    world.settle()
    assert [world.status(name).state for name in ("run-1", "run-2")] == ["InProgress"] * 2
    assert version(world) == 1


def test_edit_that_is_not_valid_cancels_nothing() -> None:
    world = under_way()
    world.edit(
        stages=[stage("Build", commands_action("Make", inputArtifacts=[{"name": "Nowhere"}]))]
    )
    world.settle()
    assert world.status("run-1").state == "InProgress"


def test_another_default_store_is_no_edit() -> None:
    world = under_way()
    world.change_pipeline(default_store=ArtifactStore(type="S3", location="other"))
    world.settle()
    assert world.status("run-1").state == "InProgress"


def test_another_store_of_its_own_is_an_edit() -> None:
    world = under_way(artifactStore={"type": "S3", "location": "one"})
    world.edit(artifactStore={"type": "S3", "location": "two"})
    world.settle()
    assert world.status("run-2").state == "Cancelled"


def test_edit_taken_back_in_time_cancels_nothing_that_still_runs() -> None:
    world = under_way()
    world.edit(stages=EDITED)
    world.settle()
    world.edit(stages=[BUILD, PROD])
    world.succeed(world.job_for("Make", "run-1"))
    world.settle()
    assert world.live_jobs() == [world.job_for("Pack", "run-1")]


def test_on_update_finish_lets_runs_finish_what_they_started_with() -> None:
    world = under_way(onUpdate="Finish")
    world.edit(stages=[stage("Other", commands_action("New"))])
    for action in ("Make", "Pack", "Check"):
        world.settle()
        world.succeed(world.job_for(action, "run-1"))
    world.settle()
    assert world.status("run-1").state == "Succeeded"


def test_x_41_parallel_runs_finish_on_the_old_definition() -> None:
    world = under_way("PARALLEL")
    world.edit(stages=[stage("Other", commands_action("New"))])
    for action in ("Make", "Pack", "Check"):
        world.settle()
        world.succeed(world.job_for(action, "run-1"))
    world.settle()
    assert world.status("run-1").state == "Succeeded"


@pytest.mark.parametrize(("before", "after", "state"), [
    ("PARALLEL", "QUEUED", "InProgress"),
    ("SUPERSEDED", "QUEUED", "Cancelled"),
    ("QUEUED", "PARALLEL", "Cancelled"),
])  # fmt: skip
def test_x_42_x_43_switching_the_mode_is_an_edit_except_for_parallel_runs(
    before: str, after: str, state: str
) -> None:
    world = under_way(before)
    world.edit(executionMode=after)
    world.settle()
    assert world.status("run-2").state == state


def test_x_42_parallel_runs_of_before_lock_no_stage() -> None:
    world = under_way("PARALLEL")
    world.edit(executionMode="QUEUED")
    world.start("run-3")
    world.settle()
    assert world.status("run-3").stage_states[0].status == "InProgress"


def test_stop_wins_over_an_edit() -> None:
    world = under_way()
    world.stop("run-1", reason="wrong branch")
    world.edit(stages=EDITED)
    world.settle()
    world.succeed(world.job_for("Make", "run-1"))
    world.settle()
    assert world.status("run-1").state == "Stopped"


def test_pipeline_deleted_and_created_again_cancels_runs_as_deleted() -> None:
    world = under_way()
    assert world.pipeline is not None
    world.pipeline = replace(world.pipeline, uid="another-uid")
    world.settle()
    assert world.reason("run-2") == "PipelineDeleted"
