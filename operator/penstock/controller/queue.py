"""A keyed work queue: wake-ups of one key merge, a key never runs twice at once, delays and backoff per key."""

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

_FIRST_BACKOFF = 0.2
_LONGEST_BACKOFF = 60.0


class WorkQueue(Generic[Key]):
    """Keys to look at. `get` hands one out until `done` says that its pass is over."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ready: dict[Key, None] = {}
        self._running: set[Key] = set()
        self._again: set[Key] = set()
        self._failures: dict[Key, int] = {}
        self._due: dict[Key, float] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._counter = itertools.count()
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        return len(self._ready)

    def add(self, key: Key) -> None:
        """Look at a key as soon as may be; while its pass runs, once more afterwards."""
        if key in self._running:
            self._again.add(key)
        else:
            self._ready[key] = None
            self._wake.set()

    def add_after(self, key: Key, seconds: float) -> None:
        """Look at a key after so many seconds, or earlier if an earlier time is planned."""
        due = self._clock() + max(0.0, seconds)
        if key not in self._due or due < self._due[key]:
            self._due[key] = due
            heapq.heappush(self._heap, (due, next(self._counter), key))
            self._wake.set()

    async def get(self) -> Key:
        """Wait for a key and hand it out."""
        while True:
            self._promote()
            if self._ready:
                key = next(iter(self._ready))
                del self._ready[key]
                self._running.add(key)
                return key
            self._wake.clear()
            pause = self._heap[0][0] - self._clock() if self._heap else None
            try:
                await asyncio.wait_for(self._wake.wait(), pause)
            except TimeoutError:
                continue

    def done(self, key: Key) -> None:
        """Say that a pass went well; a wake-up that came meanwhile counts now."""
        self._failures.pop(key, None)
        self._release(key)

    def failed(self, key: Key, retry_after: float | None = None) -> float:
        """Say that a pass failed: the key comes again after a growing pause, which is returned in seconds."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        pause = retry_after or min(_LONGEST_BACKOFF, _FIRST_BACKOFF * 2 ** min(failures, 16))
        self._again.discard(key)
        self._release(key)
        self.add_after(key, pause)
        return pause

    def _release(self, key: Key) -> None:
        self._running.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    def _promote(self) -> None:
        now = self._clock()
        while self._heap and self._heap[0][0] <= now:
            due, _, key = heapq.heappop(self._heap)
            if self._due.get(key) == due:
                del self._due[key]
                self.add(key)
