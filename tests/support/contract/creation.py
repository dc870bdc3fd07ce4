"""What becomes of an object that is created, and of one that is absent."""

from __future__ import annotations

from datetime import datetime

import pytest

from penstock.cluster.client import Client
from penstock.cluster.errors import AlreadyExistsError, NotFoundError
from penstock.cluster.resources import BUILD_PROJECTS, CORE_EVENTS, JOBS, PIPELINES, REVISIONS, RUNS
from tests.support.contract.objects import job, project, run, version_of


async def object_that_exists_is_not_created_again(client: Client, namespace: str) -> None:
    revision = {"metadata": {"name": "one"}, "data": {"a": 1}, "revision": 1}
    wanted = [(BUILD_PROJECTS, project("one")), (JOBS, job("one")), (REVISIONS, revision)]
    for resource, document in wanted:
        first = await client.create(resource, namespace, document)
        with pytest.raises(AlreadyExistsError):
            await client.create(resource, namespace, document)
        now = await client.get(resource, namespace, "one")
        assert now["metadata"]["uid"] == first["metadata"]["uid"]


async def new_object_has_identity_version_generation_and_seconds(
    client: Client, namespace: str
) -> None:
    one = await client.create(BUILD_PROJECTS, namespace, project("one"))
    two = await client.create(BUILD_PROJECTS, namespace, project("two"))
    meta = one["metadata"]
    assert (meta["namespace"], meta["generation"]) == (namespace, 1)
    assert meta["uid"] not in ("", two["metadata"]["uid"])
    assert int(version_of(one)) < int(version_of(two))
    assert datetime.strptime(meta["creationTimestamp"], "%Y-%m-%dT%H:%M:%SZ")
    assert await client.get(BUILD_PROJECTS, namespace, "one") == one


async def new_object_has_no_status_but_the_kinds_default(client: Client, namespace: str) -> None:
    default = {"observedGeneration": -1}
    made = await client.create(RUNS, namespace, run("one", status={"state": "Succeeded"}))
    assert made["status"] == default
    type_id = {"category": "Compute", "owner": "AWS", "provider": "Commands", "version": "1"}
    action = {"name": "A", "actionTypeId": type_id, "commands": ["true"]}
    spec = {"stages": [{"name": "S", "actions": [action]}]}
    pipeline = {**run("one"), "kind": "Pipeline", "spec": spec, "status": {"version": 7}}
    assert (await client.create(PIPELINES, namespace, pipeline))["status"] == default
    assert (await client.create(JOBS, namespace, job("one"))).get("status", {}) == {}


async def jobs_pods_get_the_label_that_they_are_listed_by(client: Client, namespace: str) -> None:
    made = await client.create(JOBS, namespace, job("one"))
    labels = made["spec"]["template"]["metadata"]["labels"]
    assert labels["batch.kubernetes.io/job-name"] == "one"
    assert labels["batch.kubernetes.io/controller-uid"] == made["metadata"]["uid"]


async def object_that_is_absent_is_not_found(client: Client, namespace: str) -> None:
    for request in (
        client.get(JOBS, namespace, "none"),
        client.get(CORE_EVENTS, namespace, "none"),
        client.patch(RUNS, namespace, "none", {"spec": {}}),
        client.patch_status(RUNS, namespace, "none", {"state": "Failed"}, "1"),
        client.delete(JOBS, namespace, "none", uid="1"),
    ):
        with pytest.raises(NotFoundError):
            await request
