"""The share of the operator's memory that a namespace may take.

Its objects are counted, and the excess is left out.

A namespace's users decide how many objects there are and how large. Without a bound, one namespace
could end the process that works for all.
"""

from collections import Counter
from sys import getsizeof
from typing import Any

from penstock.api.document import Document
from penstock.cluster.resources import APPROVALS, JOBS, PODS, REVISIONS, RUNS, Resource

# ADR 13 has the sum: an operator of 512 MiB serves a dozen namespaces that use it up.
NAMESPACE_BYTES = 24 * 1024 * 1024
TOO_MUCH = "tooMuch"
"""The key under which a document says that its spec was left out, and what to do."""

# Kinds that the operator makes, or that are trimmed to a few KB: counted, and kept in any case.
_OWN = (JOBS, PODS, REVISIONS, APPROVALS)


def size_of(document: Document | list[Any]) -> int:
    """Return about how many bytes a JSON object takes in memory.

    It does not recurse, because the object may be deep.

    A text with one letter outside of Latin takes up to four times its length.
    """
    size, waiting = getsizeof(document), [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            size += sum(map(getsizeof, value))
        for item in value.values() if isinstance(value, dict) else value:
            size += getsizeof(item)
            if isinstance(item, dict | list):
                waiting.append(item)
    return size


class Ledger:
    """The bytes that each namespace takes, by object."""

    def __init__(self, most: int = NAMESPACE_BYTES) -> None:
        self._most = most
        self._of: Counter[str] = Counter()
        self._sizes: dict[tuple[Resource, str, str], int] = {}

    def admit(self, resource: Resource, document: Document) -> Document:
        """Count an object and return it, without its spec if its namespace exceeds its share."""
        namespace, name = document["metadata"].get("namespace", ""), document["metadata"]["name"]
        # This version takes the place of the last, which counts no more.
        self.release(resource, namespace, name)
        size = size_of(document)
        if (
            namespace
            and _may_be_left_out(resource, document)
            and self._of[namespace] + size > self._most
        ):
            document = _without_spec(document, namespace, self._most)
            size = size_of(document)
        self._sizes[resource, namespace, name] = size
        self._of[namespace] += size
        return document

    def release(self, resource: Resource, namespace: str, name: str) -> None:
        """Count an object no more."""
        self._of[namespace] -= self._sizes.pop((resource, namespace, name), 0)
        if self._of[namespace] <= 0:
            del self._of[namespace]

    def total(self, namespace: str) -> int:
        """Return the bytes that a namespace takes."""
        return self._of[namespace]


def _may_be_left_out(resource: Resource, document: Document) -> bool:
    """Return whether an object can do without its spec.

    A run that has begun cannot: it goes on as it was asked to.
    """
    status = document.get("status", {})
    has_begun = resource is RUNS and ("stageStates" in status or "completionTime" in status)
    return resource not in _OWN and not has_begun


def _without_spec(document: Document, namespace: str, most: int) -> Document:
    """Return an object without its user's part.

    Its identity stays, and so does all that the operator wrote.
    """
    spec = document.get("spec", {})
    # By these an object is found to be of its pipeline.
    identifying = {key: spec[key] for key in ("pipelineRef", "pipelineName") if key in spec}
    why = (
        f"the objects of namespace {namespace} take more than {most // 1024 // 1024} MiB of the "
        f"operator's memory; delete some, or write smaller ones"
    )
    return {**document, "spec": identifying, TOO_MUCH: why}
