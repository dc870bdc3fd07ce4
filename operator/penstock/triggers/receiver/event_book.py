"""Keeps in a Connection's status of which repositories its host told, and when.

A delivery is answered once that is kept: whoever reads it later, the poller among them, misses
nothing. Deliveries that come together are one write.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime

from penstock.api.document import Document
from penstock.api.kinds.connection import MOST_REPOSITORIES
from penstock.cluster.client import Client
from penstock.cluster.resources import CONNECTIONS

# A burst of deliveries is one write; a single one waits so long for others.
_TOGETHER_S = 0.05


class EventBook:
    """What hosts have told, on its way into statuses."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._waiting: dict[str, dict[str, str]] = {}
        """By the uid of a Connection: its repositories that were told of, and when."""
        self._writes: dict[str, asyncio.Task[None]] = {}

    async def keep(self, document: Document, repository: str) -> None:
        """Return once the status says that the repository was told of; raise ClusterError."""
        uid = document["metadata"]["uid"]
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        self._waiting.setdefault(uid, {})[repository] = now
        write = self._writes.get(uid)
        if write is None or write.done():
            write = self._writes[uid] = asyncio.create_task(self._write(document))
        # A client that hangs up must not take the write with it: others wait for it, too.
        await asyncio.shield(write)

    async def _write(self, document: Document) -> None:
        await asyncio.sleep(_TOGETHER_S)
        meta = document["metadata"]
        told = self._waiting.pop(meta["uid"])
        # Whoever comes from here on begins the next write.
        self._writes.pop(meta["uid"], None)
        known = (document.get("status") or {}).get("repositoryEvents") or {}
        body = {
            # With its uid, so that a Connection that was made anew is not taken for this one.
            "metadata": {"uid": meta["uid"]},
            "status": {"repositoryEvents": {**_oldest(known, told), **told}},
        }
        path = CONNECTIONS.path(meta["namespace"], meta["name"], "status")
        await self._client.send("PATCH", path, body=body)


def _oldest(known: Mapping[str, str], told: Mapping[str, str]) -> dict[str, None]:
    """Return what must go so that no more are kept than the schema allows."""
    others = sorted((when, name) for name, when in known.items() if name not in told)
    surplus = len(others) + len(told) - MOST_REPOSITORIES
    return {name: None for _, name in others[: max(surplus, 0)]}
