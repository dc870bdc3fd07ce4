"""What the receiver answers, and what it keeps before it does."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from penstock.api.document import Document
from penstock.api.kinds.connection import MOST_REPOSITORIES, ConnectionSpec, ProviderType
from penstock.cluster.errors import UnavailableError
from penstock.cluster.resources import CONNECTIONS
from penstock.triggers.receiver.event_book import EventBook
from penstock.triggers.receiver.limits import Rate
from penstock.triggers.receiver.metrics import ReceiverMetrics
from penstock.triggers.receiver.server import LARGEST_BODY, Receiver
from tests.support.fake_client import FakeClient
from tests.support.fake_server import FakeServer

SECRET = b"hook secret"
SPEC = ConnectionSpec(provider_type=ProviderType.GITHUB, webhook_secret="hook")
PATH = "/hooks/team/github"
PUSH = json.dumps({"repository": {"full_name": "team/shop"}}).encode()


class Scene:
    """A receiver with one Connection on a fake API server."""

    def __init__(self) -> None:
        self.server = FakeServer()
        spec = SPEC.to_dict()
        body = {"metadata": {"name": "github"}, "spec": spec}
        self.document = self.server.create(CONNECTIONS, "team", body)
        self.events = EventBook(FakeClient(self.server))
        self.refuses = False
        self.client: TestClient[Any, Any]

    def find(self, namespace: str, name: str) -> tuple[Document, ConnectionSpec] | None:
        return (self.document, SPEC) if (namespace, name) == ("team", "github") else None

    async def secret(self, _: Document, __: ConnectionSpec) -> bytes:
        return SECRET

    async def keep(self, document: Document, repository: str) -> None:
        if self.refuses:
            raise UnavailableError("PATCH connections", "away", 503)
        await self.events.keep(document, repository)

    def kept(self) -> dict[str, str]:
        found = self.server.get(CONNECTIONS, "team", "github")
        assert found
        kept: dict[str, str] = found.get("status", {}).get("repositoryEvents", {})
        return kept

    async def deliver(
        self,
        body: bytes = PUSH,
        *,
        name: str = "d-1",
        event: str = "push",
        headers: dict[str, str] | None = None,
    ) -> int:
        given = {
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": name,
            "X-Hub-Signature-256": "sha256=" + hmac.new(SECRET, body, hashlib.sha256).hexdigest(),
            **(headers or {}),
        }
        async with self.client.post(PATH, data=body, headers=given) as answer:
            return answer.status


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    made = Scene()
    receiver = Receiver(made.find, made.secret, made.keep, ReceiverMetrics())
    async with TestClient(TestServer(receiver.application())) as client:
        made.client = client
        yield made


async def test_delivery_is_answered_once_it_is_kept(scene: Scene) -> None:
    assert await scene.deliver() == 202
    assert list(scene.kept()) == ["team/shop"]


async def test_redelivery_is_answered_without_a_write(scene: Scene) -> None:
    await scene.deliver()
    before = scene.kept()
    assert await scene.deliver() == 200
    assert scene.kept() == before
    assert await scene.deliver(name="d-2") == 202
    assert scene.kept() != before


async def test_delivery_that_could_not_be_kept_is_asked_for_again(scene: Scene) -> None:
    scene.refuses = True
    assert await scene.deliver() == 503
    scene.refuses = False
    assert await scene.deliver() == 202, "what failed is not remembered as taken"


async def test_deliveries_that_come_together_are_one_write(scene: Scene) -> None:
    bodies = [json.dumps({"repository": {"full_name": f"team/r{n}"}}).encode() for n in range(30)]
    before = int(scene.document["metadata"]["resourceVersion"])
    statuses = await asyncio.gather(
        *(scene.deliver(body, name=f"d-{number}") for number, body in enumerate(bodies))
    )
    assert set(statuses) == {202}
    assert sorted(scene.kept()) == sorted(f"team/r{n}" for n in range(30))
    found = scene.server.get(CONNECTIONS, "team", "github")
    assert found
    assert int(found["metadata"]["resourceVersion"]) - before < 30


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"X-Hub-Signature-256": "sha256=" + "0" * 64}, 401),
        ({"X-Hub-Signature-256": ""}, 401),
    ],
)
async def test_delivery_of_a_stranger_is_refused(
    scene: Scene, change: dict[str, str], status: int
) -> None:
    assert await scene.deliver(headers=change) == status
    assert scene.kept() == {}


async def test_ping_and_other_events_are_answered_and_keep_nothing(scene: Scene) -> None:
    assert await scene.deliver(event="ping") == 200
    assert await scene.deliver(b"{", event="push") == 400
    assert scene.kept() == {}


async def test_unknown_address_and_other_methods_are_not_found(scene: Scene) -> None:
    async with scene.client.post("/hooks/team/other", data=PUSH) as answer:
        assert answer.status == 404
    async with scene.client.get(PATH) as answer:
        assert answer.status == 405


async def test_large_body_is_refused_before_it_is_read(scene: Scene) -> None:
    assert await scene.deliver(b"x" * (LARGEST_BODY + 1)) == 413

    async def endless() -> AsyncIterator[bytes]:
        yield b"x" * 1024

    async with scene.client.post(PATH, data=endless()) as answer:
        assert answer.status == 413, "a body without a length could be of any"


async def test_oldest_repositories_make_room(scene: Scene) -> None:
    many = {f"team/r{n:04}": f"2026-01-01T00:00:{n:06}" for n in range(MOST_REPOSITORIES)}
    body = {"status": {"repositoryEvents": many}}
    scene.server.patch(CONNECTIONS, "team", "github", body, part="status")
    found = scene.server.get(CONNECTIONS, "team", "github")
    assert found
    scene.document = found
    assert await scene.deliver() == 202
    kept = scene.kept()
    assert len(kept) == MOST_REPOSITORIES
    assert "team/shop" in kept
    assert "team/r0000" not in kept


def test_rate_refills_with_time_and_each_connection_has_its_own() -> None:
    now = 0.0
    rate = Rate(lambda: now)
    taken = sum(rate.allows(("a", "b")) for _ in range(10_000))
    assert 0 < taken < 10_000
    assert not rate.allows(("a", "b"))
    assert rate.allows(("a", "c"))
    now = 1.0
    assert rate.allows(("a", "b"))
