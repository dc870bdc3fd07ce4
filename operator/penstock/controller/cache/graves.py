"""The objects that were deleted. A late event cannot bring one back.

A Job that once existed differs from a Job that never did.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from math import inf

from penstock.api.document import Document
from penstock.api.meta import LABEL_RUN_UID
from penstock.cluster.resources import APPROVALS, JOBS, PODS, RUNS, Resource
from penstock.controller.cache.identity import NOBODY

MOST = 5_000
"""How many deleted objects of a namespace are remembered.

Each namespace has its own limit: many deletions in one make no other forget.
"""


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A deleted object. ``version`` is that of its deletion, infinite where its absence was seen.

    ``owner`` and ``owner_uid`` are of what controlled it.
    """

    kind: str
    name: str
    owner: str
    owner_uid: str
    run_uid: str
    version: float
    namespace: str


@dataclass(frozen=True, slots=True)
class Deleted:
    """Names of Jobs and Approvals that existed once, and the uids of those Jobs.

    It also has the Jobs of Pods that are gone from sight.
    """

    names: frozenset[str] = frozenset()
    jobs: frozenset[str] = frozenset()
    podless: frozenset[str] = frozenset()


class Graves:
    """Tombstones by uid, by namespace and by run."""

    def __init__(self) -> None:
        self._stones: dict[str, Tombstone] = {}
        self._namespaces: defaultdict[str, dict[str, None]] = defaultdict(dict)
        """Uids by namespace, oldest first."""
        self._runs: defaultdict[str, set[str]] = defaultdict(set)
        """Uids by the run that they are of."""

    def find(self, uid: str) -> Tombstone | None:
        """Return the tombstone of a deleted object, None if none is remembered."""
        return self._stones.get(uid)

    def bury(self, resource: Resource, document: Document, version: float) -> list[str]:
        """Remember a deleted object; return the uids of those that are forgotten for it."""
        meta = document["metadata"]
        owner = next(
            (item for item in meta.get("ownerReferences", ()) if item.get("controller")), NOBODY
        )
        # Buried anew it is the youngest, and is forgotten last.
        self.dig_up(meta["uid"])
        stone = Tombstone(
            kind=resource.kind,
            name=meta["name"],
            owner=owner["name"],
            owner_uid=owner["uid"],
            run_uid=run_uid_of(document),
            version=version,
            namespace=meta.get("namespace", ""),
        )
        self._stones[meta["uid"]] = stone
        self._runs[stone.run_uid].add(meta["uid"])
        graves = self._namespaces[stone.namespace]
        graves[meta["uid"]] = None
        forgotten = list(islice(graves, max(0, len(graves) - MOST)))
        for uid in forgotten:
            self.dig_up(uid)
        return forgotten

    def dig_up(self, uid: str) -> None:
        """Forget that an object was deleted."""
        if stone := self._stones.pop(uid, None):
            del self._namespaces[stone.namespace][uid]
            # Else each namespace and run that ever was would leave an empty entry.
            if not self._namespaces[stone.namespace]:
                del self._namespaces[stone.namespace]
            self._runs[stone.run_uid].discard(uid)
            if not self._runs[stone.run_uid]:
                del self._runs[stone.run_uid]

    def confirm(self, uid: str) -> None:
        """Note that a deleted object was looked up and is not there."""
        if stone := self._stones.get(uid):
            self._stones[uid] = replace(stone, version=inf)

    def of_runs(self, run_uids: set[str]) -> Deleted:
        """Return what is remembered of the deleted objects of the given runs."""
        found = list(self._of(run_uids))
        return Deleted(
            names=frozenset(
                item.name for _, item in found if item.kind in (JOBS.kind, APPROVALS.kind)
            ),
            jobs=frozenset(uid for uid, item in found if item.kind == JOBS.kind),
            podless=frozenset(
                item.owner for _, item in found if item.kind == PODS.kind and item.version < inf
            ),
        )

    def unconfirmed_pods(self, run_uids: set[str], job: str) -> dict[str, str]:
        """Return uid to name of each Pod of a Job of these runs that an event reported deleted.

        The Pod may still be there.
        """
        stones = self._of(run_uids)
        return {
            u: s.name
            for u, s in stones
            if (s.kind, s.owner) == (PODS.kind, job) and s.version < inf
        }

    def _of(self, run_uids: set[str]) -> Iterator[tuple[str, Tombstone]]:
        return ((uid, self._stones[uid]) for run in run_uids for uid in self._runs.get(run, ()))


def run_uid_of(document: Document) -> str:
    """Return the run of an object; for a Job, the run that controls it, whatever its labels say."""
    meta = document["metadata"]
    controller = next(
        (owner for owner in meta.get("ownerReferences", ()) if owner["kind"] == RUNS.kind), None
    )
    return str(controller["uid"] if controller else meta.get("labels", {}).get(LABEL_RUN_UID, ""))
