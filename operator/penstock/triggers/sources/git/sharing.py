"""One look for all who ask the same of a host, with the same credential, at about the same time."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

from penstock.actions.execution import ActionError

T = TypeVar("T")


# Answers of hosts, each of some megabytes: one that was dropped is asked for once more.
_MOST_KEPT = 16


class SharedAnswers:
    """What was asked, and what came of it, for ``fresh_s`` seconds from the end on.

    Sources of one repository are due at the same moment (`decide.due_at`), so that pipelines share
    a look however many there are.
    """

    def __init__(self, fresh_s: float) -> None:
        self._fresh_s = fresh_s
        self._asked: dict[Hashable, _Asked] = {}

    async def of(self, key: Hashable, not_before: float, ask: Callable[[], Awaitable[T]]) -> T:
        """Return what ``ask`` returns, or what it returned to somebody else for the same key.

        That answer was asked for no earlier than ``not_before``, in the seconds of
        ``time.monotonic``: what a host has told of since may not be in it. Raise ActionError.
        """
        self._forget_old()
        asked = self._asked.get(key)
        if asked is None or asked.begun < not_before:
            asked = self._asked[key] = _Asked(ask)
            asked.task.add_done_callback(self._ended)
        # Whoever gives up takes the look from nobody else; it ends by a limit of its own.
        try:
            found: T = await asyncio.shield(asked.task)
        except ActionError as error:
            # An error of its own for everybody, since each is raised on.
            raise ActionError(error.code, error.message) from error
        return found

    def _ended(self, _: "asyncio.Future[Any]") -> None:
        self._forget_old()
        asyncio.get_running_loop().call_later(self._fresh_s, self._forget_old)

    def _forget_old(self) -> None:
        """Forget what is no longer fresh, and of the rest what ended first."""
        oldest = time.monotonic() - self._fresh_s
        ended = sorted(asked.ended for asked in self._asked.values() if asked.ended is not None)
        if len(ended) > _MOST_KEPT:
            oldest = max(oldest, ended[-_MOST_KEPT])
        self._asked = {
            key: asked
            for key, asked in self._asked.items()
            if asked.ended is None or asked.ended >= oldest
        }


class _Asked:
    """A question that is under way, or was answered at ``ended``."""

    def __init__(self, ask: Callable[[], Awaitable[Any]]) -> None:
        self.begun = time.monotonic()
        self.ended: float | None = None
        self.task = asyncio.ensure_future(ask())
        self.task.add_done_callback(self._end)

    def _end(self, task: "asyncio.Future[Any]") -> None:
        self.ended = time.monotonic()
        # Looked at here, as nobody may be left who waits for it.
        if not task.cancelled():
            task.exception()
