"""How many reviews of tokens the port asks for; what the API server answers is
integration/test_endpoints.py.
"""

from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from penstock.controller.metrics import OperatorMetrics
from penstock.runtime.endpoints import Endpoints
from tests.support.clock import Clock


class Reviews:
    """Answers reviews as the API server does, and counts them."""

    def __init__(self) -> None:
        self.count = 0
        self.good = {"good"}

    async def send(
        self, method: str, path: str, *, body: dict[str, Any], is_effect: bool
    ) -> dict[str, Any]:
        self.count += 1
        if body["kind"] == "TokenReview":
            return {
                "status": {
                    "authenticated": body["spec"]["token"] in self.good,
                    "user": {"username": "x"},
                }
            }
        return {"status": {"allowed": True}}


@pytest.fixture
def reviews() -> Reviews:
    return Reviews()


async def ask(endpoints: Endpoints, *tokens: str) -> list[int]:
    async with TestClient(TestServer(endpoints.application())) as client:
        found = []
        for token in tokens:
            response = await client.get("/metrics", headers={"Authorization": f"Bearer {token}"})
            found.append(response.status)
        return found


async def test_weak_refused_token_is_reviewed_once_a_minute(reviews: Reviews) -> None:
    clock = Clock()
    endpoints = Endpoints(reviews, OperatorMetrics(), lambda: True, clock)  # type: ignore[arg-type]
    assert await ask(endpoints, *["bad"] * 20) == [401] * 20
    assert reviews.count == 1
    clock.now += 61
    await ask(endpoints, "bad")
    assert reviews.count == 2


async def test_weak_many_bad_tokens_get_few_reviews_and_a_good_one_is_not_kept_waiting(
    reviews: Reviews,
) -> None:
    clock = Clock()
    endpoints = Endpoints(reviews, OperatorMetrics(), lambda: True, clock)  # type: ignore[arg-type]
    assert await ask(endpoints, "good") == [200]
    clock.now += 61
    answers = await ask(endpoints, *(f"bad-{number}" for number in range(500)))

    assert answers == [401] * 10 + [429] * 490
    assert reviews.count == 2 + 10
    assert await ask(endpoints, "good") == [200]


async def test_weak_answers_are_remembered_in_limits(reviews: Reviews) -> None:
    clock = Clock()
    endpoints = Endpoints(reviews, OperatorMetrics(), lambda: True, clock)  # type: ignore[arg-type]
    for batch in range(150):
        clock.now += 10
        await ask(endpoints, *(f"bad-{batch}-{number}" for number in range(10)))
    assert reviews.count == 1_500
    assert len(endpoints._known) == 1_000
