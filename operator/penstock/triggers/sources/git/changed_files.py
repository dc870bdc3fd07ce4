"""Which files a change has changed, by what Git itself says: trees are fetched, and no file (G-22).

A branch that is new is compared with the commit where it left the default branch, so that its first
push counts, too (on AWS it does not, G-26). However many files have changed, all are looked at.

What a server sends is anybody's: each step has a folder of its own, which is gone before the next.
"""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from penstock.actions.execution import (
    PERMISSION_ERROR,
    SYSTEM_UNAVAILABLE,
    TIMED_OUT,
    ActionError,
)
from penstock.actions.git.isolation import CONFIG, GitError, environment_of
from penstock.triggers.sources.git.child import (
    ChildLimits,
    SilentError,
    TooMuchOutputError,
    run_git,
)
from penstock.triggers.sources.git.host import URL, Access, GitHost, passed_environment
from penstock.triggers.sources.git.ls_remote import LsRemote, is_commit

# The trees of two commits, or the commits of a branch: these are of some 200,000 files. Two
# comparisons at a time fit the memory and the volume that the chart gives. The names of 20,000
# changed files are read. The limit of a file is a pack's; its index is smaller.
_LIMITS = ChildLimits(memory=64 * 1024 * 1024, file=128 * 1024 * 1024, output=1024 * 1024)
# A branch of more commits is looked at by its whole history.
_MOST_COMMITS = 1_000
# What git says of a commit that a server does not have any more, or does not give.
_GONE = ("not our ref", "not valid", "unadvertised object", "find remote ref")


class RefChange(NamedTuple):
    """A branch that moved from ``old``, empty for a new one, to ``new``.

    For a pull request ``tip`` is a commit of the branch that it goes into, from before it was
    merged, and ``into`` that branch's ref while it is open; ``old`` tells its events apart.
    """

    ref: str
    old: str
    new: str
    into: str = ""
    tip: str = ""


class Changes(NamedTuple):
    """Paths of the files, each ended by NUL; not ``is_whole`` where there are too many to tell."""

    names: bytes
    is_whole: bool = True

    def files(self) -> Iterator[str]:
        """Yield the paths, one by one: together they may be much."""
        start = 0
        while (end := self.names.find(b"\0", start)) >= 0:
            yield self.names[start:end].decode("utf-8", "replace")
            start = end + 1


