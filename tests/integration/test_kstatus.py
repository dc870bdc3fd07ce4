"""What the real kstatus rules make of our objects in every state; Helm and
Flux read them so.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from penstock.api.meta import API_VERSION
from tests.cluster.binaries import KSTATUS, ensure
from tests.cluster.places import Places
from tests.support.kube import Document
from tests.unit.engine.simulation import World, approval_action, commands_action, stage

BUILD = stage("Build", commands_action("Make"))
PROD = stage("Prod", commands_action("Check"))
FREEZE = [{"stageName": "Build", "reason": "freeze"}]


@pytest.fixture(scope="session")
def kstatus() -> Callable[[list[Document]], list[str]]:
    """Return what tells the status of objects; the program is built once and kept in the cache."""
    places = Places.of_this_checkout()
    ensure(places, (KSTATUS,))

    def compute(objects: list[Document]) -> list[str]:
        told = subprocess.run(
            [KSTATUS.path(places)],
            input=json.dumps(objects),
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        return [answer["status"] for answer in json.loads(told.stdout)]

    return compute


def started(*stages: Document, mode: str = "SUPERSEDED", **fields: Any) -> World:
    world = World.of(*(stages or (BUILD, PROD)), executionMode=mode, **fields)
    world.start()
    world.settle()
    return world


def succeeded() -> World:
    world = started()
    for action in ("Make", "Check"):
        world.succeed(world.job_for(action))
        world.settle()
    return world


def failed() -> World:
    world = started()
    world.fail(world.job_for("Make"))
    world.settle()
    return world


def stopping() -> World:
    world = started()
    world.stop()
    world.settle()
    return world


def stopped() -> World:
    world = stopping()
    world.succeed(world.job_for("Make"))
    world.settle()
    return world


def superseded() -> World:
    world = started(BUILD, mode="SUPERSEDED", disableInboundStageTransitions=FREEZE)
    world.start("run-2")
    world.settle()
    return world


def cancelled() -> World:
    world = started()
    world.edit(stages=[PROD])
    world.settle()
    world.succeed(world.job_for("Make"))
    world.settle()
    return world


def above_the_limit() -> World:
    world = World.of(BUILD, executionMode="PARALLEL", maxConcurrentExecutions=1)
    world.start("run-0")
    world.settle()
    world.start("run-1")
    world.settle()
    return world


def refused() -> World:
    world = World.of(BUILD)
    world.start(variables=[{"name": "NONE", "value": "x"}])
    world.settle()
    return world


def retried() -> World:
    world = failed()
    world.retry("Build")
    world.settle()
    return world


def unseen() -> World:
    world = World.of(BUILD)
    world.start()
    return world


def edited_and_not_yet_seen() -> World:
    world = succeeded()
    world.stop()
    return world


RUNS: dict[Callable[[], World], str] = {
    unseen: "InProgress",
    started: "InProgress",
    lambda: started(disableInboundStageTransitions=FREEZE): "InProgress",
    lambda: started(BUILD, stage("Ok", approval_action())): "InProgress",
    above_the_limit: "InProgress",
    stopping: "InProgress",
    retried: "InProgress",
    edited_and_not_yet_seen: "InProgress",
    succeeded: "Current",
    failed: "Failed",
    refused: "Failed",
    stopped: "Failed",
    superseded: "Current",
    cancelled: "Failed",
}


def document(kind: str, generation: int, status: Document) -> Document:
    """Return an object as the server gives it out, its status defaulted as the schema says."""
    shown = {"observedGeneration": -1, **status}
    meta = {"name": "it", "namespace": "team", "generation": generation}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": meta, "spec": {}, "status": shown}


def test_run_in_every_state_is_what_kstatus_says_of_it(
    kstatus: Callable[[list[Document]], list[str]],
) -> None:
    runs = [world().runs["run-1"] for world in RUNS]
    found = kstatus([document("PipelineRun", run.generation, run.status.to_dict()) for run in runs])
    names = [
        f"{number} {run.status.state} {run.status.status_summary}"
        for number, run in enumerate(runs)
    ]
    assert dict(zip(names, found, strict=True)) == dict(zip(names, RUNS.values(), strict=True))


def test_pipeline_is_current_when_valid_and_failed_when_not(
    kstatus: Callable[[list[Document]], list[str]],
) -> None:
    broken = World.of(stage("Build", commands_action("Make", inputArtifacts=[{"name": "Nowhere"}])))
    broken.settle()
    unseen = World.of(BUILD)
    objects = [
        document("Pipeline", world.pipeline.generation, world.pipeline.status.to_dict())
        for world in (failed(), broken, unseen)
        if world.pipeline
    ]
    assert kstatus(objects) == ["Current", "Failed", "InProgress"]
