"""Waits until applied objects are what they ask for (kstatus), and says what keeps them."""

import time
from collections.abc import Iterable, Mapping
from typing import Any

from penstock.actions.execution import JOB_FAILED, TIMED_OUT, ActionError
from penstock.actions.kubernetes.live.kstatus import status_of
from penstock.actions.kubernetes.live.objects import Target, refused
from penstock.actions.kubernetes.live.reasons import pod_reason
from penstock.actions.kubernetes.live.server import ApiError
from penstock.actions.kubernetes.live.session import Session
from penstock.actions.kubernetes.live.standstill import last_seen, verdict_of
from penstock.actions.kubernetes.live.verdicts import Status

# The last one repeats: what is ready at once costs no second, what takes minutes few requests.
_POLL_S = (0.1, 0.2, 0.4, 0.8, 1.5)
# A log that is silent for longer looks stuck.
_SAY_EVERY_S = 15.0
_FAILING = ("Progressing", "Stalled", "Failed")


def wait_until_current(session: Session, items: Iterable[Target]) -> None:
    """Wait until all are Current; raise ActionError at the first failure or at the deadline."""
    waiting = [item for item in items if not _is_current(session, item)]
    turn, said = 0, time.monotonic()
    while waiting:
        session.pause(_POLL_S[min(turn, len(_POLL_S) - 1)])
        turn += 1
        for item in waiting:
            _refresh(session, item)
        waiting = [item for item in waiting if not _is_current(session, item)]
        if turn == 1 or time.monotonic() > said + _SAY_EVERY_S:
            said = time.monotonic()
            for item in waiting:
                _say(session, item)
        if waiting and session.is_late:
            text = _with_pod(session, waiting[0], status_of(waiting[0].current or {}).message)
            raise ActionError(TIMED_OUT, f"not ready after {session.limit_s:.0f} s: {text}")


def _is_current(session: Session, item: Target) -> bool:
    verdict = verdict_of(session, item)
    if verdict.status is Status.FAILED and not _is_old_news(item):
        raise ActionError(JOB_FAILED, _with_pod(session, item, verdict.message))
    return verdict.status is Status.CURRENT


def _is_old_news(item: Target) -> bool:
    """Whether the failure was there before this deploy changed the object.

    A Deployment that goes back to a ReplicaSet it had keeps
    ProgressDeadlineExceeded until that one is complete.
    """
    if item.live is None or item.current is None:
        return False
    changed = item.live["metadata"].get("generation") != item.current["metadata"].get("generation")
    return changed and _failing(item.live) == _failing(item.current)


def _failing(item: Mapping[str, Any]) -> list[Any]:
    conditions = (item.get("status") or {}).get("conditions") or []
    return [condition for condition in conditions if condition.get("type") in _FAILING]


def _refresh(session: Session, item: Target) -> None:
    try:
        item.current = session.server.get(item.path)
    except ApiError as error:
        # A Job with a time to live goes by itself once it has ended.
        if error.status == 404:
            item.current = last_seen(session, item)
            return
        raise refused(item, error) from error


def _say(session: Session, item: Target) -> None:
    text = _with_pod(session, item, status_of(item.current or {}).message)
    if text != item.said:
        item.said = text
        session.log(f"waiting: {text}")


def _with_pod(session: Session, item: Target, message: str) -> str:
    reason = pod_reason(session.server, item.current or {}, item.namespace)
    return f"{item.title}: {message}" + (f" ({reason})" if reason else "")
