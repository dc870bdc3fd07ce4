"""One look for many: what is shared, for how long, and what is not."""

from __future__ import annotations

import asyncio

import pytest

from penstock.actions.execution import ActionError
from penstock.triggers.sources.git import sharing
from penstock.triggers.sources.git.sharing import SharedAnswers
from tests.support.clock import Clock


class Host:
    """Counts the questions; each is answered once the test lets it."""

    def __init__(self) -> None:
        self.asked = 0
        self.may_answer = asyncio.Event()
        self.fault: ActionError | None = None

    async def ask(self) -> int:
        self.asked += 1
        number = self.asked
        await self.may_answer.wait()
        if self.fault:
            raise self.fault
        return number


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(sharing, "time", made)
    return made


async def test_one_look_serves_all_who_ask_while_it_is_under_way_and_some_seconds_more(
    clock: Clock,
) -> None:
    host, shared = Host(), SharedAnswers(5.0)
    asking = [asyncio.ensure_future(shared.of("web", 0.0, host.ask)) for _ in range(50)]
    await asyncio.sleep(0)
    clock.now += 20
    asking.append(asyncio.ensure_future(shared.of("web", 0.0, host.ask)))
    await asyncio.sleep(0)
    host.may_answer.set()
    assert await asyncio.gather(*asking) == [1] * 51
    clock.now += 5
    assert await shared.of("web", 0.0, host.ask) == 1
    clock.now += 0.1
    assert await shared.of("web", 0.0, host.ask) == 2


async def test_another_question_is_asked_for_itself(clock: Clock) -> None:
    host, shared = Host(), SharedAnswers(5.0)
    host.may_answer.set()
    assert [await shared.of(key, 0.0, host.ask) for key in ("web", "docs", "web")] == [1, 2, 1]


async def test_answer_from_before_the_news_is_none(clock: Clock) -> None:
    host, shared = Host(), SharedAnswers(5.0)
    first = asyncio.ensure_future(shared.of("web", 0.0, host.ask))
    await asyncio.sleep(0)
    clock.now += 1
    second = asyncio.ensure_future(shared.of("web", clock.now, host.ask))
    await asyncio.sleep(0)
    host.may_answer.set()
    assert (await first, await second) == (1, 2)
    assert await shared.of("web", clock.now, host.ask) == 2


async def test_failure_is_everybodys_as_an_error_of_their_own(clock: Clock) -> None:
    host, shared = Host(), SharedAnswers(5.0)
    host.fault = ActionError("TimedOut", "the host is silent")
    host.may_answer.set()
    errors = []
    for _ in range(2):
        with pytest.raises(ActionError, match="the host is silent") as caught:
            await shared.of("web", 0.0, host.ask)
        errors.append(caught.value)
    assert host.asked == 1
    assert errors[0] is not errors[1]
    assert {error.code for error in errors} == {"TimedOut"}


async def test_whoever_gives_up_takes_the_look_from_nobody_else(clock: Clock) -> None:
    host, shared = Host(), SharedAnswers(5.0)
    first = asyncio.ensure_future(shared.of("web", 0.0, host.ask))
    second = asyncio.ensure_future(shared.of("web", 0.0, host.ask))
    await asyncio.sleep(0)
    first.cancel()
    host.may_answer.set()
    assert await second == 1


async def test_what_is_no_longer_fresh_is_forgotten(clock: Clock) -> None:
    host, shared = Host(), SharedAnswers(5.0)
    host.may_answer.set()
    for number in range(100):
        await shared.of(number, 0.0, host.ask)
    clock.now += 6
    await shared.of("last", 0.0, host.ask)
    assert list(shared._asked) == ["last"]


async def test_few_answers_are_kept_and_none_for_longer_than_it_is_fresh() -> None:
    host, shared = Host(), SharedAnswers(0.05)
    host.may_answer.set()
    for number in range(100):
        await shared.of(number, 0.0, host.ask)
    await asyncio.sleep(0)
    assert len(shared._asked) <= sharing._MOST_KEPT
    for _ in range(1_000):
        await asyncio.sleep(0.01 if shared._asked else 0)
    assert shared._asked == {}
