"""An API server in memory: what the controller asks of the real one, and what that answers.

What is written here about the real one is proved by `api_contract.py`, which both must pass.
Documents are never changed in place: each write stores a new one.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from penstock.api.meta import GROUP
from penstock.api.times import format_seconds
from penstock.cluster import resources
from penstock.cluster.resources import CORE_EVENTS, EVENTS, JOBS, PODS, Resource
from tests.support.fake_documents import (
    Document,
    core_event,
    has_fields,
    has_labels,
    job_with_labels,
    merged,
)
from tests.support.fake_requests import KINDS, Injected, Place, Refusal, Request, place_of

_NOT_OBSERVED = {"observedGeneration": -1}
_STATUSES: dict[Resource, Document] = {
    resources.PIPELINES: _NOT_OBSERVED,
    resources.RUNS: _NOT_OBSERVED,
    resources.APPROVALS: _NOT_OBSERVED,
    resources.BUILD_PROJECTS: _NOT_OBSERVED,
    resources.CONNECTIONS: _NOT_OBSERVED,
    JOBS: {},
    PODS: {"phase": "Pending"},
}
"""The kinds with a status subresource, and the status of a new object."""
_FIXED = (
    "name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp",
    "deletionTimestamp", "deletionGracePeriodSeconds",
)  # fmt: skip
"""What of the metadata no patch changes."""
_GRACE_S = 30


class FakeServer:
    """Objects by kind, namespace and name. Its clock is the test's.

    ``seen`` are the requests that arrived through `answer`; ``versions`` holds all that an object
    ever was, by its uid, and ``graves`` each deleted object, as their events show them.
    """

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.clock, self.version = clock, 1000
        self.seen: list[Request] = []
        self.versions: defaultdict[str, list[Document]] = defaultdict(list)
        self.graves: dict[str, tuple[Resource, Document]] = {}
        self._objects: dict[Resource, dict[tuple[str, str], Document]] = {
            kind: {} for kind in KINDS.values() if kind is not CORE_EVENTS
        }
        self._injected: list[Injected] = []
        self._pages: dict[str, list[Document]] = {}
        self._uids = 0

    def refuse(
        self,
        method: str,
        words: str,
        status: int,
        reason: str,
        message: str = "",
        *,
        times: int = 1,
        is_applied: bool = False,
    ) -> None:
        """Refuse the next requests of a method whose path contains these words.

        With ``is_applied`` they are carried out, and only their answers are lost.
        """
        refusal = Refusal(status, reason, message or reason)
        self._injected.append(Injected(method, words, refusal, times, is_applied))

    def answer(
        self, method: str, path: str, query: Mapping[str, str], body: Document | None
    ) -> Document:
        """Return the answer to a request, or raise the Refusal that it is."""
        self.seen.append(Request(method, path, body))
        injected = next((item for item in self._injected if item.is_of(method, path)), None)
        if injected is None:
            return self._answer(method, place_of(path), query, body or {})
        injected.times -= 1
        if not injected.times:
            self._injected.remove(injected)
        if injected.is_applied:
            self._answer(method, place_of(path), query, body or {})
        raise injected.refusal

    # ---- what tests do beside the controller

    def create(self, resource: Resource, namespace: str, document: Document) -> Document:
        """Create an object, as somebody else does."""
        return self._create(Place(resource, namespace), document)

    def patch(
        self, resource: Resource, namespace: str, name: str, body: Document, part: str = ""
    ) -> Document:
        """Merge a patch into an object or its status, as somebody else does."""
        return self._patch(Place(resource, namespace, name, part), body)

    def delete(self, resource: Resource, namespace: str, name: str, **options: Any) -> None:
        """Delete an object and what it owns, as somebody else does."""
        self._delete(Place(resource, namespace, name), options)

    def get(self, resource: Resource, namespace: str, name: str) -> Document | None:
        """Return an object, None if there is none."""
        return self._objects[resource].get((namespace, name))

    def all(self, resource: Resource) -> Iterator[Document]:
        """Yield the objects of a kind in the order of their names."""
        yield from (document for _, document in sorted(self._objects[resource].items(), key=_first))

    # ---- verbs

    def _answer(
        self, method: str, place: Place, query: Mapping[str, str], body: Document
    ) -> Document:
        match method, bool(place.name):
            case "GET", True:
                return _shown(place.resource, self._find(place))
            case "GET", False:
                return self._list(place, query)
            case "POST", False:
                return self._create(place, body)
            case "PATCH", True:
                return self._patch(place, body)
            case "DELETE", True:
                return self._delete(place, body)
            case "DELETE", False:
                for found in self._matching(place, query):
                    self._delete(Place(place.resource, *_key(found)), body)
                return {"kind": "Status", "status": "Success"}
        raise Refusal(405, "MethodNotAllowed", "the server does not allow this method")

    def _find(self, place: Place) -> Document:
        found = self._objects[_stored(place.resource)].get((place.namespace, place.name))
        if found is None:
            raise Refusal(404, "NotFound", f"{place} not found")
        return found

    def _matching(self, place: Place, query: Mapping[str, str]) -> list[Document]:
        found = (_shown(place.resource, d) for d in self.all(_stored(place.resource)))
        labels, fields = query.get("labelSelector", ""), query.get("fieldSelector", "")
        return [
            document
            for document in found
            if place.namespace in ("", document["metadata"].get("namespace", ""))
            and has_labels(document, labels)
            and has_fields(document, fields)
        ]

    def _list(self, place: Place, query: Mapping[str, str]) -> Document:
        token, limit = query.get("continue", ""), int(query.get("limit", 0))
        found = self._pages.pop(token) if token else self._matching(place, query)
        page, rest = (found[:limit], found[limit:]) if limit else (found, [])
        meta: Document = {"resourceVersion": str(self.version)}
        if rest:
            meta["continue"] = f"{self.version}-{len(self.seen)}"
            self._pages[meta["continue"]] = rest
        if not place.resource.api.startswith(f"apis/{GROUP}/"):
            # Objects of built-in kinds do not say their kind in a LIST.
            page = [{k: v for k, v in d.items() if k not in ("apiVersion", "kind")} for d in page]
        return {"kind": f"{place.resource.kind}List", "metadata": meta, "items": page}

    def _create(self, place: Place, body: Document) -> Document:
        resource, meta = place.resource, body["metadata"]
        place = place._replace(name=meta["name"])
        if (place.namespace, place.name) in self._objects[resource]:
            raise Refusal(409, "AlreadyExists", f"{place} already exists")
        self._uids += 1
        now = format_seconds(self.clock())
        meta = {**meta, "uid": str(uuid.UUID(int=self._uids)), "creationTimestamp": now}
        if resource.is_namespaced:
            meta["namespace"] = place.namespace
        if resource is JOBS or resource.api.startswith(f"apis/{GROUP}/"):
            meta["generation"] = 1
        version = resource.api.removeprefix("apis/").removeprefix("api/")
        made = {**body, "apiVersion": version, "kind": resource.kind, "metadata": meta}
        if resource in _STATUSES:
            made["status"] = _STATUSES[resource]
        return self._store(resource, job_with_labels(made) if resource is JOBS else made)

    def _patch(self, place: Place, body: Document) -> Document:
        resource, old = place.resource, self._find(place)
        version = body.get("metadata", {}).get("resourceVersion")
        if version not in (None, old["metadata"]["resourceVersion"]):
            why = "the object has been modified; please apply your changes to the latest version"
            raise Refusal(409, "Conflict", f"Operation cannot be fulfilled on {place}: {why}")
        new = merged(old, body)
        if place.part == "status" and resource in _STATUSES:
            new = {**old, "status": new.get("status", _STATUSES[resource])}
        elif place.part:
            raise Refusal(404, "NotFound", "the server could not find the requested resource")
        else:
            new = _with_fixed(resource, old, new)
        return old if new == old else self._store(resource, new)

    def _delete(self, place: Place, options: Document) -> Document:
        resource, old = place.resource, self._find(place)
        meta = old["metadata"]
        wanted = options.get("preconditions", {}).get("uid", meta["uid"])
        if wanted != meta["uid"]:
            why = f"UID in precondition: {wanted}, UID in object meta: {meta['uid']}"
            raise Refusal(409, "Conflict", f"Precondition failed: {why}")
        grace_s = options.get("gracePeriodSeconds", _grace_of(resource, old))
        if not grace_s and not meta.get("finalizers"):
            return self._remove(resource, old)
        if "deletionTimestamp" in meta:
            return old
        ends = format_seconds(self.clock() + timedelta(seconds=grace_s))
        meta = {**meta, "deletionTimestamp": ends, "deletionGracePeriodSeconds": grace_s}
        if "generation" in meta:
            meta["generation"] += 1
        return self._store(resource, {**old, "metadata": meta})

    def _store(self, resource: Resource, document: Document) -> Document:
        meta = document["metadata"]
        if "deletionTimestamp" in meta and resource is not PODS and not meta.get("finalizers"):
            return self._remove(resource, document)
        stored = self._stamped(document)
        self._objects[resource][_key(stored)] = stored
        self.versions[stored["metadata"]["uid"]].append(stored)
        return stored

    def _stamped(self, document: Document) -> Document:
        self.version += 1
        return {
            **document,
            "metadata": {**document["metadata"], "resourceVersion": str(self.version)},
        }

    def _remove(self, resource: Resource, document: Document) -> Document:
        """Take an object away, and after it what nobody else owns."""
        del self._objects[resource][_key(document)]
        buried = self._stamped(document)
        uid = buried["metadata"]["uid"]
        self.graves[uid] = resource, buried
        for kind in self._objects:
            for dependent in list(self._objects[kind].values()):
                owners = {item["uid"] for item in dependent["metadata"].get("ownerReferences", ())}
                if uid in owners and not owners & self._uids_now():
                    self._delete(Place(kind, *_key(dependent)), {})
        return buried

    def _uids_now(self) -> set[str]:
        return {d["metadata"]["uid"] for kind in self._objects.values() for d in kind.values()}


def _first(item: tuple[tuple[str, str], Document]) -> tuple[str, str]:
    return item[0]


def _key(document: Document) -> tuple[str, str]:
    return document["metadata"].get("namespace", ""), document["metadata"]["name"]


def _stored(resource: Resource) -> Resource:
    return EVENTS if resource is CORE_EVENTS else resource


def _shown(resource: Resource, document: Document) -> Document:
    return core_event(document) if resource is CORE_EVENTS else document


def _grace_of(resource: Resource, document: Document) -> int:
    """Return how long a deleted object has to end: a pod on a node that has not ended."""
    spec, status = document.get("spec", {}), document.get("status", {})
    if resource is not PODS or "nodeName" not in spec or status["phase"] in ("Succeeded", "Failed"):
        return 0
    return int(spec.get("terminationGracePeriodSeconds", _GRACE_S))


def _with_fixed(resource: Resource, old: Document, new: Document) -> Document:
    """Return a patched object with what no patch may change, and the generation that it has."""
    before = old["metadata"]
    meta = {key: value for key, value in new["metadata"].items() if key not in _FIXED}
    meta |= {key: before[key] for key in _FIXED if key in before}
    new = {**new, "apiVersion": old["apiVersion"], "kind": old["kind"], "metadata": meta}
    if resource in _STATUSES:
        new["status"] = old["status"]
    beside = {"metadata", "status"}
    is_same = {k: v for k, v in new.items() if k not in beside} == {
        k: v for k, v in old.items() if k not in beside
    }
    if "generation" in meta and not is_same:
        meta["generation"] += 1
    return new
