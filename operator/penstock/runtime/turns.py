"""Shares something scarce in turns: a namespace that keeps it busy leaves half to the others."""

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Turns:
    """At most ``parallel`` at a time, and of one namespace at most half of those."""

    def __init__(self, parallel: int) -> None:
        self._free = asyncio.Semaphore(parallel)
        self._share = max(1, parallel // 2)
        self._shares: dict[str, tuple[asyncio.Semaphore, int]] = {}
        """The semaphore of each namespace that has a turn or waits, and how many know it."""

    @contextlib.asynccontextmanager
    async def of(self, namespace: str) -> AsyncIterator[None]:
        """Wait for a turn of a namespace and hold it."""
        share, users = self._shares.get(namespace, (asyncio.Semaphore(self._share), 0))
        self._shares[namespace] = share, users + 1
        try:
            # Its share first: whoever waits for that must not hold a place of the others.
            async with share, self._free:
                yield
        finally:
            share, users = self._shares[namespace]
            if users > 1:
                self._shares[namespace] = share, users - 1
            else:
                del self._shares[namespace]
