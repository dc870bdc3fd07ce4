"""What a trigger's push filters take: branches and tags by their names, and changes by their files.

Filters are alternatives, the criteria of one hold together (G-20); the globs are CodePipeline's.
Pure.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Self

from penstock.actions.git.remote import BRANCHES, TAGS
from penstock.api.globs.names import NameFilter
from penstock.api.kinds.triggers import GitConfiguration, GlobCriteria


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

    def watched(self, refs: Mapping[str, str]) -> dict[str, str]:
        """Return the refs whose changes may start a run; raise GlobError."""
        return {ref: commit for ref, commit in refs.items() if any(self._of(ref))}

    def needs_files(self, ref: str) -> bool:
        """Whether only the files of a change tell if it starts a run."""
        return all(item.files for item in self._of(ref))

    def takes_any(self, ref: str, files: Iterable[str]) -> bool:
        """Whether a change of these files starts a run: one that is taken is enough (G-22)."""
        wanted = [item.files for item in self._of(ref) if item.files]
        return any(criteria.takes(file) for file in files for criteria in wanted)

    def _of(self, ref: str) -> list[_Filter]:
        return [item for item in self._filters if item.takes(ref)]


def _names(criteria: GlobCriteria | None) -> NameFilter:
    return NameFilter(criteria.includes, criteria.excludes) if criteria else NameFilter()
