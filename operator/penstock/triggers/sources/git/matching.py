"""Matches names with users' patterns: in threads of its own, for a limited time.

Patterns and names are anybody's. The loop stays free, and the threads that resolve hosts' names are
not those that match; of two, a namespace has one at most.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from penstock.runtime.turns import Turns

_THREADS = 2
_LONGEST_S = 10.0

T = TypeVar("T")


class Matching:
    """Threads that match; ``longest_s`` limits one piece of work."""

    def __init__(self, longest_s: float = _LONGEST_S) -> None:
        self._longest_s = longest_s
        self._turns = Turns(_THREADS)
        self._threads = ThreadPoolExecutor(_THREADS, "matching")

    async def run(self, namespace: str, work: Callable[[Callable[[], bool]], T]) -> T:
        """Return what the work returns; it asks its argument often whether it is late."""
        async with self._turns.of(namespace):
            begun = asyncio.get_running_loop().run_in_executor(self._threads, self._limited, work)
            try:
                return await asyncio.shield(begun)
            except asyncio.CancelledError:
                # The turn is held as long as the thread: that ends by its limit.
                await asyncio.wait([begun])
                raise

    def _limited(self, work: Callable[[Callable[[], bool]], T]) -> T:
        end = time.monotonic() + self._longest_s
        return work(lambda: time.monotonic() > end)
