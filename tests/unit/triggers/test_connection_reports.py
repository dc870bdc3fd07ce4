"""When the status of a Connection is written, and what it says."""

from __future__ import annotations

from unittest.mock import create_autospec

import pytest

from penstock.actions.execution import (
    CONFIGURATION_ERROR,
    PERMISSION_ERROR,
    SYSTEM_UNAVAILABLE,
    ActionError,
)
from penstock.api.document import Document
from penstock.cluster.client import Client
from penstock.cluster.errors import ForbiddenError
from penstock.triggers.sources import connection_reports
from penstock.triggers.sources.connection_reports import ConnectionReports
from tests.support.clock import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(connection_reports, "time", made)
    return made


def document(generation: int = 1, **status: object) -> Document:
    meta = {"namespace": "team", "name": "corp", "uid": "u", "generation": generation}
    return {"metadata": meta, "status": status}


def told(client: Client) -> list[tuple[str, str]]:
    """Return status and message of every Ready condition that was written."""
    calls = client.apply_status.await_args_list  # type: ignore[attr-defined]
    conditions = [call.args[3]["status"]["conditions"][0] for call in calls]
    return [(item["status"], item["message"]) for item in conditions]


WORKS = ("True", "the host has answered")
REFUSED = ActionError(PERMISSION_ERROR, "it did not accept the user")
SILENT = ActionError(SYSTEM_UNAVAILABLE, "timed out")


async def test_same_news_is_written_again_when_the_check_is_old(clock: Clock) -> None:
    client = create_autospec(Client)
    reports = ConnectionReports(client)
    for seconds in (0, 60, 500, 50):
        clock.now += seconds
        await reports.tell(document(), None)
    assert told(client) == [WORKS, WORKS]


async def test_change_is_written_soon_but_not_at_every_look(clock: Clock) -> None:
    client = create_autospec(Client)
    reports = ConnectionReports(client)
    for error in (None, REFUSED, None, REFUSED):
        await reports.tell(document(), error)
    clock.now += 31
    await reports.tell(document(), REFUSED)
    await reports.tell(document(), SILENT)
    assert told(client) == [WORKS, ("False", "it did not accept the user")]


async def test_missing_repository_says_nothing_about_the_connection(clock: Clock) -> None:
    client = create_autospec(Client)
    await ConnectionReports(client).tell(document(), ActionError(CONFIGURATION_ERROR, "not found"))
    assert told(client) == []


async def test_unchanged_condition_keeps_its_time(clock: Clock) -> None:
    client = create_autospec(Client)
    since = "2026-01-01T00:00:00Z"
    before = {"type": "Ready", "status": "True", "reason": "Connected", "lastTransitionTime": since}
    await ConnectionReports(client).tell(document(conditions=[before]), None)
    (call,) = client.apply_status.await_args_list
    assert call.args[3]["status"]["conditions"][0]["lastTransitionTime"] == since
    assert call.args[3]["metadata"]["uid"] == "u"


async def test_refused_write_stops_no_look(clock: Clock) -> None:
    client = create_autospec(Client)
    client.apply_status.side_effect = ForbiddenError("patch Connection corp", "no", 403)
    await ConnectionReports(client).tell(document(), None)
    assert client.apply_status.await_count == 1
