"""Looks at what a trigger's filters watch: branches, tags and pull requests (G-20 to G-27).

What a host leaves out of an answer is not believed to be gone. A pull request is closed only where
its host says so of that one.
"""

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from penstock.actions.execution import CONFIGURATION_ERROR, TIMED_OUT, ActionError
from penstock.actions.git.remote import BRANCHES
from penstock.api.globs.syntax import GlobError
from penstock.runtime.turns import Turns
from penstock.triggers.filters import CLOSED, OPEN, UPDATED, FileCriteria, Filters, IsLate
from penstock.triggers.observations import CLOSED_PULL_REQUEST, RefsSeen, Taken
from penstock.triggers.sources.base import Watch
from penstock.triggers.sources.git.changed_files import RefChange
from penstock.triggers.sources.git.host import Access, Credential
from penstock.triggers.sources.git.judging import Candidate, ChangeJudge, FilteredSource, Verdicts
from penstock.triggers.sources.git.ls_remote import LsRemote
from penstock.triggers.sources.git.matching import Matching
from penstock.triggers.sources.git.pull_requests import (
    PullPlace,
    PullRequest,
    PullRequests,
    check_host,
    is_pull_request,
    number_of,
)
from penstock.triggers.sources.git.sharing import SharedAnswers

# Pull requests that are no longer among the open ones, of one look; each is a request.
_MOST_ASKED = 10
# For all requests of a look, so that a slow host holds a turn for so long.
_LONGEST_S = 30.0
_WORDS = {OPEN: "opened", UPDATED: "updated", CLOSED: "closed"}


class WatchedRepository(NamedTuple):
    """What is looked at: the repository, its pull requests, and the watch on it."""

    namespace: str
    access: Access
    pulls: PullPlace | None
    watch: Watch


