"""Which files a push has changed, by what Git itself says: trees are fetched, and no file (G-22).

A branch that is new is compared with the commit where it left the default branch, so that its first
push counts, too (on AWS it does not, G-26). However many files have changed, all are looked at.
"""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import NamedTuple

from penstock.actions.execution import SYSTEM_UNAVAILABLE, TIMED_OUT, ActionError
from penstock.actions.git.isolation import CONFIG, GitError, environment_of
from penstock.triggers.sources.git_child import (
    ChildLimits,
    SilentError,
    TooMuchOutputError,
    run_git,
)
from penstock.triggers.sources.git_host import URL, Access, GitHost, passed_environment
from penstock.triggers.sources.ls_remote import LsRemote

# The trees of two commits, or the commits of a branch: these are of some 200,000 files. At most
# three fetches for each of two comparisons at a time fit the volume that the chart gives.
_LIMITS = ChildLimits(memory=64 * 1024 * 1024, file=128 * 1024 * 1024, output=8 * 1024 * 1024)
_FETCH = ("fetch", "-q", "--no-tags", "--no-write-fetch-head")
# What git says of a commit that a server does not have any more, or never had.
_GONE = "not our ref"
# What it says where a branch has no commit that the default branch has not.
_NOTHING_OWN = ("shallow info", "no commits selected")


class Push(NamedTuple):
    """A branch that moved from ``old``, empty for a new one, to ``new``."""

    ref: str
    old: str
    new: str


class Changes(NamedTuple):
    """Paths of the files; not ``is_whole`` where there are more than can be told."""

    files: tuple[str, ...]
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class ChangedFiles:
    """Compares commits of remote repositories."""

    host: GitHost

    async def of(self, access: Access, push: Push) -> Changes:
        """Return which files differ before and after a push; raise ActionError."""
        async with self._repository() as repository:
            try:
                async with asyncio.timeout(self.host.timeout_s):
                    return await repository.compared(access, push)
            except TimeoutError as error:
                raise ActionError(
                    TIMED_OUT,
                    f"comparing {push.ref} with what it was took longer than "
                    f"{self.host.timeout_s:g} s",
                ) from error
            except GitError as error:
                raise ActionError(
                    SYSTEM_UNAVAILABLE, f"{push.ref} could not be compared: {error.text}"
                ) from error

    @contextlib.asynccontextmanager
    async def _repository(self) -> AsyncIterator["_Repository"]:
        # Removed in a thread: it may be large.
        folder = await asyncio.to_thread(tempfile.mkdtemp, prefix="penstock-")
        try:
            yield _Repository(self.host, folder)
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class _Repository:
    """A folder of git's own, into which objects of one remote are fetched."""

    host: GitHost
    folder: str

    async def begin(self) -> None:
        await self._here("init", "-q", "--bare", "--template=")

    async def compared(self, access: Access, push: Push) -> Changes:
        await self.begin()
        if push.old:
            try:
                return await self._between(access, push.old, push.new)
            except ActionError as error:
                # The branch was moved by force, and its host has forgotten what it was.
                if _GONE not in error.message:
                    raise
        default = await LsRemote(self.host).default_branch(access)
        if not default or default == push.ref:
            return await self._between(access, "", push.new)
        base = await self._base(access, default, push.new)
        if base == push.new:
            return Changes(())
        return await self._between(access, base, push.new)

    async def _between(self, access: Access, old: str, new: str) -> Changes:
        """Return the files that differ between two commits, or all of one if the other is empty."""
        wanted = [commit for commit in (old, new) if commit]
        await self._fetch(access, "--filter=blob:none", "--depth=1", *wanted)
        before = old or (await self._here("hash-object", "-t", "tree", "/dev/null")).strip()
        command = ("diff-tree", "-r", "-z", "--no-renames", "--name-only", before, new, "--")
        try:
            return Changes(_paths(await self._here(*command)))
        except TooMuchOutputError:
            return Changes((), is_whole=False)

    async def _base(self, access: Access, default: str, new: str) -> str:
        """Return the commit where a branch left the default one; empty if they share none.

        It is ``new`` itself if the branch has no commit of its own.
        """
        try:
            await self._fetch(access, "--filter=tree:0", f"--shallow-exclude={default}", new)
        except ActionError as error:
            if not any(words in error.message for words in _NOTHING_OWN):
                raise
            # That may be said for another reason, too.
            return await self._merge_base(access, default, new)
        present = set((await self._here(*_ALL_OBJECTS)).split())
        raw = await self._here("rev-list", "--format=raw", new)
        parents = {line.split()[1] for line in raw.splitlines() if line.startswith("parent ")}
        missing = parents - present
        # More than one where the branch has merges, whose parents are all cut off.
        if len(missing) > 1:
            return await self._merge_base(access, default, new)
        return next(iter(missing), "")

    async def _merge_base(self, access: Access, default: str, new: str) -> str:
        """Ask the whole history: that costs the most, and is always right."""
        # A repository of its own: git fetches nothing behind a commit that it has already.
        history = _Repository(self.host, f"{self.folder}/history")
        await history.begin()
        await history._fetch(access, "--filter=tree:0", new, f"{default}:{_DEFAULT}")
        try:
            return (await history._here("merge-base", new, _DEFAULT)).strip()
        except SilentError:
            return ""

    async def _fetch(self, access: Access, *arguments: str) -> None:
        options = [argument for argument in arguments if argument.startswith("--")]
        specs = [argument for argument in arguments if not argument.startswith("--")]
        command = (f"--git-dir={self.folder}", *_FETCH, *options, "--", URL, *specs)
        await self.host.run(access, command, _LIMITS)

    async def _here(self, *arguments: str) -> str:
        # What is missing here must not be fetched: that would go to an address nobody checked.
        settings = {**CONFIG, "protocol.http.allow": "never", "protocol.https.allow": "never"}
        environment = {**passed_environment(), **environment_of(self.folder, settings)}
        answer = await run_git((f"--git-dir={self.folder}", *arguments), environment, _LIMITS)
        return answer.decode("utf-8", "replace")


_DEFAULT = "refs/penstock/default"
_ALL_OBJECTS = ("cat-file", "--batch-all-objects", "--batch-check=%(objectname)")


def _paths(answer: str) -> tuple[str, ...]:
    return tuple(path for path in answer.split("\0") if path)
