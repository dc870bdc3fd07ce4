"""Judges objects that no longer change by themselves, for a deploy that waits for them.

kstatus judges an object by what it says of itself. Here is what it does not
say: that it went because its work was done, that it waits for something which
no deploy brings, that somebody else holds it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from penstock.actions.execution import JOB_FAILED, ActionError
from penstock.actions.kubernetes.live.kstatus import end_of, status_of
from penstock.actions.kubernetes.live.objects import Target
from penstock.actions.kubernetes.live.server import ApiError, ServedResource
from penstock.actions.kubernetes.live.session import Session
from penstock.actions.kubernetes.live.verdicts import CURRENT, Status, Verdict

_EVENTS = ServedResource("/api/v1", "events", True)
_DONE = "Completed"
_BROKEN = {
    "BackoffLimitExceeded",
    "DeadlineExceeded",
    "FailedIndexes",
    "PodFailurePolicy",
    "MaxFailedIndexesExceeded",
}
_WAITS_FOR_A_POD = "WaitForFirstConsumer"


def verdict_of(session: Session, item: Target) -> Verdict:
    """Return the verdict on an object as it was last seen."""
    found = item.current or {}
    verdict = status_of(found)
    if verdict.status is Status.TERMINATING:
        return Verdict(Status.FAILED, _leaving(found))
    if verdict.status is Status.CURRENT or found.get("apiVersion") not in ("v1", "apps/v1"):
        return verdict
    if found.get("kind") == "Deployment" and (found.get("spec") or {}).get("paused"):
        return _paused(item, verdict)
    if found.get("kind") == "PersistentVolumeClaim" and _has_no_consumer(session, item):
        return CURRENT
    return verdict


def last_seen(session: Session, item: Target) -> dict[str, Any]:
    """Return how an object ended that is gone; raise ActionError if it did not end by itself.

    A Job that cleans up after itself is gone before anybody asks how it was. The server still
    tells: its watch begins in the past, or, where we may not watch, in the Job's Events.
    """
    states: list[dict[str, Any]] = _history(session, item)
    for state in states[::-1]:
        if end_of(state) is not None:
            return state
    if item.manifest.kind == "Job" and (end := _end_in_events(session, item)):
        told: dict[str, Any] = {**(item.current or {}), "status": {"conditions": [end]}}
        return told
    raise ActionError(
        JOB_FAILED, f"{item.title} was deleted while the action waited for it{_advice(item)}"
    )


def _history(session: Session, item: Target) -> list[dict[str, Any]]:
    """Return the object's states since it was last seen, oldest first; nothing if unknown."""
    # It was never seen, so nothing says since when to ask.
    if not item.current:
        return []
    metadata = item.current.get("metadata") or {}
    collection = item.resource.path(item.namespace)
    try:
        events = session.server.history(
            collection, item.manifest.name, str(metadata.get("resourceVersion", ""))
        )
    except ApiError:
        return []
    objects: list[dict[str, Any]] = [
        event["object"] for event in events if event.get("type") in ("MODIFIED", "DELETED")
    ]
    return [
        found
        for found in objects
        if (found.get("metadata") or {}).get("uid") == metadata.get("uid")
    ]


def _end_in_events(session: Session, item: Target) -> dict[str, Any] | None:
    for event in _events(session, item):
        reason, message = event.get("reason"), event.get("message") or ""
        if reason == _DONE or reason in _BROKEN:
            kind = "Complete" if reason == _DONE else "Failed"
            return {"type": kind, "status": "True", "reason": reason, "message": message}
    return None


def _events(session: Session, item: Target) -> Iterator[Mapping[str, Any]]:
    """Yield the object's Events; that we may not list them is no failure."""
    uid = ((item.current or {}).get("metadata") or {}).get("uid")
    if not uid:
        return
    try:
        found = session.server.get(
            _EVENTS.path(item.namespace), fieldSelector=f"involvedObject.uid={uid}", limit="100"
        )
    except ApiError:
        return
    yield from found.get("items") or []


def _has_no_consumer(session: Session, item: Target) -> bool:
    """Whether a claim waits until a pod uses it: a pod of this deploy is waited for itself."""
    status = (item.current or {}).get("status") or {}
    return status.get("phase") == "Pending" and any(
        event.get("reason") == _WAITS_FOR_A_POD for event in _events(session, item)
    )


def _paused(item: Target, verdict: Verdict) -> Verdict:
    """A paused Deployment is what a manifest asks for that says so; else somebody holds it."""
    if (item.manifest.body.get("spec") or {}).get("paused") is True:
        observed = ((item.current or {}).get("status") or {}).get("observedGeneration")
        return (
            CURRENT
            if observed == ((item.current or {}).get("metadata") or {}).get("generation")
            else verdict
        )
    why = (
        f"it is paused ({verdict.message}); resume it with kubectl rollout resume, or set "
        f"spec.paused in the manifest"
    )
    return Verdict(Status.FAILED, why)


def _leaving(found: Mapping[str, Any]) -> str:
    held = ", ".join((found.get("metadata") or {}).get("finalizers") or []) or "none"
    why = f"the object is being deleted, and what was applied goes with it (finalizers: {held})"
    return f"{why}; deploy again when it is gone"


def _advice(item: Target) -> str:
    if item.manifest.kind != "Job":
        return ""
    why = "; how it ended cannot be told: let the account watch jobs or list events"
    return f"{why}, or let ttlSecondsAfterFinished be a minute"
