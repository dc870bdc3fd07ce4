"""The port that hosts send their webhooks to: one address for each Connection with a secret.

The theory of operation. A delivery is believed if it was made with the webhook's secret. What it
then does is little: the Connection's status says that the host told of a repository, and the
poller, who sees that at once, looks at the repository with its own credential. So a delivery that
comes twice, late or never does no harm, and no text of a delivery goes further than its
repository's name.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from aiohttp import web

from penstock.api.document import Document
from penstock.api.kinds.connection import ConnectionSpec
from penstock.cluster.errors import ClusterError
from penstock.triggers.receiver.deliveries import UnreadableError, read
from penstock.triggers.receiver.limits import Rate
from penstock.triggers.receiver.metrics import ReceiverMetrics
from penstock.triggers.receiver.signatures import Signed, is_from_host

log = logging.getLogger(__name__)

LARGEST_BODY = 2 * 1024 * 1024
"""GitHub sends up to 25 MB; what is needed of a push stands in far less."""
# A client that sends a byte a minute must not hold a place; hosts give up after ten seconds.
_BODY_S = 10.0
# Deliveries that are remembered by Connection and id: a redelivery is answered without a write.
_REMEMBERED = 10_000

Find = Callable[[str, str], tuple[Document, ConnectionSpec] | None]
"""Returns the Connection of a namespace and name that takes webhooks."""
Secret = Callable[[Document, ConnectionSpec], Awaitable[bytes]]
"""Returns the secret of a Connection's webhook, empty if it cannot be read."""
Keep = Callable[[Document, str], Awaitable[None]]
"""Returns once it is kept that a host told of a repository; raises ClusterError."""


class Receiver:
    """Answers deliveries."""

    def __init__(self, find: Find, secret: Secret, keep: Keep, metrics: ReceiverMetrics) -> None:
        self._find, self._secret, self._keep, self._metrics = find, secret, keep, metrics
        self._rate = Rate()
        self._seen: OrderedDict[tuple[str, str], None] = OrderedDict()

    def application(self) -> web.Application:
        """Return what is served."""
        app = web.Application(client_max_size=LARGEST_BODY)
        app.router.add_post("/hooks/{namespace}/{name}", self._answer)
        return app

    async def _answer(self, request: web.Request) -> web.Response:
        outcome, response = await self._take(request)
        self._metrics.deliveries.labels(outcome).inc()
        return response

    async def _take(self, request: web.Request) -> tuple[str, web.Response]:
        namespace, name = (request.match_info[key] for key in ("namespace", "name"))
        found = self._find(namespace, name)
        # One that is not there and one that takes no webhooks look alike to strangers.
        if not self._rate.allows((namespace, name) if found else ("", "")):
            return "limited", _say(429, "too many deliveries; send it again", {"Retry-After": "5"})
        if found is None:
            return "unknown", _say(404, "no Connection of that name takes webhooks")
        # Before a byte of it is read.
        if request.content_length is None or request.content_length > LARGEST_BODY:
            return "too-large", _say(413, f"a body of at most {LARGEST_BODY} bytes is taken")
        document, spec = found
        try:
            async with asyncio.timeout(_BODY_S):
                body = await request.read()
        except TimeoutError:
            return "slow", _say(408, f"the body took longer than {_BODY_S:g} s")
        secret = await self._secret(document, spec)
        if not is_from_host(spec.provider_type, secret, Signed(request.headers, body, time.time())):
            return "refused", _say(401, "the signature is not that of the webhook's secret")
        return await self._keep_what_it_tells(request, document, spec, body)

    async def _keep_what_it_tells(
        self, request: web.Request, document: Document, spec: ConnectionSpec, body: bytes
    ) -> tuple[str, web.Response]:
        try:
            delivery = read(spec.provider_type, request.headers, body)
        except UnreadableError as error:
            return "unreadable", _say(400, str(error))
        if not delivery.repository:
            return "ignored", _say(200, "no push and no pull request: nothing to do")
        known = (document["metadata"]["uid"], delivery.id)
        if delivery.id and known in self._seen:
            return "repeated", _say(200, "taken before")
        try:
            await self._keep(document, delivery.repository)
        except ClusterError as error:
            log.warning("A delivery could not be kept: %s", error)
            return "failed", _say(503, "send it again", {"Retry-After": "5"})
        self._seen[known] = None
        while len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return "taken", _say(202, f"{delivery.repository} is looked at")


def _say(status: int, text: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(status=status, text=text + "\n", headers=headers)
