"""Wires client, watch, queue, poller and Lease together; only the holder of the Lease looks and starts runs."""

import asyncio
import contextlib
import logging
import random
import time
from operator import itemgetter
from typing import Any

from penstock.api.meta import LABEL_STARTED_BY, TRIGGERS
from penstock.cluster.client import WRITE_TIMEOUT_S, Client
from penstock.cluster.credentials import Credentials
from penstock.cluster.errors import ClusterError, ConflictError, NotFoundError, UnavailableError
from penstock.cluster.lease import Lease
from penstock.cluster.resources import PIPELINES, RUNS
from penstock.controller.endpoints import Endpoints
from penstock.controller.queue import WorkQueue
from penstock.triggers.config import TriggerSettings
from penstock.triggers.decide import StartedRun
from penstock.triggers.git import GitSource
from penstock.triggers.ls_remote import LsRemote
from penstock.triggers.metrics import TriggerMetrics
from penstock.triggers.pipelines import Document, started_run_of
from penstock.triggers.poller import Poller, Schedule
from penstock.triggers.s3 import S3Source
from penstock.triggers.sources import SourceProvider

log = logging.getLogger(__name__)

PipelineKey = tuple[str, str]


class Triggers:
    """The running process: made once, wired here and nowhere else."""

    def __init__(self, credentials: Credentials, settings: TriggerSettings) -> None:
        self.settings, self.metrics = settings, TriggerMetrics()
        write_s = settings.lease.write_timeout_s if settings.lease else WRITE_TIMEOUT_S
        self.client = Client(credentials, write_timeout=write_s)
        self.lease = Lease(credentials, settings.lease) if settings.lease else None
        # Whatever a namespace's sources do, another namespace's are looked at.
        share = max(1, settings.workers // 2)
        self.queue: WorkQueue[PipelineKey] = WorkQueue(group_of=itemgetter(0), share=share)
        self.endpoints = Endpoints(self.client, self.metrics, self._is_healthy)
        rules = settings.rules()
        providers: dict[str, SourceProvider] = {
            "Git": GitSource(self.client, LsRemote(rules, settings.timeout_s), settings.parallel),
            "S3": S3Source(self.client, rules, settings.timeout_s, settings.parallel),
        }
        self.poller = Poller(self.client, providers, settings.poll_s, self.metrics)
        self._pipelines: dict[PipelineKey, Document] = {}
        self._schedules: dict[str, Schedule] = {}
        self._started: dict[tuple[str, str], list[StartedRun]] = {}
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
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._beat_forever())
            if self.lease:
                await self.lease.acquire()
            log.info("Leading")
            self.metrics.is_leader.set(1)
            await self._until_it_works(self._list_started)
            for namespace in self.settings.namespaces or (None,):
                tasks.create_task(self._follow(namespace))
            for _ in range(self.settings.workers):
                tasks.create_task(self._work())

    async def _beat_forever(self) -> None:
        while True:
            self._beat = time.monotonic()
            await asyncio.sleep(5.0)

    @staticmethod
    async def _until_it_works(step: Any) -> None:
        pause = 0.5
        while True:
            try:
                await step()
            except ClusterError as error:
                log.error("Trying again in %.0f s: %s", pause, error)
                await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 — jitter
                pause = min(30.0, pause * 2)
            else:
                return

    async def _list_started(self) -> None:
        """What a predecessor started but did not remember is read from the runs, once."""
        for namespace in self.settings.namespaces or (None,):
            async for run in self.client.list(RUNS, namespace, selector=f"{LABEL_STARTED_BY}={TRIGGERS}"):
                if started := started_run_of(run):
                    # With its namespace: whoever writes runs elsewhere says nothing about this one's Pipelines.
                    where = (run["metadata"]["namespace"], started.pipeline_uid)
                    self._started.setdefault(where, []).append(started)

    # ---- what Pipelines there are

    async def _follow(self, namespace: str | None) -> None:
        """List, then watch; whenever the watch ends, list again, since it may have missed a deletion."""
        while True:
            await self._until_it_works(lambda: self._list_and_watch(namespace))
            await asyncio.sleep(0.2)

    async def _list_and_watch(self, namespace: str | None) -> None:
        seen: set[PipelineKey] = set()
        page = await self.client.send("GET", PIPELINES.path(namespace), query={"limit": "1"})
        version = page["metadata"]["resourceVersion"]
        async for document in self.client.list(PIPELINES, namespace):
            seen.add(self._put(document))
        for key in [key for key in self._pipelines if namespace in (None, key[0]) and key not in seen]:
            self._forget(key)
        async with contextlib.aclosing(self.client.watch(PIPELINES, namespace, version)) as events:
            async for event in events:
                if event["type"] == "ERROR":
                    return
                if event["type"] == "DELETED":
                    self._forget(_key(event["object"]))
                elif event["type"] in ("ADDED", "MODIFIED"):
                    self._put(event["object"])

    def _put(self, document: Document) -> PipelineKey:
        key = _key(document)
        known = self._pipelines.get(key)
        if known is None or _version(document) > _version(known):
            self._pipelines[key] = document
            self.queue.add(key)
        return key

    def _forget(self, key: PipelineKey) -> None:
        if document := self._pipelines.pop(key, None):
            uid = document["metadata"]["uid"]
            self._schedules.pop(uid, None)
            self._started.pop((key[0], uid), None)

    # ---- the work

    async def _work(self) -> None:
        while True:
            await self._pass(await self.queue.get())

    async def _pass(self, key: PipelineKey) -> None:
        """One pass; whatever goes wrong concerns this Pipeline alone and comes again with backoff."""
        document, where = self._pipelines.get(key), {"namespace": key[0], "pipeline": key[1]}
        if document is None:
            return self.queue.done(key)
        uid = document["metadata"]["uid"]
        schedule = self._schedules.setdefault(uid, Schedule())
        try:
            async with asyncio.timeout(self.settings.pass_s):
                after, again = await self.poller.run(document, schedule, self._started.setdefault((key[0], uid), []))
        except (ConflictError, NotFoundError) as error:
            # It was deleted or created again: the watch tells.
            log.info("The Pipeline changed meanwhile: %s", error, extra=where)
            self.queue.failed(key)
        except (ClusterError, TimeoutError) as error:
            self.metrics.errors.inc()
            retry_after = error.retry_after if isinstance(error, UnavailableError) else None
            pause = self.queue.failed(key, retry_after)
            log.warning("Pass failed; again in %.1f s: %s", pause, error, extra=where)
        except Exception:
            self.metrics.errors.inc()
            pause = self.queue.failed(key)
            log.exception("Pass failed for a reason of our own; again in %.1f s", pause, extra=where)
        else:
            if after is not document:
                self._put(after)
            self.queue.done(key)
            if again is not None:
                self.queue.add_after(key, again)
        return None


def _key(document: Document) -> PipelineKey:
    return document["metadata"]["namespace"], document["metadata"]["name"]


def _version(document: Document) -> int:
    return int(document["metadata"]["resourceVersion"])
