"""Whole statuses as users read them, against stored ones (`UPDATE_GOLDEN=1`
writes them anew; read the diff).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.engine.simulation import World, approval_action, commands_action, stage

GOLDEN = Path(__file__).parent / "golden_statuses"


def under_way(**fields: Any) -> World:
    """Return a world whose run-1 builds with two actions, of which Lint has
    succeeded; run-2 waits.
    """
    build = stage(
        "Build",
        commands_action("Make"),
        commands_action("Lint"),
        commands_action("Pack", runOrder=2),
    )
    world = World.of(build, stage("Prod", commands_action("Check")), **fields)
    world.start()
    world.settle()
    world.run_pod(world.job_for("Make"))
    world.succeed(world.job_for("Lint"))
    world.start("run-2")
    world.settle()
    world.advance(5)
    return world


def stopping() -> World:
    world = under_way()
    world.stop(reason="wrong branch", requestedBy="alice")
    return world


def stopped() -> World:
    world = stopping()
    world.settle()
    world.advance(5)
    world.succeed(world.job_for("Make"))
    return world


def abandoning() -> World:
    world = under_way()
    world.do_pods_linger = True
    world.stop(abandon=True, reason="it hangs", requestedBy="bob")
    return world


def abandoned() -> World:
    world = abandoning()
    world.settle()
    world.advance(5)
    world.fail(world.job_for("Make"))
    return world


def refused() -> World:
    world = stopped()
    world.settle()
    world.advance(5)
    world.stop(abandon=True)
    return world


def frozen() -> World:
    return under_way(
        disableInboundStageTransitions=[{"stageName": "Prod", "reason": "release freeze"}]
    )


def asking() -> World:
    """A run that waits for two people, of whom one has agreed."""
    configuration = {"CustomData": "Ship?", "ApproverUsers": "alice,bob", "Quorum": "2"}
    world = World.of(
        stage(
            "Prod",
            approval_action(configuration=configuration),
            commands_action("Ship", runOrder=2),
        )
    )
    world.start(requestedBy="carol")
    world.settle()
    world.decide("alice", "Approved", "fine")
    return world


def approved() -> World:
    world = asking()
    world.settle()
    world.advance(5)
    world.decide("bob", "Approved")
    return world


STORIES: tuple[Callable[[], World], ...] = (
    stopping,
    stopped,
    abandoning,
    abandoned,
    refused,
    frozen,
    asking,
    approved,
)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_status_of_run_and_pipeline_is_the_stored_one(story: Callable[[], World]) -> None:
    world = story()
    world.settle()
    assert world.pipeline is not None
    documents = {"run-1": world.status().to_dict(), "pipeline": world.pipeline.status.to_dict()}
    documents |= {name: approval.status.to_dict() for name, approval in world.approvals.items()}
    path = GOLDEN / f"{story.__name__}.yaml"
    text = yaml.safe_dump(documents, sort_keys=False, width=110)
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text)
    assert path.read_text() == text


def test_conditions_of_a_failed_run_say_where_the_log_is_and_the_summary_stays_short() -> None:
    world = World.of(stage("Build", commands_action("Make")))
    world.start()
    world.settle()
    job = world.job_for("Make")
    world.fail(job, message="Command failed with exit code 1: make")
    world.settle()
    summary = "Build/Make: Command failed with exit code 1: make"
    assert world.status().status_summary == summary
    told = {c.type: c.message for c in world.status().conditions}
    assert told == dict.fromkeys(
        ("Succeeded", "Ready", "Stalled"), f"{summary} (log: kubectl logs {job}-x)"
    )
