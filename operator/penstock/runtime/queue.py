"""A keyed work queue with merged wake-ups, and delays and backoff per key.

A key never runs twice at once.

Keys belong to groups (a pipeline's: its namespace). Groups take turns, and no
group has more than its share of passes under way: a group with a thousand
keys delays a key of another by one pass at most.
"""

import asyncio
import heapq
import itertools
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

# Seconds after a pass that failed; doubled with each further one.
_FIRST_BACKOFF = 0.2
# Seconds: a pipeline that fails in each pass is looked at once a minute.
_LONGEST_BACKOFF = 60.0


class WorkQueue(Generic[Key]):
    """Keys to look at. `get` hands one out until `done` says that its pass is over."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        group_of: Callable[[Key], Hashable] = lambda _: None,
        share: int | None = None,
    ) -> None:
        """``share`` is the most passes of one group at once, without a limit if None."""
        self._clock, self._group_of, self._share = clock, group_of, share
        self._ready: OrderedDict[Hashable, dict[Key, None]] = OrderedDict()
        self._running: set[Key] = set()
        self._running_of: Counter[Hashable] = Counter()
        self._again: set[Key] = set()
        self._failures: dict[Key, int] = {}
        self._due: dict[Key, float] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._counter = itertools.count()
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        return sum(len(keys) for keys in self._ready.values())

    def add(self, key: Key) -> None:
        """Look at a key as soon as may be; while its pass runs, once more afterwards."""
        if key in self._running:
            self._again.add(key)
        else:
            self._ready.setdefault(self._group_of(key), {})[key] = None
            self._wake.set()

    def add_after(self, key: Key, seconds: float) -> None:
        """Look at a key after so many seconds, or earlier if an earlier time is planned."""
        due = self._clock() + max(0.0, seconds)
        if key not in self._due or due < self._due[key]:
            # The number in the middle decides between equal times: keys need no order.
            self._due[key] = due
            heapq.heappush(self._heap, (due, next(self._counter), key))
            self._wake.set()

    async def get(self) -> Key:
        """Wait for a key and hand it out."""
        while True:
            self._promote()
            if (key := self._next()) is not None:
                return key
            # Nothing is awaited between the look and this, so no wake-up is lost.
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
        """Say that a pass failed; return the pause in seconds.

        The key comes again after it, and the pause grows.
        """
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        # The exponent has a bound, as a float has one, and the pause reaches its limit far earlier.
        pause = retry_after or min(_LONGEST_BACKOFF, _FIRST_BACKOFF * 2 ** min(failures, 16))
        # The key comes again in any case, and a wake-up must not cut the pause short.
        self._again.discard(key)
        self._release(key)
        self.add_after(key, pause)
        return pause

    def _next(self) -> Key | None:
        """Take the oldest key of the group whose turn it is, and put that group last."""
        for group, keys in self._ready.items():
            if self._share is not None and self._running_of[group] >= self._share:
                continue
            key = next(iter(keys))
            del keys[key]
            if keys:
                self._ready.move_to_end(group)
            else:
                del self._ready[group]
            self._running.add(key)
            self._running_of[group] += 1
            return key
        return None

    def _release(self, key: Key) -> None:
        group = self._group_of(key)
        if key in self._running:
            self._running.remove(key)
            self._running_of[group] -= 1
            if not self._running_of[group]:
                del self._running_of[group]
        if key in self._again:
            self._again.discard(key)
            self.add(key)
        if self._ready:
            # The group may have been at its share while its keys were ready.
            self._wake.set()

    def _promote(self) -> None:
        now = self._clock()
        while self._heap and self._heap[0][0] <= now:
            due, _, key = heapq.heappop(self._heap)
            # Where an earlier time was planned since, this entry is out of date.
            if self._due.get(key) == due:
                del self._due[key]
                self.add(key)
