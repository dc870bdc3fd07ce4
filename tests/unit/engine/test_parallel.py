"""Mode PARALLEL (X-38, X-39, Q-05): no locks, no queue, and a limit above which starts wait."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.engine.settings import Settings
from tests.unit.engine.simulation import World, commands_action, stage


def parallel(count: int = 3, settings: Settings | None = None, **fields: Any) -> World:
    """Return a world with so many runs of a pipeline with two stages."""
    stages = (stage("Build", commands_action("Make")), stage("Deploy", commands_action("Ship")))
    world = World.of(*stages, executionMode="PARALLEL", settings=settings, **fields)
    for number in range(1, count + 1):
        world.start(f"run-{number}")
    world.settle()
    return world


def under_way(world: World) -> list[str]:
    return [name for name in world.runs if world.status(name).state == "InProgress"]


def test_oracle_o_04_parallel_runs_are_in_one_stage_at_once() -> None:
    world = parallel()
    assert len(world.live_jobs()) == 3
    for number in (3, 1, 2):
        world.succeed(world.job_for("Make", f"run-{number}"))
        world.settle()
    assert world.live_jobs() == [world.job_for("Ship", f"run-{number}") for number in (1, 2, 3)]
    assert [world.status(name).execution_mode for name in world.runs] == ["PARALLEL"] * 3


def test_x_38_pod_of_another_run_keeps_no_parallel_run_out() -> None:
    world = parallel(1)
    world.run_pod(world.job_for("Make"))
    world.runs.pop("run-1")
    world.start("run-2")
    world.settle()
    assert world.job_for("Make", "run-2") in world.live_jobs()


def test_x_39_pipeline_shows_no_stage_states_of_parallel_runs() -> None:
    world = parallel()
    assert world.pipeline is not None
    assert world.pipeline.status.stage_states == ()
    assert world.pipeline.status.last_run == "run-3"


def test_disabled_transition_holds_parallel_runs_and_shows_them() -> None:
    world = parallel(
        2, disableInboundStageTransitions=[{"stageName": "Deploy", "reason": "freeze"}]
    )
    for name in world.runs:
        world.succeed(world.job_for("Make", name))
    world.settle()
    assert [world.reason(name) for name in world.runs] == ["TransitionDisabled"] * 2
    world.advance(10)
    world.settle()
    assert world.pipeline is not None
    assert [item.run for item in world.pipeline.status.stage_states[0].inbound_executions] == [
        "run-1",
        "run-2",
    ]


@pytest.mark.parametrize(
    ("settings", "fields"),
    [(Settings(concurrent_executions=2), {}), (Settings(), {"maxConcurrentExecutions": 2})],
    ids=["installation", "pipeline"],
)
def test_q_05_starts_above_the_limit_wait_and_enter_in_order(
    settings: Settings, fields: dict[str, Any]
) -> None:
    world = parallel(4, settings, **fields)
    assert under_way(world) == ["run-1", "run-2"]
    waiting = world.status("run-3")
    assert (waiting.state, waiting.before_start, world.reason("run-3")) == (
        None,
        "Queued",
        "Queued",
    )
    why = "waiting for one of 2 runs under way to end (spec.maxConcurrentExecutions)"
    assert waiting.status_summary == why

    world.fail(world.job_for("Make", "run-2"))
    world.settle()
    assert under_way(world) == ["run-1", "run-3"]
    assert world.status("run-3").before_start is None
    assert world.status("run-4") == waiting, "a run that waits on is not written again"


def test_waiting_run_executes_what_the_pipeline_is_when_it_starts() -> None:
    world = parallel(2, maxConcurrentExecutions=1)
    world.edit(stages=[stage("Other", commands_action("New"))])
    world.fail(world.job_for("Make", "run-1"))
    world.settle()
    assert world.live_jobs() == [world.job_for("New", "run-2")]


def test_raised_limit_lets_waiting_runs_in() -> None:
    world = parallel(3, maxConcurrentExecutions=1)
    world.edit(maxConcurrentExecutions=3)
    world.settle()
    assert len(under_way(world)) == 3


def test_waiting_run_can_be_stopped() -> None:
    world = parallel(2, maxConcurrentExecutions=1)
    world.stop("run-2", reason="not needed")
    world.settle()
    assert world.status("run-2").state == "Stopped"


def test_other_modes_are_not_limited() -> None:
    world = World.of(
        stage("Build", commands_action("Make")),
        executionMode="QUEUED",
        settings=Settings(concurrent_executions=1),
    )
    for name in ("run-1", "run-2", "run-3"):
        world.start(name)
    world.settle()
    assert [world.status(name).state for name in world.runs] == ["InProgress"] * 3
