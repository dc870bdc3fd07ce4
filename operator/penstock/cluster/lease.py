"""Leadership by a Lease of our own, held in a thread of its own so that a busy loop cannot lose it.

Law, fencing: a write is sent only while the lease outlasts the write's own limit on the monotonic
clock; else the process ends. A new holder waits the old lease out, as its own clock has seen it.
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

from penstock.api.document import Document
from penstock.cluster.client import Client
from penstock.cluster.credentials import Credentials
from penstock.cluster.errors import AlreadyExistsError, ClusterError, ConflictError, NotFoundError
from penstock.cluster.resources import LEASES

log = logging.getLogger(__name__)

# The kubelet restarts the container; a person sees which reason it was.
EXIT_LEASE_LOST = 70


@dataclass(frozen=True, slots=True)
class LeaseSettings:
    """The lease: its place, its holder, and its times in seconds.

    Raise ValueError if the times cannot be safe.

    ``write_timeout_s`` is the limit of every write, too: one begun under the
    lease ends before the lease does.
    """

    namespace: str
    name: str
    identity: str
    duration_s: float = 15.0
    renew_s: float = 3.0
    write_timeout_s: float = 5.0

    def __post_init__(self) -> None:
        least = self.renew_s + 2 * self.write_timeout_s
        if self.renew_s <= 0 or self.write_timeout_s <= 0 or self.duration_s <= least:
            raise ValueError(
                f"durationSeconds is {self.duration_s:g} and must be more than renewSeconds + 2 * "
                f"writeTimeoutSeconds ({least:g}), all above 0: a renewal and a write may each "
                f"take writeTimeoutSeconds"
            )


def clock() -> float:
    """Return seconds that go on while the machine is suspended, too: a lease runs out meanwhile."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Lease:
    """The right to act. `acquire` waits for it, `check` guards every write."""

    def __init__(self, credentials: Credentials, settings: LeaseSettings) -> None:
        self._credentials, self._settings = credentials, settings
        self._expires = 0.0
        self._held = threading.Event()
        self._stopping = threading.Event()
        self._seen: tuple[str, float] | None = None
        self._uid = ""
        """The uid of the Lease that is held."""
        self._saw_another = False
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
        return self._held.is_set() and self._expires - clock() > self._settings.write_timeout_s

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
        try:
            asyncio.run(self._compete())
        except Exception:
            # Without this thread nobody renews, and nobody competes: the process starts anew.
            log.exception("The lease cannot be competed for any more")
            self.on_lost()

    async def _compete(self) -> None:
        timeout = self._settings.write_timeout_s
        async with Client(self._credentials, read_timeout=timeout, write_timeout=timeout) as client:
            while not self._stopping.is_set():
                started = clock()
                try:
                    if await self._take_or_renew(client):
                        # Counted from before the request: others may count from the moment it
                        # arrived.
                        self._expires = started + self._settings.duration_s
                        self._held.set()
                except ClusterError as error:
                    log.warning("Could not renew the lease: %s", error)
                # The process ends at once, and not only when a write asks.
                if self._held.is_set() and not self.is_held:
                    self.check()
                # Whoever waits looks every second: a lease that was given back is free at once.
                pause = (
                    self._settings.renew_s
                    if self._held.is_set()
                    else min(1.0, self._settings.renew_s)
                )
                await asyncio.to_thread(self._stopping.wait, pause)
            if self._held.is_set():
                self._held.clear()
                with contextlib.suppress(ClusterError):
                    await self._release(client)

    async def _take_or_renew(self, client: Client) -> bool:
        """Return whether the lease is ours for another duration."""
        settings = self._settings
        try:
            lease = await client.get(LEASES, settings.namespace, settings.name)
        except NotFoundError:
            self._lose_if_held("it was deleted")
            await self._create(client)
            return False
        holder = lease.get("spec", {}).get("holderIdentity")
        # A Lease that was made anew is another one, even if it names us.
        if holder != settings.identity or lease["metadata"]["uid"] != self._uid:
            self._lose_if_held(f"{holder or 'nobody'} holds it")
        if not self._may_take(lease):
            return False
        spec = self._spec(acquired=False)
        if holder != settings.identity:
            spec = self._spec(acquired=True) | {"leaseTransitions": _transitions(lease) + 1}
        body = {"metadata": {"resourceVersion": lease["metadata"]["resourceVersion"]}, "spec": spec}
        try:
            await client.patch(LEASES, settings.namespace, settings.name, body)
        except ConflictError:
            return False
        self._uid = lease["metadata"]["uid"]
        return True

    def _lose_if_held(self, why: str) -> None:
        """End at once what another may do from now on, whatever time is left."""
        if self._held.is_set():
            log.error("The lease is no longer ours: %s", why)
            self._expires = 0.0
            self.check()

    async def _create(self, client: Client) -> None:
        """Create a Lease that nobody holds.

        The holder of the deleted Lease may still act, so wait until its time is over.
        """
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self._settings.name, "namespace": self._settings.namespace},
            "spec": {**self._spec(acquired=False), "holderIdentity": None, "leaseTransitions": 0},
        }
        with contextlib.suppress(AlreadyExistsError):
            await client.create(LEASES, self._settings.namespace, body)

    async def _release(self, client: Client) -> None:
        lease = await client.get(LEASES, self._settings.namespace, self._settings.name)
        if lease["spec"].get("holderIdentity") == self._settings.identity:
            body = {
                "metadata": {"resourceVersion": lease["metadata"]["resourceVersion"]},
                "spec": {"holderIdentity": None, "renewTime": None},
            }
            await client.patch(LEASES, self._settings.namespace, self._settings.name, body)

    def _may_take(self, lease: Document) -> bool:
        """Return whether the lease was unrenewed for its duration, and ours, by our own clock.

        At once only where it was given back, or never held: then it has no
        time of renewal; and by a restarted container of the pod that holds
        it. Anybody's edit of the holder or the duration is waited out.
        """
        spec = lease.get("spec", {})
        holder = spec.get("holderIdentity")
        if holder == self._settings.identity and (self._held.is_set() or not self._saw_another):
            return True
        if not holder and not spec.get("renewTime"):
            return True
        # From now on our name in it may be anybody's edit.
        self._saw_another = True
        version, now = lease["metadata"]["resourceVersion"], clock()
        if self._seen is None or self._seen[0] != version:
            self._seen = (version, now)
        duration = max(float(spec.get("leaseDurationSeconds") or 0), self._settings.duration_s)
        return now - self._seen[1] > duration

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
