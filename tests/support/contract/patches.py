"""What a merge patch changes of an object, and when it is refused."""

from __future__ import annotations

import pytest

from penstock.cluster.client import Client
from penstock.cluster.errors import ConflictError
from penstock.cluster.resources import BUILD_PROJECTS
from tests.support.contract.objects import project, version_of


async def change_of_the_spec_alone_raises_the_generation(client: Client, namespace: str) -> None:
    made = await client.create(BUILD_PROJECTS, namespace, project())
    labelled = await client.patch(
        BUILD_PROJECTS, namespace, "web", {"metadata": {"labels": {"a": "b"}}}
    )
    assert int(version_of(labelled)) > int(version_of(made))
    assert labelled["metadata"]["generation"] == 1
    body = {"observedGeneration": 1}
    told = await client.patch_status(BUILD_PROJECTS, namespace, "web", body, version_of(labelled))
    assert int(version_of(told)) > int(version_of(labelled))
    assert (told["metadata"]["generation"], told["status"]) == (1, body)
    edited = await client.patch(BUILD_PROJECTS, namespace, "web", {"spec": {"image": "other"}})
    assert edited["metadata"]["generation"] == 2
    assert edited["metadata"]["labels"] == {"a": "b"}


async def patch_of_the_status_changes_nothing_else(client: Client, namespace: str) -> None:
    await client.create(BUILD_PROJECTS, namespace, project())
    body = {
        "metadata": {"labels": {"a": "b"}},
        "spec": {"image": "other"},
        "status": {"observedGeneration": 3},
    }
    path = BUILD_PROJECTS.path(namespace, "web", "status")
    changed = await client.send("PATCH", path, body=body)
    assert changed["status"] == {"observedGeneration": 3}
    assert changed["spec"] == {"image": "none"}
    assert "labels" not in changed["metadata"]


async def patch_of_an_object_leaves_its_status(client: Client, namespace: str) -> None:
    await client.create(BUILD_PROJECTS, namespace, project())
    body = {"spec": {"image": "other"}, "status": {"observedGeneration": 3}}
    changed = await client.patch(BUILD_PROJECTS, namespace, "web", body)
    assert changed["status"] == {"observedGeneration": -1}
    assert changed["spec"] == {"image": "other"}


async def patch_with_a_stale_version_is_a_conflict(client: Client, namespace: str) -> None:
    made = await client.create(BUILD_PROJECTS, namespace, project())
    stale, status = version_of(made), {"observedGeneration": 1}
    await client.patch(BUILD_PROJECTS, namespace, "web", {"spec": {"image": "other"}})
    with pytest.raises(ConflictError):
        await client.patch_status(BUILD_PROJECTS, namespace, "web", status, stale)
    body = {"metadata": {"resourceVersion": stale}, "spec": {"image": "third"}}
    with pytest.raises(ConflictError):
        await client.patch(BUILD_PROJECTS, namespace, "web", body)
    now = await client.get(BUILD_PROJECTS, namespace, "web")
    assert (now["spec"], now["status"]) == ({"image": "other"}, {"observedGeneration": -1})


async def stale_patch_that_would_change_nothing_is_a_conflict(
    client: Client, namespace: str
) -> None:
    made = await client.create(BUILD_PROJECTS, namespace, project())
    await client.patch(BUILD_PROJECTS, namespace, "web", {"spec": {"image": "other"}})
    with pytest.raises(ConflictError):
        await client.patch_status(BUILD_PROJECTS, namespace, "web", {}, version_of(made))


async def patch_of_nothing_raises_no_generation(client: Client, namespace: str) -> None:
    made = await client.create(BUILD_PROJECTS, namespace, project())
    same = {"spec": {"image": "none", "buildspec": None}}
    found = await client.patch(BUILD_PROJECTS, namespace, "web", same)
    # The real server may count such a patch as a new version.
    assert found["spec"] == made["spec"]
    assert found["metadata"]["generation"] == made["metadata"]["generation"]


async def patch_merges_objects_replaces_lists_and_takes_out_what_is_null(
    client: Client, namespace: str
) -> None:
    before = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    document = project(labels={"a": "1", "b": "2"})
    document["spec"] |= {"environmentVariables": before, "buildspec": "x"}
    await client.create(BUILD_PROJECTS, namespace, document)
    body = {
        "metadata": {"labels": {"a": None, "c": "3"}},
        "spec": {"buildspec": None, "environmentVariables": before[1:]},
    }
    changed = await client.patch(BUILD_PROJECTS, namespace, "web", body)
    assert changed["metadata"]["labels"] == {"b": "2", "c": "3"}
    assert changed["spec"] == {"image": "none", "environmentVariables": before[1:]}
