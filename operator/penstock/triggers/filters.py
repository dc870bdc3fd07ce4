"""What a trigger's push filters take: branches and tags by their names, and changes by their files.

Filters are alternatives, the criteria of one hold together (G-20); the globs are CodePipeline's.
Pure.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, Self

from penstock.actions.git.remote import BRANCHES, TAGS
from penstock.api.globs.names import NameFilter
from penstock.api.globs.syntax import GlobError
from penstock.api.kinds.triggers import GitConfiguration, GlobCriteria

_LONGEST_PATH = 4_096


class _Filter(NamedTuple):
    """One push filter: names of branches or of tags, and which files must have changed."""

    prefix: str
    names: NameFilter
    files: NameFilter | None

    def takes(self, ref: str) -> bool:
        return ref.startswith(self.prefix) and self.names.takes(ref.removeprefix(self.prefix))


class PushFilters:
    """The push filters of one trigger."""

    def __init__(self, filters: Iterable[_Filter]) -> None:
        self._filters = tuple(filters)

    @classmethod
    def of(cls, git: GitConfiguration) -> Self | None:
        """Return a trigger's filters; None without any: the action's own branch is meant (G-03)."""
        filters = [
            _Filter(TAGS, _names(push.tags), None)
            if push.tags
            else _Filter(
                BRANCHES,
                _names(push.branches),
                _names(push.file_paths) if push.file_paths else None,
            )
            for push in git.push
        ]
        return cls(filters) if filters else None

    @property
    def prefixes(self) -> frozenset[str]:
        """What is watched: branches, tags or both."""
        return frozenset(item.prefix for item in self._filters)

    def watched(self, refs: Mapping[str, str], is_late: Callable[[], bool]) -> dict[str, str]:
        """Return the refs whose changes may start a run; raise GlobError, also once it is late."""
        return {ref: commit for ref, commit in refs.items() if any(self._of(ref, is_late))}

    def needs_files(self, ref: str) -> bool:
        """Whether only the files of a change tell if it starts a run."""
        return all(item.files for item in self._of(ref))

    def takes_any(self, ref: str, files: Iterable[str], is_late: Callable[[], bool]) -> bool:
        """Whether a change of these files starts a run: one that is taken is enough (G-22).

        Raise GlobError once it is late.
        """
        wanted = [item.files for item in self._of(ref) if item.files]
        for file in files:
            _raise_if(is_late)
            # No system has so long a path, and matching takes its time.
            if len(file) > _LONGEST_PATH or any(criteria.takes(file) for criteria in wanted):
                return True
        return False

    def _of(self, ref: str, is_late: Callable[[], bool] | None = None) -> list[_Filter]:
        if is_late:
            _raise_if(is_late)
        return [item for item in self._filters if item.takes(ref)]


def _raise_if(is_late: Callable[[], bool]) -> None:
    if is_late():
        raise GlobError("the patterns of the trigger take too long to match; write simpler ones")


def _names(criteria: GlobCriteria | None) -> NameFilter:
    return NameFilter(criteria.includes, criteria.excludes) if criteria else NameFilter()
