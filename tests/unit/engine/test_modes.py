"""The engine against the model of modes: every story of runs in three stages, in each mode.

Stories that lead to the same future are one from there on, so the search ends; it is breadth first,
so a failing story is a shortest one.
"""

from __future__ import annotations

import copy
import os
from collections import deque

import pytest

from penstock.api.kinds.run import StageStatus
from penstock.api.status.executions import ActionExecution
from tests.unit.engine.modes import (
    CANCELLING,
    INSIDE,
    MIDDLE,
    STAGES,
    STOPPING,
    WAITING,
    Event,
    Model,
    Run,
)
from tests.unit.engine.simulation import World, commands_action, stage

# Two runs meet in each way in seconds; `make simulate` plays three, which takes minutes.
RUNS = int(os.environ.get("MODEL_RUNS", "2"))
NAMES = [f"run-{number}" for number in range(RUNS)]
FREEZE = [{"stageName": f"S{MIDDLE}", "reason": "freeze"}]


def stages(text: str) -> list[dict[str, object]]:
    return [stage(f"S{number}", commands_action(f"A{number}", text)) for number in range(STAGES)]


def fork(world: World) -> World:
    """Return a world that goes its own way; what is in it is never changed, only replaced."""
    other = copy.copy(world)
    for name in ("runs", "revisions", "jobs", "manifests", "pods", "confirmed"):
        setattr(other, name, dict(getattr(world, name)))
    other.deleted_jobs, other.history = set(world.deleted_jobs), []
    return other


def happen(world: World, event: Event) -> None:
    """Let an event of the model happen in the world."""
    name = NAMES[event.run]
    match event.name:
        case "start":
            world.start(NAMES[len(world.runs)])
        case "disable" | "enable":
            world.edit(disableInboundStageTransitions=FREEZE if event.name == "disable" else [])
        case "edit":
            world.edit(stages=stages("false"))
        case "stop":
            world.stop(name)
        case "finish" | "fail":
            job = next(row.job_name for row in rows(world, name) if row.status == "InProgress")
            world.succeed(job) if event.name == "finish" else world.fail(job)
    world.settle()


def rows(world: World, name: str) -> list[ActionExecution]:
    states = world.status(name).stage_states
    return [row for state in states for action in state.action_states for row in action.executions]


def state_of(world: World, name: str) -> Run:
    """Return what a run does, in the model's words."""
    status = world.status(name)
    if status.state and status.state.is_terminal:
        return Run(status.state.value)
    last = status.stage_states[-1] if status.stage_states else None
    if last is None or last.status is StageStatus.SUCCEEDED:
        return Run(WAITING, len(status.stage_states))
    is_cancelling = world.reason(name) == "PipelineUpdated"
    doing = (
        STOPPING if last.status is StageStatus.STOPPING else CANCELLING if is_cancelling else INSIDE
    )
    return Run(doing, len(status.stage_states) - 1)


@pytest.mark.parametrize("mode", ["SUPERSEDED", "QUEUED", "PARALLEL"])
def test_every_story_of_runs_in_three_stages_ends_as_codepipeline_documents(
    mode: str,
) -> None:
    start = Model(mode)
    stories: dict[Model, list[Event]] = {start: []}
    frontier = deque([(start, World.of(*stages("true"), executionMode=mode))])
    while frontier:
        model, world = frontier.popleft()
        for event in model.events(RUNS):
            after, there = model.after(event), fork(world)
            happen(there, event)
            story = [*stories[model.future], event]
            found = tuple(state_of(there, name) for name in there.runs)
            assert found == after.runs, f"after {story}"
            if after.future not in stories:
                stories[after.future] = story
                frontier.append((after, there))
    assert Model(mode, (Run("over"),) * RUNS) in stories
