"""Leadership by a Lease of our own, held in a thread of its own so that a busy loop cannot lose it.

Law, fencing: a write is sent only while the lease outlasts the write's own limit on the monotonic clock;
else the process ends. A new holder waits the old lease out, as its own clock has seen it.
"""

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from penstock.cluster.client import Client, Document
from penstock.cluster.credentials import Credentials
from penstock.cluster.errors import AlreadyExistsError, ClusterError, ConflictError, NotFoundError
from penstock.cluster.resources import LEASES

log = logging.getLogger(__name__)

EXIT_LEASE_LOST = 70


@dataclass(frozen=True, slots=True)
class LeaseSettings:
    """Where the lease is, who holds it, and its times in seconds."""

    namespace: str
    name: str
    identity: str
    duration_s: float = 15.0
    renew_s: float = 3.0
    write_timeout_s: float = 5.0


class Lease:
    """The right to act. `acquire` waits for it, `check` guards every write."""

    def __init__(self, credentials: Credentials, settings: LeaseSettings) -> None:
        self._credentials, self._settings = credentials, settings
        self._expires = 0.0
        self._held = threading.Event()
        self._stopping = threading.Event()
        self._seen: tuple[str, float] | None = None
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)
        self.on_lost: Callable[[], None] = lambda: os._exit(EXIT_LEASE_LOST)

    def start(self) -> None:
        """Begin to compete for the lease."""
        self._thread.start()

    async def acquire(self) -> None:
        """Return once the lease is ours; cancel to give up."""
        while not await asyncio.to_thread(self._held.wait, 1.0):
            pass

    @property
    def is_held(self) -> bool:
        """Whether the lease is ours and outlasts a write."""
        return self._held.is_set() and self._expires - time.monotonic() > self._settings.write_timeout_s

    def check(self) -> None:
        """Return if a write begun now is covered by the lease; else end the process."""
        if not self.is_held:
            log.error("Lost the lease; ending before another write")
            self.on_lost()

    def stop(self) -> None:
        """Stop renewing and give the lease back, so that the next holder need not wait."""
        self._stopping.set()
        self._thread.join(timeout=self._settings.write_timeout_s + self._settings.renew_s)

    # ---- the thread

    def _run(self) -> None:
        asyncio.run(self._compete())

    async def _compete(self) -> None:
        timeout = self._settings.write_timeout_s
        async with Client(self._credentials, read_timeout=timeout, write_timeout=timeout) as client:
            while not self._stopping.is_set():
                started = time.monotonic()
                try:
                    if await self._take_or_renew(client):
                        self._expires = started + self._settings.duration_s
                        self._held.set()
                except ClusterError as error:
                    log.warning("Could not renew the lease: %s", error)
                if self._held.is_set() and not self.is_held:
                    self.check()
                pause = self._settings.renew_s if self._held.is_set() else min(1.0, self._settings.renew_s)
                await asyncio.to_thread(self._stopping.wait, pause)
            if self._held.is_set():
                self._held.clear()
                with contextlib.suppress(ClusterError):
                    await self._release(client)

    async def _take_or_renew(self, client: Client) -> bool:
        settings = self._settings
        try:
            lease = await client.get(LEASES, settings.namespace, settings.name)
        except NotFoundError:
            return await self._create(client)
        if not self._may_take(lease):
            return False
        spec = self._spec(acquired=False)
        if lease.get("spec", {}).get("holderIdentity") != settings.identity:
            spec = self._spec(acquired=True) | {"leaseTransitions": _transitions(lease) + 1}
        body = {"metadata": {"resourceVersion": lease["metadata"]["resourceVersion"]}, "spec": spec}
        try:
            await client.patch(LEASES, settings.namespace, settings.name, body)
        except ConflictError:
            return False
        return True

    async def _create(self, client: Client) -> bool:
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self._settings.name, "namespace": self._settings.namespace},
            "spec": {**self._spec(acquired=True), "leaseTransitions": 0},
        }
        try:
            await client.create(LEASES, self._settings.namespace, body)
        except AlreadyExistsError:
            return False
        return True

    async def _release(self, client: Client) -> None:
        lease = await client.get(LEASES, self._settings.namespace, self._settings.name)
        if lease["spec"].get("holderIdentity") == self._settings.identity:
            body = {
                "metadata": {"resourceVersion": lease["metadata"]["resourceVersion"]},
                "spec": {"holderIdentity": None, "renewTime": None},
            }
            await client.patch(LEASES, self._settings.namespace, self._settings.name, body)

    def _may_take(self, lease: Document) -> bool:
        """A lease is taken over once it stood unrenewed for its duration on our own clock."""
        spec = lease.get("spec", {})
        if spec.get("holderIdentity") in (None, "", self._settings.identity):
            return True
        version = lease["metadata"]["resourceVersion"]
        now = time.monotonic()
        if self._seen is None or self._seen[0] != version:
            self._seen = (version, now)
        return now - self._seen[1] > float(spec.get("leaseDurationSeconds") or self._settings.duration_s)

    def _spec(self, *, acquired: bool) -> Document:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec: Document = {
            "holderIdentity": self._settings.identity,
            "leaseDurationSeconds": max(1, int(self._settings.duration_s)),
            "renewTime": now,
        }
        return spec | ({"acquireTime": now} if acquired else {})


def _transitions(lease: Document) -> int:
    return int(lease.get("spec", {}).get("leaseTransitions") or 0)
