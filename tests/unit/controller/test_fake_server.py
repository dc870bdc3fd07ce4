"""The fake API server behaves as the real one does in tests/integration/test_api_contract.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from penstock.cluster.errors import ConflictError, ForbiddenError, UnavailableError
from penstock.cluster.resources import BUILD_PROJECTS
from tests.support.api_contract import BEHAVIOURS, Behaviour
from tests.support.contract.objects import project
from tests.support.fake_client import FakeClient
from tests.support.fake_server import FakeServer


def name_of(shown: Callable[..., Any]) -> str:
    return shown.__name__


@pytest.mark.parametrize("shown", BEHAVIOURS, ids=name_of)
async def test_fake_server_keeps_the_contract(shown: Behaviour) -> None:
    await shown(FakeClient(FakeServer()), "team")


async def test_refusal_that_a_test_asks_for_is_answered_once() -> None:
    server = FakeServer()
    client = FakeClient(server)
    server.refuse("POST", "buildprojects", 403, "Forbidden", "exceeded quota")
    with pytest.raises(ForbiddenError, match="exceeded quota"):
        await client.create(BUILD_PROJECTS, "team", project())
    await client.create(BUILD_PROJECTS, "team", project())
    assert [request.method for request in server.seen] == ["POST", "POST"]


async def test_answer_that_a_test_loses_belongs_to_a_request_that_was_carried_out() -> None:
    server = FakeServer()
    client = FakeClient(server)
    server.refuse("POST", "buildprojects", 504, "Timeout", is_applied=True)
    with pytest.raises(UnavailableError):
        await client.create(BUILD_PROJECTS, "team", project())
    assert await client.get(BUILD_PROJECTS, "team", "web")


async def test_answers_and_bodies_are_nobodys_but_the_callers() -> None:
    client, body = FakeClient(FakeServer()), project()
    made = await client.create(BUILD_PROJECTS, "team", body)
    made["spec"]["image"] = body["spec"]["image"] = "changed"
    assert (await client.get(BUILD_PROJECTS, "team", "web"))["spec"]["image"] == "none"


async def test_fence_stands_before_writes_alone() -> None:
    def lost() -> None:
        raise ConflictError("fence", "another leads")

    client = FakeClient(FakeServer())
    await client.create(BUILD_PROJECTS, "team", project())
    client.fence = lost
    assert await client.get(BUILD_PROJECTS, "team", "web")
    with pytest.raises(ConflictError):
        await client.delete(BUILD_PROJECTS, "team", "web")
    assert await client.get(BUILD_PROJECTS, "team", "web")
