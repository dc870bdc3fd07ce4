"""Publishing to the Serverless Application Repository, against a server that
botocore's own model checks.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from penstock.actions.execution import ActionError
from penstock.actions.serverless_repository.execution import run
from penstock.api.contract.contracts import AwsAccess
from tests.cluster.recipes.serverlessrepo_server import serve
from tests.unit.actions.aws_server import REGION, aws_client, aws_job
from tests.unit.actions.jobs import FakeJob

METADATA = {
    "Name": "shop",
    "Description": "Sells things",
    "Author": "team",
    "SpdxLicenseId": "Apache-2.0",
    "Labels": ["shop", "demo"],
    "SemanticVersion": "1.0.0",
}
ID = f"arn:aws:serverlessrepo:{REGION}:123456789012:applications/shop"


@pytest.fixture
def address() -> Iterator[str]:
    server = serve("127.0.0.1", 0, REGION)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def template(**metadata: Any) -> str:
    document = {"AWS::ServerlessRepo::Application": {**METADATA, **metadata}}
    return (
        f"{yaml.safe_dump({'Metadata': document})}Resources:\n  T: {{Type: AWS::SNS::Topic, "
        f"Name: "
        f"!Sub '${{A}}'}}\n"
    )


def job_of(root: Path, address: str, text: str, key: str = "test", **configuration: str) -> FakeJob:
    root.mkdir(exist_ok=True)
    settings = {"TemplatePath": "Built::packaged.yaml", **configuration}
    keys = {"accessKeyId": key, "secretAccessKey": "planted-secret-access-key"}
    job = aws_job(root, "serverless_repository", settings, AwsAccess(REGION, address), keys)
    (folder := root / "artifact").mkdir()
    (folder / "packaged.yaml").write_text(text)
    job.inputs = {"Built": folder}
    return job


def failure_of(job: FakeJob) -> ActionError:
    with pytest.raises(ActionError) as caught:
        run(job)
    return caught.value


def test_a_new_application_is_created_with_its_version(tmp_path: Path, address: str) -> None:
    outcome = run(job_of(tmp_path, address, template(SourceCodeUrl="https://git/shop")))
    assert outcome.variables == {"ApplicationId": ID, "SemanticVersion": "1.0.0"}
    assert outcome.summary == "shop: created with version 1.0.0"
    found = aws_client(address, "serverlessrepo").get_application(ApplicationId=ID)
    assert (found["Author"], found["Labels"], found["SpdxLicenseId"]) == (
        "team",
        ["shop", "demo"],
        "Apache-2.0",
    )
    assert (found["Version"]["SemanticVersion"], found["Version"]["SourceCodeUrl"]) == (
        "1.0.0",
        "https://git/shop",
    )


def test_another_version_is_added_and_the_description_renewed(tmp_path: Path, address: str) -> None:
    for name in ("a-first", "b-second"):
        run(job_of(tmp_path / name, address, template(Name=name)))
    run(job_of(tmp_path / "one", address, template()))
    again = job_of(
        tmp_path / "two", address, template(Description="Sells more"), SemanticVersion="1.1.0-rc.1"
    )
    assert run(again).summary == "shop: updated, version 1.1.0-rc.1 published"
    client = aws_client(address, "serverlessrepo")
    assert client.get_application(ApplicationId=ID)["Description"] == "Sells more"
    versions = client.list_application_versions(ApplicationId=ID)["Versions"]
    assert [version["SemanticVersion"] for version in versions] == ["1.0.0", "1.1.0-rc.1"]


def test_a_version_that_is_there_stays_so_a_new_try_changes_nothing(
    tmp_path: Path, address: str
) -> None:
    run(job_of(tmp_path / "one", address, template()))
    outcome = run(job_of(tmp_path / "two", address, template()))
    assert outcome.summary == "shop: updated; version 1.0.0 is there already and stays as it is"
    assert outcome.variables["ApplicationId"] == ID


def test_an_application_without_a_version_is_only_described(tmp_path: Path, address: str) -> None:
    text = template().replace("SemanticVersion: 1.0.0", "")
    assert run(job_of(tmp_path / "one", address, text)).summary == "shop: created"
    assert run(job_of(tmp_path / "two", address, text)).summary == "shop: updated"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            "Resources: {}\n",
            "the template Built::packaged.yaml has no Metadata.AWS::ServerlessRepo::Application",
        ),
        (template(Author=""), "Metadata.AWS::ServerlessRepo::Application.Author is missing"),
        (template().replace("Author: team", "Author: !Ref Who"), "Author is no plain text"),
        (template(Labels="shop"), "Labels is no list of texts"),
        ("a: [", "the template Built::packaged.yaml cannot be read"),
    ],
)
def test_metadata_that_names_nothing_is_told_by_its_path(
    tmp_path: Path, address: str, text: str, why: str
) -> None:
    error = failure_of(job_of(tmp_path, address, text))
    assert error.code == "ConfigurationError"
    assert why in error.message


@pytest.mark.parametrize(
    ("key", "code", "words"),
    [
        (
            "denied",
            "PermissionError",
            "CreateApplication: ForbiddenException: User is not authorized",
        ),
        (
            "expired",
            "PermissionError",
            "CreateApplication: ExpiredTokenException: The security token",
        ),
    ],
)
def test_refusals_are_told_in_the_services_words(
    tmp_path: Path, address: str, key: str, code: str, words: str
) -> None:
    error = failure_of(job_of(tmp_path, address, template(), key))
    assert (error.code, error.message[: len(words)]) == (code, words)


def test_throttling_is_waited_out(tmp_path: Path, address: str) -> None:
    assert (
        run(job_of(tmp_path, address, template(), "throttled-once")).summary
        == "shop: created with version 1.0.0"
    )
