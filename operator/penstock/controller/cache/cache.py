"""What the operator knows of the cluster: trimmed objects by kind, found by pipeline.

Events, our own LISTs and the replies to our own writes all land here; of two versions of an object
the newer stays. What was deleted is remembered (`graves.py`).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from math import inf

from penstock.api.document import Document
from penstock.cluster.resources import (
    ACTION_TYPES,
    APPROVALS,
    BUILD_PROJECTS,
    CLUSTER_ACTION_TYPES,
    CONNECTIONS,
    JOBS,
    PIPELINES,
    PODS,
    REVISIONS,
    RUNS,
    TRANSITIONS,
    Resource,
)
from penstock.controller.cache.budget import Ledger
from penstock.controller.cache.graves import Deleted, Graves, run_uid_of
from penstock.controller.cache.identity import (
    CONTROLLERS,
    SHARED,
    PipelineKey,
    controlled,
    controller_of,
    kept_of,
    key_of,
)

ObjectKey = tuple[str, str]

KINDS = (
    ACTION_TYPES,
    CLUSTER_ACTION_TYPES,
    PIPELINES,
    BUILD_PROJECTS,
    CONNECTIONS,
    TRANSITIONS,
    RUNS,
    APPROVALS,
    JOBS,
    PODS,
    REVISIONS,
)


class Cache:
    """Objects by kind and by pipeline. Not thread-safe: it lives in the event loop."""

    def __init__(self, ledger: Ledger | None = None) -> None:
        self._ledger = ledger or Ledger()
        self._objects: dict[Resource, dict[ObjectKey, Document]] = {kind: {} for kind in KINDS}
        self._places: dict[Resource, dict[ObjectKey, PipelineKey]] = {kind: {} for kind in KINDS}
        self._members: dict[Resource, defaultdict[PipelineKey, set[ObjectKey]]] = {
            kind: defaultdict(set) for kind in KINDS
        }
        self._keys: dict[str, PipelineKey] = {}
        """The pipelines of runs and Jobs by uid: who owns something is found by it."""
        self._graves = Graves()
        self.when_forgotten: Callable[[str], None] = lambda _: None
        """Told the uid of each object that is kept no more."""

    def put(self, resource: Resource, document: Document) -> PipelineKey | None:
        """Take over an object unless it is older than the cached one.

        Return the pipeline that it belongs to.
        """
        meta = document["metadata"]
        name, uid, version = _key(meta), meta["uid"], _version(document)
        known = self._objects[resource].get(name)
        same = known if known is not None and known["metadata"]["uid"] == uid else None
        if known is not None and version < _version(known):
            return self._places[resource].get(name) if same else None
        buried = self._graves.find(uid)
        if buried is not None and version < buried.version:
            return None
        if buried is not None and resource in CONTROLLERS:
            # A watch tells of a lost label as of a deletion: what is read live after that was not
            # deleted.
            document = controlled(resource, document, buried.owner, buried.owner_uid)
        kept = kept_of(resource, document, same)
        key = key_of(resource, kept, self._keys)
        if key is None and resource not in SHARED:
            if known is not None and same is None:
                # Its name is another's now: the one that was ours is gone.
                return self._forget(resource, known, inf)
            return None
        self._graves.dig_up(uid)
        # Another object has its name now: the one of before is gone.
        if known is not None and same is None:
            self._forget(resource, known, version)
        self._objects[resource][name] = self._ledger.admit(resource, kept)
        if key is not None:
            self._place(resource, name, uid, key)
        return key

    def remove(
        self, resource: Resource, document: Document, *, is_absent: bool = False
    ) -> PipelineKey | None:
        """Forget a deleted object, leaving a tombstone; return the pipeline it belonged to.

        ``is_absent``: a live request did not find it. An event of its deletion may also mean that
        it lost the label by which it is watched; then a live request can bring it back.
        """
        meta = document["metadata"]
        name = _key(meta)
        known = self._objects[resource].get(name)
        version = inf if is_absent else _version(document)
        if known is not None and known["metadata"]["uid"] == meta["uid"]:
            return self._forget(resource, known, version)
        kept = kept_of(resource, document, None)
        if resource in (JOBS, PODS):
            controller = controller_of(resource, kept)
            if controller is None or controller["uid"] not in self._keys:
                # Of nothing that we know: anybody can make and delete a thing with our labels.
                return None
        self._bury(resource, kept, version)
        return key_of(resource, kept, self._keys)

    def mark_deleted(self, resource: Resource, namespace: str, name: str) -> None:
        """Note an accepted deletion before its event arrives.

        Otherwise the deletion would be requested again.
        """
        known = self._objects[resource].get((namespace, name))
        if known is not None and "deletionTimestamp" not in known["metadata"]:
            meta = {
                **known["metadata"],
                "deletionTimestamp": known["metadata"]["creationTimestamp"],
            }
            self._objects[resource][namespace, name] = {**known, "metadata": meta}

    def missing(self, resource: Resource, before: set[str], present: set[str]) -> list[Document]:
        """Return the objects known before a LIST (``before``) that the LIST did not have.

        Objects that came since then are spared.
        """
        gone = before - present
        return [
            item for item in self._objects[resource].values() if item["metadata"]["uid"] in gone
        ]

    def replace(
        self, resource: Resource, listed: Iterable[Document], before: set[str]
    ) -> set[PipelineKey]:
        """Compare with a LIST and return the pipelines that changed.

        Take over the objects that it has, and forget those that it lacks.
        """
        changed: set[PipelineKey] = set()
        present: set[str] = set()
        for document in listed:
            present.add(document["metadata"]["uid"])
            known = self.get(resource, *_key(document["metadata"]))
            key = self.put(resource, document)
            if key and (known is None or _version(known) != _version(document)):
                changed.add(key)
        for document in self.missing(resource, before, present):
            if key := self.remove(resource, document, is_absent=True):
                changed.add(key)
        return changed

    def uids(self, resource: Resource, namespace: str | None = None) -> set[str]:
        """Return the uids of all objects of a kind, or of those in a namespace."""
        return {
            document["metadata"]["uid"]
            for (space, _), document in self._objects[resource].items()
            if namespace in (None, space)
        }

    def held(self, namespace: str) -> int:
        """Return about how many bytes the objects of a namespace take."""
        return self._ledger.total(namespace)

    def get(self, resource: Resource, namespace: str, name: str) -> Document | None:
        """Return an object, None for one that is not known."""
        return self._objects[resource].get((namespace, name))

    def in_namespace(self, resource: Resource, namespace: str) -> Iterator[Document]:
        """Yield the objects of a kind in a namespace."""
        return (
            document
            for (space, _), document in self._objects[resource].items()
            if space == namespace
        )

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
            d["metadata"]["name"]
            for d in self.in_namespace(JOBS, namespace)
            if run_uid_of(d) in run_uids
        ]

    def deleted(self, run_uids: set[str]) -> Deleted:
        """Return what is remembered of the deleted objects of the given runs."""
        return self._graves.of_runs(run_uids)

    def unconfirmed_pods(self, run_uids: set[str], job: str) -> dict[str, str]:
        """Return uid to name of each Pod of a Job of these runs that an event reported deleted.

        The Pod may still be there.
        """
        return self._graves.unconfirmed_pods(run_uids, job)

    def confirm_deleted(self, uid: str) -> None:
        """Note that a deleted object was looked up and is not there."""
        self._graves.confirm(uid)

    def _place(self, resource: Resource, name: ObjectKey, uid: str, key: PipelineKey) -> None:
        """Index an object under its pipeline, and under no other."""
        self._displace(resource, name)
        self._places[resource][name] = key
        self._members[resource][key].add(name)
        # Runs own Jobs and Jobs own pods: what these two own is found by their uids.
        if resource in (RUNS, JOBS):
            self._keys[uid] = key

    def _displace(self, resource: Resource, name: ObjectKey) -> None:
        key = self._places[resource].pop(name, None)
        if key is not None:
            members = self._members[resource][key]
            members.discard(name)
            if not members:
                del self._members[resource][key]

    def _forget(self, resource: Resource, known: Document, version: float) -> PipelineKey | None:
        """Bury an object; return the pipeline it belonged to."""
        name = _key(known["metadata"])
        key = self._places[resource].get(name)
        del self._objects[resource][name]
        self._displace(resource, name)
        self._ledger.release(resource, *name)
        self.when_forgotten(known["metadata"]["uid"])
        self._bury(resource, known, version)
        return key

    def _bury(self, resource: Resource, document: Document, version: float) -> None:
        for uid in self._graves.bury(resource, document, version):
            self._keys.pop(uid, None)


def _key(meta: Document) -> ObjectKey:
    """Return namespace and name; the namespace of what has none is empty."""
    return meta.get("namespace", ""), meta["name"]


def _version(document: Document) -> int:
    """Return the version as a number; Kubernetes lets versions of one kind be compared."""
    return int(document["metadata"]["resourceVersion"])
