"""A small asyncio client of the API server: plain dicts in and out, every request with a limit.

All requests leave through `Client.send`; tests wrap that one place to count
requests and to end the process after any of them. Before a write the
``fence`` is asked, so that an old leader cannot write (law: fencing).
"""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from typing import Any, Self

import aiohttp

from penstock.api.document import Document
from penstock.cluster.credentials import Credentials
from penstock.cluster.decoding import decode
from penstock.cluster.errors import UnavailableError, error_of
from penstock.cluster.pages import PageSize, PageTooLargeError
from penstock.cluster.resources import Resource

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

# Without a Lease: one replica writes, and nobody waits for its end.
WRITE_TIMEOUT_S = 5.0
# The server ends a watch then; a connection that died unseen is noticed.
_WATCH_S = 300
# etcd takes objects of 1.5 MiB, and escapes make a text longer.
_LARGEST_EVENT = 8 * 1024 * 1024


class Client:
    """The API server, as one account sees it."""

    def __init__(
        self,
        credentials: Credentials,
        *,
        read_timeout: float = 30.0,
        write_timeout: float = WRITE_TIMEOUT_S,
    ) -> None:
        self._credentials = credentials
        self._read_timeout, self._write_timeout = read_timeout, write_timeout
        self._session: aiohttp.ClientSession | None = None
        self.fence: Callable[[], None] = lambda: None

    async def __aenter__(self) -> Self:
        context = self._credentials.ssl_context()
        connector = aiohttp.TCPConnector(limit=64, ssl=context if context is not None else True)
        self._session = aiohttp.ClientSession(connector=connector, trust_env=False)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Document:
        """Return an object, a cluster one if no namespace is given; raise NotFoundError if none."""
        return await self.send("GET", resource.path(namespace, name))

    async def list(
        self, resource: Resource, namespace: str | None, *, selector: str = "", fields: str = ""
    ) -> AsyncIterator[Document]:
        """Yield the objects of a namespace (or of all), in pages.

        They are as they were when the list began.
        """
        wanted = {"labelSelector": selector, "fieldSelector": fields}
        query = {name: text for name, text in wanted.items() if text}
        size = PageSize()
        while True:
            query["limit"] = str(size.limit)
            try:
                page = await self.send("GET", resource.path(namespace), query=query, page=size)
            except PageTooLargeError:
                continue
            for item in page["items"]:
                yield item
            token = page["metadata"].get("continue")
            if not token:
                return
            query["continue"] = token

    async def create(
        self, resource: Resource, namespace: str, document: Mapping[str, Any]
    ) -> Document:
        """Create an object; raise AlreadyExistsError where one of that name is."""
        # By default the server drops a field that it does not know, and says nothing.
        query = {"fieldValidation": "Strict"}
        return await self.send("POST", resource.path(namespace), body=document, query=query)

    async def patch_status(
        self, resource: Resource, namespace: str, name: str, status: Document, rv: str
    ) -> Document:
        """Merge a patch into the status of an object.

        Raise ConflictError unless the object is still at version ``rv``.
        """
        body = {"metadata": {"resourceVersion": rv}, "status": status}
        return await self.send("PATCH", resource.path(namespace, name, "status"), body=body)

    async def apply_status(
        self, resource: Resource, namespace: str, name: str, document: Document, manager: str
    ) -> Document:
        """Own some fields of an object's status by server-side apply.

        The operator gives up the fields that are left out.
        """
        query = {"fieldManager": manager, "force": "true"}
        path = resource.path(namespace, name, "status")
        return await self.send("PATCH", path, body=document, query=query, content_type=APPLY_PATCH)

    async def watch(
        self, resource: Resource, namespace: str | None, version: str
    ) -> AsyncGenerator[Document, None]:
        """Yield the events after a resource version until the server ends the watch.

        The server does so every few minutes.
        """
        assert self._session is not None
        path = resource.path(namespace)
        query = {"watch": "1", "resourceVersion": version, "timeoutSeconds": str(_WATCH_S)}
        timeout = aiohttp.ClientTimeout(total=_WATCH_S + 30, sock_connect=self._read_timeout)
        headers = await self._credentials.headers()
        what, rest = f"WATCH {path}", b""
        try:
            async with self._session.request(
                "GET",
                self._credentials.server + path,
                params=query,
                headers=headers,
                timeout=timeout,
            ) as response:
                if response.status >= 300:
                    await self._answer(what, response)
                async for chunk in response.content.iter_any():
                    # Each event is a line, and a chunk may end in the middle of one.
                    *lines, rest = (rest + chunk).split(b"\n")
                    for line in lines:
                        yield decode(line)
                    if len(rest) > _LARGEST_EVENT:
                        raise UnavailableError(
                            what, f"an event of more than {_LARGEST_EVENT} bytes"
                        )
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise UnavailableError(what, f"no answer: {error or type(error).__name__}") from error

    async def patch(
        self, resource: Resource, namespace: str, name: str, body: Document
    ) -> Document:
        """Merge a patch into an object.

        If it has metadata.resourceVersion, it applies only at that version.
        """
        return await self.send("PATCH", resource.path(namespace, name), body=body)

    async def delete(self, resource: Resource, namespace: str, name: str, *, uid: str = "") -> None:
        """Delete an object (with ``uid`` only that very one) and all it owns, in the background."""
        body: Document = {"propagationPolicy": "Background"}
        if uid:
            body["preconditions"] = {"uid": uid}
        await self.send("DELETE", resource.path(namespace, name), body=body)

    async def delete_collection(self, resource: Resource, namespace: str, selector: str) -> None:
        """Delete all objects that a label selector matches."""
        query = {"labelSelector": selector}
        await self.send(
            "DELETE",
            resource.path(namespace),
            body={"propagationPolicy": "Background"},
            query=query,
        )

    async def send(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        content_type: str = "",
        is_effect: bool = True,
        page: PageSize | None = None,
    ) -> Document:
        """Send one request and return the answer; raise the ClusterError that another answer means.

        ``is_effect`` is False for a POST that only asks, as a TokenReview does: it needs no lease.
        ``page`` reads the answer to a LIST, and raises PageTooLargeError.
        """
        assert self._session is not None
        is_read = method == "GET"
        if is_effect and not is_read:
            self.fence()
        headers = await self._credentials.headers()
        headers["Content-Type"] = content_type or (MERGE_PATCH if method == "PATCH" else JSON)
        timeout = aiohttp.ClientTimeout(
            total=self._read_timeout if is_read else self._write_timeout
        )
        what = f"{method} {path}"
        try:
            async with self._session.request(
                method,
                self._credentials.server + path,
                data=None if body is None else _encoded(body),
                params=query,
                headers=headers,
                timeout=timeout,
            ) as response:
                return await self._answer(what, response, page)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise UnavailableError(what, f"no answer: {error or type(error).__name__}") from error

    @staticmethod
    async def _answer(
        what: str, response: aiohttp.ClientResponse, page: PageSize | None = None
    ) -> Document:
        if response.status < 300:
            document: Document = decode(await (page.read(response) if page else response.read()))
            return document
        try:
            answer = decode(await response.read())
        except ValueError:
            answer = None
        status: Document = answer if isinstance(answer, dict) else {}
        error = error_of(
            what, response.status, str(status.get("reason", "")), str(status.get("message", ""))
        )
        # The header may hold a date as well; then our own pause has to do.
        if (
            isinstance(error, UnavailableError)
            and response.headers.get("Retry-After", "").isdigit()
        ):
            error.retry_after = float(response.headers["Retry-After"])
        raise error


def _encoded(body: Mapping[str, Any]) -> bytes:
    # As the server stores it: escapes of other letters would make a text of theirs three times
    # as long.
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
