"""What a pass reads live before it believes that something is gone, and what it then does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from penstock.cluster.resources import JOBS, PIPELINES, REVISIONS, RUNS
from tests.support.contract.objects import job
from tests.support.fake_client import FakeClient
from tests.support.fake_operator import know_all, operator_on
from tests.unit.controller.test_passes import Scene

ABANDON = {"spec": {"stop": {"abandon": True}}}


@pytest.fixture
async def scene() -> Scene:
    """A scene whose first run has its Job."""
    made = Scene()
    await know_all(made.operator)
    await made.settle()
    return made


def let_pass(scene: Scene, minutes: int) -> None:
    """Move the operator's clock."""
    later = datetime.now(UTC) + timedelta(minutes=minutes)
    scene.operator.reconciler.clock = lambda: later


def state(scene: Scene, run: str = "one") -> str:
    return str(scene.object(RUNS, run)["status"].get("state"))


async def test_pod_whose_events_were_lost_is_found_before_its_try_counts_as_lost(
    scene: Scene,
) -> None:
    scene.succeed(scene.job_of("one"), is_told=False)
    await scene.turn()
    assert state(scene) == "InProgress"
    let_pass(scene, 2)
    await scene.turn()
    assert state(scene) == "Succeeded"


async def test_job_whose_deletion_was_not_heard_is_looked_up_before_its_try_ends(
    scene: Scene,
) -> None:
    name = scene.job_of("one")
    scene.server.delete(JOBS, "team", name)
    await scene.turn()
    assert state(scene) == "InProgress"
    let_pass(scene, 2)
    await scene.turn()
    assert scene.operator.cache.get(JOBS, "team", name) is None
    assert state(scene) == "Failed"


async def test_job_is_deleted_once_whenever_its_event_comes(scene: Scene) -> None:
    scene.server.patch(RUNS, "team", "one", ABANDON)
    scene.tell(RUNS, "one")
    await scene.turn()
    assert f"DELETE jobs/{scene.job_of('one')}" in scene.writes()
    await scene.settle()
    assert not [request for request in scene.requests() if request.method == "DELETE"]


async def test_job_of_that_name_with_another_uid_is_not_deleted(scene: Scene) -> None:
    name = scene.job_of("one")
    scene.server.delete(JOBS, "team", name)
    other = scene.server.create(JOBS, "team", job(name))
    scene.server.patch(RUNS, "team", "one", ABANDON)
    scene.tell(RUNS, "one")
    await scene.turn()
    assert f"DELETE jobs/{name}" in scene.writes()
    assert scene.object(JOBS, name) == other


async def test_run_that_is_gone_is_no_longer_shown_under_way(scene: Scene) -> None:
    shown = scene.object(PIPELINES, "web")["status"]["stageStates"][0]["latestExecution"]
    assert shown["status"] == "InProgress"
    scene.server.delete(RUNS, "team", "one")
    for resource, gone in scene.server.graves.values():
        scene.operator.handle_event(resource, "DELETED", gone)
    await scene.settle()
    shown = scene.object(PIPELINES, "web")["status"]["stageStates"][0]["latestExecution"]
    assert shown["status"] != "InProgress"


async def test_definition_of_a_run_under_way_is_read_by_name_where_no_list_has_it(
    scene: Scene,
) -> None:
    spec = {"stages": [{**scene.object(PIPELINES, "web")["spec"]["stages"][0], "name": "Other"}]}
    scene.server.patch(PIPELINES, "team", "web", {"spec": {**spec, "onUpdate": "Finish"}})
    scene.operator = operator_on(FakeClient(scene.server))
    for resource in (PIPELINES, RUNS, JOBS):
        for document in scene.server.all(resource):
            scene.operator.handle_event(resource, "ADDED", document)
    revision = scene.object(RUNS, "one")["status"]["revision"]
    scene.succeed(scene.job_of("one"))
    await scene.turn()
    assert scene.operator.cache.get(REVISIONS, "team", revision)
    assert state(scene) == "Succeeded"
