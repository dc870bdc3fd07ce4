"""Tells in a Connection's status whether it works, from the looks that went through it."""

import logging
import time
from datetime import UTC, datetime

from penstock.actions.execution import PERMISSION_ERROR, SYSTEM_UNAVAILABLE, TIMED_OUT, ActionError
from penstock.api.document import Document
from penstock.api.kinds.connection import ConnectionStatus
from penstock.api.meta import TRIGGERS
from penstock.api.status.conditions import Condition, ConditionType
from penstock.api.text import shorten
from penstock.api.times import format_seconds
from penstock.cluster.client import Client
from penstock.cluster.errors import ClusterError
from penstock.cluster.resources import CONNECTIONS
from penstock.triggers.connection_status import body_of, with_condition
from penstock.triggers.sources.base import LONGEST_ERROR

log = logging.getLogger(__name__)

# What says something about the host or the credential. A repository that is not found does not.
_TELLING = (PERMISSION_ERROR, SYSTEM_UNAVAILABLE, TIMED_OUT)
# A dated check is good for so long; a change is told at once, but not more often than this.
_AGAIN_S, _CHANGED_S = 600.0, 30.0
# Connections that are remembered; one that is forgotten costs a write.
_REMEMBERED = 10_000


class ConnectionReports:
    """Writes the statuses of Connections, seldom; polling never waits for a write to succeed."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._told: dict[str, tuple[tuple[int, str], float]] = {}
        """By uid: what was told of which generation, and when."""

    async def tell(self, document: Document, error: ActionError | None) -> None:
        """Write what a look found, if it is news or the last check is old."""
        if error and error.code not in _TELLING:
            return
        meta = document["metadata"]
        news = (meta["generation"], f"{error.code}: {error.message}" if error else "")
        before, when = self._told.get(meta["uid"], ((0, ""), -_AGAIN_S))
        if time.monotonic() - when < (_AGAIN_S if news == before else _CHANGED_S):
            return
        if len(self._told) >= _REMEMBERED:
            self._told.clear()
        self._told[meta["uid"]] = news, time.monotonic()
        try:
            body = _body(document, error, datetime.now(UTC))
            await self._client.apply_status(
                CONNECTIONS, meta["namespace"], meta["name"], body, TRIGGERS
            )
        except ClusterError as refused:
            where = {"namespace": meta["namespace"], "connection": meta["name"]}
            log.warning("The status of a Connection was not written: %s", refused, extra=where)


def _body(document: Document, error: ActionError | None, now: datetime) -> Document:
    meta = document["metadata"]
    ready = Condition(
        type=ConditionType.READY,
        status="False" if error else "True",
        reason=error.code if error else "Connected",
        message=shorten(error.message, LONGEST_ERROR) if error else "the host has answered",
        observed_generation=meta["generation"],
    )
    status = ConnectionStatus(
        observed_generation=meta["generation"],
        last_checked_time=format_seconds(now),
        conditions=with_condition(document, ready, now),
    )
    return body_of(document, status.to_dict())
