"""GitHub, version 1 (Source): one commit of a repository on github.com."""

from penstock.actions.execution import Job, Outcome
from penstock.actions.git.checkout import check_out, outcome_of, shortened
from penstock.actions.git.hosts.credentials import token_or_basic_auth
from penstock.actions.git.hosts.repositories import token_user
from penstock.actions.git.remote import remote_of, wanted_of
from penstock.actions.git.source_commit import SourceCommit
from penstock.actions.github import declaration


def run(job: Job) -> Outcome:
    """Fetch the branch's commit, or the one that the run names, and describe it (W-22)."""
    configuration = job.request.configuration
    page = f"{declaration.HOST}/{configuration['Owner']}/{configuration['Repo']}"
    called = "The Secret in OAuthToken"
    source = SourceCommit(
        remote=remote_of(f"{page}.git"),
        wanted=wanted_of(configuration, job.request.revision, job.request.ref),
        authorization=token_or_basic_auth(job, "OAuthToken", called, token_user("GitHub")),
        credential_place="OAuthToken",
        address_place="Owner and Repo",
    )
    commit = check_out(job, source)
    variables = {
        "AuthorDate": commit.author_date,
        "BranchName": commit.branch or configuration["Branch"],
        "CommitId": commit.id,
        "CommitMessage": shortened(commit.message),
        "CommitUrl": f"{page}/commit/{commit.id}",
        "CommitterDate": commit.committer_date,
        "RepositoryName": configuration["Repo"],
    }
    return outcome_of(commit, variables)
