"""What a trigger's filters take: branches and tags, pull requests, and changes by their files.

Filters are alternatives, the criteria of one hold together (G-20); the globs are CodePipeline's.
Pure.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, Self

from penstock.actions.git.remote import BRANCHES, TAGS
from penstock.api.globs.names import NameFilter
from penstock.api.globs.syntax import GlobError
from penstock.api.kinds.triggers import GitConfiguration, GlobCriteria

OPEN, UPDATED, CLOSED = "OPEN", "UPDATED", "CLOSED"
"""What happens to a pull request (G-25)."""
_EVENTS = (OPEN, UPDATED, CLOSED)
_LONGEST_PATH = 4_096

FileCriteria = tuple[NameFilter | None, ...]
"""Of each filter that takes a change by its names: which files must have changed, None for any."""
IsLate = Callable[[], bool]


class _Push(NamedTuple):
    """One push filter: names of branches or of tags, and which files must have changed."""

    prefix: str
    names: NameFilter
    files: NameFilter | None

    def takes(self, ref: str) -> bool:
        return ref.startswith(self.prefix) and self.names.takes(ref.removeprefix(self.prefix))


class _PullRequest(NamedTuple):
    """One filter of pull requests: events, names of branches that they go into, and files."""

    events: tuple[str, ...]
    destinations: NameFilter
    files: NameFilter | None


class Filters:
    """The filters of one trigger."""

    def __init__(self, pushes: Iterable[_Push], pulls: Iterable[_PullRequest]) -> None:
        self._pushes, self._pulls = tuple(pushes), tuple(pulls)

    @classmethod
    def of(cls, git: GitConfiguration) -> Self:
        """Return a trigger's filters."""
        pushes = [
            _Push(TAGS, _names(push.tags), None)
            if push.tags
            else _Push(BRANCHES, _names(push.branches), _files(push.file_paths))
            for push in git.push
        ]
        pulls = [
            _PullRequest(pull.events or _EVENTS, _names(pull.branches), _files(pull.file_paths))
            for pull in git.pull_request
        ]
        return cls(pushes, pulls)

    @property
    def prefixes(self) -> frozenset[str]:
        """What is listed: branches, tags or both."""
        # A pull request of the repository is one whose commit is on a branch of it.
        return frozenset(item.prefix for item in self._pushes) | {BRANCHES for _ in self._pulls[:1]}

    @property
    def watches_pushes(self) -> bool:
        """Whether pushes may start runs."""
        return bool(self._pushes)

    @property
    def watches_pull_requests(self) -> bool:
        """Whether pull requests may start runs."""
        return bool(self._pulls)

    def watched(self, refs: Mapping[str, str], is_late: IsLate) -> dict[str, str]:
        """Return the refs whose changes may start a run; raise GlobError, also once it is late."""
        found = {}
        for ref, commit in refs.items():
            _raise_if(is_late)
            if any(item.takes(ref) for item in self._pushes):
                found[ref] = commit
        return found

    def watched_destinations(self, branches: Iterable[str], is_late: IsLate) -> frozenset[str]:
        """Return the branches into which pull requests may start a run; raise GlobError."""
        found = set()
        for branch in branches:
            _raise_if(is_late)
            if any(item.destinations.takes(branch) for item in self._pulls):
                found.add(branch)
        return frozenset(found)

    def of_push(self, ref: str) -> FileCriteria:
        """Return the criteria of the filters that take a push to a branch or tag, none if none."""
        return tuple(item.files for item in self._pushes if item.takes(ref))

    def of_pull_request(self, event: str, destination: str) -> FileCriteria:
        """Return the criteria of the filters that take an event of a pull request, none if none."""
        return tuple(
            item.files
            for item in self._pulls
            if event in item.events and item.destinations.takes(destination)
        )


def takes_any(criteria: FileCriteria, files: Iterable[str], is_late: IsLate) -> bool:
    """Whether a change of these files starts a run: one that is taken is enough (G-22).

    Raise GlobError once it is late.
    """
    wanted = [item for item in criteria if item]
    for file in files:
        _raise_if(is_late)
        # No system has so long a path, and matching takes its time.
        if len(file) > _LONGEST_PATH or any(item.takes(file) for item in wanted):
            return True
    return False


def _raise_if(is_late: IsLate) -> None:
    if is_late():
        raise GlobError("the patterns of the trigger take too long to match; write simpler ones")


def _files(criteria: GlobCriteria | None) -> NameFilter | None:
    return _names(criteria) if criteria else None


def _names(criteria: GlobCriteria | None) -> NameFilter:
    return NameFilter(criteria.includes, criteria.excludes) if criteria else NameFilter()