@dataclass(slots=True)
class _Pulls:
    """What a host has told of pull requests; those that have ``ended`` are open no more."""

    told: list[PullRequest] = field(default_factory=list)
    ended: set[str] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Found:
    """What a look has found so far: every watched name with its commit, and the changes."""

    refs: dict[str, str]
    changed: dict[str, tuple[Candidate, Taken]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FilteredLook:
    """Looks at repositories, so many at a time, and judges what has changed."""

    ls_remote: LsRemote
    pull_requests: PullRequests
    turns: Turns
    matching: Matching
    judge: ChangeJudge
    shared: SharedAnswers

    async def look(self, repository: WatchedRepository) -> RefsSeen:
        """Return what the filters watch, and what of its changes they take; raise ActionError."""
        watch = repository.watch
        assert watch.trigger, "only a watch with filters is looked at in this way"
        filters = Filters.of(watch.trigger)
        pulls = await self._pulls_if_any(repository, filters)
        async with self.turns.of(repository.namespace):
            key = ("refs", repository.access, filters.prefixes)
            ask = partial(self.ls_remote.refs, repository.access, filters.prefixes)
            every = await self.shared.of(key, watch.not_before, ask)
        try:
            found = await self.matching.run(
                repository.namespace, partial(_compare, watch, filters, every, pulls.told)
            )
        except GlobError as error:
            raise ActionError(CONFIGURATION_ERROR, str(error)) from error
        # What is open elsewhere, or was not told of, is open still.
        for ref in _open_before(watch):
            if ref not in found.refs and ref not in pulls.ended:
                found.refs[ref] = (watch.refs or {})[ref]
        if len(found.refs) > watch.most_refs:
            raise ActionError(
                CONFIGURATION_ERROR,
                f"the filters of the trigger watch {len(found.refs)} branches, tags and pull "
                f"requests of {repository.access.remote.url}, more than the {watch.most_refs} that "
                f"are remembered; write narrower includes, or excludes",
            )
        if watch.refs is None:
            return RefsSeen(found.refs)
        candidates = [candidate for candidate, _ in found.changed.values()]
        source = FilteredSource(repository.namespace, watch.name, repository.access)
        verdicts = await self.judge.judge(source, candidates)
        return _seen(_with_missing(watch, found.refs), found, verdicts, pulls.errors)

    async def _pulls_if_any(self, repository: WatchedRepository, filters: Filters) -> _Pulls:
        """Return what the host tells of pull requests; raise ActionError.

        Strangers may open them: where they cannot be told, pushes are looked at all the same.
        """
        if not filters.watches_pull_requests:
            return _Pulls()
        try:
            return await self._pulls(repository)
        except ActionError as error:
            if repository.watch.refs is None or not filters.watches_pushes:
                raise
            return _Pulls(errors=[f"{error.code}: {error.message}"])

    async def _pulls(self, repository: WatchedRepository) -> _Pulls:
        """Return the open pull requests, and some of those that were open; raise ActionError."""
        place, credential = check_host(repository.pulls), repository.access.credential
        async with self.turns.of(repository.namespace):
            until = time.monotonic() + _LONGEST_S
            ask = partial(self._open_pulls, place, credential)
            key = ("pull requests", place, credential)
            # A list of one's own: what is asked one by one comes to it.
            told = list(await self.shared.of(key, repository.watch.not_before, ask))
            found, refs = _Pulls(told), {pull.ref for pull in told}
            missing = [ref for ref in _open_before(repository.watch) if ref not in refs]
            # In any order: those that stay open and untold keep no other waiting.
            for ref in random.sample(missing, min(len(missing), _MOST_ASKED)):
                if time.monotonic() > until:
                    break
                try:
                    pull = await self.pull_requests.one(place, credential, number_of(ref))
                # One that the host does not show must not hide the others: they have their turn in
                # another look.
                except ActionError as error:
                    found.errors.append(f"{error.code}: {error.message}")
                    break
                if pull:
                    found.told.append(pull)
                if pull is None or not pull.is_open:
                    found.ended.add(ref)
        return found

    async def _open_pulls(
        self, place: PullPlace, credential: Credential | None
    ) -> list[PullRequest]:
        try:
            async with asyncio.timeout(_LONGEST_S):
                return await self.pull_requests.open(place, credential)
        except TimeoutError as error:
            raise ActionError(
                TIMED_OUT, f"listing the open pull requests took longer than {_LONGEST_S:g} s"
            ) from error


def _open_before(watch: Watch) -> list[str]:
    return [
        ref
        for ref, commit in (watch.refs or {}).items()
        if is_pull_request(ref) and commit != CLOSED_PULL_REQUEST
    ]


def _compare(
    watch: Watch,
    filters: Filters,
    every: Mapping[str, str],
    pulls: list[PullRequest],
    is_late: IsLate,
) -> _Found:
    """Return what is watched, and what of it has changed; raise GlobError."""
    known = watch.refs or {}
    found = _Found(filters.watched(every, is_late))
    for ref, commit in found.refs.items():
        old = known.get(ref, "")
        if old != commit:
            taken = Taken(commit, ref, f"{ref} changed to {commit}")
            found.changed[ref] = Candidate(RefChange(ref, old, commit), filters.of_push(ref)), taken
    watched = filters.watched_destinations({pull.destination for pull in pulls}, is_late)
    for pull in pulls:
        if not (pull.is_own and pull.destination in watched):
            continue
        if watch.refs is None:
            _begin(found, pull, every)
        else:
            _add(found, pull, known.get(pull.ref, ""), every, filters)
    return found


def _begin(found: _Found, pull: PullRequest, every: Mapping[str, str]) -> None:
    """Remember a pull request that was open before: its host's list may be behind its branch."""
    if tip := every.get(BRANCHES + pull.branch):
        found.refs[pull.ref] = tip


def _add(
    found: _Found, pull: PullRequest, old: str, every: Mapping[str, str], filters: Filters
) -> None:
    """Add a pull request of the repository itself, and what has happened to it."""
    if not pull.is_open:
        if old:
            _close(found, pull, old, filters)
        return
    # Whoever may open a pull request may show any commit in it. One that stands on a branch of the
    # repository was pushed by somebody who may push; what was moved since is for the next look.
    new = pull.commit if every.get(BRANCHES + pull.branch) == pull.commit else old
    if not new:
        return
    found.refs[pull.ref] = new
    if new == old:
        return
    event = OPEN if old in ("", CLOSED_PULL_REQUEST) else UPDATED
    into = BRANCHES + pull.destination
    change = RefChange(pull.ref, old, new, into, every.get(into, ""))
    criteria = filters.of_pull_request(event, pull.destination)
    found.changed[pull.ref] = _candidate(change, criteria), _taken(pull, event, new)


def _close(found: _Found, pull: PullRequest, old: str, filters: Filters) -> None:
    found.refs[pull.ref] = CLOSED_PULL_REQUEST
    commit = pull.commit or old
    criteria = filters.of_pull_request(CLOSED, pull.destination)
    if pull.base:
        candidate = Candidate(RefChange(pull.ref, pull.base, commit), criteria)
    else:
        candidate = _candidate(RefChange(pull.ref, old, commit, tip=pull.tip), criteria)
    found.changed[pull.ref] = candidate, _taken(pull, CLOSED, commit)


def _candidate(change: RefChange, criteria: FileCriteria) -> Candidate:
    # Without a tip nobody can tell the files: to start a run too many does less harm than to lose
    # one.
    return Candidate(change, criteria if change.tip else tuple(None for _ in criteria))


def _taken(pull: PullRequest, event: str, commit: str) -> Taken:
    into = f"{pull.branch} into {pull.destination}"
    detail = f"pull request {pull.number} {_WORDS[event]}: {into}, at {commit}"
    return Taken(commit, BRANCHES + pull.branch, detail)


def _with_missing(watch: Watch, found: Mapping[str, str]) -> dict[str, str]:
    """Return what was found, and the branches and tags that an answer has left out, while there is
    room.

    One of them is a change only when it comes back at another commit.
    """
    missing = [
        (ref, commit)
        for ref, commit in (watch.refs or {}).items()
        if ref not in found and not is_pull_request(ref)
    ]
    # Branches go for good more often than tags.
    missing.sort(key=lambda item: item[0].startswith(BRANCHES))
    return {**dict(missing[: watch.most_refs - len(found)]), **found}


def _seen(
    refs: Mapping[str, str], found: _Found, verdicts: Verdicts, errors: Sequence[str]
) -> RefsSeen:
    starting = {ref: found.changed[ref][1] for ref in verdicts.starting}
    return RefsSeen(
        refs,
        starting,
        verdicts.undecided,
        # Only if this look has led on: else the next one waits for its time.
        is_partial=0 < len(verdicts.undecided) < len(found.changed),
        error="; ".join((*errors, *verdicts.errors)),
    )
