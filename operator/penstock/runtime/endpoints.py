"""The one listening port: /healthz answers 200 or 500 and nothing else, /metrics wants a token.

A token is good if the API server knows it (TokenReview) and lets it GET the path /metrics
(SubjectAccessReview), as Kubernetes' own components do it.
"""

import hashlib
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol

from aiohttp import web

from penstock.api.document import Document
from penstock.cluster.client import Client
from penstock.cluster.errors import ClusterError

log = logging.getLogger(__name__)

# Each look of Prometheus would be two requests to the API server.
_REMEMBER_S = 60.0
# Answers that are remembered, by a hash of the token; a scraper has one.
_REMEMBERED = 1_000
# Strangers may ask as often as they like: the API server is asked twice a second.
_REVIEWS_PER_S = 2.0
# The limit of reviews at once. Reviews are the API server's work, and anybody who reaches the port
# can ask for one.
_REVIEWS_AT_ONCE = 10.0


class Metrics(Protocol):
    """What a process counts: each has a registry of its own."""

    def render(self) -> bytes:
        """Return the text that Prometheus scrapes."""


@dataclass(slots=True)
class Endpoints:
    """Serves health and metrics on one port until `stop`."""

    client: Client
    metrics: Metrics
    is_healthy: Callable[[], bool]
    clock: Callable[[], float] = monotonic
    _known: OrderedDict[bytes, tuple[bool, float]] = field(default_factory=OrderedDict)
    """Whether a token may read, and until when that is believed."""
    _tokens: float = _REVIEWS_AT_ONCE
    _refilled: float = 0.0
    _runner: web.AppRunner | None = None

    async def start(self, host: str, port: int) -> None:
        """Begin to serve."""
        self._runner = web.AppRunner(self.application(), access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()

    def application(self) -> web.Application:
        """Return what is served."""
        # No request here has a body.
        app = web.Application(client_max_size=1024)
        app.router.add_get("/healthz", self._health)
        app.router.add_get("/metrics", self._metrics)
        return app

    async def stop(self) -> None:
        """Stop serving."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response(status=200 if self.is_healthy() else 500)

    async def _metrics(self, request: web.Request) -> web.Response:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not token:
            return web.Response(status=401)
        may_read = self._remembered(token)
        if may_read is None:
            if not self._may_review(token):
                return web.Response(status=429, headers={"Retry-After": "1"})
            may_read = await self._may_read(token)
        if not may_read:
            return web.Response(status=401)
        return web.Response(body=self.metrics.render(), content_type="text/plain")

    def _remembered(self, token: str) -> bool | None:
        """Return what a review said of a token within the last minute, None if there was none."""
        may_read, until = self._known.get(_digest(token), (False, 0.0))
        return may_read if until > self.clock() else None

    def _may_review(self, token: str) -> bool:
        """Whether a review may be asked for now: so many at once, and so many a second after that.

        A token that was good once is never kept waiting by those that never were.
        """
        if self._known.get(_digest(token), (False, 0.0))[0]:
            return True
        now = self.clock()
        self._tokens = min(_REVIEWS_AT_ONCE, self._tokens + (now - self._refilled) * _REVIEWS_PER_S)
        self._refilled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    async def _may_read(self, token: str) -> bool:
        try:
            may_read = await self._is_allowed(token)
        except ClusterError as error:
            log.warning("Could not review a token for /metrics: %s", error)
            # Not remembered: a server that is back is asked again by the next scrape.
            return False
        self._known[_digest(token)] = may_read, self.clock() + _REMEMBER_S
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return may_read

    async def _is_allowed(self, token: str) -> bool:
        user = (await self._review("authentication.k8s.io", "TokenReview", {"token": token}))[
            "status"
        ]
        if not user.get("authenticated"):
            return False
        spec = {
            "user": user["user"].get("username", ""),
            "groups": user["user"].get("groups", []),
            "nonResourceAttributes": {"path": "/metrics", "verb": "get"},
        }
        answer = await self._review("authorization.k8s.io", "SubjectAccessReview", spec)
        return bool(answer["status"].get("allowed"))

    async def _review(self, group: str, kind: str, spec: Document) -> Document:
        body = {"apiVersion": f"{group}/v1", "kind": kind, "spec": spec}
        return await self.client.send(
            "POST", f"/apis/{group}/v1/{kind.lower()}s", body=body, is_effect=False
        )


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
