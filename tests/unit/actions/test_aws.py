"""AWS calls: in whose name they are made, and what a user is told when one fails."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import boto3
import pytest

from penstock.actions import aws
from penstock.actions.execution import ActionError
from penstock.api.contract.contracts import AwsAccess
from tests.unit.actions.aws_server import KEYS, REGION, ScriptedServer, aws_job, moto_server
from tests.unit.actions.jobs import FakeJob, request

ROLES = ("arn:aws:iam::123456789012:role/pipeline", "arn:aws:iam::210987654321:role/deploy")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with moto_server() as found:
        yield found


@pytest.fixture(autouse=True)
def _no_ambient_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_PROFILE",
        "AWS_DEFAULT_REGION",
        "AWS_REGION",
    ):
        monkeypatch.delenv(name, raising=False)


def failure_of(job: FakeJob, service: str = "cloudwatch") -> ActionError:
    """Return what a call of a client fails with."""
    with pytest.raises(ActionError) as caught, aws.calls():
        aws.client(job, service).describe_alarms()
    return caught.value


def scripted(
    tmp_path: Path, *answers: tuple[int, Mapping[str, object]]
) -> tuple[FakeJob, ScriptedServer]:
    server = ScriptedServer(*answers)
    return aws_job(tmp_path, "any", {}, AwsAccess(REGION, server.address)), server


def test_keys_of_the_secret_are_used(tmp_path: Path, address: str) -> None:
    identity = aws.client(
        aws_job(tmp_path, "any", {}, AwsAccess(REGION, address)), "sts"
    ).get_caller_identity()
    assert identity["Account"] == "123456789012"


def test_roles_are_assumed_one_after_the_other(tmp_path: Path, address: str) -> None:
    job = aws_job(tmp_path, "any", {}, AwsAccess(REGION, address, ROLES))
    identity = aws.client(job, "sts").get_caller_identity()
    assert identity["Arn"] == "arn:aws:sts::210987654321:assumed-role/deploy/penstock-team-shop"


def test_a_builds_environment_holds_its_roles_keys_and_hides_them(
    tmp_path: Path, address: str
) -> None:
    job = aws_job(tmp_path, "codebuild", {}, AwsAccess(REGION, address, ROLES[:1]))
    found = aws.environment(job)
    assert found["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    assert (found["AWS_DEFAULT_REGION"], found["AWS_ENDPOINT_URL"]) == (REGION, address)
    assert job.masked == [found["AWS_SECRET_ACCESS_KEY"], found["AWS_SESSION_TOKEN"]]
    session = boto3.Session(
        found["AWS_ACCESS_KEY_ID"],
        found["AWS_SECRET_ACCESS_KEY"],
        found["AWS_SESSION_TOKEN"],
        REGION,
    )
    identity = session.client("sts", endpoint_url=address).get_caller_identity()
    assert ":assumed-role/pipeline/" in identity["Arn"]


def test_a_build_without_a_role_gets_the_secrets_keys(tmp_path: Path, address: str) -> None:
    found = aws.environment(aws_job(tmp_path, "codebuild", {}, AwsAccess(REGION)))
    assert (found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"]) == tuple(KEYS.values())
    assert "AWS_SESSION_TOKEN" not in found


def test_the_pods_own_identity_is_used_without_a_secret(
    tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tmp_path / "web-identity-token"
    token.write_text("a.web.token")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    monkeypatch.setenv("AWS_ROLE_ARN", ROLES[0])
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    job = FakeJob(tmp_path, request("any", {})._replace(aws=AwsAccess(REGION, address)))
    assert ":assumed-role/pipeline/" in aws.client(job, "sts").get_caller_identity()["Arn"]


def test_without_any_identity_the_message_says_what_to_do(tmp_path: Path, address: str) -> None:
    error = failure_of(
        FakeJob(tmp_path, request("any", {})._replace(aws=AwsAccess(REGION, address)))
    )
    assert error.code == "PermissionError"
    assert "service account" in error.message
    assert "configuration.CredentialsSecret" in error.message


@pytest.mark.parametrize("missing", sorted(KEYS))
def test_a_secret_without_a_key_is_named(tmp_path: Path, missing: str) -> None:
    keys = {name: value for name, value in KEYS.items() if name != missing}
    error = failure_of(aws_job(tmp_path, "any", {}, AwsAccess(REGION), keys))
    assert (error.code, error.message) == (
        "ConfigurationError",
        f"configuration.CredentialsSecret: the Secret aws is missing, or has no key {missing}",
    )


def test_without_a_region_the_message_says_where_to_set_it(tmp_path: Path) -> None:
    error = failure_of(aws_job(tmp_path, "any", {}, AwsAccess()))
    assert error.code == "ConfigurationError"
    assert "aws.region" in error.message


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "AccessDeniedException", "PermissionError"),
        (400, "ExpiredToken", "PermissionError"),
        (403, "Whatever", "PermissionError"),
        (400, "ValidationError", "ConfigurationError"),
        (400, "ResourceNotFound", "JobFailed"),
    ],
)
def test_refusals_keep_the_services_words(
    tmp_path: Path, status: int, code: str, kind: str
) -> None:
    job, server = scripted(tmp_path, (status, {"__type": code, "message": "why\nnot"}))
    error = failure_of(job)
    assert (error.code, error.message) == (kind, f"DescribeAlarms: {code}: why\\nnot")
    assert len(server.requests) == 1
    server.close()


def test_throttling_is_waited_out(tmp_path: Path) -> None:
    busy = (400, {"__type": "ThrottlingException", "message": "slow down"})
    job, server = scripted(tmp_path, busy, busy, (200, {"MetricAlarms": []}))
    with aws.calls():
        aws.client(job, "cloudwatch").describe_alarms()
    assert len(server.requests) == 3
    server.close()


def test_throttling_without_end_is_the_services_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("botocore.retries.standard.time.sleep", lambda _: None, raising=False)
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    job, server = scripted(
        tmp_path, (400, {"__type": "ThrottlingException", "message": "slow down"})
    )
    error = failure_of(job)
    assert (error.code, error.message) == (
        "SystemUnavailable",
        "DescribeAlarms: ThrottlingException: slow down",
    )
    assert len(server.requests) == 5
    server.close()


def test_a_silent_address_is_the_services_failure(tmp_path: Path) -> None:
    error = failure_of(aws_job(tmp_path, "any", {}, AwsAccess(REGION, "http://127.0.0.1:9")))
    assert error.code == "SystemUnavailable"
    assert "127.0.0.1:9" in error.message


def test_what_a_service_cannot_take_is_a_configuration_error(tmp_path: Path) -> None:
    job = aws_job(tmp_path, "any", {}, AwsAccess(REGION, "http://127.0.0.1:9"))
    with (
        pytest.raises(ActionError, match="Invalid type for parameter AlarmNames") as caught,
        aws.calls(),
    ):
        aws.client(job, "cloudwatch").describe_alarms(AlarmNames=7)
    assert caught.value.code == "ConfigurationError"


def test_a_client_token_is_that_of_the_attempt_whatever_the_try(tmp_path: Path) -> None:
    job = FakeJob(tmp_path, request("any", {}))
    first = aws.client_token(job, "create")
    attempt = job.request.attempt
    job.request = job.request._replace(attempt=attempt._replace(try_=2))
    assert aws.client_token(job, "create") == first
    job.request = job.request._replace(attempt=attempt._replace(attempt=2))
    assert len({first, aws.client_token(job, "create"), aws.client_token(job, "delete")}) == 3
    assert len(first) == 50
