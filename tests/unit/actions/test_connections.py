"""Connections: which one an ARN means, and sources that go through one or name a token."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from penstock.actions.codestar_source_connection import execution as codestar
from penstock.actions.codestar_source_connection.declaration import (
    CodeStarSourceConnectionConfiguration,
)
from penstock.actions.execution import ActionError
from penstock.actions.git.hosts.connections import (
    ConnectionObject,
    NoConnectionError,
    connection_object,
    find,
    is_known,
)
from penstock.actions.git.hosts.repositories import repository_url, token_user
from penstock.actions.github import declaration as github_declaration
from penstock.actions.github import execution as github
from penstock.actions.github.declaration import GitHubConfiguration
from penstock.api.contract.contracts import ConnectionAccess
from penstock.api.kinds.connection import ConnectionSpec, ProviderType
from tests.unit.actions.git_server import GitServer, git
from tests.unit.actions.jobs import FakeJob, request

PREFIX = "arn:aws:codestar-connections:eu-west-1:123456789012:connection/"
ARN = f"{PREFIX}aa11bb22-0000-4444-8888-123456789abc"
NAME = ARN.rpartition("/")[2]
SECRET = {"username": "robot", "password": "s3cret pass"}


def connection(name: str, **fields: str) -> ConnectionObject:
    annotations = {"penstock.dev/arn": fields.pop("annotation")} if "annotation" in fields else {}
    meta = {"name": name, "uid": f"uid-{name}", "generation": 1, "annotations": annotations}
    spec = ConnectionSpec.model_validate({"providerType": "GitHub", **fields})
    return connection_object(meta, spec, "")


@pytest.mark.parametrize(
    "known",
    [
        [connection("other"), connection(NAME)],
        [connection("github", arn=ARN), connection(NAME)],
        [connection("github", annotation=ARN)],
    ],
    ids=["by the ARN's last part", "by spec.arn, which comes first", "by annotation"],
)
def test_connection_is_found_by_its_arn(known: list[ConnectionObject]) -> None:
    found, spec = find(known, ARN)
    assert found.name in (NAME, "github")
    assert not (found.name == NAME and any(item.arns for item in known))
    assert spec.address == "https://github.com"
    assert is_known(known, ARN)


def test_connection_may_be_named_without_an_arn() -> None:
    assert find([connection("github")], "github")[0].name == "github"


def test_missing_connection_comes_with_the_lines_that_make_it() -> None:
    with pytest.raises(NoConnectionError) as caught:
        find([connection("other")], ARN)
    assert not is_known([connection("other")], ARN)
    said = str(caught.value)
    assert said.startswith(
        f"there is no Connection for {ARN}; apply one in the Pipeline's namespace"
    )
    assert f"kind: Connection, metadata: {{name: {NAME}}}" in said
    with pytest.raises(NoConnectionError, match=r"metadata: \{name: github\}.*arn: 'a/B_c'"):
        find([], "a/B_c")


def test_two_connections_of_one_arn_are_refused() -> None:
    both = [connection("b", arn=ARN), connection("a", annotation=ARN)]
    with pytest.raises(
        NoConnectionError, match=r"^the Connections a, b all say that they are arn:"
    ):
        find(both, ARN)


def test_connection_that_cannot_be_read_says_why() -> None:
    meta = {"name": "x", "uid": "u", "generation": 1}
    broken = connection_object(meta, None, "spec.providerType: unknown")
    with pytest.raises(NoConnectionError, match=r"^Connection x: spec.providerType: unknown$"):
        find([broken], "x")
    nowhere = connection_object(meta, ConnectionSpec(provider_type=ProviderType.GITEA), "")
    with pytest.raises(
        NoConnectionError, match=r"^Connection x: spec.endpoint is needed for a Gitea"
    ):
        find([nowhere], "x")


@pytest.mark.parametrize(
    ("kind", "endpoint", "full_id", "url"),
    [
        ("GitHub", "https://github.com", "team/shop", "https://github.com/team/shop.git"),
        ("GitLab", "https://gitlab.com/", "a/b/c/shop", "https://gitlab.com/a/b/c/shop.git"),
        ("Gitea", "https://git.corp/gitea", "team/shop", "https://git.corp/gitea/team/shop.git"),
        (
            "AzureDevOps",
            "https://dev.azure.com",
            "org/project/shop",
            "https://dev.azure.com/org/project/_git/shop",
        ),
    ],
)
def test_repository_is_below_the_hosts_address(
    kind: str, endpoint: str, full_id: str, url: str
) -> None:
    assert repository_url(kind, endpoint, full_id) == url
    assert token_user(kind)


@pytest.mark.parametrize(
    "full_id",
    ["shop", "../shop", "team/..", "team/./shop", "/team/shop", "team//shop", "t/s?x", "t/s#"],
)
def test_repository_id_that_could_lead_elsewhere_is_refused(full_id: str) -> None:
    with pytest.raises(ValidationError):
        CodeStarSourceConnectionConfiguration(
            ConnectionArn=ARN, FullRepositoryId=full_id, BranchName="main"
        )


TOKENS = (
    "****",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "0123456789abcdef0123456789abcdef01234567",
    "{{resolve:secretsmanager:github}}",
    "github_pat_11ABC",
)


@pytest.mark.parametrize("token", TOKENS)
def test_p_05_token_in_a_definition_is_refused_with_the_command_that_makes_a_secret(
    token: str,
) -> None:
    with pytest.raises(ValidationError, match="kubectl create secret generic github") as caught:
        GitHubConfiguration(Owner="team", Repo="shop", Branch="main", OAuthToken=token)
    assert token not in str(caught.value)


# ---- fetching


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    served = GitServer(tmp_path / "served")
    repository = served.root / "team/shop.git"
    repository.mkdir(parents=True)
    git(repository, "init", "-q", "-b", "main", ".")
    (repository / "a.txt").write_text("one")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "First")
    yield served
    served.close()


def secret(tmp_path: Path, **values: str) -> Path:
    folder = tmp_path / "secret"
    folder.mkdir()
    for key, value in values.items():
        (folder / key).write_text(value)
    return folder


def through(
    server: GitServer, tmp_path: Path, folder: Path | None, **configuration: str
) -> FakeJob:
    given = {"ConnectionArn": ARN, "FullRepositoryId": "team/shop", "BranchName": "main"}
    asked = request("codestar_source_connection", {**given, **configuration})
    access = ConnectionAccess("github", "Gitea", server.address)
    secrets = {"ConnectionArn": str(folder)} if folder else {}
    return FakeJob(tmp_path / "job", asked._replace(connection=access, secrets=secrets))


def test_w_20_source_through_a_connection_gives_its_variables(
    server: GitServer, tmp_path: Path
) -> None:
    job = through(server, tmp_path, None)
    commit = git(server.root / "team/shop.git", "rev-parse", "HEAD")
    outcome = codestar.run(job)
    assert outcome.variables == {
        "AuthorDate": "2026-01-02T03:04:05+00:00",
        "BranchName": "main",
        "CommitId": commit,
        "CommitMessage": "First",
        "ConnectionArn": ARN,
        "FullRepositoryName": "team/shop",
    }
    assert outcome.revision and outcome.revision.id == commit
    assert sorted(path.name for path in job.source.iterdir()) == ["a.txt"]


@pytest.mark.parametrize(
    ("ref", "named", "checked_out"),
    [("refs/heads/feature/x", "feature/x", "feature/x"), ("refs/tags/v1", "main", "HEAD")],
)
def test_g_09_pushed_commit_is_fetched_on_the_branch_that_it_was_pushed_to(
    server: GitServer, tmp_path: Path, ref: str, named: str, checked_out: str
) -> None:
    repository = server.root / "team/shop.git"
    git(repository, "checkout", "-q", "-b", "other")
    git(repository, "commit", "-q", "--allow-empty", "-m", "Second")
    commit = git(repository, "rev-parse", "HEAD")
    git(repository, "update-ref", ref, commit)
    job = through(server, tmp_path, None, OutputArtifactFormat="CODEBUILD_CLONE_REF")
    job.request = job.request._replace(revision=commit, ref=ref)
    assert codestar.run(job).variables["BranchName"] == named
    assert git(job.source, "rev-parse", "HEAD") == commit
    assert git(job.source, "rev-parse", "--abbrev-ref", "HEAD") == checked_out


def test_p_01_clone_reference_brings_the_history(server: GitServer, tmp_path: Path) -> None:
    job = through(server, tmp_path, None, OutputArtifactFormat="CODEBUILD_CLONE_REF")
    codestar.run(job)
    assert (job.source / ".git").is_dir()


@pytest.mark.parametrize(
    ("keys", "user", "password"),
    [({"token": "t0ken"}, "git", "t0ken"), (SECRET, "robot", "s3cret pass")],
    ids=["token", "user and password"],
)
def test_credential_of_a_connection_is_sent_to_its_host(
    server: GitServer, tmp_path: Path, keys: dict[str, str], user: str, password: str
) -> None:
    server.user, server.password = user, password
    codestar.run(through(server, tmp_path, secret(tmp_path, **keys)))


def test_connection_whose_secret_is_of_no_use_is_named(server: GitServer, tmp_path: Path) -> None:
    server.password = "right"
    with pytest.raises(ActionError) as caught:
        codestar.run(through(server, tmp_path, None))
    assert caught.value.message.endswith(
        "name a Secret that holds them in credentialsSecret of Connection github"
    )
    with pytest.raises(ActionError) as caught:
        codestar.run(through(server, tmp_path, secret(tmp_path, key="x")))
    assert caught.value.message == (
        "The Secret of Connection github is missing, or has neither a token nor a username and a "
        "password"
    )


def test_w_22_github_source_gives_its_variables(
    server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(github_declaration, "HOST", server.address)
    server.user, server.password = "x-access-token", "t0ken"
    given = {"Owner": "team", "Repo": "shop", "Branch": "main", "OAuthToken": "github"}
    asked = request("github", given)
    secrets = {"OAuthToken": str(secret(tmp_path, token="t0ken\n"))}
    outcome = github.run(FakeJob(tmp_path / "job", asked._replace(secrets=secrets)))
    commit = git(server.root / "team/shop.git", "rev-parse", "HEAD")
    assert outcome.variables == {
        "AuthorDate": "2026-01-02T03:04:05+00:00",
        "BranchName": "main",
        "CommitId": commit,
        "CommitMessage": "First",
        "CommitUrl": f"{server.address}/team/shop/commit/{commit}",
        "CommitterDate": "2026-01-02T03:04:06+00:00",
        "RepositoryName": "shop",
    }


def test_override_of_the_run_is_fetched(server: GitServer, tmp_path: Path) -> None:
    first = git(server.root / "team/shop.git", "rev-parse", "HEAD")
    (server.root / "team/shop.git/a.txt").write_text("two")
    git(server.root / "team/shop.git", "commit", "-q", "-a", "-m", "Second")
    job = through(server, tmp_path, None)
    job.request = job.request._replace(revision=first)
    assert codestar.run(job).variables["CommitId"] == first
