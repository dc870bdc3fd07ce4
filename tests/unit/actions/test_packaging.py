"""What `aws cloudformation package` does, done by the action: uploads, and
templates that stay as written.
"""

from __future__ import annotations

import io
import json
import secrets
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from penstock.actions.cloudformation.packaging import package
from penstock.actions.execution import ActionError
from penstock.api.contract.contracts import AwsAccess, StoreLocation
from tests.unit.actions.aws_server import REGION, aws_client, aws_job, moto_server
from tests.unit.actions.jobs import FakeJob

SAM = """\
# What a developer writes.
AWSTemplateFormatVersion: 2010-09-09
Transform: AWS::Serverless-2016-10-31
Parameters:
  Account: {Type: String, Default: 012}
Globals:
  Function: {CodeUri: src, Runtime: python3.12}
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src/
      Handler: app.handler
      Role: !GetAtt Role.Arn
      Environment:
        Variables:
          NAME: !Sub '${AWS::StackName}-x'
          TEXT: |
            two
            lines
          KEY: !If [IsProd, !Ref Account, "yes"]
  Layer:
    Type: AWS::Serverless::LayerVersion
    Properties: {ContentUri: src/app.py}
  Plain:
    Type: AWS::Lambda::Function
    Properties: {Code: src}
  Remote:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: 's3://other/key.zip'}
  Chosen:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: !Ref Account}
  Inline:
    Type: AWS::Lambda::Function
    Properties: {Code: {ZipFile: 'x'}}
  Api:
    Type: AWS::Serverless::Api
    Properties: {DefinitionUri: api.yaml}
  Machine:
    Type: AWS::StepFunctions::StateMachine
    Properties: {DefinitionS3Location: api.yaml}
  Child:
    Type: AWS::CloudFormation::Stack
    Properties: {TemplateURL: nested/child.yaml}
  Included:
    Type: AWS::SNS::Topic
    Properties:
      Fn::Transform: {Name: AWS::Include, Parameters: {Location: api.yaml}}
"""
CHILD = """\
Resources:
  F:
    Type: AWS::Lambda::Function
    Properties: {Code: ../src, Role: !Ref R}
"""
FILES = {
    "template.yaml": SAM,
    "nested/child.yaml": CHILD,
    "src/app.py": "print(1)\n",
    "api.yaml": "openapi: 3.0.1\n",
}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with moto_server() as address:
        yield address


