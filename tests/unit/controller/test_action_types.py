"""Which pipelines are looked at again when an ActionType comes, changes or goes."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.cluster.resources import (
    ACTION_TYPES,
    BUILD_PROJECTS,
    CLUSTER_ACTION_TYPES,
    PIPELINES,
    Resource,
)
from penstock.controller.action_types import dependents, types_seen
from penstock.controller.cache.cache import Cache

CUSTOM = {"category": "Deploy", "owner": "Custom", "provider": "Script"}
BUILT_IN = {"category": "Compute", "owner": "AWS", "provider": "Commands"}


def named(name: str, namespace: str | None, **fields: Any) -> dict[str, Any]:
    where = {"namespace": namespace} if namespace else {}
    return {
        "metadata": {"name": name, "uid": f"{namespace}/{name}", "resourceVersion": "1", **where},
        **fields,
    }


def pipeline(name: str, namespace: str, type_id: dict[str, str]) -> dict[str, Any]:
    return named(
        name,
        namespace,
        spec={"stages": [{"name": "S", "actions": [{"name": "A", "actionTypeId": type_id}]}]},
    )


@pytest.fixture
def cache() -> Cache:
    found = Cache()
    for name, namespace, type_id in (
        ("web", "a", CUSTOM),
        ("plain", "a", BUILT_IN),
        ("web", "b", CUSTOM),
    ):
        found.put(PIPELINES, pipeline(name, namespace, type_id))
    return found


@pytest.mark.parametrize(
    ("resource", "namespace", "expected"),
    [
        (ACTION_TYPES, "a", [("a", "web")]),
        (CLUSTER_ACTION_TYPES, None, [("a", "web"), ("b", "web")]),
        (BUILD_PROJECTS, "a", []),
    ],
)
def test_pipelines_with_custom_actions_depend_on_the_types_that_they_see(
    cache: Cache, resource: Resource, namespace: str | None, expected: list[tuple[str, str]]
) -> None:
    assert sorted(dependents(cache, resource, named("script", namespace))) == expected


def test_namespace_sees_its_own_types_and_the_clusters() -> None:
    cache = Cache()
    for resource, namespace in (
        (ACTION_TYPES, "a"),
        (ACTION_TYPES, "b"),
        (CLUSTER_ACTION_TYPES, None),
    ):
        cache.put(resource, named("script", namespace, spec={}))
    seen = [
        (resource.kind, item["metadata"].get("namespace"))
        for resource, item in types_seen(cache, "a")
    ]
    assert seen == [("ActionType", "a"), ("ClusterActionType", None)]
