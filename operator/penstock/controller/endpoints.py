"""The one listening port: /healthz answers 200 or 500 and nothing else, /metrics wants a token.

A token is good if the API server knows it (TokenReview) and lets it GET the path /metrics
(SubjectAccessReview), as Kubernetes' own components do it.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol

from aiohttp import web

from penstock.cluster.client import Client, Document
from penstock.cluster.errors import ClusterError

log = logging.getLogger(__name__)

_REMEMBER_S = 60.0


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
    _allowed: dict[str, float] = field(default_factory=dict)
    _runner: web.AppRunner | None = None

    async def start(self, host: str, port: int) -> None:
        """Begin to serve."""
        app = web.Application(client_max_size=1024)
        app.router.add_get("/healthz", self._health)
        app.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()

    async def stop(self) -> None:
        """Stop serving."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response(status=200 if self.is_healthy() else 500)

    async def _metrics(self, request: web.Request) -> web.Response:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not token or not await self._may_read(token):
            return web.Response(status=401)
        return web.Response(body=self.metrics.render(), content_type="text/plain")

    async def _may_read(self, token: str) -> bool:
        now = monotonic()
        self._allowed = {known: until for known, until in self._allowed.items() if until > now}
        if token in self._allowed:
            return True
        try:
            user = (await self._review("authentication.k8s.io", "TokenReview", {"token": token}))["status"]
            if not user.get("authenticated"):
                return False
            spec = {
                "user": user["user"].get("username", ""),
                "groups": user["user"].get("groups", []),
                "nonResourceAttributes": {"path": "/metrics", "verb": "get"},
            }
            answer = await self._review("authorization.k8s.io", "SubjectAccessReview", spec)
        except ClusterError as error:
            log.warning("Could not review a token for /metrics: %s", error)
            return False
        if answer["status"].get("allowed"):
            self._allowed[token] = now + _REMEMBER_S
            return True
        return False

    async def _review(self, group: str, kind: str, spec: Document) -> Document:
        body = {"apiVersion": f"{group}/v1", "kind": kind, "spec": spec}
        return await self.client.send("POST", f"/apis/{group}/v1/{kind.lower()}s", body=body, is_effect=False)
