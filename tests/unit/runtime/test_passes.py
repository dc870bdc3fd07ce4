"""The loop of passes: what a pass came to decides when its key comes again,
and concerns no other key.
"""

import asyncio

import pytest

from penstock.cluster.errors import ClusterError, ConflictError, NotFoundError, UnavailableError
from penstock.runtime.passes import Passes, until_it_works
from penstock.runtime.queue import WorkQueue


class Noted(WorkQueue[str]):
    """A queue that notes after how many seconds a key comes again."""

    pause: float | None = None

    def add_after(self, key: str, seconds: float) -> None:
        self.pause = seconds
        super().add_after(key, seconds)


def made(
    came_to: float | Exception | None, outdated: tuple[type[ClusterError], ...] = (ConflictError,)
) -> tuple[list[str], float | None]:
    """Return what was counted, and when the key comes again, after one pass
    that returns or raises this.
    """
    counted: list[str] = []
    queue = Noted()

    async def one_pass(_: str) -> float | None:
        if isinstance(came_to, Exception):
            raise came_to
        return came_to

    async def make() -> None:
        queue.add("key")
        worker = Passes(
            queue, one_pass, lambda key: {"pipeline": key}, counted.append, 60.0, outdated
        )
        await worker.make(await queue.get())

    asyncio.run(make())
    return counted, queue.pause


def busy() -> UnavailableError:
    error = UnavailableError("GET", "later", 429)
    error.retry_after = 3.0
    return error


@pytest.mark.parametrize(
    ("came_to", "counted", "pause"),
    [
        (None, "ok", None),
        (7.0, "ok", 7.0),
        (ConflictError("PATCH", "changed"), "conflict", 0.2),
        (NotFoundError("GET", "gone"), "error", 0.2),
        (TimeoutError(), "error", 0.2),
        (busy(), "error", 3.0),
        (ValueError("ours"), "bug", 0.2),
    ],
)
def test_pass_is_counted_and_its_key_comes_again(
    came_to: float | Exception | None, counted: str, pause: float | None
) -> None:
    assert made(came_to) == ([counted], pause)


def test_what_says_that_something_changed_is_no_fault() -> None:
    assert made(NotFoundError("GET", "gone"), (ConflictError, NotFoundError))[0] == ["conflict"]


def test_step_is_taken_until_the_cluster_lets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    answers = iter([ClusterError("GET", "no"), ClusterError("GET", "no"), None])

    async def step() -> None:
        if error := next(answers):
            raise error

    asyncio.run(until_it_works(step, "A step"))
    assert len(pauses) == 2
    assert 0.4 <= pauses[0] <= 0.6 < pauses[1] <= 1.2
