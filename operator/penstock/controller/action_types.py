"""ActionTypes and pipelines: who may name what, read anew where the cache lacks it."""

from collections.abc import Iterator
from typing import Any

from penstock.api.kinds.action_type import ActionTypeSpec
from penstock.cluster.client import Client
from penstock.cluster.resources import ACTION_TYPES, CLUSTER_ACTION_TYPES, PIPELINES, Resource
from penstock.controller.cache.cache import Cache
from penstock.controller.cache.identity import PipelineKey

TYPE_KINDS = (ACTION_TYPES, CLUSTER_ACTION_TYPES)
Identity = tuple[str, str, str]
_VERSION = ActionTypeSpec.model_fields["version"].default


def dependents(cache: Cache, resource: Resource, document: dict[str, Any]) -> Iterator[PipelineKey]:
    """Yield the pipelines whose definition may be another with this ActionType, or without it.

    All of those with custom actions: an edit may have taken an identity away
    that the document no longer shows.
    """
    if resource not in TYPE_KINDS:
        return
    namespace = document["metadata"].get("namespace")
    for pipeline in cache.all(PIPELINES):
        meta = pipeline["metadata"]
        # A ClusterActionType has no namespace, and may concern the pipelines of each.
        if namespace in (None, meta["namespace"]) and _named_by(pipeline):
            yield meta["namespace"], meta["name"]


async def fetch_missing(client: Client, cache: Cache, key: PipelineKey) -> None:
    """List the ActionTypes that a pipeline sees if the cache lacks one that it names.

    That one may be new.
    """
    pipeline = cache.get(PIPELINES, *key)
    wanted = _named_by(pipeline) if pipeline else set()
    if not wanted or wanted <= _identities(cache, key[0]):
        return
    for resource, namespace in ((ACTION_TYPES, key[0]), (CLUSTER_ACTION_TYPES, None)):
        before = cache.uids(resource, namespace)
        listed = [item async for item in client.list(resource, namespace)]
        cache.replace(resource, listed, before)


def types_seen(cache: Cache, namespace: str) -> Iterator[tuple[Resource, dict[str, Any]]]:
    """Yield the ActionTypes that the pipelines of a namespace may name, with their kinds."""
    yield from ((ACTION_TYPES, item) for item in cache.in_namespace(ACTION_TYPES, namespace))
    yield from ((CLUSTER_ACTION_TYPES, item) for item in cache.all(CLUSTER_ACTION_TYPES))


def _named_by(pipeline: dict[str, Any]) -> set[Identity]:
    """Return category, provider and version of the custom actions of a pipeline."""
    actions = [
        a for stage in pipeline.get("spec", {}).get("stages", ()) for a in stage.get("actions", ())
    ]
    types = [action.get("actionTypeId", {}) for action in actions]
    return {_identity(item) for item in types if item.get("owner") == "Custom"}


def _identities(cache: Cache, namespace: str) -> set[Identity]:
    return {_identity(item.get("spec", {})) for _, item in types_seen(cache, namespace)}


def _identity(document: dict[str, Any]) -> Identity:
    return (
        document.get("category", ""),
        document.get("provider", ""),
        document.get("version", _VERSION),
    )
