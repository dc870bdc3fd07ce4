"""Git (Source): one commit of a repository becomes the output artifact."""

import tempfile
from pathlib import Path

from penstock.actions.execution import Job, Outcome
from penstock.actions.git.client import Git
from penstock.actions.git.lfs import Lfs
from penstock.actions.git.listing import Budget, Contents
from penstock.actions.git.remote import remote_of, wanted_of
from penstock.actions.git.repository import Repository
from penstock.actions.git.submodules import Submodules
from penstock.api.contract.contracts import Revision
from penstock.api.text import printable

# A result must fit a termination message; what is longer of a commit message is cut.
_MESSAGE_BYTES = 1000


def run(job: Job) -> Outcome:
    """Fetch the wanted commit into the source folder, and describe it."""
    configuration = job.request.configuration
    remote = remote_of(configuration["Url"])
    wanted = wanted_of(configuration, job.request.revision)
    with_history = configuration.get("OutputArtifactFormat") == "CODEBUILD_CLONE_REF"
    with tempfile.TemporaryDirectory(dir=job.scratch) as folder:
        home = Path(folder)
        git = Git(job, remote, home)
        # Without history git's own files stay out of the artifact.
        repository = Repository(
            git, remote, wanted, job.source / ".git" if with_history else home / "repository"
        )
        job.log(f"Fetching {wanted.text} of {remote.url}")
        repository.fetch(with_history=with_history)
        budget = Budget(job.request.limits)
        _check_out(job, repository, Submodules(job, git, budget, Lfs(job, git, budget)))
        if with_history:
            repository.become_clone()
        job.log(f"Checked out {repository.commit}")
        return _outcome(repository)


def _check_out(job: Job, repository: Repository, submodules: Submodules) -> None:
    """Write the files, and submodules' if asked for; nothing before its size is known."""
    contents = submodules.check_out_one(repository, job.source, f"Commit {repository.commit}")
    if job.request.configuration.get("FetchSubmodules") == "true":
        submodules.check_out(repository, contents, job.source)
    else:
        _tell_what_is_missing(job, contents)


def _tell_what_is_missing(job: Job, contents: Contents) -> None:
    if number := len(contents.submodules):
        what = (
            "1 submodule is an empty folder"
            if number == 1
            else f"{number} submodules are empty folders"
        )
        job.log(f'{what}; set FetchSubmodules to "true" to fetch')


def _outcome(repository: Repository) -> Outcome:
    author_date, created, message = repository.describe()
    cut = message.encode()[:_MESSAGE_BYTES].decode("utf-8", "ignore")
    message = message if cut == message else cut + "…"
    commit = repository.commit
    variables = {
        "AuthorDate": author_date,
        "BranchName": repository.wanted.branch,
        "CommitId": commit,
        "CommitMessage": message,
        "FullRepositoryName": repository.remote.full_name,
    }
    first = message.partition("\n")[0]
    return Outcome(
        variables=variables,
        revision=Revision(id=commit, summary=message, created=created),
        external_execution_id=commit,
        summary=f"{commit[:12]} {printable(first)}",
    )
