"""Submodules: each is a commit of another repository, checked out below its path.

Git's own recursion is not used: it would take any protocol, any folder and
any number. Here a submodule is fetched just as the source is, from http and
https alone, and counts against the same limits.
"""

import os
import re
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from penstock.actions.execution import (
    CONFIGURATION_ERROR,
    JOB_FAILED,
    PERMISSION_ERROR,
    ActionError,
    Job,
)
from penstock.actions.git.client import Git
from penstock.actions.git.lfs import Lfs
from penstock.actions.git.listing import MODULES_FILE, Budget, Contents, TreeEntry, measure, shown
from penstock.actions.git.remote import Remote, Wanted, remote_of
from penstock.actions.git.repository import Repository

# Modules in modules: a repository that has itself as a module ends here.
MAX_DEPTH = 10
# Each module is a fetch of its own: a hundred take minutes.
MAX_NUMBER = 100
# A `.gitmodules` file has some hundred bytes for each module.
_LARGEST_FILE = 1024 * 1024
_USER = re.compile(rb"//[^/@]*@")


class Submodules:
    """All submodules of one checkout, at any depth."""

    def __init__(self, job: Job, git: Git, budget: Budget, lfs: Lfs) -> None:
        self._job = job
        self._git = git
        self._budget = budget
        self._lfs = lfs
        self._number = 0

    def check_out_one(self, repository: Repository, folder: Path, what: str) -> Contents:
        """Write a commit's own files, Git LFS's too; return its other needs. ``what`` names it."""
        contents = measure(repository.entries(), self._budget, what)
        repository.check_out(folder)
        if contents.has_attributes:
            self._lfs.complete(repository, folder)
        return contents

    def check_out(
        self, parent: Repository, contents: Contents, folder: Path, above: tuple[str, ...] = ()
    ) -> None:
        """Bring a commit's submodules, and theirs, into the folder of its checkout.

        ``above`` are the paths of the submodules that the commit is in. Raise
        ActionError with the whole path.
        """
        urls = _urls_of(parent, contents) if contents.submodules else {}
        for entry in contents.submodules:
            path = (*above, shown(entry.path))
            try:
                self._check_limits(path)
                remote = _remote_of(parent.remote, urls.get(entry.path))
                below = _folder_of(folder, entry.path)
                self._job.log(f"Fetching Commit {entry.id} of {remote.url} into {'/'.join(path)}")
                self._bring(remote, entry, below, path)
            except _BelowError:
                raise
            except ActionError as error:
                raise _BelowError(
                    error.code, f'Submodule "{"/".join(path)}": {error.message}'
                ) from error

    def _check_limits(self, path: tuple[str, ...]) -> None:
        self._number += 1
        if len(path) > MAX_DEPTH:
            raise ActionError(JOB_FAILED, f"submodules are nested deeper than {MAX_DEPTH}")
        if self._number > MAX_NUMBER:
            raise ActionError(JOB_FAILED, f"there are more than {MAX_NUMBER} submodules")

    def _bring(self, remote: Remote, entry: TreeEntry, folder: Path, path: tuple[str, ...]) -> None:
        # The objects go once the files are there, so that a hundred modules do not add up.
        with tempfile.TemporaryDirectory(dir=self._job.scratch) as own:
            git = self._git.at(remote)
            repository = Repository(git, remote, Wanted(commit=entry.id), Path(own))
            try:
                repository.fetch(with_history=False)
            except ActionError as error:
                if error.code != PERMISSION_ERROR or not git.is_foreign:
                    raise
                source = git.source
                only = f"{source.credential_place} is for the host of {source.address_place} alone"
                text = f"{error.message}; {only}"
                raise ActionError(error.code, text) from error
            what = f"Commit {repository.commit}, with all that is checked out before it,"
            contents = self.check_out_one(repository, folder, what)
            self.check_out(repository, contents, folder, path)


class _BelowError(ActionError):
    """An error that tells already in which submodule it was."""


def _urls_of(parent: Repository, contents: Contents) -> Mapping[bytes, bytes]:
    """Return path to URL, as the commit's own .gitmodules has them."""
    file = contents.modules_file
    if file is None:
        return {}
    if file.size > _LARGEST_FILE:
        raise ActionError(JOB_FAILED, f".gitmodules is larger than {_LARGEST_FILE} bytes")
    settings = parent.settings(f"{parent.commit}:{os.fsdecode(MODULES_FILE)}")
    names = [
        key.removesuffix(b".path")
        for key in settings
        if key.startswith(b"submodule.") and key.endswith(b".path")
    ]
    return {
        settings[name + b".path"]: settings[name + b".url"]
        for name in names
        if name + b".url" in settings
    }


def _remote_of(parent: Remote, url: bytes | None) -> Remote:
    """Return where a submodule is: an http or https URL, or one relative to its parent's."""
    if url is None:
        raise ActionError(CONFIGURATION_ERROR, ".gitmodules has no path and url for it")
    try:
        text = url.decode("ascii")
        return remote_of(relative_to(parent.url, text) if text.startswith(("./", "../")) else text)
    except UnicodeDecodeError as error:
        raise ActionError(CONFIGURATION_ERROR, f'the url "{shown(url)}" is not ASCII') from error
    except ActionError as error:
        # A credential that stands there is not repeated.
        where, why = shown(_USER.sub(b"//***@", url)), error.message.removeprefix("Url ")
        raise ActionError(CONFIGURATION_ERROR, f'the url "{where}" in .gitmodules {why}') from error


def relative_to(parent: str, url: str) -> str:
    """Return a URL as git reads it: ``..`` takes away the parent's last name, never its host."""
    parts = urlsplit(parent)
    names = [name for name in parts.path.split("/") if name]
    rest = url
    while rest.startswith(("./", "../")):
        step, _, rest = rest.partition("/")
        if step == ".." and not names:
            raise ActionError(
                CONFIGURATION_ERROR, f"Url leads above {parts.scheme}://{parts.netloc}/"
            )
        names = names[:-1] if step == ".." else names
    return f"{parts.scheme}://{parts.netloc}/{'/'.join([*names, rest])}"


def _folder_of(checkout: Path, path: bytes) -> Path:
    """Return the empty folder git made for a submodule; no part of its path may be a link."""
    folder = checkout
    for name in os.fsdecode(path).split("/"):
        folder = folder / name
        if name in ("", ".", "..") or name.lower() == ".git" or not _is_folder(folder):
            raise ActionError(JOB_FAILED, "its path is no folder of the checkout")
    if any(folder.iterdir()):
        raise ActionError(JOB_FAILED, "its folder is not empty")
    return folder


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False
