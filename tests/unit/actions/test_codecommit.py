"""CodeCommit sources: how they sign in, and what they give."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from botocore.credentials import Credentials

from penstock.actions.codecommit.execution import run
from penstock.actions.codecommit.signature import repository_url, sign_in
from penstock.actions.execution import ActionError
from penstock.api.contract.contracts import AwsAccess
from tests.unit.actions.aws_server import KEYS, REGION, aws_job
from tests.unit.actions.git_server import GitServer, git
from tests.unit.actions.jobs import FakeJob

WHERE = {"RepositoryName": "shop", "BranchName": "main"}


def test_password_is_the_one_that_awss_own_helper_makes() -> None:
    """The value comes from git-remote-codecommit 1.17 with these keys, at this time."""
    keys = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    url = "https://git-codecommit.eu-west-1.amazonaws.com/v1/repos/shop"
    assert repository_url(None, "eu-west-1", "shop") == url
    assert sign_in(keys, "eu-west-1", url, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)) == (
        "AKIDEXAMPLE",
        "20260102T030405Z83726e880beb4e63a7b2ff4208e579fbbd92a7f04aa42b5b0b739ee837a05c72",
    )


def test_session_token_goes_with_the_user() -> None:
    url = repository_url(None, "cn-north-1", "shop")
    assert url == "https://git-codecommit.cn-north-1.amazonaws.com.cn/v1/repos/shop"
    assert sign_in(Credentials("ASIA", "secret", "token"), "cn-north-1", url).user == "ASIA%token"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    served = GitServer(tmp_path / "served")
    repository = served.root / "v1/repos/shop"
    repository.mkdir(parents=True)
    git(repository, "init", "-q", "-b", "main", ".")
    (repository / "a.txt").write_text("one")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "First")
    yield served
    served.close()


def is_signed(server: GitServer, authorization: str) -> bool:
    """Check a password as CodeCommit does: by signing again with the time that it names."""
    user, _, password = (
        base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
    )
    if user != KEYS["accessKeyId"]:
        return False
    when = datetime.strptime(password.partition("Z")[0], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    keys = Credentials(user, KEYS["secretAccessKey"])
    wanted = sign_in(keys, REGION, repository_url(server.address, REGION, "shop"), when)
    return password == wanted.password


def job_for(
    server: GitServer, tmp_path: Path, keys: dict[str, str] | None = None, region: str = REGION
) -> FakeJob:
    return aws_job(tmp_path, "codecommit", WHERE, AwsAccess(region, server.address), keys)


def test_w_21_source_signs_in_with_aws_keys_and_gives_its_variables(
    server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "accepts", lambda given: is_signed(server, given))
    job = job_for(server, tmp_path)
    outcome = run(job)
    assert outcome.variables == {
        "AuthorDate": "2026-01-02T03:04:05+00:00",
        "BranchName": "main",
        "CommitId": git(server.root / "v1/repos/shop", "rev-parse", "HEAD"),
        "CommitMessage": "First",
        "CommitterDate": "2026-01-02T03:04:06+00:00",
        "RepositoryName": "shop",
    }
    assert sorted(path.name for path in job.source.iterdir()) == ["a.txt"]


def test_p_02_source_signs_in_with_git_credentials(server: GitServer, tmp_path: Path) -> None:
    server.user, server.password = "robot-at-1234", "g1t pass"
    keys = {"username": "robot-at-1234", "password": "g1t pass"}
    assert run(job_for(server, tmp_path, keys)).variables["BranchName"] == "main"


def test_source_without_a_region_says_which_field_names_it(
    server: GitServer, tmp_path: Path
) -> None:
    with pytest.raises(ActionError, match=r"configuration\.Region: name the repository's region"):
        run(job_for(server, tmp_path, region=""))


def test_refused_keys_are_told_with_the_repository(
    server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "accepts", lambda given: False)
    with pytest.raises(ActionError, match=r"refused access to .*/v1/repos/shop") as caught:
        run(job_for(server, tmp_path))
    assert caught.value.code == "PermissionError"
