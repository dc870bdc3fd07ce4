"""Fetches the wanted commit into git's own folder, measures it, and checks it out into another."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from penstock.actions.execution import JOB_FAILED, REVISION_UNAVAILABLE, ActionError
from penstock.actions.git.client import Git
from penstock.actions.git.isolation import GitError
from penstock.actions.git.listing import TreeEntry, entries_of
from penstock.actions.git.remote import Remote, Wanted, is_valid_ref, remote_of

_FETCHED = "refs/penstock/fetched"
_NO_REF = "couldn't find remote ref"


class Description(NamedTuple):
    """What people know a commit by. The dates are in ISO 8601 with their time zone.

    ``branch`` is empty for a tag or a bare commit, ``full_name`` the repository's path at its host.
    """

    id: str
    branch: str
    full_name: str
    author_date: str
    committer_date: str
    message: str


class Repository:
    """A remote's commit. ``folder`` is where git keeps its own files."""

    def __init__(self, git: Git, remote: Remote, wanted: Wanted, folder: Path) -> None:
        self._git = git
        self._remote = remote
        self._wanted = wanted
        self._at = f"--git-dir={folder}"
        self.commit = ""

    @property
    def remote(self) -> Remote:
        """Where the commit came from: the given remote, or its name with .git."""
        return self._remote

    def fetch(self, *, with_history: bool) -> None:
        """Fetch the commit, alone or with all branches and tags; raise ActionError."""
        self._git.connect()
        # The installation's templates would bring hooks.
        self._git.run(self._at, "init", "-q", "--template=")
        try:
            self._resolve_head()
            self._fetch(with_history=with_history)
        except GitError as error:
            raise self._git.failure(error) from error
        # A tag may be an object of its own, which names the commit.
        self.commit = self._git.run(self._at, "rev-parse", f"{_FETCHED}^{{commit}}").strip()

    def entries(self) -> Iterator[TreeEntry]:
        """Yield all that stands in the commit."""
        try:
            yield from entries_of(self._git, self._at, self.commit)
        except GitError as error:
            raise ActionError(
                JOB_FAILED, f"Commit {self.commit} could not be read: {error.text}"
            ) from error

    def check_out(self, folder: Path) -> None:
        """Write the commit's files; raise ActionError if git refuses one, as a path below .git."""
        tree = f"--work-tree={folder}"
        try:
            self._git.run(self._at, tree, "checkout", "-q", "-f", "--detach", self.commit, "--")
        except GitError as error:
            raise ActionError(
                JOB_FAILED, f"Commit {self.commit} was not checked out: {error.text}"
            ) from error

    def tracked_by_lfs(self, folder: Path) -> Iterator[bytes]:
        """Yield the paths of a checkout that are Git LFS's by the commit's own .gitattributes."""
        command = ("ls-files", "-z", "--", ":(top,attr:filter=lfs)")
        try:
            yield from self._git.records(self._at, f"--work-tree={folder}", *command)
        except GitError as error:
            raise ActionError(
                JOB_FAILED, f"Commit {self.commit} could not be read: {error.text}"
            ) from error

    def become_clone(self) -> None:
        """Make git's own folder what a clone of the remote has."""
        self._git.run(self._at, "update-ref", "-d", _FETCHED)
        self._git.run(self._at, "config", "core.bare", "false")
        self._git.run(self._at, "config", "remote.origin.url", self._remote.url)
        self._git.run(
            self._at, "config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*"
        )
        if self._wanted.branch and is_valid_ref(f"refs/heads/{self._wanted.branch}"):
            branch = f"refs/heads/{self._wanted.branch}"
            self._git.run(self._at, "update-ref", branch, self.commit)
            self._git.run(self._at, "symbolic-ref", "HEAD", branch)

    def describe(self) -> Description:
        """Return what people know the commit by."""
        form = "--format=%aI%n%cI%n%B"
        text = self._git.run(self._at, "log", "-1", "--no-show-signature", form, self.commit, "--")
        author_date, created, message = text.split("\n", 2)
        return Description(
            id=self.commit,
            branch=self._wanted.branch,
            full_name=self._remote.full_name,
            author_date=author_date,
            committer_date=created,
            message=message.strip().replace("\0", ""),
        )

    def settings(self, blob: str) -> dict[bytes, bytes]:
        """Return a commit's configuration file as git reads it: key to value, the last one wins."""
        try:
            records = list(
                self._git.records(
                    self._at, "config", "--no-includes", f"--blob={blob}", "-z", "--list"
                )
            )
        except GitError as error:
            raise ActionError(
                JOB_FAILED, f"{blob.partition(':')[2]} is no configuration file of git"
            ) from error
        return {key: value for key, _, value in (record.partition(b"\n") for record in records)}

    def _resolve_head(self) -> None:
        if self._wanted.ref or self._wanted.commit:
            return
        try:
            answer = self._git.run("ls-remote", "--symref", "--", self._remote.url, "HEAD")
        except GitError as error:
            if not self._repair(error):
                raise
            answer = self._git.run("ls-remote", "--symref", "--", self._remote.url, "HEAD")
        for line in answer.splitlines():
            ref, _, name = line.removeprefix("ref: ").partition("\t")
            # A server's answer is no more trusted than a user's text.
            if line.startswith("ref: refs/heads/") and name == "HEAD" and is_valid_ref(ref):
                self._wanted = Wanted(ref, branch=ref.removeprefix("refs/heads/"))
                return
        raise self._not_found()

    def _fetch(self, *, with_history: bool) -> None:
        if self._wanted.ref and not is_valid_ref(self._wanted.ref):
            raise self._not_found()
        if with_history:
            self._fetch_all()
        else:
            self._fetch_one("--depth=1")

    def _fetch_one(self, *options: str) -> None:
        what = self._wanted.ref or self._wanted.commit
        try:
            self._fetch_refs(*options, specs=[f"+{what}:{_FETCHED}"])
        except GitError as error:
            if _NO_REF in error.words:
                raise self._not_found() from error
            if not self._wanted.commit or self._git.failure(error).code == "PermissionError":
                raise
            # Not every server gives out a commit by its id: look for it among all that it names.
            self._fetch_all()

    def _fetch_all(self) -> None:
        self._fetch_refs(specs=["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"])
        ref = self._wanted.ref.replace("refs/heads/", "refs/remotes/origin/", 1)
        try:
            found = self._git.run(
                self._at, "rev-parse", "--verify", "-q", f"{ref or self._wanted.commit}^{{commit}}"
            )
        except GitError as error:
            raise self._not_found() from error
        self._git.run(self._at, "update-ref", _FETCHED, found.strip())

    def _fetch_refs(self, *options: str, specs: list[str]) -> None:
        arguments = [self._at, "fetch", "-q", "--no-tags", "--no-write-fetch-head", *options, "--"]
        try:
            self._git.run(*arguments, self._remote.url, *specs)
        except GitError as error:
            if not self._repair(error):
                raise
            self._git.run(*arguments, self._remote.url, *specs)

    def _repair(self, error: GitError) -> bool:
        """Take the name with .git if the host redirects to it; never follow a redirect."""
        if not error.is_redirect or self._remote.url.endswith(".git"):
            return False
        url = self._remote.url.rstrip("/") + ".git"
        self._remote = remote_of(url)
        return True

    def _not_found(self) -> ActionError:
        return ActionError(
            REVISION_UNAVAILABLE, f"{self._wanted.text} was not found in {self._remote.url}"
        )
