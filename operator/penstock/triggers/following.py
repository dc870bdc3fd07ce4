"""Keeps up with the objects of one kind: lists them, watches, and lists again."""

import asyncio
import contextlib
from collections.abc import Callable

from penstock.api.document import Document
from penstock.cluster.client import Client
from penstock.cluster.resources import Resource
from penstock.runtime.passes import until_it_works

ObjectKey = tuple[str, str]
"""Namespace and name."""

# A watch that ends at once is not begun in a busy loop.
_PAUSE_S = 0.2


class Follower:
    """The objects of a kind, as the API server has told them last.

    ``on_change`` gets a document and the one known before it, ``on_gone`` the last one known.
    """

    def __init__(
        self,
        client: Client,
        resource: Resource,
        on_change: Callable[[Document, Document | None], None],
        on_gone: Callable[[Document], None],
    ) -> None:
        self._client, self._resource = client, resource
        self._on_change, self._on_gone = on_change, on_gone
        self._known: dict[ObjectKey, Document] = {}
        self._listed: set[str | None] = set()
        self._progress = asyncio.Condition()

    def get(self, key: ObjectKey) -> Document | None:
        """Return an object as it is known, None if there is none."""
        return self._known.get(key)

    def of(self, namespace: str) -> list[Document]:
        """Return the objects of a namespace."""
        return [document for (space, _), document in self._known.items() if space == namespace]

    async def listed(self, number: int) -> None:
        """Wait until so many namespaces were listed once."""
        async with self._progress:
            await self._progress.wait_for(lambda: len(self._listed) >= number)

    async def follow(self, namespace: str | None) -> None:
        """List, then watch; list again after each watch, since it may have missed a deletion."""
        what = f"Watching {self._resource.plural}"
        while True:
            await until_it_works(lambda: self._list_and_watch(namespace), what)
            await asyncio.sleep(_PAUSE_S)

    def put(self, document: Document) -> ObjectKey:
        """Take over what the server has told; return its key."""
        key = key_of(document)
        known = self._known.get(key)
        # The answer to a write of ours may be newer than the event that comes behind it.
        if known is None or _version(document) > _version(known):
            self._known[key] = document
            self._on_change(document, known)
        return key

    def _forget(self, key: ObjectKey) -> None:
        if document := self._known.pop(key, None):
            self._on_gone(document)

    async def _list_and_watch(self, namespace: str | None) -> None:
        seen: set[ObjectKey] = set()
        # The version of before the list: a change meanwhile is told twice, and never missed.
        path = self._resource.path(namespace)
        page = await self._client.send("GET", path, query={"limit": "1"})
        version = page["metadata"]["resourceVersion"]
        async for document in self._client.list(self._resource, namespace):
            seen.add(self.put(document))
        for key in [k for k in self._known if namespace in (None, k[0]) and k not in seen]:
            self._forget(key)
        async with self._progress:
            self._listed.add(namespace)
            self._progress.notify_all()
        watch = self._client.watch(self._resource, namespace, version)
        async with contextlib.aclosing(watch) as events:
            async for event in events:
                # The version is too old for the server to go on from.
                if event["type"] == "ERROR":
                    return
                if event["type"] == "DELETED":
                    self._forget(key_of(event["object"]))
                elif event["type"] in ("ADDED", "MODIFIED"):
                    self.put(event["object"])


def key_of(document: Document) -> ObjectKey:
    """Return namespace and name of an object."""
    return document["metadata"]["namespace"], document["metadata"]["name"]


def _version(document: Document) -> int:
    return int(document["metadata"]["resourceVersion"])
