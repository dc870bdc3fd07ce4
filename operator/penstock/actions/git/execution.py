"""Git (Source): one commit of a repository becomes the output artifact."""

from penstock.actions.execution import Job, Outcome
from penstock.actions.git.checkout import check_out, outcome_of, shortened
from penstock.actions.git.hosts.credentials import basic_auth
from penstock.actions.git.remote import remote_of, wanted_of
from penstock.actions.git.source_commit import CREDENTIALS_SECRET, SourceCommit


def run(job: Job) -> Outcome:
    """Fetch the wanted commit into the source folder, and describe it."""
    configuration = job.request.configuration
    source = SourceCommit(
        remote=remote_of(configuration["Url"]),
        wanted=wanted_of(configuration, job.request.revision, job.request.ref),
        authorization=basic_auth(job, CREDENTIALS_SECRET, f"The Secret in {CREDENTIALS_SECRET}"),
        with_history=configuration.get("OutputArtifactFormat") == "CODEBUILD_CLONE_REF",
        with_submodules=configuration.get("FetchSubmodules") == "true",
        with_lfs=configuration.get("FetchLfs") == "true",
        has_fetch_keys=True,
    )
    commit = check_out(job, source)
    variables = {
        "AuthorDate": commit.author_date,
        "BranchName": commit.branch,
        "CommitId": commit.id,
        "CommitMessage": shortened(commit.message),
        "FullRepositoryName": commit.full_name,
    }
    return outcome_of(commit, variables)
