"""The work queue: merging, one pass at a time per key, delays and backoff, on
a clock that tests move.
"""

import asyncio

import pytest

from penstock.runtime.queue import WorkQueue
from tests.support.clock import Clock


async def taken(queue: WorkQueue[str]) -> list[str]:
    """Return the keys that are ready now, without waiting."""
    found = []
    while True:
        try:
            found.append(await asyncio.wait_for(queue.get(), 0.01))
        except TimeoutError:
            return found


async def test_wake_ups_of_one_key_merge() -> None:
    queue: WorkQueue[str] = WorkQueue()
    for key in ("a", "b", "a", "a"):
        queue.add(key)
    assert await taken(queue) == ["a", "b"]


async def test_key_in_its_pass_is_not_handed_out_again_until_the_pass_is_over() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    assert await queue.get() == "a"
    queue.add("a")
    queue.add("a")
    assert await taken(queue) == []
    queue.done("a")
    assert await taken(queue) == ["a"]


async def test_delayed_key_comes_at_its_earliest_time_and_once() -> None:
    clock = Clock()
    queue: WorkQueue[str] = WorkQueue(clock)
    queue.add_after("a", 10)
    queue.add_after("a", 5)
    queue.add_after("a", 20)
    assert await taken(queue) == []
    clock.now += 6
    assert await taken(queue) == ["a"]
    queue.done("a")
    clock.now += 60
    assert await taken(queue) == []


async def test_failing_key_comes_again_after_growing_pauses_and_success_forgets_them() -> None:
    clock = Clock()
    queue: WorkQueue[str] = WorkQueue(clock)
    pauses = []
    for _ in range(3):
        queue.add("a")
        await queue.get()
        pauses.append(queue.failed("a"))
        clock.now += pauses[-1] + 0.001
        assert await taken(queue) == ["a"]
        queue.done("a") if len(pauses) == 3 else queue._release("a")
    assert pauses == [pytest.approx(0.2), pytest.approx(0.4), pytest.approx(0.8)]

    queue.add("a")
    await queue.get()
    assert queue.failed("a") == pytest.approx(0.2)


async def test_server_that_says_when_to_come_again_is_believed() -> None:
    queue: WorkQueue[str] = WorkQueue(Clock())
    queue.add("a")
    await queue.get()
    assert queue.failed("a", retry_after=7.0) == 7.0


async def test_waiter_is_woken_by_a_new_key() -> None:
    queue: WorkQueue[str] = WorkQueue()
    waiter = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add("a")
    assert await asyncio.wait_for(waiter, 5) == "a"


def grouped(share: int) -> WorkQueue[tuple[str, int]]:
    return WorkQueue(group_of=lambda key: key[0], share=share)


async def test_groups_take_turns_whatever_one_of_them_asks_for() -> None:
    queue = grouped(share=100)
    for number in range(50):
        queue.add(("noisy", number))
    queue.add(("calm", 0))

    assert [await queue.get(), await queue.get()] == [("noisy", 0), ("calm", 0)]


async def test_group_at_its_share_leaves_the_other_passes_to_others() -> None:
    queue = grouped(share=2)
    for number in range(50):
        queue.add(("noisy", number))
    assert [await queue.get(), await queue.get()] == [("noisy", 0), ("noisy", 1)]

    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    assert not waiting.done()
    queue.add(("calm", 0))
    assert await asyncio.wait_for(waiting, 5) == ("calm", 0)


async def test_group_goes_on_when_one_of_its_passes_is_over() -> None:
    queue = grouped(share=1)
    queue.add(("noisy", 0))
    queue.add(("noisy", 1))
    first = await queue.get()
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.done(first)

    assert await asyncio.wait_for(waiting, 5) == ("noisy", 1)


async def test_key_that_is_released_twice_leaves_the_share_as_it_was() -> None:
    queue = grouped(share=1)
    queue.add(("noisy", 0))
    key = await queue.get()
    queue.done(key)
    queue.done(key)
    queue.add(("noisy", 1))
    queue.add(("noisy", 2))
    await queue.get()

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(queue.get(), 0.01)
