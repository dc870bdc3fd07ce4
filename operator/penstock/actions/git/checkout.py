"""Fetches a source's commit into the output artifact, for every provider whose source is Git's."""

import tempfile
from pathlib import Path

from penstock.actions.execution import Job, Outcome
from penstock.actions.git.client import Git
from penstock.actions.git.lfs import Lfs
from penstock.actions.git.listing import Budget, Contents
from penstock.actions.git.repository import Description, Repository
from penstock.actions.git.source_commit import SourceCommit
from penstock.actions.git.submodules import Submodules
from penstock.api.contract.contracts import Revision
from penstock.api.text import printable

# A result must fit a termination message; what is longer of a commit message is cut.
_MESSAGE_BYTES = 1000


def check_out(job: Job, source: SourceCommit) -> Description:
    """Fetch the wanted commit into the source folder, and describe it; raise ActionError."""
    with tempfile.TemporaryDirectory(dir=job.scratch) as folder:
        home = Path(folder)
        git = Git(job, source, home)
        # Without history git's own files stay out of the artifact.
        repository = Repository(
            git,
            source.remote,
            source.wanted,
            job.source / ".git" if source.with_history else home / "repository",
        )
        job.log(f"Fetching {source.wanted.text} of {source.remote.url}")
        repository.fetch(with_history=source.with_history)
        budget = Budget(job.request.limits)
        _write(job, source, repository, Submodules(job, git, budget, Lfs(job, git, budget)))
        if source.with_history:
            repository.become_clone()
        job.log(f"Checked out {repository.commit}")
        return repository.describe()


def outcome_of(commit: Description, variables: dict[str, str]) -> Outcome:
    """Return how a source action ends that fetched a commit, with the provider's variables."""
    message = shortened(commit.message)
    return Outcome(
        variables=variables,
        revision=Revision(id=commit.id, summary=message, created=commit.committer_date),
        external_execution_id=commit.id,
        summary=f"{commit.id[:12]} {printable(message.partition(chr(10))[0])}",
    )


def shortened(message: str) -> str:
    """Return a commit's message, cut where it is too long for a result."""
    cut = message.encode()[:_MESSAGE_BYTES].decode("utf-8", "ignore")
    return message if cut == message else cut + "…"


def _write(job: Job, source: SourceCommit, repository: Repository, submodules: Submodules) -> None:
    """Write the files, and submodules' if asked for; nothing before its size is known."""
    contents = submodules.check_out_one(repository, job.source, f"Commit {repository.commit}")
    if source.with_submodules:
        submodules.check_out(repository, contents, job.source)
    else:
        _tell_what_is_missing(job, source, contents)


def _tell_what_is_missing(job: Job, source: SourceCommit, contents: Contents) -> None:
    if number := len(contents.submodules):
        what = (
            "1 submodule is an empty folder"
            if number == 1
            else f"{number} submodules are empty folders"
        )
        job.log(f"{what}; {source.advice('FetchSubmodules')}")