@dataclass(frozen=True, slots=True)
class ChangedFiles:
    """Compares commits of remote repositories, in folders below ``scratch``."""

    host: GitHost
    scratch: Path

    def begin(self) -> None:
        """Remove what an earlier process has left behind."""
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir(parents=True, exist_ok=True)

    async def of(self, access: Access, change: RefChange) -> Changes:
        """Return which files a change has changed; raise ActionError."""
        try:
            async with asyncio.timeout(self.host.timeout_s):
                return await self._compared(access, change)
        except TimeoutError as error:
            raise ActionError(
                TIMED_OUT, f"it took longer than {self.host.timeout_s:g} s"
            ) from error
        except GitError as error:
            raise ActionError(SYSTEM_UNAVAILABLE, error.text) from error
        except OSError as error:
            raise ActionError(SYSTEM_UNAVAILABLE, f"no folder to compare in: {error}") from error

    async def _compared(self, access: Access, change: RefChange) -> Changes:
        if change.tip:
            return await self._of_pull_request(access, change)
        if is_commit(change.old):
            try:
                return await self._between(access, change.old, change.new)
            except ActionError as error:
                # The branch was moved by force, and its host has forgotten what it was.
                if not any(words in error.message for words in _GONE):
                    raise
        default = await LsRemote(self.host).default_branch(access)
        if not default or default == change.ref:
            return await self._between(access, "", change.new)
        base = await self._base(access, default, change.new)
        return await self._since(access, base, change.new)

    async def _of_pull_request(self, access: Access, change: RefChange) -> Changes:
        base = await self._base(access, change.into, change.new) if change.into else change.new
        if base == change.new:
            # It is merged by now: what the branch was before knows nothing of it.
            base = await self._merge_base(access, change.tip, change.new)
            if base == change.new:
                # That was merged, too, so that nobody can tell.
                return Changes(b"", is_whole=False)
        return await self._since(access, base, change.new)

    async def _since(self, access: Access, base: str, new: str) -> Changes:
        return Changes(b"") if base == new else await self._between(access, base, new)

    async def _between(self, access: Access, old: str, new: str) -> Changes:
        """Return the files that differ between two commits, or all of one if the other is empty."""
        async with self._repository(new) as repository:
            wanted = [commit for commit in (old, new) if commit]
            await repository.fetch(access, ("--filter=blob:none", "--depth=1"), wanted)
            before = old or _line(await repository.git("hash-object", "-t", "tree", "/dev/null"))
            command = ("diff-tree", "-r", "-z", "--no-renames", "--name-only", before, new, "--")
            try:
                return Changes(await repository.git(*command))
            except TooMuchOutputError:
                return Changes(b"", is_whole=False)

    async def _base(self, access: Access, other: str, new: str) -> str:
        """Return the commit where a branch left another one; empty if they share none.

        It is ``new`` itself if the branch has no commit of its own.
        """
        with contextlib.suppress(TooMuchOutputError):
            try:
                parents = await self._parents_elsewhere(access, other, new)
            except ActionError as error:
                # Git's words for a branch without a commit of its own, and for what a host does not
                # do, are many; what follows is right for all.
                if error.code in (PERMISSION_ERROR, TIMED_OUT):
                    raise
            else:
                # More than one where the branch has merges, whose parents are all cut off.
                if len(parents) <= 1:
                    return next(iter(parents), "")
        return await self._merge_base(access, other, new)

    async def _parents_elsewhere(self, access: Access, other: str, new: str) -> set[str]:
        """Fetch a branch's own commits alone; return their parents that are none of them."""
        async with self._repository(new) as repository:
            options = ("--filter=tree:0", f"--shallow-exclude={other}")
            await repository.fetch(access, options, [new])
            objects = await repository.git(
                "cat-file", "--batch-all-objects", "--batch-check=%(objectname)"
            )
            most = f"--max-count={_MOST_COMMITS}"
            raw = await repository.git("rev-list", "--format=raw", most, new)
        # Lines as git ends them: a message may hold any other end, and indents its own.
        lines = raw.decode("utf-8", "replace").split("\n")
        if sum(line.startswith("commit ") for line in lines) == _MOST_COMMITS:
            raise TooMuchOutputError("fatal: the branch has too many commits of its own")
        found = {line[7:] for line in lines if line.startswith("parent ")}
        return {commit for commit in found if is_commit(commit)} - set(objects.decode().split())

    async def _merge_base(self, access: Access, other: str, new: str) -> str:
        """Ask the whole history: that costs the most, and is always right."""
        async with self._repository(new) as repository:
            await repository.fetch(access, ("--filter=tree:0",), [new, f"{other}:{_OTHER}"])
            try:
                return _line(await repository.git("merge-base", new, _OTHER))
            except SilentError:
                return ""

    @contextlib.asynccontextmanager
    async def _repository(self, commit: str) -> AsyncIterator["_Repository"]:
        # Made and removed in a thread: it may be large.
        folder = await asyncio.to_thread(tempfile.mkdtemp, dir=self.scratch)
        try:
            repository = _Repository(self.host, folder)
            kind = "sha256" if len(commit) == 64 else "sha1"
            await repository.git("init", "-q", "--bare", "--template=", f"--object-format={kind}")
            yield repository
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


_OTHER = "refs/penstock/other"


@dataclass(frozen=True, slots=True)
class _Repository:
    """A folder of git's own, into which objects of one remote are fetched."""

    host: GitHost
    folder: str

    async def fetch(self, access: Access, options: Sequence[str], specs: Sequence[str]) -> None:
        quiet = ("-q", "--no-tags", "--no-write-fetch-head")
        command = (f"--git-dir={self.folder}", "fetch", *quiet, *options, "--", URL, *specs)
        await self.host.run(access, command, _LIMITS)

    async def git(self, *arguments: str) -> bytes:
        """Run git here alone: nothing may be fetched, from an address that nobody checked."""
        settings = {**CONFIG, "protocol.http.allow": "never", "protocol.https.allow": "never"}
        environment = {**passed_environment(), **environment_of(self.folder, settings)}
        return await run_git((f"--git-dir={self.folder}", *arguments), environment, _LIMITS)


def _line(answer: bytes) -> str:
    return answer.decode().strip()
