"""Stops that come too late (X-55): what is refused, where people see it, and
that it changes nothing.
"""

from __future__ import annotations

import pytest

from tests.unit.engine.simulation import World, commands_action, stage
from tests.unit.engine.test_stop import building, conditions, events, statuses


@pytest.mark.parametrize("end", ["succeed", "fail"])
def test_x_55_stop_of_a_run_that_has_ended_is_refused_once_and_changes_nothing(end: str) -> None:
    world = World.of(stage("Build", commands_action("Make")))
    world.start()
    world.settle()
    getattr(world, end)(world.job_for("Make"))
    world.settle()
    before = world.status()
    world.stop()
    world.settle()

    message = (
        f"spec.stop: the run had ended before, as {before.state}; only a run under way can be "
        f"stopped (X-55)"
    )
    after = world.status()
    refused = next(c for c in after.conditions if c.type == "RequestRefused")
    assert (refused.status, refused.reason, refused.message) == (
        "True",
        "PipelineExecutionNotStoppable",
        message,
    )
    assert after.observed_generation == 2
    assert (after.state, after.stage_states, after.stop_trigger) == (
        before.state,
        before.stage_states,
        None,
    )
    kept = {
        (c.type, c.status, c.reason, c.last_transition_time)
        for c in after.conditions
        if c != refused
    }
    assert kept == {(c.type, c.status, c.reason, c.last_transition_time) for c in before.conditions}
    assert {c.observed_generation for c in after.conditions} == {2}
    assert events(world)[-1] == ("PipelineExecutionNotStoppable", message)
    assert world.plan().is_empty


def test_x_55_abandon_of_a_stopped_run_is_refused() -> None:
    world = building()
    world.stop()
    for action in ("Make", "Lint"):
        world.succeed(world.job_for(action))
    world.settle()
    world.stop(abandon=True)
    world.settle()

    assert conditions(world)["RequestRefused"] == ("True", "PipelineExecutionNotStoppable")
    assert statuses(world) == {"Build": "Stopped", "Make": "Succeeded", "Lint": "Succeeded"}


def test_stop_that_is_seen_together_with_the_runs_success_comes_too_late() -> None:
    world = World.of(stage("Build", commands_action("Make")))
    world.start()
    world.settle()
    world.succeed(world.job_for("Make"))
    world.stop()
    world.settle()

    assert world.status().state == "Succeeded"
    assert conditions(world)["RequestRefused"] == ("True", "PipelineExecutionNotStoppable")