class Packaging:
    """One artifact, App, and the bucket that is packaged into."""

    def __init__(
        self, server: str, root: Path, files: dict[str, str], **configuration: str
    ) -> None:
        self.s3 = aws_client(server, "s3")
        self.bucket = f"packages-{secrets.token_hex(4)}"
        self.s3.create_bucket(
            Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        self.job: FakeJob = aws_job(
            root,
            "cloudformation",
            {"PackageBucket": self.bucket, **configuration},
            AwsAccess(REGION, server),
        )
        self.folder = root / "App"
        for path, text in files.items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_text(text)
        self.job.inputs = {"App": self.folder}

    def text(self, path: str = "template.yaml") -> str:
        return package(self.job, f"App::{path}")

    def keys(self) -> list[str]:
        return [
            item["Key"] for item in self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", [])
        ]

    def read(self, key: str) -> bytes:
        body: bytes = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return body

    def key_in(self, uri: str) -> str:
        return uri.partition(f"{self.bucket}/")[2]

    def names_in(self, key: str) -> list[str]:
        return sorted(zipfile.ZipFile(io.BytesIO(self.read(key))).namelist())


class Loader(yaml.SafeLoader):
    """Reads intrinsic functions as (tag, value)."""


def _function(loader: Loader, tag: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.SequenceNode):
        return (tag, loader.construct_sequence(node, deep=True))
    return (tag, loader.construct_scalar(node))  # type: ignore[arg-type]


Loader.add_multi_constructor("!", _function)


def parsed(text: str) -> Any:
    return yaml.load(text, Loader)


def properties(text: str) -> dict[str, Any]:
    return {name: item["Properties"] for name, item in parsed(text)["Resources"].items()}


def test_local_code_is_uploaded_and_named_in_the_form_of_each_property(
    server: str, tmp_path: Path
) -> None:
    made = Packaging(server, tmp_path, FILES)
    found = properties(made.text())
    code = made.key_in(found["Hello"]["CodeUri"])
    assert found["Hello"]["CodeUri"] == f"s3://{made.bucket}/{code}"
    assert made.names_in(code) == ["app.py"]
    assert found["Plain"]["Code"] == {"S3Bucket": made.bucket, "S3Key": code}
    assert made.names_in(made.key_in(found["Layer"]["ContentUri"])) == ["app.py"]
    assert made.read(made.key_in(found["Api"]["DefinitionUri"])) == b"openapi: 3.0.1\n"
    assert found["Machine"]["DefinitionS3Location"] == {
        "Bucket": made.bucket,
        "Key": made.key_in(found["Api"]["DefinitionUri"]),
    }
    assert (
        found["Included"]["Fn::Transform"]["Parameters"]["Location"]
        == found["Api"]["DefinitionUri"]
    )


def test_what_names_nothing_local_stays_as_it_is(server: str, tmp_path: Path) -> None:
    made = Packaging(server, tmp_path, FILES)
    before, after = parsed(SAM), parsed(made.text())
    for name in ("Remote", "Chosen", "Inline"):
        assert after["Resources"][name] == before["Resources"][name]
    del before["Resources"], after["Resources"], before["Globals"]
    assert after.pop("Globals")["Function"]["CodeUri"].startswith("s3://")
    assert after == before


def test_short_forms_and_spellings_are_kept(server: str, tmp_path: Path) -> None:
    text = Packaging(server, tmp_path, FILES).text()
    for line in (
        "AWSTemplateFormatVersion: 2010-09-09", "Default: 012", "Role: !GetAtt 'Role.Arn'",
        "NAME: !Sub '${AWS::StackName}-x'", "TEXT: |", "KEY: !If [IsProd, !Ref 'Account', \"yes\"]",
    ):  # fmt: skip
        assert line in text


def test_nested_template_is_packaged_itself(server: str, tmp_path: Path) -> None:
    made = Packaging(server, tmp_path, FILES)
    address = properties(made.text())["Child"]["TemplateURL"]
    assert address.startswith(f"{server}/{made.bucket}/")
    child = properties(made.read(made.key_in(address)).decode())
    assert made.names_in(child["F"]["Code"]["S3Key"]) == ["app.py"]
    assert child["F"]["Role"] == ("Ref", "R")


def test_the_same_code_goes_up_once_and_other_code_elsewhere(server: str, tmp_path: Path) -> None:
    made = Packaging(server, tmp_path, FILES)
    first, keys = made.text(), made.keys()
    assert (made.text(), made.keys()) == (first, keys)
    assert len([line for line in made.job.lines if line.startswith("Uploaded")]) == len(keys)
    (made.folder / "src/app.py").write_text("print(2)\n")
    assert made.text() != first


def test_template_without_local_code_needs_no_bucket(server: str, tmp_path: Path) -> None:
    text = "Resources: {Topic: {Type: AWS::SNS::Topic}} # as it is\n"
    made = Packaging(server, tmp_path, {"template.yaml": text})
    assert made.text() == text
    assert made.keys() == []


def test_json_template_is_packaged_with_its_tabs_and_escapes(server: str, tmp_path: Path) -> None:
    resource = {
        "Type": "AWS::Lambda::Function",
        "Properties": {"Code": ".", "Description": "t\u00e4glich \U0001f600"},
    }
    text = json.dumps({"Resources": {"F": resource}}, indent="\t")
    found = Packaging(server, tmp_path, {"t.json": text}).text("t.json")
    assert properties(found)["F"]["Description"] == resource["Properties"]["Description"]  # type: ignore[index]
    assert set(properties(found)["F"]["Code"]) == {"S3Bucket", "S3Key"}


def code(path: str, kind: str = "AWS::Lambda::Function", name: str = "Code") -> dict[str, str]:
    return {
        "template.yaml": json.dumps(
            {"Resources": {"F": {"Type": kind, "Properties": {name: path}}}}
        )
    }


@pytest.mark.parametrize(
    ("path", "why"),
    [("../../etc", "is outside of the artifact"), ("/etc/passwd", "is outside of the artifact"),
     ("out", "is outside of the artifact"), ("nowhere", 'there is no "nowhere" in the artifact')],
)  # fmt: skip
def test_path_that_leads_out_is_refused_with_its_property(
    server: str, tmp_path: Path, path: str, why: str
) -> None:
    made = Packaging(server, tmp_path, code(path))
    (made.folder / "out").symlink_to("/etc")
    with pytest.raises(ActionError) as caught:
        made.text()
    assert caught.value.code == "ConfigurationError"
    assert caught.value.message.startswith("App::template.yaml: Resources.F.Properties.Code: ")
    assert why in caught.value.message
    assert made.keys() == []


def test_link_out_of_the_code_is_refused(server: str, tmp_path: Path) -> None:
    made = Packaging(server, tmp_path, {**code("src"), "src/a": "a"})
    (made.folder / "src/secret").symlink_to("/etc/passwd")
    with pytest.raises(ActionError, match="symbolic link that leads out"):
        made.text()


@pytest.mark.parametrize(
    ("files", "why"),
    [
        (code("template.yaml", "AWS::CloudFormation::Stack", "TemplateURL"), "nested in itself"),
        (code("src", "AWS::Serverless::Api", "DefinitionUri"), "is a folder, and a file is wanted"),
        ({"template.yaml": "- a\n"}, "is no mapping"),
        ({"template.yaml": "a: [\n"}, "cannot be read"),
        ({"template.yaml": "a: 1\n---\nb: 1\n"}, "cannot be read"),
        ({"template.yaml": "x" * 1_100_000}, "larger than 1048576 bytes"),
    ],
)
def test_template_that_cannot_be_packaged_says_why(
    server: str, tmp_path: Path, files: dict[str, str], why: str
) -> None:
    made = Packaging(server, tmp_path, {"src/a": "a", **files})
    with pytest.raises(ActionError, match=why) as caught:
        made.text()
    assert caught.value.code == "ConfigurationError"


def test_aliases_that_multiply_cost_nothing(server: str, tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60)]
    made = Packaging(server, tmp_path, {"template.yaml": "\n".join(lines)})
    assert made.text().startswith("a0")


def test_artifact_stores_bucket_is_used_where_it_is_in_the_same_aws(
    server: str, tmp_path: Path
) -> None:
    made = Packaging(server, tmp_path, {**code("src"), "src/a": "a"})
    configuration = {
        key: value
        for key, value in made.job.request.configuration.items()
        if key != "PackageBucket"
    }
    made.job.request = made.job.request._replace(
        configuration=configuration, store=StoreLocation(made.bucket, server + "/")
    )
    assert properties(made.text())["F"]["Code"]["S3Bucket"] == made.bucket
    for store in (StoreLocation("b"), StoreLocation("claim", folder="/penstock/store")):
        made.job.request = made.job.request._replace(store=store)
        with pytest.raises(ActionError, match=r"configuration\.PackageBucket: .* name a bucket"):
            made.text()


def test_bucket_that_is_not_there_is_told(server: str, tmp_path: Path) -> None:
    made = Packaging(server, tmp_path, {**code("src"), "src/a": "a"})
    made.s3.delete_bucket(Bucket=made.bucket)
    with pytest.raises(ActionError, match="NoSuchBucket"):
        made.text()
