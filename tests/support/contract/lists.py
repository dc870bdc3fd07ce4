"""What a LIST has, in which order and form."""

from __future__ import annotations

import pytest

from penstock.cluster.client import Client
from penstock.cluster.errors import ClusterError
from penstock.cluster.resources import BUILD_PROJECTS, CORE_EVENTS, EVENTS, JOBS
from penstock.controller.events import event_manifest
from penstock.engine.commands import EmitEvent
from tests.support.contract.objects import MARK, job, names, project, version_of


async def list_takes_what_each_selector_of_labels_matches(client: Client, namespace: str) -> None:
    for name, labels in {"a": {MARK: "1"}, "b": {MARK: "2"}, "c": {"k": "1"}, "d": {}}.items():
        await client.create(BUILD_PROJECTS, namespace, project(name, labels=labels))
    expected = {
        "": ["a", "b", "c", "d"],
        MARK: ["a", "b"],
        f"{MARK}=2": ["b"],
        f"{MARK} in (1,2)": ["a", "b"],
        f"{MARK} in (2,3)": ["b"],
        f"{MARK},k=1": [],
    }
    for selector, wanted in expected.items():
        found = await names(client, BUILD_PROJECTS, namespace, selector=selector)
        assert found == wanted, selector


async def list_takes_what_a_selector_of_fields_matches(client: Client, namespace: str) -> None:
    for name in ("a", "b"):
        await client.create(BUILD_PROJECTS, namespace, project(name))
    for name in ("b", "c"):
        assert await names(client, BUILD_PROJECTS, namespace, fields=f"metadata.name={name}") == [
            name
        ] * (name == "b")


async def events_are_listed_by_the_object_they_are_about(client: Client, namespace: str) -> None:
    for name, is_warning in (("a", True), ("a", False), ("b", True)):
        told = EmitEvent("PipelineRun", name, "uid", "Told", f"news {is_warning}", is_warning)
        await client.create(EVENTS, namespace, event_manifest(namespace, told, "tests"))
    fields = "involvedObject.name=a,type=Warning"
    (found,) = [event async for event in client.list(CORE_EVENTS, namespace, fields=fields)]
    assert (found["message"], found["involvedObject"]["name"]) == ("news True", "a")
    assert not found.get("lastTimestamp")
    assert found["eventTime"]


async def list_in_pages_has_every_object_once_in_order(client: Client, namespace: str) -> None:
    wanted = [f"p{number:03}" for number in range(60)]
    for name in reversed(wanted):
        await client.create(BUILD_PROJECTS, namespace, project(name))
    assert await names(client, BUILD_PROJECTS, namespace) == wanted


async def list_has_a_version_and_objects_like_those_of_get(client: Client, namespace: str) -> None:
    made = await client.create(BUILD_PROJECTS, namespace, project())
    answer = await client.send("GET", BUILD_PROJECTS.path(namespace))
    assert answer["items"] == [made]
    assert int(answer["metadata"]["resourceVersion"]) >= int(version_of(made))
    assert not answer["metadata"].get("continue")


async def built_in_objects_do_not_say_their_kind_in_a_list(client: Client, namespace: str) -> None:
    await client.create(JOBS, namespace, job("one"))
    (listed,) = [document async for document in client.list(JOBS, namespace)]
    assert (listed["metadata"]["name"], "kind" in listed) == ("one", False)


async def refusal_says_what_was_asked(client: Client, namespace: str) -> None:
    with pytest.raises(ClusterError) as refused:
        await client.get(JOBS, namespace, "none")
    assert refused.value.what == f"GET {JOBS.path(namespace, 'none')}"
    assert (refused.value.status, refused.value.message) == (404, 'jobs.batch "none" not found')
