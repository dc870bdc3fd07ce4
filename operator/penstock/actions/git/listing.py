"""Lists a commit by git before anything is written: trees may name each other a billion times."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from penstock.actions.execution import JOB_FAILED, ActionError
from penstock.actions.git.client import Git
from penstock.api.contract.contracts import Limits
from penstock.api.text import printable, shorten

MODULES_FILE = b".gitmodules"
_ATTRIBUTES_FILE = b".gitattributes"
# So much of a path tells which one it was.
_SHOWN = 200
# Bytes; Linux opens no path of 4,096, and the workspace stands before it.
_LONGEST_PATH = 4000
_FORMAT = "%(objectmode) %(objectsize) %(objectname)%x09%(path)"


class TreeEntry(NamedTuple):
    """A commit's file, link, folder or submodule. ``size`` is in bytes, 0 without own content."""

    mode: str
    size: int
    id: str
    path: bytes

    @property
    def is_submodule(self) -> bool:
        """Whether it names a commit of another repository."""
        return self.mode == "160000"

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file."""
        return self.mode.startswith("100")


class Budget:
    """What a checkout may still bring, together with its submodules: entries and bytes."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._entries = limits.artifact_entries
        self._bytes = limits.artifact_bytes

    def take(self, size: int, what: str, *, entries: int = 1) -> None:
        """Count entries of ``size`` bytes together; raise ActionError if too many or too large."""
        self._entries -= entries
        self._bytes -= size
        if self._entries < 0 or self._bytes < 0:
            raise ActionError(
                JOB_FAILED,
                f"{what} is larger than {self._limits.artifact_entries} files or "
                f"{self._limits.artifact_bytes} bytes",
            )


def entries_of(git: Git, at: str, commit: str) -> Iterator[TreeEntry]:
    """Yield all that stands in a commit, folders too: a tree without a file can be endless as well.

    Raise ActionError for a path that no system could open, GitError if git fails.
    """
    for record in git.records(
        at, "ls-tree", "-r", "-t", "-z", "--full-tree", f"--format={_FORMAT}", commit
    ):
        facts, _, path = record.partition(b"\t")
        mode, size, name = facts.decode("ascii").split()
        if len(path) > _LONGEST_PATH:
            raise ActionError(
                JOB_FAILED, f"Commit {commit} holds a path of more than {_LONGEST_PATH} bytes"
            )
        yield TreeEntry(mode, int(size) if size.isdigit() else 0, name, path)


class Contents:
    """The parts of a commit beyond a checkout: submodules, the file of their URLs, attributes."""

    def __init__(self) -> None:
        self.submodules: list[TreeEntry] = []
        self.modules_file: TreeEntry | None = None
        self.has_attributes = False


def measure(entries: Iterable[TreeEntry], budget: Budget, what: str) -> Contents:
    """Count a commit's entries against the budget; raise ActionError if ``what`` is too large."""
    found = Contents()
    for entry in entries:
        budget.take(entry.size, what)
        if entry.is_submodule:
            found.submodules.append(entry)
        elif entry.path == MODULES_FILE and entry.is_file:
            found.modules_file = entry
        found.has_attributes |= entry.path.endswith(_ATTRIBUTES_FILE)
    return found


def shown(name: bytes) -> str:
    """Return a path or a URL as it can stand in a message: one line, not endless."""
    return shorten(printable(name.decode("utf-8", "backslashreplace")), _SHOWN)
