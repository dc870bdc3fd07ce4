"""Wires client, Connections and port. Every replica answers: nothing here needs a leader."""

import asyncio
import ssl

from aiohttp import web

from penstock.api.document import Document
from penstock.api.kinds.connection import ConnectionSpec
from penstock.cluster.client import Client
from penstock.cluster.credentials import Credentials
from penstock.cluster.resources import CONNECTIONS
from penstock.runtime.endpoints import Endpoints
from penstock.triggers.following import Follower
from penstock.triggers.receiver.config import ReceiverSettings
from penstock.triggers.receiver.event_book import EventBook
from penstock.triggers.receiver.metrics import ReceiverMetrics
from penstock.triggers.receiver.secrets import WebhookSecrets
from penstock.triggers.receiver.server import Receiver
from penstock.triggers.sources.git.places import connection_of


class ReceiverProcess:
    """The running process: made once, wired here and nowhere else."""

    def __init__(self, credentials: Credentials, settings: ReceiverSettings) -> None:
        self.settings, self.metrics = settings, ReceiverMetrics()
        self.client = Client(credentials)
        self.connections = Follower(
            self.client, CONNECTIONS, self._connection_changed, lambda _: None
        )
        self.secrets = WebhookSecrets(self.client, settings.service_account)
        self.receiver = Receiver(
            self._find, self.secrets.of, EventBook(self.client).keep, self.metrics
        )
        self.endpoints = Endpoints(self.client, self.metrics, lambda: self._is_ready)
        self._is_ready = False
        self._checks: set[asyncio.Task[bytes]] = set()

    async def run(self) -> None:
        """Follow the Connections, then serve until cancelled."""
        # A task that fails ends all others, and the process: it is started anew.
        async with self.client, asyncio.TaskGroup() as tasks:
            if self.settings.health_port is not None:
                await self.endpoints.start(self.settings.host, self.settings.health_port)
            followed = self.settings.namespaces or (None,)
            for namespace in followed:
                tasks.create_task(self.connections.follow(namespace))
            # A delivery for a Connection that is not known yet would be refused.
            await self.connections.listed(len(followed))
            runner = web.AppRunner(
                self.receiver.application(),
                access_log=None,
                handler_cancellation=True,
                lingering_time=0,
                read_bufsize=64 * 1024,
            )
            await runner.setup()
            site = web.TCPSite(
                runner, self.settings.host, self.settings.port, ssl_context=self._tls()
            )
            try:
                await site.start()
                self._is_ready = True
                await asyncio.Event().wait()
            finally:
                await runner.cleanup()
                await self.endpoints.stop()

    def _tls(self) -> ssl.SSLContext | None:
        if not self.settings.certificate:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.settings.certificate, self.settings.key or None)
        return context

    def _find(self, namespace: str, name: str) -> tuple[Document, ConnectionSpec] | None:
        document = self.connections.get((namespace, name))
        spec = connection_of(document).spec if document else None
        return (document, spec) if document and spec and spec.webhook_secret else None

    def _connection_changed(self, document: Document, before: Document | None) -> None:
        """Say on a new or edited Connection whether its webhooks are taken."""
        is_new = before is None or (
            before["metadata"]["generation"] != document["metadata"]["generation"]
        )
        found = connection_of(document).spec if is_new else None
        if found and found.webhook_secret:
            check = asyncio.create_task(self.secrets.of(document, found))
            self._checks.add(check)
            check.add_done_callback(self._checks.discard)
