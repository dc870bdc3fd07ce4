"""Git (Source): one commit of a repository becomes the output artifact."""

import tempfile
from pathlib import Path

from penstock.actions.execution import JOB_FAILED, REVISION_UNAVAILABLE, ActionError, Job, Outcome
from penstock.actions.git.client import Git
from penstock.actions.git.isolation import GitError
from penstock.actions.git.remote import Remote, Wanted, is_valid_ref, remote_of, wanted_of
from penstock.api.contracts import Revision

_FETCHED = "refs/penstock/fetched"
_MESSAGE_BYTES = 1000
"""A result must fit a termination message; what is longer of a commit message is cut."""
_NO_REF = "couldn't find remote ref"


def run(job: Job) -> Outcome:
    """Fetch the wanted commit into the source folder."""
    configuration = job.request.configuration
    remote = remote_of(configuration["Url"])
    wanted = wanted_of(configuration, job.request.revision)
    with tempfile.TemporaryDirectory(dir=job.scratch) as folder:
        home = Path(folder)
        if configuration.get("OutputArtifactFormat") == "CODEBUILD_CLONE_REF":
            checkout = Checkout(job, remote, wanted, home, job.source / ".git")
            return checkout.run(with_history=True)
        return Checkout(job, remote, wanted, home, home / "repository").run(with_history=False)


class Checkout:
    """One fetch and checkout. ``repository`` is the folder of git's own files."""

    def __init__(self, job: Job, remote: Remote, wanted: Wanted, home: Path, repository: Path) -> None:
        self._job = job
        self._remote = remote
        self._wanted = wanted
        self._git = Git(job, remote, home)
        self._at = f"--git-dir={repository}"

    def run(self, *, with_history: bool) -> Outcome:
        """Fetch, check the size, check out, and describe the commit."""
        self._git.connect()
        self._job.log(f"Fetching {self._wanted.text} of {self._remote.url}")
        self._git.run(self._at, "init", "-q", "--template=")
        try:
            self._resolve_head()
            self._fetch(with_history=with_history)
        except GitError as error:
            raise self._git.failure(error) from error
        commit = self._git.run(self._at, "rev-parse", f"{_FETCHED}^{{commit}}").strip()
        self._check_size(commit)
        self._check_out(commit, with_history=with_history)
        self._job.log(f"Checked out {commit}")
        return self._outcome(commit)

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
            if _NO_REF in error.text:
                raise self._not_found() from error
            if not self._wanted.commit or self._git.failure(error).code == "PermissionError":
                raise
            # Not every server gives out a commit by its id: look for it among all that it names.
            self._fetch_all()

    def _fetch_all(self) -> None:
        self._fetch_refs(specs=["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"])
        ref = self._wanted.ref.replace("refs/heads/", "refs/remotes/origin/", 1)
        try:
            found = self._git.run(self._at, "rev-parse", "--verify", "-q", f"{ref or self._wanted.commit}^{{commit}}")
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
        """Some hosts redirect to the name with .git: that one is taken, no redirect is ever followed."""
        if not error.is_redirect or self._remote.url.endswith(".git"):
            return False
        url = self._remote.url.rstrip("/") + ".git"
        self._remote = remote_of(url)
        return True

    def _not_found(self) -> ActionError:
        return ActionError(REVISION_UNAVAILABLE, f"{self._wanted.text} was not found in {self._remote.url}")

    def _check_size(self, commit: str) -> None:
        """Refuse a tree that is too large before anything is written: trees may name each other a billion times."""
        limits, size = self._job.request.limits, 0
        listing = self._git.stream(self._at, "ls-tree", "-r", "--full-tree", "--format=%(objectsize)", commit)
        for count, line in enumerate(listing, 1):
            size += int(line) if line.strip().isdigit() else 0
            if count > limits.artifact_entries or size > limits.artifact_bytes:
                listing.close()  # type: ignore[attr-defined]
                raise ActionError(
                    JOB_FAILED,
                    f"Commit {commit} is larger than {limits.artifact_entries} files or {limits.artifact_bytes} bytes",
                )

    def _check_out(self, commit: str, *, with_history: bool) -> None:
        tree = f"--work-tree={self._job.source}"
        self._git.run(self._at, tree, "checkout", "-q", "-f", "--detach", commit, "--")
        if not with_history:
            return
        self._git.run(self._at, "update-ref", "-d", _FETCHED)
        self._git.run(self._at, "config", "core.bare", "false")
        self._git.run(self._at, "config", "remote.origin.url", self._remote.url)
        self._git.run(self._at, "config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*")
        if self._wanted.branch and is_valid_ref(f"refs/heads/{self._wanted.branch}"):
            branch = f"refs/heads/{self._wanted.branch}"
            self._git.run(self._at, "update-ref", branch, commit)
            self._git.run(self._at, "symbolic-ref", "HEAD", branch)

    def _outcome(self, commit: str) -> Outcome:
        text = self._git.run(self._at, "log", "-1", "--no-show-signature", "--format=%aI%n%cI%n%B", commit, "--")
        author_date, created, message = text.split("\n", 2)
        message = message.strip().replace("\0", "")
        cut = message.encode()[:_MESSAGE_BYTES].decode("utf-8", "ignore")
        message = message if cut == message else cut + "…"
        variables = {
            "AuthorDate": author_date,
            "BranchName": self._wanted.branch,
            "CommitId": commit,
            "CommitMessage": message,
            "FullRepositoryName": self._remote.full_name,
        }
        first = message.partition("\n")[0]
        return Outcome(
            variables=variables,
            revision=Revision(id=commit, summary=message, created=created),
            external_execution_id=commit,
            summary=f"{commit[:12]} {first}",
        )
