"""CodeCommit (Source): one commit of a repository."""

from penstock.actions.aws import keys_of
from penstock.actions.aws_configuration import CREDENTIALS_KEY
from penstock.actions.codecommit.signature import repository_url, sign_in
from penstock.actions.execution import CONFIGURATION_ERROR, ActionError, Job, Outcome
from penstock.actions.git.checkout import check_out, outcome_of, shortened
from penstock.actions.git.hosts.credentials import basic_auth
from penstock.actions.git.isolation import basic_authorization
from penstock.actions.git.remote import remote_of, wanted_of
from penstock.actions.git.source_commit import SourceCommit
from penstock.api.contract.contracts import AwsAccess


def run(job: Job) -> Outcome:
    """Fetch the branch's commit, or the one that the run names, and describe it (W-21)."""
    configuration, access = job.request.configuration, job.request.aws or AwsAccess()
    if not access.region:
        raise ActionError(CONFIGURATION_ERROR, "configuration.Region: name the repository's region")
    name = configuration["RepositoryName"]
    url = repository_url(access.endpoint, access.region, name)
    source = SourceCommit(
        remote=remote_of(url),
        wanted=wanted_of(
            {"Branch": configuration["BranchName"]}, job.request.revision, job.request.ref
        ),
        authorization=_authorization(job, access.region, url),
        address_place="RepositoryName",
        with_history=configuration.get("OutputArtifactFormat") == "CODEBUILD_CLONE_REF",
    )
    commit = check_out(job, source)
    variables = {
        "AuthorDate": commit.author_date,
        "BranchName": commit.branch or configuration["BranchName"],
        "CommitId": commit.id,
        "CommitMessage": shortened(commit.message),
        "CommitterDate": commit.committer_date,
        "RepositoryName": name,
    }
    return outcome_of(commit, variables)


def _authorization(job: Job, region: str, url: str) -> str:
    folder = job.secret(CREDENTIALS_KEY)
    if folder and (folder / "username").exists():
        return basic_auth(job, CREDENTIALS_KEY, f"The Secret in {CREDENTIALS_KEY}")
    signed = sign_in(keys_of(job), region, url)
    job.mask([signed.password])
    return basic_authorization(*signed)
