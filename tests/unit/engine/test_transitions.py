"""Transitions that the Pipeline declares as disabled (X-71..X-74): who waits,
since when, and who enters first.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from penstock.api.kinds.pipeline import PipelineSpec
from penstock.engine.commands import EmitEvent
from tests.unit.engine.simulation import START, World, commands_action, stage

FROZEN = [{"stageName": "Prod", "reason": "release freeze"}]


def two_stages(mode: str = "SUPERSEDED", disabled: Any = FROZEN) -> World:
    stages = (stage("Build", commands_action("Make")), stage("Prod", commands_action("Check")))
    return World.of(*stages, executionMode=mode, disableInboundStageTransitions=disabled)


def declare(world: World, disabled: list[dict[str, str]]) -> None:
    """Edit the Pipeline: these transitions are disabled from now on, and no other."""
    assert world.pipeline is not None
    assert world.pipeline.spec is not None
    spec = world.pipeline.spec.to_dict() | {"disableInboundStageTransitions": disabled}
    generation = world.pipeline.generation + 1
    world.pipeline = replace(
        world.pipeline, spec=PipelineSpec.model_validate(spec), generation=generation
    )


def push(world: World, name: str) -> None:
    """Start a run and let it come to the end of Build."""
    world.start(name)
    world.settle()
    world.succeed(world.job_for("Make", name))
    world.settle()


def prod(world: World) -> Any:
    """Return the state of stage Prod as the Pipeline shows it."""
    world.advance(10)
    world.settle()
    assert world.pipeline is not None
    return next(s for s in world.pipeline.status.stage_states if s.stage_name == "Prod")


def inside(world: World) -> list[str]:
    """Return the runs that have come into Prod."""
    return [
        name
        for name in world.runs
        if any(s.stage_name == "Prod" for s in world.status(name).stage_states)
    ]


def test_x_72_run_waits_in_front_of_a_disabled_stage_and_says_why() -> None:
    world = two_stages()
    push(world, "run-1")

    assert inside(world) == []
    assert world.reason() == "TransitionDisabled"
    why = "waiting for stage Prod: its inbound transition is disabled: release freeze"
    assert world.status().status_summary == why


def test_x_74_pipeline_shows_the_disabled_stage_and_who_waits_since_when() -> None:
    world = two_stages()
    push(world, "run-1")
    state = prod(world)

    assert state.inbound_transition_state.model_dump() == {
        "enabled": False,
        "disabled_reason": "release freeze",
        "last_changed_by": None,
        "last_changed_at": START.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    since = world.status().stage_states[0].completion_time
    assert [
        (w.run, w.pipeline_execution_id, w.status, w.waiting_since)
        for w in state.inbound_executions
    ] == [("run-1", "uid-run-1", "InProgress", since)]
    assert state.inbound_executions_count == 1


@pytest.mark.parametrize(("mode", "entered"), [("SUPERSEDED", ["run-2"]), ("QUEUED", ["run-1"])])
def test_oracle_o_18_enabling_lets_the_newest_in_or_the_queue_in_order(
    mode: str, entered: list[str]
) -> None:
    world = two_stages(mode)
    push(world, "run-1")
    push(world, "run-2")
    assert inside(world) == []
    assert world.status("run-1").state == ("Superseded" if mode == "SUPERSEDED" else "InProgress")
    waiting = [run.run for run in prod(world).inbound_executions]
    assert waiting == (["run-2"] if mode == "SUPERSEDED" else ["run-1", "run-2"])

    declare(world, [])
    world.settle()
    assert inside(world) == entered
    if mode == "QUEUED":
        world.succeed(world.job_for("Check", "run-1"))
        world.settle()
        assert inside(world) == ["run-1", "run-2"]


def test_x_72_run_inside_a_stage_is_not_touched_when_its_transition_is_disabled() -> None:
    world = two_stages("QUEUED", disabled=[])
    push(world, "run-1")
    push(world, "run-2")
    declare(world, FROZEN)
    world.settle()
    assert world.status("run-1").state == "InProgress"
    assert world.reason("run-2") == "TransitionDisabled"

    world.succeed(world.job_for("Check", "run-1"))
    world.settle()
    assert world.status("run-1").state == "Succeeded"
    assert inside(world) == ["run-1"]


def test_disabled_first_stage_lets_nothing_begin() -> None:
    world = two_stages(disabled=[{"stageName": "Build", "reason": "maintenance"}])
    world.start()
    world.settle()
    assert world.jobs == {}
    assert world.reason() == "TransitionDisabled"

    declare(world, [])
    world.settle()
    assert world.live_jobs() == [world.job_for("Make")]


def test_transition_is_no_part_of_what_runs_execute() -> None:
    """Disabling is no structural change (S-06), and holds for runs that started before it."""
    world = two_stages(disabled=[])
    world.start()
    world.settle()
    declare(world, FROZEN)
    world.succeed(world.job_for("Make"))
    world.settle()

    assert world.pipeline is not None
    assert world.pipeline.status.version == 1
    assert world.reason() == "TransitionDisabled"


def test_x_74_state_tells_of_the_last_change_and_forgets_who_entered() -> None:
    world = two_stages()
    push(world, "run-1")
    world.advance(60)
    declare(world, [])
    changed = world.now.strftime("%Y-%m-%dT%H:%M:%SZ")
    world.settle()
    state = prod(world)

    assert state.inbound_transition_state.model_dump() == {
        "enabled": True,
        "disabled_reason": None,
        "last_changed_by": None,
        "last_changed_at": changed,
    }
    assert (state.inbound_executions, state.inbound_executions_count) == ((), None)
    assert state.latest_execution.run == "run-1"


def test_x_71_transition_that_never_was_disabled_has_no_state() -> None:
    world = two_stages(disabled=[])
    push(world, "run-1")
    assert prod(world).inbound_transition_state is None


def test_runs_that_wait_for_a_lock_are_shown_too_in_the_order_of_their_turn() -> None:
    world = two_stages("QUEUED", disabled=[])
    for name in ("run-1", "run-2", "run-3"):
        world.start(name)
    prod_stage = [s.stage_name for s in settled(world)]
    build = settled(world)[0]

    assert prod_stage == ["Build"]
    assert [w.run for w in build.inbound_executions] == ["run-2", "run-3"]
    assert build.inbound_executions_count == 2


def test_stage_shows_50_waiting_runs_and_counts_them_all() -> None:
    world = two_stages("QUEUED", disabled=[{"stageName": "Build", "reason": "maintenance"}])
    for number in range(60):
        world.start(f"run-{number}")
    (build,) = settled(world)

    assert [w.run for w in build.inbound_executions] == [f"run-{number}" for number in range(50)]
    assert build.inbound_executions_count == 60


def settled(world: World) -> Any:
    """Return the stages that the Pipeline shows once everything has come to rest."""
    world.settle()
    world.advance(10)
    world.settle()
    assert world.pipeline is not None
    return world.pipeline.status.stage_states


def test_x_56_run_in_front_of_a_disabled_stage_can_be_stopped() -> None:
    world = two_stages()
    push(world, "run-1")
    world.stop(reason="not this one")
    world.settle()

    assert world.status().state == "Stopped"
    assert prod(world).inbound_executions == ()
    assert [e.reason for e in world.history if isinstance(e, EmitEvent)][-1] == "RunStopped"
