"""Judges pushes by a trigger's filters: at once by their names, or by their files.

Comparing files is slow, and fails for reasons of its own. A push that is not judged now stays
undecided, and the next look tries again; no push is lost for that, and none is judged for ever.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from penstock.actions.execution import CONFIGURATION_ERROR, ActionError
from penstock.api.globs.syntax import GlobError
from penstock.runtime.turns import Turns
from penstock.triggers.filters import PushFilters
from penstock.triggers.sources.changed_files import ChangedFiles, Push
from penstock.triggers.sources.git_host import Access
from penstock.triggers.sources.matching import Matching

log = logging.getLogger(__name__)

# Of one look: a repository whose every branch has moved keeps nobody else waiting.
MOST_JUDGED = 10
# Pushes wait so long for a turn to be compared, taken together.
_LONGEST_WAIT_S = 30.0
# Then a push starts a run. A comparison may fail for good, as where a host cannot give what is
# asked of it.
MOST_TRIES = 3
_REMEMBERED = 10_000


class FilteredSource(NamedTuple):
    """Whose pushes are judged, and by what; ``name`` is the watch's."""

    namespace: str
    name: str
    access: Access
    filters: PushFilters


class Verdicts(NamedTuple):
    """Refs that start a run, refs that are not judged yet, and why if that went wrong."""

    starting: frozenset[str]
    undecided: frozenset[str]
    errors: tuple[str, ...]


class PushJudge:
    """Judges the pushes of all sources; of two comparisons at a time a namespace has one."""

    def __init__(self, changed_files: ChangedFiles, matching: Matching, comparing: Turns) -> None:
        self._changed_files, self._matching = changed_files, matching
        self._comparing = comparing
        self._failed: dict[tuple[str, Push], int] = {}
        """How often a push of a source could not be judged."""

    async def judge(self, source: FilteredSource, pushes: Sequence[Push]) -> Verdicts:
        """Return the verdicts on some of the pushes, so many as one look may judge."""
        undecided, starting, errors = {push.ref for push in pushes}, set(), []
        until = asyncio.get_running_loop().time() + _LONGEST_WAIT_S
        # In any order: those that cannot be judged must not keep all others waiting.
        for push in random.sample(pushes, min(len(pushes), MOST_JUDGED)):
            try:
                is_taken = not source.filters.needs_files(push.ref) or await self._in_turn(
                    source, push, until
                )
            # What waits too long is for the next look.
            except TimeoutError:
                break
            except ActionError as error:
                errors.append(f"{error.code}: {error.message}")
                continue
            undecided.remove(push.ref)
            if is_taken:
                starting.add(push.ref)
        return Verdicts(frozenset(starting), frozenset(undecided), tuple(errors))

    async def _in_turn(self, source: FilteredSource, push: Push, until: float) -> bool:
        async with contextlib.AsyncExitStack() as stack:
            async with asyncio.timeout_at(until):
                await stack.enter_async_context(self._comparing.of(source.namespace))
            return await self._takes(source, push)

    async def _takes(self, source: FilteredSource, push: Push) -> bool:
        """Return whether a push starts a run by its files; raise ActionError while nobody knows.

        A change too large to be told starts one: not to start it would lose it.
        """
        key = source.name, push
        try:
            changes = await self._changed_files.of(source.access, push)
            is_taken = not changes.is_whole or await self._matching.run(
                source.namespace, partial(source.filters.takes_any, push.ref, changes.files())
            )
        except (ActionError, GlobError) as error:
            tries = self._failed.pop(key, 0) + 1
            if tries >= MOST_TRIES:
                log.warning("%s of %s starts a run unjudged", push.ref, source.access.remote.url)
                return True
            self._remember(key, tries)
            code = error.code if isinstance(error, ActionError) else CONFIGURATION_ERROR
            raise ActionError(
                code,
                f"which files {push.ref} has changed is not known, try {tries} of {MOST_TRIES}, "
                f"after which it starts a run: {error}",
            ) from error
        self._failed.pop(key, None)
        return is_taken

    def _remember(self, key: tuple[str, Push], tries: int) -> None:
        if len(self._failed) >= _REMEMBERED:
            del self._failed[next(iter(self._failed))]
        self._failed[key] = tries
