"""What one pass of the operator does, on a fake API server that `test_fake_server.py` holds to the
real one: in which order it writes, and what it makes of refusals and of a stale cache.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from penstock.api.contract.contracts import ActionResult
from penstock.api.meta import LABEL_RUN_UID
from penstock.api.names import job_name
from penstock.cluster.errors import ConflictError, UnavailableError
from penstock.cluster.resources import CONNECTIONS, JOBS, PIPELINES, PODS, REVISIONS, RUNS, Resource
from penstock.controller.operator import Operator
from tests.support.contract.objects import job
from tests.support.fake_client import FakeClient
from tests.support.fake_documents import Document
from tests.support.fake_operator import know_all, operator_on
from tests.support.fake_requests import Request
from tests.support.fake_server import FakeServer

KEY = ("team", "web")
RUN_STATUS = "pipelineruns/one/status"
TYPE = {"category": "Compute", "owner": "AWS", "provider": "Commands", "version": "1"}
SPEC = {
    "stages": [
        {"name": "S", "actions": [{"name": "Make", "actionTypeId": TYPE, "commands": ["true"]}]}
    ]
}


@dataclass
class Scene:
    """A server with a Pipeline and its run, and an operator that leads."""

    server: FakeServer = field(default_factory=FakeServer)
    operator: Operator = field(init=False)

    def __post_init__(self) -> None:
        self.server.create(PIPELINES, "team", {"metadata": {"name": "web"}, "spec": SPEC})
        self.start("one")
        self.operator = operator_on(FakeClient(self.server))

    def start(self, name: str) -> None:
        spec = {"pipelineRef": {"name": "web"}}
        self.server.create(RUNS, "team", {"metadata": {"name": name}, "spec": spec})

    def job_of(self, run: str) -> str:
        uid = self.object(RUNS, run)["metadata"]["uid"]
        return job_name(uid, "S", "Make", 1, 1)

    def object(self, resource: Resource, name: str) -> Document:
        found = self.server.get(resource, "team", name)
        assert found
        return found

    def reason(self, run: str) -> str:
        """Return why a run is as it is, in one word."""
        conditions = self.object(RUNS, run)["status"].get("conditions", ())
        return next((c["reason"] for c in conditions if c["type"] == "Succeeded"), "")

    def is_in_stage(self, run: str) -> bool:
        """Whether a run's status holds the stage."""
        states = self.object(RUNS, run)["status"].get("stageStates", ())
        return any(state["status"] == "InProgress" for state in states)

    def succeed(self, name: str, *, is_told: bool = True) -> None:
        """Let a Job's pod run and end well; unless told, the operator hears nothing of it."""
        owner = self.object(JOBS, name)
        uid, template = owner["metadata"]["uid"], owner["spec"]["template"]
        reference = {"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": uid}
        meta = {**template["metadata"], "name": "pod"}
        meta["ownerReferences"] = [{**reference, "controller": True}]
        made = self.server.create(PODS, "team", {"metadata": meta, "spec": template["spec"]})
        result = ActionResult(1, "Succeeded", pod_uid=made["metadata"]["uid"], exit_code=0)
        at = made["metadata"]["creationTimestamp"]
        ended = {"exitCode": 0, "startedAt": at, "finishedAt": at}
        containers = [
            {"name": "agent", "state": {"terminated": {**ended, "message": result.encode()}}},
            {"name": "action", "state": {"terminated": ended}},
        ]
        status = {"phase": "Succeeded", "containerStatuses": containers}
        self.server.patch(PODS, "team", "pod", {"status": status}, "status")
        if is_told:
            self.tell(PODS, "pod")

    def writes(self) -> Iterator[str]:
        """Yield the writes that arrived since the last look."""
        for request in self.requests():
            if request.method != "GET":
                yield f"{request.method} {request.path.partition('/team/')[2]}"

    def requests(self) -> list[Request]:
        """Return the requests that arrived since the last look."""
        found, self.server.seen = self.server.seen, []
        return found

    async def turn(self) -> float | None:
        return await self.operator.reconciler.reconcile(KEY)

    async def settle(self) -> None:
        """Make passes until one writes nothing."""
        for _ in range(10):
            await self.turn()
            if not list(self.writes()):
                return
        raise AssertionError("the operator does not come to rest")

    def tell(self, resource: Resource, name: str) -> None:
        """Let the watch deliver an object as it is."""
        self.operator.handle_event(resource, "MODIFIED", self.object(resource, name))


@pytest.fixture
async def scene() -> Scene:
    made = Scene()
    await know_all(made.operator)
    made.requests()
    return made


