"""Works a queue in passes over one key at a time, each with a limit.

A problem concerns its key alone.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic

from penstock.cluster.errors import ClusterError, ConflictError, UnavailableError
from penstock.runtime.queue import Key, WorkQueue

log = logging.getLogger(__name__)

# After an error of one pass; doubled with each further one.
_FIRST_PAUSE_S = 0.5
# An API server that is back is noticed within half a minute.
_LONGEST_PAUSE_S = 30.0


@dataclass(frozen=True, slots=True)
class Passes(Generic[Key]):
    """What works a queue.

    ``one_pass`` returns after how many seconds the key is looked at again, None if nothing is due.
    ``where`` names the key in logs. ``count`` is told what became of each pass: ok, conflict,
    error, bug. ``limit_s`` breaks a pass off. ``outdated`` are the errors that say that what the
    pass read has changed meanwhile.
    """

    queue: WorkQueue[Key]
    one_pass: Callable[[Key], Awaitable[float | None]]
    where: Callable[[Key], dict[str, str]]
    count: Callable[[str], None]
    limit_s: float
    outdated: tuple[type[ClusterError], ...] = (ConflictError,)

    async def work(self) -> None:
        """Make passes until cancelled."""
        while True:
            await self.make(await self.queue.get())

    async def make(self, key: Key) -> None:
        """Make one pass; after one that failed its key comes again, with backoff."""
        try:
            async with asyncio.timeout(self.limit_s):
                look_again = await self.one_pass(key)
        except self.outdated as error:
            self.count("conflict")
            self.queue.failed(key)
            log.debug("Something changed meanwhile: %s", error, extra=self.where(key))
        except (ClusterError, TimeoutError) as error:
            self.count("error")
            retry_after = error.retry_after if isinstance(error, UnavailableError) else None
            pause = self.queue.failed(key, retry_after)
            log.warning("Pass failed; again in %.1f s: %s", pause, error, extra=self.where(key))
        except Exception:
            self.count("bug")
            pause = self.queue.failed(key)
            log.exception(
                "Pass failed for a reason of our own; again in %.1f s", pause, extra=self.where(key)
            )
        else:
            self.count("ok")
            self.queue.done(key)
            if look_again is not None:
                self.queue.add_after(key, look_again)


async def until_it_works(step: Callable[[], Awaitable[None]], what: str) -> None:
    """Take a step again, with growing pauses, until the cluster lets it.

    ``what`` names the step in logs.
    """
    pause = _FIRST_PAUSE_S
    while True:
        try:
            await step()
        except ClusterError as error:
            log.error("%s failed; again in %.0f s: %s", what, pause, error)
            # Replicas that lost one API server shall not come back to it all at once.
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 — jitter
            pause = min(_LONGEST_PAUSE_S, pause * 2)
        else:
            return
