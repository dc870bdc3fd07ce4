"""One deploy per ApplySet at a time: a Lease beside the parent, named as it.

Law, fencing: no request is sent unless the lease outlasts the request's own
limit on the monotonic clock. Each request renews it when it is time, so that
neither a long wait nor a long list of objects loses it. A lease is taken over
once it stood unrenewed for its duration, as our own clock has seen it.
"""

import time
from datetime import UTC, datetime
from typing import Any

from penstock.actions.execution import SYSTEM_UNAVAILABLE, TIMED_OUT, ActionError
from penstock.actions.kubernetes.live.objects import code_of
from penstock.actions.kubernetes.live.server import ApiError, ServedResource
from penstock.actions.kubernetes.live.session import Session

CONCURRENT = "ConcurrentDeploy"
# A deploy whose pod died blocks others for so long.
DURATION_S = 45
# Three renewals may fail before the Lease ends.
_RENEW_S = 10.0
# How often a deploy that waits looks whether the Lease is free.
_POLL_S = 1.0
_LEASES = ServedResource("/apis/coordination.k8s.io/v1", "leases", True)


class NamespaceMissingError(Exception):
    """The lease's namespace does not exist."""


class DeployLease:
    """The right to change what an ApplySet holds."""

    def __init__(self, session: Session, holder: str) -> None:
        self._session = session
        self._holder = holder
        self._name = session.options.applyset
        self._namespace = session.options.namespace
        self._held: dict[str, Any] | None = None
        self._renewed = 0.0
        self._is_renewing = False
        self._seen = ("", 0.0)

    def acquire(self) -> None:
        """Wait until no other deploy holds the lease.

        Raise NamespaceMissingError if the lease cannot exist.
        """
        told = ""
        while other := self._try():
            if self._session.is_late:
                raise ActionError(
                    TIMED_OUT,
                    f"{self._title} is held by another deploy, {other}, for the whole time",
                )
            if other != told:
                told = other
                self._session.log(f"waiting: {self._title} is held by another deploy, {other}")
            self._session.pause(_POLL_S)
        self._session.server.guard = self.keep

    def keep(self) -> None:
        """Return if the lease covers a request that begins now, else raise. Renew it in time."""
        # The requests of a renewal come here as well.
        if self._is_renewing:
            return
        if time.monotonic() - self._renewed > _RENEW_S:
            self._is_renewing = True
            try:
                self._renew()
            finally:
                self._is_renewing = False
        if self._renewed + DURATION_S - time.monotonic() <= self._session.server.timeout_s:
            raise ActionError(
                SYSTEM_UNAVAILABLE,
                f"{self._title} could not be renewed in time; nothing more was changed",
            )

    def release(self) -> None:
        """Give the lease back, so that the next deploy need not wait it out; best effort."""
        # Without the guard, which would first renew the lease that is given back.
        self._session.server.guard = lambda: None
        held, self._held = self._held, None
        if held is None:
            return
        try:
            self._write(held, {**held["spec"], "holderIdentity": None, "renewTime": None})
        except (ApiError, ActionError):
            self._session.log(
                f"{self._title} could not be given back; it ends by itself within {DURATION_S} s"
            )

    # ---- inside

    @property
    def _title(self) -> str:
        return f"Lease {self._name} in namespace {self._namespace}"

    def _try(self) -> str:
        """Take the lease; return who holds it if it is not us."""
        try:
            lease = self._session.server.find(_LEASES.path(self._namespace, self._name))
            if lease is not None and (other := self._other(lease)):
                return other
            # Counted from before the request, as others may count from its arrival.
            started = time.monotonic()
            self._held = self._take(lease)
        except ApiError as error:
            if error.status == 409:
                return "which began at the same moment"
            raise self._refused(error, lease_is_missing=True) from error
        self._renewed = started
        return ""

    def _other(self, lease: dict[str, Any]) -> str:
        """Return a lease's other holder; nothing if ours, free, or unrenewed for its duration."""
        spec = lease.get("spec") or {}
        holder = str(spec.get("holderIdentity") or "")
        if holder in ("", self._holder):
            return ""
        version, now = str(lease["metadata"]["resourceVersion"]), time.monotonic()
        if self._seen[0] != version:
            self._seen = (version, now)
        return (
            ""
            if now - self._seen[1] > float(spec.get("leaseDurationSeconds") or DURATION_S)
            else holder
        )

    def _take(self, lease: dict[str, Any] | None) -> dict[str, Any]:
        spec = {
            "holderIdentity": self._holder,
            "leaseDurationSeconds": DURATION_S,
            "acquireTime": _now(),
            "renewTime": _now(),
        }
        if lease is not None:
            transitions = int((lease.get("spec") or {}).get("leaseTransitions") or 0) + 1
            return self._write(lease, {**spec, "leaseTransitions": transitions})
        metadata = {"name": self._name, "namespace": self._namespace}
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": metadata,
            "spec": spec,
        }
        return self._session.server.put("POST", _LEASES.path(self._namespace), body)

    def _renew(self) -> None:
        started = time.monotonic()
        try:
            held = self._session.server.get(_LEASES.path(self._namespace, self._name))
            holder = held["spec"].get("holderIdentity")
            if holder != self._holder:
                raise ActionError(
                    CONCURRENT,
                    f"{self._title} was taken over by {holder or 'nobody'}; nothing more was "
                    f"changed",
                )
            self._held = self._write(held, {**held["spec"], "renewTime": _now()})
            self._renewed = started
        except ApiError as error:
            if error.status in (401, 403, 404):
                raise self._refused(error) from error
            # Whoever wrote in between is seen at the next look; until then what was renewed last
            # still holds.

    def _write(self, lease: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
        body = {**lease, "spec": spec}
        return self._session.server.put("PUT", _LEASES.path(self._namespace, self._name), body)

    def _refused(self, error: ApiError, *, lease_is_missing: bool = False) -> ActionError:
        if error.status == 404 and lease_is_missing:
            raise NamespaceMissingError from error
        hint = ""
        if error.status in (401, 403):
            hint = (
                "; a deploy that prunes holds a Lease: allow get, create and update, or set "
                "Prune "
                'to "false"'
            )
        return ActionError(code_of(error), f"{self._title}: {error.message}{hint}")


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
