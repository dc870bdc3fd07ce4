"""An operator for the simulator: the real one, whose events come when the story lets them, and
which may die after any of its writes.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
from collections.abc import Callable
from typing import Any

from penstock.cluster.errors import ClusterError
from penstock.cluster.resources import APPROVALS, JOBS, PIPELINES, PODS, RUNS, Resource
from penstock.controller.planner import Planner
from penstock.engine.settings import Settings
from tests.support.fake_client import FakeClient
from tests.support.fake_documents import Document, copied
from tests.support.fake_operator import know_all, operator_on
from tests.support.fake_requests import place_of
from tests.unit.engine.simulator import NAMESPACE, PIPELINE, Cluster

WATCHED = {
    "approvals": APPROVALS,
    "jobs": JOBS,
    "pipeline": PIPELINES,
    "pods": PODS,
    "runs": RUNS,
}
KEY = (NAMESPACE, PIPELINE)
_LOOP = asyncio.new_event_loop()
atexit.register(_LOOP.close)


class Death(Exception):
    """The operator's process ended."""


class StoryClient(FakeClient):
    """Counts writes, has each one judged, and ends the process after the one that the story says.

    ``judge`` is asked after each write, as the process may die behind any.
    """

    def __init__(self, cluster: Cluster, judge: Callable[[], None]) -> None:
        super().__init__(cluster.server)
        self._cluster, self._judge = cluster, judge
        self.writes = 0
        self.dies_after: int | None = None
        """How many more writes the process lives for; None: it does not die."""
        self.meanwhile: Callable[[], None] | None = None
        """What somebody else does right after the next write."""
        self._is_dead = False

    async def send(self, method: str, path: str, **fields: Any) -> Document:
        """Send a request unless the process is dead."""
        is_write = method != "GET"
        self._live(is_write)
        if method == "POST":
            name = fields["body"]["metadata"]["name"]
            self._cluster.note_creation(place_of(path).resource, name)
        self.writes += is_write
        answer = await super().send(method, path, **fields)
        if is_write:
            self._judge()
            if meanwhile := self.meanwhile:
                self.meanwhile = None
                meanwhile()
                self._judge()
            if self.dies_after is not None:
                self.dies_after -= 1
            self._live(is_write)
        return answer

    def _live(self, is_write: bool) -> None:
        """Raise Death where the process has made its last write."""
        self._is_dead |= is_write and self.dies_after == 0
        if self._is_dead:
            raise Death


class Process:
    """One process of the operator: it knows everything when it begins, and later what it hears."""

    def __init__(self, cluster: Cluster, settings: Settings, judge: Callable[[], None]) -> None:
        self._server = cluster.server
        self._client = StoryClient(cluster, judge)
        self._clock = lambda: cluster.now
        self._operator = operator_on(self._client, settings, self._clock)
        # No plan is heavy on a machine that is busy with others.
        self._operator.reconciler.planner = Planner(settings, clock=lambda: 0.0)
        self._heard = set(self._server.graves)
        """The uids of the deleted objects whose last event has arrived, or never will."""
        _LOOP.run_until_complete(know_all(self._operator))

    def late(self) -> list[tuple[str, str]]:
        """Return kind and name of the objects whose latest event has not arrived."""
        found: set[tuple[str, str]] = set()
        unheard = [
            (resource, document["metadata"]["name"])
            for uid, (resource, document) in self._server.graves.items()
            if uid not in self._heard
        ]
        for kind, resource in WATCHED.items():
            found |= {(kind, name) for of, name in unheard if of is resource}
            for document in self._server.all(resource):
                meta = document["metadata"]
                if self._version(resource, meta["name"]) != meta["resourceVersion"]:
                    found.add((kind, meta["name"]))
        return sorted(found)

    def hear(self, kind: str, name: str) -> None:
        """Take in the events of one object up to its latest."""
        resource = WATCHED[kind]
        for uid, (of, document) in self._server.graves.items():
            if (of, document["metadata"]["name"]) == (resource, name) and uid not in self._heard:
                self._operator.handle_event(resource, "DELETED", copied(document))
                self._heard.add(uid)
        if latest := self._server.get(resource, NAMESPACE, name):
            self._operator.handle_event(resource, "MODIFIED", copied(latest))

    def hear_all(self) -> None:
        """Take in everything."""
        for kind, name in self.late():
            self.hear(kind, name)

    def hear_old(self, pick: float) -> None:
        """Take in an event that comes late: the object is known to be another by now."""
        old = [
            (resource, version)
            for resource in WATCHED.values()
            for document in self._server.all(resource)
            for version in self._server.versions[document["metadata"]["uid"]][:-1]
        ]
        if old:
            resource, version = old[int(pick * len(old))]
            self._operator.handle_event(resource, "MODIFIED", copied(version))

    def compare(self) -> None:
        """Compare the cache with the server, as the operator does every few minutes."""
        with contextlib.suppress(ClusterError):
            _LOOP.run_until_complete(know_all(self._operator))

    def turn(
        self, dies_after: int | None = None, meanwhile: Callable[[], None] | None = None
    ) -> bool:
        """Make one pass; return whether it wrote anything. Raise Death after so many writes."""
        before, self._client.dies_after = self._client.writes, dies_after
        self._client.meanwhile = meanwhile
        try:
            _LOOP.run_until_complete(self._operator.reconciler.reconcile(KEY))
        except ClusterError:
            return True
        return self._client.writes > before

    def _version(self, resource: Resource, name: str) -> str:
        known = self._operator.cache.get(resource, NAMESPACE, name)
        return str(known["metadata"]["resourceVersion"]) if known else ""
