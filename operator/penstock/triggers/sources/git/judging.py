"""Judges changes that a trigger's filters take by their names: at once, or by their files.

Comparing files is slow, and fails for reasons of its own. A change that is not judged now stays
undecided, and the next look tries again; none is lost for that, and none is judged for ever.
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
from penstock.triggers.filters import FileCriteria, takes_any
from penstock.triggers.sources.git.changed_files import ChangedFiles, RefChange
from penstock.triggers.sources.git.host import Access
from penstock.triggers.sources.git.matching import Matching

log = logging.getLogger(__name__)

# Of one look: a repository whose every branch has moved keeps nobody else waiting.
MOST_JUDGED = 10
# Changes wait so long for a turn to be compared, taken together.
_LONGEST_WAIT_S = 30.0
# Then a change starts a run. A comparison may fail for good, as where a host cannot give what is
# asked of it.
MOST_TRIES = 3
_REMEMBERED = 10_000


class FilteredSource(NamedTuple):
    """Whose changes are judged; ``name`` is the watch's."""

    namespace: str
    name: str
    access: Access


class Candidate(NamedTuple):
    """A change, and the file criteria of the filters that take it by its names."""

    change: RefChange
    criteria: FileCriteria


class Verdicts(NamedTuple):
    """Refs that start a run, refs that are not judged yet, and why if that went wrong."""

    starting: frozenset[str]
    undecided: frozenset[str]
    errors: tuple[str, ...]


class ChangeJudge:
    """Judges the changes of all sources; of two comparisons at a time a namespace has one."""

    def __init__(self, changed_files: ChangedFiles, matching: Matching, comparing: Turns) -> None:
        self._changed_files, self._matching = changed_files, matching
        self._comparing = comparing
        self._failed: dict[tuple[str, RefChange], int] = {}
        """How often a change of a source could not be judged."""

    async def judge(self, source: FilteredSource, candidates: Sequence[Candidate]) -> Verdicts:
        """Return the verdicts on some of the candidates, so many as one look may judge."""
        undecided, starting, errors = {candidate.change.ref for candidate in candidates}, set(), []
        until = asyncio.get_running_loop().time() + _LONGEST_WAIT_S
        # In any order: those that cannot be judged must not keep all others waiting.
        for candidate in random.sample(candidates, min(len(candidates), MOST_JUDGED)):
            try:
                is_taken = await self._is_taken(source, candidate, until)
            # What waits too long is for the next look.
            except TimeoutError:
                break
            except ActionError as error:
                errors.append(f"{error.code}: {error.message}")
                continue
            undecided.remove(candidate.change.ref)
            if is_taken:
                starting.add(candidate.change.ref)
        return Verdicts(frozenset(starting), frozenset(undecided), tuple(errors))

    async def _is_taken(self, source: FilteredSource, candidate: Candidate, until: float) -> bool:
        # A filter that asks for no file takes what it takes by its names.
        if not all(candidate.criteria):
            return True
        if not candidate.criteria:
            return False
        async with contextlib.AsyncExitStack() as stack:
            async with asyncio.timeout_at(until):
                await stack.enter_async_context(self._comparing.of(source.namespace))
            return await self._takes(source, candidate)

    async def _takes(self, source: FilteredSource, candidate: Candidate) -> bool:
        """Return whether a change starts a run by its files; raise ActionError while nobody knows.

        A change too large to be told starts one: not to start it would lose it.
        """
        key, ref = (source.name, candidate.change), candidate.change.ref
        try:
            changes = await self._changed_files.of(source.access, candidate.change)
            is_taken = not changes.is_whole or await self._matching.run(
                source.namespace, partial(takes_any, candidate.criteria, changes.files())
            )
        except (ActionError, GlobError) as error:
            tries = self._failed.pop(key, 0) + 1
            if tries >= MOST_TRIES:
                log.warning("%s of %s starts a run unjudged", ref, source.access.remote.url)
                return True
            self._remember(key, tries)
            code = error.code if isinstance(error, ActionError) else CONFIGURATION_ERROR
            raise ActionError(
                code,
                f"which files {ref} has changed is not known, try {tries} of {MOST_TRIES}, "
                f"after which it starts a run: {error}",
            ) from error
        self._failed.pop(key, None)
        return is_taken

    def _remember(self, key: tuple[str, RefChange], tries: int) -> None:
        if len(self._failed) >= _REMEMBERED:
            del self._failed[next(iter(self._failed))]
        self._failed[key] = tries
