"""Wires cache, queue, reconciler and lease together, and keeps them running.

Handlers call `handle_event` for every event. Only the holder of the lease works the queue; the
others keep their cache warm. The cache is compared with a LIST before the first pass and every few
minutes after, since a watch may miss a deletion.
"""

import asyncio
import logging
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from penstock.api.kinds.pipeline import ArtifactStore
from penstock.api.meta import LABEL_RUN_UID
from penstock.cluster.client import WRITE_TIMEOUT_S, Client
from penstock.cluster.credentials import Credentials
from penstock.cluster.errors import ClusterError
from penstock.cluster.lease import Lease, LeaseSettings
from penstock.cluster.resources import JOBS, PODS, REVISIONS, Resource
from penstock.controller.action_types import TYPE_KINDS, dependents
from penstock.controller.apply import Applier
from penstock.controller.cache.cache import KINDS, Cache
from penstock.controller.cache.identity import PipelineKey
from penstock.controller.clock import Clock, utc_now
from penstock.controller.gather import Gatherer
from penstock.controller.live_reads import LiveReads
from penstock.controller.metrics import OperatorMetrics
from penstock.controller.planner import Planner
from penstock.controller.reconciler import Reconciler
from penstock.controller.refusals import Refusals
from penstock.engine.settings import Settings
from penstock.runtime.endpoints import Endpoints
from penstock.runtime.passes import Passes, until_it_works
from penstock.runtime.queue import WorkQueue

log = logging.getLogger(__name__)

# Passes that one namespace leaves to the others.
_SPARE_WORKERS = 2
_SELECTORS = {
    JOBS: LABEL_RUN_UID,
    PODS: LABEL_RUN_UID,
    REVISIONS: "app.kubernetes.io/managed-by=penstock",
}


@dataclass(frozen=True, slots=True)
class OperatorSettings:
    """How the operator runs; what it decides with stands in ``engine``. Times in seconds."""

    lease: LeaseSettings | None
    engine: Settings = field(default_factory=Settings)
    default_store: ArtifactStore | None = None
    namespaces: Sequence[str] = ()
    """The namespaces to watch; none means all."""
    workers: int = 8
    resync_s: float = 300.0
    pass_s: float = 120.0
    """A pass that takes longer is broken off."""
    host: str = "0.0.0.0"  # noqa: S104 — the kubelet and Prometheus reach it on the pod's address
    port: int | None = 8080
    instance: str = "penstock"
    approval_policy: str = ""
    """The name of the ValidatingAdmissionPolicy that guards Approvals, and of its binding."""


class Operator:
    """The running operator: made once per process, wired here and nowhere else."""

    def __init__(
        self,
        credentials: Credentials,
        settings: OperatorSettings,
        *,
        client: Client | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self.settings = settings
        self.metrics = OperatorMetrics()
        self.cache = Cache()
        # One namespace leaves some of the passes to the others, whatever it asks for.
        share = max(1, settings.workers - _SPARE_WORKERS)
        self.queue: WorkQueue[PipelineKey] = WorkQueue(group_of=itemgetter(0), share=share)
        # Fencing needs one limit for both: a write begun under the lease ends before the lease
        # does.
        write_s = settings.lease.write_timeout_s if settings.lease else WRITE_TIMEOUT_S
        self.client = client or Client(credentials, write_timeout=write_s)
        self.lease = Lease(credentials, settings.lease) if settings.lease else None
        self.endpoints = Endpoints(self.client, self.metrics, self._is_healthy)
        refusals = Refusals()
        gatherer = Gatherer(self.cache, refusals, settings.default_store)
        applier = Applier(self.client, self.cache, refusals, settings.instance, clock)
        self.live = LiveReads(self.client, self.cache, settings.approval_policy)
        self.reconciler = Reconciler(
            self.client,
            self.cache,
            self.live,
            gatherer,
            applier,
            Planner(settings.engine),
            clock,
        )
        self._passes = Passes(
            self.queue, self._pass, _where, self.metrics.count_pass, settings.pass_s
        )
        self._tasks: set[asyncio.Task[None]] = set()
        self._beat = time.monotonic()

    async def start(self) -> None:
        """Begin to serve health, to compete for the lease and, once it is ours, to work."""
        await self.client.__aenter__()
        if self.settings.port is not None:
            await self.endpoints.start(self.settings.host, self.settings.port)
        if self.lease:
            self.client.fence = self.lease.check
            self.lease.start()
        self._spawn(self._lead())

    async def stop(self) -> None:
        """End the passes under way, give the lease back, close every connection."""
        # First the passes: whoever gets the lease after us must not meet a write of ours.
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.lease:
            # It waits for the lease's own thread, which may be in the middle of a request.
            await asyncio.to_thread(self.lease.stop)
        await self.endpoints.stop()
        await self.client.__aexit__()

    def handle_event(
        self, resource: Resource, event_type: str | None, document: dict[str, Any]
    ) -> None:
        """Take over a watch event and look at its pipeline again."""
        take_over = self.cache.remove if event_type == "DELETED" else self.cache.put
        key = take_over(resource, document)
        if key is not None:
            self.queue.add(key)
        for dependent in dependents(self.cache, resource, document):
            self.queue.add(dependent)

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)

    def _is_healthy(self) -> bool:
        """Alive means: the leader's loop beats, a follower waits for the lease."""
        return time.monotonic() - self._beat < max(3 * self.settings.resync_s, 60.0)

    async def _lead(self) -> None:
        if self.lease:
            waiting = asyncio.create_task(self.lease.acquire())
            while not waiting.done():
                self._beat = time.monotonic()
                await asyncio.wait({waiting}, timeout=10.0)
            await waiting
        log.info("Leading")
        self.metrics.is_leader.set(1)
        # No key is planned before every kind was listed once.
        await until_it_works(self._resync, "Listing what to work on")
        for key in self.cache.pipelines():
            self.queue.add(key)
        for _ in range(self.settings.workers):
            self._spawn(self._passes.work())
        self._spawn(self._resync_forever())

    async def _resync_forever(self) -> None:
        while True:
            await asyncio.sleep(self.settings.resync_s * random.uniform(0.8, 1.2))  # noqa: S311 — jitter
            try:
                await self._resync()
            except ClusterError as error:
                log.warning("Could not compare the cache with the cluster: %s", error)
            except Exception:
                # Without the next comparison a missed deletion would stay unseen for ever.
                log.exception("Could not compare the cache with the cluster")

    async def _resync(self) -> None:
        for resource in KINDS:
            everywhere = not self.settings.namespaces or not resource.is_namespaced
            for namespace in (None,) if everywhere else self.settings.namespaces:
                before = self.cache.uids(resource, namespace)
                selector = _SELECTORS.get(resource, "")
                listed = self.client.list(resource, namespace, selector=selector)
                for key in await self.live.compare(resource, listed, before):
                    self.queue.add(key)
            # By an ActionType that came or went unseen, a Pipeline's definition may be another one.
            for document in self.cache.all(resource) if resource in TYPE_KINDS else ():
                for key in dependents(self.cache, resource, document):
                    self.queue.add(key)
        self.metrics.resyncs.inc()
        self._beat = time.monotonic()

    async def _pass(self, key: PipelineKey) -> float | None:
        self.metrics.waiting.set(len(self.queue))
        try:
            with self.metrics.seconds.time():
                return await self.reconciler.reconcile(key)
        finally:
            self._beat = time.monotonic()


def _where(key: PipelineKey) -> dict[str, str]:
    return {"namespace": key[0], "pipeline": key[1]}
