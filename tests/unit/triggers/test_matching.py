"""Matching in threads: limited from when it begins, and a turn is held as long as a thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from penstock.triggers.sources.git.matching import Matching


async def test_work_that_is_given_up_keeps_its_turn_until_its_thread_ends() -> None:
    matching, go_on, running = Matching(), threading.Event(), threading.Semaphore(0)

    def work(_: Callable[[], bool]) -> None:
        running.release()
        go_on.wait(60)

    begun = asyncio.create_task(matching.run("hostile", work))
    await asyncio.to_thread(running.acquire)
    begun.cancel()
    second = asyncio.create_task(matching.run("hostile", lambda _: "second"))
    # Another namespace has the other thread meanwhile.
    assert await matching.run("team", lambda _: "done") == "done"
    assert not second.done()
    go_on.set()
    assert await second == "second"
    with pytest.raises(asyncio.CancelledError):
        await begun


async def test_work_is_late_after_its_limit() -> None:
    def work(is_late: Callable[[], bool]) -> int:
        asked = 0
        while not is_late():
            asked += 1
        return asked

    assert await Matching(0.05).run("team", work) > 0