# ---- the order of writes


async def test_status_of_a_run_is_written_after_its_definition_and_before_its_job(
    scene: Scene,
) -> None:
    await scene.turn()
    order = [kind for kind, _ in itertools.groupby(scene.writes(), lambda w: w.split("/")[0])]
    assert order == [
        "POST controllerrevisions",
        "PATCH pipelineruns",
        "POST jobs",
        "POST events",
        "PATCH pipelines",
    ]
    assert scene.job_of("one") in str(scene.object(RUNS, "one")["status"])


async def test_pass_over_a_pipeline_at_rest_makes_no_request(scene: Scene) -> None:
    await scene.settle()
    await scene.turn()
    assert scene.requests() == []


async def test_operator_that_may_no_longer_write_sends_nothing(scene: Scene) -> None:
    def lost() -> None:
        raise UnavailableError("fence", "another leads")

    scene.operator.client.fence = lost
    with pytest.raises(UnavailableError):
        await scene.turn()
    assert list(scene.writes()) == []


# ---- a cache that is behind


async def test_pass_that_read_a_stale_run_writes_nothing_that_follows_from_it(
    scene: Scene,
) -> None:
    scene.server.patch(RUNS, "team", "one", {"metadata": {"labels": {"a": "b"}}})
    with pytest.raises(ConflictError):
        await scene.turn()
    assert list(scene.writes()) == ["POST controllerrevisions", f"PATCH {RUN_STATUS}"]
    assert scene.server.get(JOBS, "team", scene.job_of("one")) is None


async def test_second_conflict_reads_the_pipelines_objects_anew(scene: Scene) -> None:
    scene.server.patch(RUNS, "team", "one", {"metadata": {"labels": {"a": "b"}}})
    for _ in range(2):
        with pytest.raises(ConflictError):
            await scene.turn()
    scene.requests()
    await scene.turn()
    assert f"PATCH {RUN_STATUS}" in scene.writes()
    assert scene.object(JOBS, scene.job_of("one"))


async def test_run_that_is_gone_before_its_status_is_written_is_forgotten(scene: Scene) -> None:
    scene.server.delete(RUNS, "team", "one")
    with pytest.raises(ConflictError):
        await scene.turn()
    assert scene.operator.cache.get(RUNS, "team", "one") is None
    await scene.settle()
    assert list(scene.server.all(JOBS)) == []


async def test_event_that_comes_twice_or_late_changes_nothing(scene: Scene) -> None:
    old = scene.object(RUNS, "one")
    scene.server.patch(RUNS, "team", "one", {"metadata": {"labels": {"a": "b"}}})
    for _ in range(2):
        scene.tell(RUNS, "one")
    known = scene.operator.cache.get(RUNS, "team", "one")
    scene.operator.handle_event(RUNS, "MODIFIED", old)
    assert scene.operator.cache.get(RUNS, "team", "one") is known
    assert len(scene.operator.queue) == 1


async def test_job_that_another_process_created_is_taken_over(scene: Scene) -> None:
    """The first one died between the server's answer and the next event."""
    await scene.turn()
    made = scene.object(JOBS, scene.job_of("one"))
    scene.operator = operator_on(FakeClient(scene.server))
    for resource in (PIPELINES, RUNS):
        for document in scene.server.all(resource):
            scene.operator.handle_event(resource, "ADDED", document)
    scene.requests()
    await scene.settle()
    assert scene.object(JOBS, scene.job_of("one")) == made
    assert scene.operator.cache.get(JOBS, "team", scene.job_of("one"))


async def test_job_that_lost_its_label_is_read_by_name_before_it_counts_as_gone(
    scene: Scene,
) -> None:
    await scene.settle()
    name = scene.job_of("one")
    scene.server.patch(JOBS, "team", name, {"metadata": {"labels": {LABEL_RUN_UID: None}}})
    await know_all(scene.operator)
    assert scene.operator.cache.get(JOBS, "team", name)
    scene.server.delete(JOBS, "team", name)
    await know_all(scene.operator)
    assert scene.operator.cache.get(JOBS, "team", name) is None


