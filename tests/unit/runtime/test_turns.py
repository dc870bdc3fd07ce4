"""Turns among namespaces: a namespace that never answers keeps nobody else waiting."""

import asyncio

import pytest

from penstock.runtime.turns import Turns


@pytest.mark.parametrize("parallel", [2, 3, 4, 16])
async def test_weak_silent_sources_of_one_namespace_keep_no_other_waiting(parallel: int) -> None:
    turns, silence, looking = Turns(parallel), asyncio.Event(), 0

    async def look_at_silence() -> None:
        nonlocal looking
        async with turns.of("noisy"):
            looking += 1
            await silence.wait()

    waiting = [asyncio.create_task(look_at_silence()) for _ in range(40)]
    await asyncio.sleep(0)
    async with asyncio.timeout(5), turns.of("calm"):
        assert looking == parallel // 2
    silence.set()
    await asyncio.gather(*waiting)
    assert looking == 40
    assert turns._shares == {}


async def test_look_that_is_given_up_while_it_waits_leaves_no_trace() -> None:
    turns = Turns(1)
    async with turns.of("a"):
        waiting = asyncio.create_task(turns.of("b").__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    assert turns._shares == {}
