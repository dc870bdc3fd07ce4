"""What the operator knows of the cluster: trimmed objects by kind, found by pipeline.

Events, our own LISTs and the replies to our own writes all land here; of two versions of an object the newer
stays. Deletions leave tombstones, so that a late event cannot bring an object back and a Job that once
existed is not taken for one that never did.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from penstock.api.meta import ANNOTATION_PIPELINE, LABEL_RUN_UID
from penstock.cluster.resources import (
    ACTION_TYPES,
    APPROVALS,
    BUILD_PROJECTS,
    CLUSTER_ACTION_TYPES,
    JOBS,
    PIPELINES,
    PODS,
    REVISIONS,
    RUNS,
    TRANSITIONS,
    Resource,
)

Document = dict[str, Any]
PipelineKey = tuple[str, str]
ObjectKey = tuple[str, str]

_TOMBSTONES = 20_000
_REFUSALS = 1_000
_SHARED = (ACTION_TYPES, CLUSTER_ACTION_TYPES, BUILD_PROJECTS)
"""Kinds that any pipeline of their namespace, or of the cluster, may name."""
KINDS = (
    ACTION_TYPES,
    CLUSTER_ACTION_TYPES,
    PIPELINES,
    BUILD_PROJECTS,
    TRANSITIONS,
    RUNS,
    APPROVALS,
    JOBS,
    PODS,
    REVISIONS,
)


def key_of(resource: Resource, document: Document) -> PipelineKey | None:
    """Return the pipeline that an object belongs to, None for one that is not ours."""
    meta = document["metadata"]
    if resource in _SHARED:
        return None
    if resource is PIPELINES:
        name = meta["name"]
    elif resource is RUNS:
        name = document.get("spec", {}).get("pipelineRef", {}).get("name")
    elif resource in (APPROVALS, TRANSITIONS):
        name = document.get("spec", {}).get("pipelineName")
    elif resource is REVISIONS:
        owners = meta.get("ownerReferences", ())
        name = next((owner["name"] for owner in owners if owner.get("kind") == PIPELINES.kind), None)
    else:
        name = meta.get("annotations", {}).get(ANNOTATION_PIPELINE)
    return (meta["namespace"], name) if isinstance(name, str) and name else None


class Cache:
    """Objects by kind and by pipeline. Not thread-safe: it lives in the event loop."""

    def __init__(self) -> None:
        self._objects: dict[Resource, dict[ObjectKey, Document]] = {kind: {} for kind in KINDS}
        self._members: dict[Resource, defaultdict[PipelineKey, set[ObjectKey]]] = {
            kind: defaultdict(set) for kind in KINDS
        }
        self._tombstones: OrderedDict[str, Document] = OrderedDict()
        self._refused: OrderedDict[ObjectKey, str] = OrderedDict()

    def put(self, resource: Resource, document: Document) -> PipelineKey | None:
        """Take over an object unless it is older than what we know; return the pipeline it belongs to."""
        key = key_of(resource, document)
        meta = document["metadata"]
        if (key is None and resource not in _SHARED) or meta["uid"] in self._tombstones:
            return key
        name = _key(meta)
        known = self._objects[resource].get(name)
        if known is not None and known["metadata"]["uid"] == meta["uid"] and _version(document) < _version(known):
            return key
        if known is not None and known["metadata"]["uid"] != meta["uid"]:
            if _version(document) < _version(known):
                return key
            self._bury(resource, known)
        self._objects[resource][name] = _trimmed(resource, document)
        if key is not None:
            self._members[resource][key].add(name)
        return key

    def remove(self, resource: Resource, document: Document) -> PipelineKey | None:
        """Forget a deleted object, leaving a tombstone; return the pipeline it belonged to."""
        meta = document["metadata"]
        name = _key(meta)
        self._bury(resource, document)
        known = self._objects[resource].get(name)
        key = key_of(resource, known or document)
        if known is not None and known["metadata"]["uid"] == meta["uid"]:
            del self._objects[resource][name]
            if key is not None:
                self._members[resource][key].discard(name)
                if not self._members[resource][key]:
                    del self._members[resource][key]
        return key

    def mark_refused(self, namespace: str, job: str, why: str) -> None:
        """Note that the server will never accept a Job; that it is forgotten costs a request."""
        self._refused[namespace, job] = why
        while len(self._refused) > _REFUSALS:
            self._refused.popitem(last=False)

    def refused(self, namespace: str) -> dict[str, str]:
        """Return the Jobs of a namespace that the server refused, and why."""
        return {name: why for (space, name), why in self._refused.items() if space == namespace}

    def mark_deleted(self, resource: Resource, namespace: str, name: str) -> None:
        """Note that a deletion was accepted, before the event says so, lest it be asked for again."""
        known = self._objects[resource].get((namespace, name))
        if known is not None and "deletionTimestamp" not in known["metadata"]:
            meta = {**known["metadata"], "deletionTimestamp": known["metadata"]["creationTimestamp"]}
            self._objects[resource][namespace, name] = {**known, "metadata": meta}

    def replace(self, resource: Resource, listed: Iterable[Document], before: set[str]) -> set[PipelineKey]:
        """Compare with a LIST: take over what it has, forget what it lacks; return the pipelines that changed.

        ``before`` are the uids known when the LIST began: what appeared since is not judged by it.
        """
        changed: set[PipelineKey] = set()
        present: set[str] = set()
        for document in listed:
            present.add(document["metadata"]["uid"])
            known = self.get(resource, *_key(document["metadata"]))
            key = self.put(resource, document)
            if key and (known is None or _version(known) != _version(document)):
                changed.add(key)
        for document in list(self._objects[resource].values()):
            uid = document["metadata"]["uid"]
            if uid in before and uid not in present and (key := self.remove(resource, document)):
                changed.add(key)
        return changed

    def uids(self, resource: Resource, namespace: str | None = None) -> set[str]:
        """Return the uids of all objects of a kind, or of those in a namespace."""
        return {
            document["metadata"]["uid"]
            for (space, _), document in self._objects[resource].items()
            if namespace in (None, space)
        }

    def get(self, resource: Resource, namespace: str, name: str) -> Document | None:
        """Return an object, None for one that is not known."""
        return self._objects[resource].get((namespace, name))

    def in_namespace(self, resource: Resource, namespace: str) -> Iterator[Document]:
        """Yield the objects of a kind in a namespace."""
        return (document for (space, _), document in self._objects[resource].items() if space == namespace)

    def all(self, resource: Resource) -> Iterator[Document]:
        """Yield every object of a kind."""
        return iter(list(self._objects[resource].values()))

    def of(self, resource: Resource, key: PipelineKey) -> Iterator[Document]:
        """Yield the objects of a kind that belong to a pipeline."""
        objects = self._objects[resource]
        return (objects[name] for name in sorted(self._members[resource].get(key, ())))

    def pipelines(self) -> set[PipelineKey]:
        """Return every pipeline that anything belongs to."""
        return {key for kind in KINDS for key in self._members[kind]}

    def jobs_of_runs(self, namespace: str, run_uids: set[str]) -> list[str]:
        """Return the names of the Jobs of the given runs."""
        return [
            name
            for (space, name), document in self._objects[JOBS].items()
            if space == namespace and document["metadata"].get("labels", {}).get(LABEL_RUN_UID) in run_uids
        ]

    def deleted_names(self, run_uids: set[str]) -> frozenset[str]:
        """Return the names of deleted Jobs and Approvals of the given runs, as far as remembered."""
        return frozenset(
            document["metadata"]["name"]
            for document in self._tombstones.values()
            if document.get("kind") in (JOBS.kind, APPROVALS.kind)
            and document["metadata"].get("labels", {}).get(LABEL_RUN_UID) in run_uids
        )

    def _bury(self, resource: Resource, document: Document) -> None:
        meta = document["metadata"]
        small = {key: meta[key] for key in ("name", "namespace", "uid", "labels") if key in meta}
        self._tombstones[meta["uid"]] = {"kind": resource.kind, "metadata": small}
        while len(self._tombstones) > _TOMBSTONES:
            self._tombstones.popitem(last=False)


def _key(meta: Document) -> ObjectKey:
    """Return namespace and name; the namespace of what has none is empty."""
    return meta.get("namespace", ""), meta["name"]


def _version(document: Document) -> int:
    """Return the version as a number: Kubernetes promises that those of one kind can be compared."""
    return int(document["metadata"]["resourceVersion"])


def _trimmed(resource: Resource, document: Document) -> Document:
    """Drop what no decision reads: managed fields everywhere, the pod template of Jobs, most of a pod's spec."""
    meta = {key: value for key, value in document["metadata"].items() if key != "managedFields"}
    annotations = meta.get("annotations")
    if annotations:
        meta["annotations"] = {key: value for key, value in annotations.items() if not key.endswith("/request")}
    document = {**document, "metadata": meta}
    spec = document.get("spec", {})
    if resource is JOBS:
        document["spec"] = {}
    elif "containers" in spec:
        document["spec"] = {"containers": [{"name": item["name"]} for item in spec["containers"]]}
    return document
