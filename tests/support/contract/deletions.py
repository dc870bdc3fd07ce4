"""What goes when an object is deleted, and when."""

from __future__ import annotations

import pytest

from penstock.cluster.client import Client
from penstock.cluster.errors import AlreadyExistsError, ConflictError, NotFoundError
from penstock.cluster.resources import BUILD_PROJECTS, JOBS, PODS
from tests.support.contract.objects import MARK, created_pod, is_gone, job, names, pod, project


async def object_of_another_uid_is_not_deleted(client: Client, namespace: str) -> None:
    made = await client.create(JOBS, namespace, job("one"))
    with pytest.raises(ConflictError):
        await client.delete(JOBS, namespace, "one", uid="00000000-0000-4000-8000-000000000000")
    await client.delete(JOBS, namespace, "one", uid=made["metadata"]["uid"])
    assert await is_gone(client, JOBS, namespace, "one")


async def name_of_a_deleted_object_is_free_for_another(client: Client, namespace: str) -> None:
    first = await client.create(BUILD_PROJECTS, namespace, project())
    await client.delete(BUILD_PROJECTS, namespace, "web")
    second = await client.create(BUILD_PROJECTS, namespace, project())
    assert second["metadata"]["uid"] != first["metadata"]["uid"]
    with pytest.raises(ConflictError):
        await client.delete(BUILD_PROJECTS, namespace, "web", uid=first["metadata"]["uid"])


async def object_with_a_finalizer_stays_until_that_is_gone(client: Client, namespace: str) -> None:
    await client.create(BUILD_PROJECTS, namespace, project(finalizers=[MARK]))
    await client.delete(BUILD_PROJECTS, namespace, "web")
    going = await client.get(BUILD_PROJECTS, namespace, "web")
    assert "deletionTimestamp" in going["metadata"]
    assert going["metadata"]["generation"] == 2
    await client.delete(BUILD_PROJECTS, namespace, "web")
    assert await client.get(BUILD_PROJECTS, namespace, "web") == going
    with pytest.raises(AlreadyExistsError):
        await client.create(BUILD_PROJECTS, namespace, project())
    await client.patch(BUILD_PROJECTS, namespace, "web", {"metadata": {"finalizers": None}})
    with pytest.raises(NotFoundError):
        await client.get(BUILD_PROJECTS, namespace, "web")


async def what_an_object_owns_goes_with_it(client: Client, namespace: str) -> None:
    made = await client.create(BUILD_PROJECTS, namespace, project())
    owner = {
        "apiVersion": made["apiVersion"],
        "kind": made["kind"],
        "name": "web",
        "uid": made["metadata"]["uid"],
        "controller": True,
    }
    await client.create(JOBS, namespace, job("owned", ownerReferences=[owner]))
    await client.create(JOBS, namespace, job("free"))
    await client.delete(BUILD_PROJECTS, namespace, "web")
    assert await is_gone(client, JOBS, namespace, "owned")
    assert await names(client, JOBS, namespace) == ["free"]


async def deletion_of_a_collection_takes_what_its_selector_matches(
    client: Client, namespace: str
) -> None:
    for name in ("a", "b", "c"):
        await client.create(JOBS, namespace, job(name, labels={MARK: name}))
    await client.create(JOBS, namespace, job("free"))
    await client.delete_collection(JOBS, namespace, f"{MARK} in (a,c)")
    assert await is_gone(client, JOBS, namespace, "a")
    assert await is_gone(client, JOBS, namespace, "c")
    assert await names(client, JOBS, namespace) == ["b", "free"]
    await client.delete_collection(JOBS, namespace, f"{MARK} in (nobody)")


async def pod_ends_in_its_own_time_unless_no_node_has_it_or_it_has_ended(
    client: Client, namespace: str
) -> None:
    await created_pod(client, namespace, pod("pending"))
    for name in ("running", "ended"):
        await created_pod(client, namespace, pod(name, nodeName="tests-nowhere", nodeSelector={}))
    path = PODS.path(namespace, "ended", "status")
    await client.send("PATCH", path, body={"status": {"phase": "Succeeded"}})
    for name in ("pending", "running", "ended"):
        await client.delete(PODS, namespace, name)
    assert await names(client, PODS, namespace) == ["running"]
    going = await client.get(PODS, namespace, "running")
    assert "deletionTimestamp" in going["metadata"]
    await client.send("DELETE", PODS.path(namespace, "running"), body={"gracePeriodSeconds": 0})
    with pytest.raises(NotFoundError):
        await client.get(PODS, namespace, "running")
