"""CodeStarSourceConnection (Source): one commit of a repository, through a Connection."""

from penstock.actions.execution import Job, Outcome
from penstock.actions.git.checkout import check_out, outcome_of, shortened
from penstock.actions.git.hosts.credentials import token_or_basic_auth
from penstock.actions.git.hosts.repositories import repository_url, token_user
from penstock.actions.git.remote import remote_of, wanted_of
from penstock.actions.git.source_commit import SourceCommit


def run(job: Job) -> Outcome:
    """Fetch the branch's commit, or the one that the run names, and describe it (W-20)."""
    configuration, connection = job.request.configuration, job.request.connection
    assert connection, "the operator resolves the Connection before it makes the Job"
    kind, name = connection.provider_type, connection.name
    full_id, branch = configuration["FullRepositoryId"], configuration["BranchName"]
    source = SourceCommit(
        remote=remote_of(repository_url(kind, connection.endpoint, full_id)),
        wanted=wanted_of({"Branch": branch}, job.request.revision, job.request.ref),
        authorization=token_or_basic_auth(
            job, "ConnectionArn", f"The Secret of Connection {name}", token_user(kind)
        ),
        credential_place=f"credentialsSecret of Connection {name}",
        address_place=f"Connection {name}",
        with_history=configuration.get("OutputArtifactFormat") == "CODEBUILD_CLONE_REF",
    )
    commit = check_out(job, source)
    variables = {
        "AuthorDate": commit.author_date,
        "BranchName": commit.branch or branch,
        "CommitId": commit.id,
        "CommitMessage": shortened(commit.message),
        "ConnectionArn": configuration["ConnectionArn"],
        "FullRepositoryName": full_id,
    }
    return outcome_of(commit, variables)
