"""Wires client, watch, queue, poller and Lease; only the Lease's holder looks and starts runs."""

import asyncio
import logging
import time
from operator import itemgetter

from penstock.api.document import Document
from penstock.api.meta import LABEL_STARTED_BY, TRIGGERS
from penstock.cluster.client import WRITE_TIMEOUT_S, Client
from penstock.cluster.credentials import Credentials
from penstock.cluster.errors import ConflictError, NotFoundError
from penstock.cluster.lease import Lease
from penstock.cluster.resources import CONNECTIONS, PIPELINES, RUNS
from penstock.runtime.endpoints import Endpoints
from penstock.runtime.passes import Passes, until_it_works
from penstock.runtime.queue import WorkQueue
from penstock.triggers.config import TriggerSettings
from penstock.triggers.decide import StartedRun
from penstock.triggers.following import Follower, ObjectKey, key_of
from penstock.triggers.host_events import news_of, sources_told_of
from penstock.triggers.metrics import TriggerMetrics
from penstock.triggers.pipelines import started_run_of
from penstock.triggers.poller import Poller, Schedule
from penstock.triggers.sources.git.places import connection_of
from penstock.triggers.sources.providers import providers_of

log = logging.getLogger(__name__)


class Triggers:
    """The running process: made once, wired here and nowhere else."""

    def __init__(self, credentials: Credentials, settings: TriggerSettings) -> None:
        self.settings, self.metrics = settings, TriggerMetrics()
        write_s = settings.lease.write_timeout_s if settings.lease else WRITE_TIMEOUT_S
        self.client = Client(credentials, write_timeout=write_s)
        self.lease = Lease(credentials, settings.lease) if settings.lease else None
        # Whatever a namespace's sources do, another namespace's are looked at.
        share = max(1, settings.workers // 2)
        self.queue: WorkQueue[ObjectKey] = WorkQueue(group_of=itemgetter(0), share=share)
        self.endpoints = Endpoints(self.client, self.metrics, self._is_healthy)
        self.connections = Follower(
            self.client, CONNECTIONS, self._connection_changed, lambda _: None
        )
        providers = providers_of(self.client, settings, self.connections.of)
        self.poller = Poller(self.client, providers, settings.poll_s, self.metrics)
        self.pipelines = Follower(
            self.client, PIPELINES, self._pipeline_changed, self._pipeline_gone
        )
        self._schedules: dict[str, Schedule] = {}
        self._started: dict[tuple[str, str], list[StartedRun]] = {}
        # A Pipeline that is gone, or was created again, is no fault: the watch tells.
        outdated = (ConflictError, NotFoundError)
        self._passes = Passes(
            self.queue, self._pass, _where, self.metrics.count_pass, settings.pass_s, outdated
        )
        self._beat = time.monotonic()

    async def run(self) -> None:
        """Serve health, wait for the Lease, then work until cancelled."""
        async with self.client:
            if self.settings.port is not None:
                await self.endpoints.start(self.settings.host, self.settings.port)
            if self.lease:
                self.client.fence = self.lease.check
                self.lease.start()
            try:
                await self._lead()
            finally:
                if self.lease:
                    await asyncio.to_thread(self.lease.stop)
                await self.endpoints.stop()

    def _is_healthy(self) -> bool:
        return time.monotonic() - self._beat < 60.0

    async def _lead(self) -> None:
        # A task that fails ends all others, and the process: it is started anew.
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._beat_forever())
            if self.lease:
                await self.lease.acquire()
            log.info("Leading")
            self.metrics.is_leader.set(1)
            await until_it_works(self._list_started, "Listing the runs that were started")
            followed = self.settings.namespaces or (None,)
            for namespace in followed:
                tasks.create_task(self.connections.follow(namespace))
            # A source is only looked at when it is known through which Connection.
            await self.connections.listed(len(followed))
            for namespace in followed:
                tasks.create_task(self.pipelines.follow(namespace))
            for _ in range(self.settings.workers):
                tasks.create_task(self._passes.work())

    async def _beat_forever(self) -> None:
        while True:
            self._beat = time.monotonic()
            await asyncio.sleep(5.0)

    async def _list_started(self) -> None:
        """What a predecessor started but did not remember is read from the runs, once."""
        for namespace in self.settings.namespaces or (None,):
            async for run in self.client.list(
                RUNS, namespace, selector=f"{LABEL_STARTED_BY}={TRIGGERS}"
            ):
                if started := started_run_of(run):
                    # With its namespace: whoever writes runs elsewhere says nothing about this
                    # one's Pipelines.
                    where = (run["metadata"]["namespace"], started.pipeline_uid)
                    self._started.setdefault(where, []).append(started)

    # ---- what is known

    def _pipeline_changed(self, document: Document, _: Document | None) -> None:
        self.queue.add(key_of(document))

    def _pipeline_gone(self, document: Document) -> None:
        uid = document["metadata"]["uid"]
        self._schedules.pop(uid, None)
        self._started.pop((document["metadata"]["namespace"], uid), None)

    def _connection_changed(self, document: Document, before: Document | None) -> None:
        """Look at once at the sources that the news of a Connection is about."""
        repositories = news_of(document, before)
        if repositories is not None and not repositories:
            return
        namespace = document["metadata"]["namespace"]
        connections = [connection_of(item) for item in self.connections.of(namespace)]
        for pipeline in self.pipelines.of(namespace):
            found = sources_told_of(pipeline, document, connections, repositories)
            if found:
                self._schedule_of(pipeline).make_due(found)
                self.queue.add(key_of(pipeline))

    def _schedule_of(self, pipeline: Document) -> Schedule:
        uid, namespace = (pipeline["metadata"][key] for key in ("uid", "namespace"))
        if (schedule := self._schedules.get(uid)) is None:
            begun = self._started.pop((namespace, uid), [])
            schedule = self._schedules[uid] = Schedule(started=begun)
        return schedule

    # ---- the work

    async def _pass(self, key: ObjectKey) -> float | None:
        if (document := self.pipelines.get(key)) is None:
            return None
        after, again = await self.poller.run(document, self._schedule_of(document))
        if after is not document:
            self.pipelines.put(after)
        return again


def _where(key: ObjectKey) -> dict[str, str]:
    return {"namespace": key[0], "pipeline": key[1]}