async def test_connection_that_no_event_has_told_of_is_found_by_a_list() -> None:
    """Which one an ARN means stands in the object: no name can be asked for."""
    server = FakeServer()
    arn = "arn:aws:codeconnections:eu-west-1:123456789012:connection/1111"
    where = {"ConnectionArn": arn, "FullRepositoryId": "team/shop", "BranchName": "main"}
    source = {
        "name": "Fetch",
        "actionTypeId": {"category": "Source", "provider": "CodeStarSourceConnection"},
        "configuration": where,
        "outputArtifacts": [{"name": "Source"}],
    }
    stages = [{"name": "S", "actions": [source]}, {**SPEC["stages"][0], "name": "T"}]
    server.create(PIPELINES, "team", {"metadata": {"name": "web"}, "spec": {"stages": stages}})
    run = {"metadata": {"name": "one"}, "spec": {"pipelineRef": {"name": "web"}}}
    server.create(RUNS, "team", run)
    operator = operator_on(FakeClient(server))
    await know_all(operator)
    spec = {"providerType": "GitHub", "arn": arn}
    server.create(CONNECTIONS, "team", {"metadata": {"name": "github"}, "spec": spec})
    await operator.reconciler.reconcile(KEY)
    document = server.get(RUNS, "team", "one")
    assert document
    (state,) = document["status"]["stageStates"][0]["actionStates"]
    assert state["executions"][0]["connection"]["name"] == "github"
    assert len(list(server.all(JOBS))) == 1


# ---- refusals


async def test_job_of_that_name_which_is_not_ours_is_left_alone_and_told(scene: Scene) -> None:
    name = scene.job_of("one")
    squatter = scene.server.create(JOBS, "team", job(name))
    assert await scene.turn() == 0.0
    assert scene.object(JOBS, name) == squatter
    await scene.turn()
    assert scene.reason("one") == "NameTaken"
    scene.server.delete(JOBS, "team", name)
    scene.operator.reconciler.clock = lambda: datetime.now(UTC) + timedelta(minutes=1)
    await scene.turn()
    assert scene.object(JOBS, name)["metadata"]["ownerReferences"]


async def test_definition_of_that_name_with_other_data_is_not_taken_for_ours(scene: Scene) -> None:
    """Its name is a hash of its data; anybody in the namespace could have made it before."""
    await scene.turn()
    (ours,) = scene.server.all(REVISIONS)
    name = ours["metadata"]["name"]
    for resource in (REVISIONS, JOBS, RUNS):
        for item in list(scene.server.all(resource)):
            scene.server.delete(resource, "team", item["metadata"]["name"])
    scene.server.create(REVISIONS, "team", {"metadata": {"name": name}, "data": {"stages": []}})
    scene.start("two")
    scene.operator = operator_on(FakeClient(scene.server))
    await know_all(scene.operator)
    await scene.turn()
    await scene.turn()
    assert scene.reason("two") == "NameTaken"
    assert list(scene.server.all(JOBS)) == []


async def test_status_that_is_refused_leads_to_no_command_of_its_run_alone(scene: Scene) -> None:
    scene.start("two")
    scene.server.patch(PIPELINES, "team", "web", {"spec": {"executionMode": "PARALLEL"}})
    await know_all(scene.operator)
    scene.server.refuse("PATCH", RUN_STATUS, 422, "Invalid", "too long")
    assert await scene.turn() == 0.0
    assert [d["metadata"]["name"] for d in scene.server.all(JOBS)] == [scene.job_of("two")]
    assert "state" not in scene.object(RUNS, "one")["status"]
    await scene.turn()
    assert "too long" in str(scene.object(RUNS, "one")["status"])


async def test_definition_that_is_refused_is_named_by_no_status(scene: Scene) -> None:
    scene.server.refuse(
        "POST", "controllerrevisions", 403, "Forbidden", "exceeded quota: tight", times=2
    )
    assert await scene.turn() == 0.0
    assert list(scene.writes()) == ["POST controllerrevisions"]
    await scene.turn()
    status = scene.object(RUNS, "one")["status"]
    assert (scene.reason("one"), "revision" in status) == ("QuotaExceeded", False)


async def test_server_without_an_answer_ends_the_pass_and_the_next_goes_on(scene: Scene) -> None:
    scene.server.refuse("POST", "/jobs", 503, "ServiceUnavailable")
    with pytest.raises(UnavailableError):
        await scene.turn()
    assert list(scene.server.all(JOBS)) == []
    await scene.turn()
    assert scene.object(JOBS, scene.job_of("one"))


async def test_run_whose_status_is_refused_keeps_its_stage_until_that_is_written(
    scene: Scene,
) -> None:
    scene.start("two")
    await know_all(scene.operator)
    await scene.settle()
    scene.succeed(scene.job_of("one"))
    scene.server.refuse("PATCH", RUN_STATUS, 500, "InternalError", times=2)
    for _ in range(2):
        await scene.turn()
        held = [name for name in ("one", "two") if scene.is_in_stage(name)]
        assert held == ["one"]
