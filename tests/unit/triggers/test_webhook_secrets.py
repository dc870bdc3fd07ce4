"""How the receiver reads a webhook's secret, and what it says on the Connection."""

from __future__ import annotations

import base64
from unittest.mock import create_autospec

import pytest

from penstock.api.document import Document
from penstock.api.kinds.connection import ConnectionSpec, ProviderType
from penstock.cluster.client import Client
from penstock.cluster.errors import ClusterError, ForbiddenError, NotFoundError, UnavailableError
from penstock.triggers.receiver import secrets
from penstock.triggers.receiver.secrets import WebhookSecrets
from tests.support.clock import Clock

SPEC = ConnectionSpec(provider_type=ProviderType.GITHUB, webhook_secret="hook")
META = {"namespace": "team", "name": "github", "uid": "u", "generation": 1}
DOCUMENT: Document = {"metadata": META, "spec": SPEC.to_dict()}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(secrets, "time", made)
    return made


def client_with(answer: Document | ClusterError) -> Client:
    client = create_autospec(Client)
    client.get.side_effect = [answer] * 10 if isinstance(answer, dict) else answer
    made: Client = client
    return made


def kept(**values: bytes) -> Document:
    return {"data": {key: base64.b64encode(value).decode() for key, value in values.items()}}


def told(client: Client) -> list[tuple[str, str]]:
    calls = client.apply_status.await_args_list  # type: ignore[attr-defined]
    conditions = [call.args[3]["status"]["conditions"][0] for call in calls]
    return [(item["status"], item["message"]) for item in conditions]


async def test_secret_is_read_once_a_minute_and_told_once(clock: Clock) -> None:
    client = client_with(kept(secret=b"s3cret\n"))
    reader = WebhookSecrets(client, "ns:penstock-receiver")
    for seconds in (0, 30, 31):
        clock.now += seconds
        assert await reader.of(DOCUMENT, SPEC) == b"s3cret"
    assert client.get.await_count == 2  # type: ignore[attr-defined]
    assert told(client) == [("True", "deliveries of the host are taken")]


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (
            ForbiddenError("get secrets", "no", 403),
            "the receiver may not read the Secret hook; let it, by `kubectl -n team create role "
            "penstock-hook --verb=get --resource=secrets --resource-name=hook` and `kubectl -n "
            "team create rolebinding penstock-hook-penstock-receiver --role=penstock-hook "
            "--serviceaccount=ns:penstock-receiver`",
        ),
        (NotFoundError("get secrets", "no", 404), "there is no Secret hook"),
        (kept(token=b"x"), "the Secret hook has no key secret"),
        (kept(secret=b""), "the Secret hook has no key secret"),
        ({"data": {"secret": "%%%"}}, "the Secret hook has no key secret"),
        (
            UnavailableError("get secrets", "away", 503),
            "the Secret hook could not be read: get secrets: away",
        ),
    ],
)
async def test_secret_that_cannot_be_read_accepts_nothing_and_is_told(
    clock: Clock, answer: Document | ClusterError, problem: str
) -> None:
    client = client_with(answer)
    reader = WebhookSecrets(client, "ns:penstock-receiver")
    assert await reader.of(DOCUMENT, SPEC) == b""
    assert told(client) == [("False", problem)]
    clock.now += 6
    await reader.of(DOCUMENT, SPEC)
    assert client.get.await_count == 2, "it is read again soon"  # type: ignore[attr-defined]
    assert len(told(client)) == 1


@pytest.mark.parametrize("status", ["junk", {"conditions": [{"type": 7}]}])
async def test_status_that_cannot_be_read_keeps_no_delivery_from_being_taken(
    clock: Clock, status: object
) -> None:
    """Whoever may write a Connection's status must not silence its webhooks."""
    client = client_with(kept(secret=b"s3cret"))
    reader = WebhookSecrets(client, "ns:penstock-receiver")
    assert await reader.of({**DOCUMENT, "status": status}, SPEC) == b"s3cret"
    assert told(client) == [("True", "deliveries of the host are taken")]
