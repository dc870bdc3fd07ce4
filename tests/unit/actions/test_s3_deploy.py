"""The S3 deploy (P-48), against moto's server."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock.actions.declaration import declaration_of
from penstock.actions.execution import ActionError
from penstock.actions.s3_deploy.content import content_of
from penstock.actions.s3_deploy.execution import run
from penstock.api.contract.contracts import AwsAccess
from penstock.api.kinds.pipeline import ActionTypeId
from penstock.engine.definition.configurations import configuration_problems
from tests.unit.actions.aws_server import REGION, ScriptedServer, aws_client, aws_job, moto_server
from tests.unit.actions.jobs import FakeJob

BUCKET = "pages"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with moto_server() as found:
        aws_client(found, "s3").create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        yield found


def job_of(root: Path, address: str, **configuration: str) -> FakeJob:
    job = aws_job(
        root, "s3_deploy", {"BucketName": BUCKET, **configuration}, AwsAccess(REGION, address)
    )
    (folder := root / "artifact").mkdir()
    (folder / "css").mkdir()
    (folder / "index.html").write_text("<p>new</p>")
    (folder / "css/site.css").write_text("p {}")
    job.inputs = {"Built": folder}
    return job


def objects(address: str, prefix: str) -> dict[str, Any]:
    client = aws_client(address, "s3")
    keys = [
        item["Key"]
        for item in client.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
    ]
    return {
        key.removeprefix(f"{prefix}/"): client.get_object(Bucket=BUCKET, Key=key) for key in keys
    }


def test_files_become_objects_below_the_prefix(tmp_path: Path, address: str) -> None:
    settings = {"CacheControl": "max-age=60", "CannedACL": "public-read"}
    job = job_of(tmp_path, address, Extract="true", ObjectKey="site/", **settings)
    outcome = run(job)
    found = objects(address, "site")
    assert sorted(found) == ["css/site.css", "index.html"]
    page = found["index.html"]
    assert (page["ContentType"], page["CacheControl"], page["Body"].read()) == (
        "text/html",
        "max-age=60",
        b"<p>new</p>",
    )
    grants = aws_client(address, "s3").get_object_acl(Bucket=BUCKET, Key="site/index.html")[
        "Grants"
    ]
    assert any(grant["Grantee"].get("URI", "").endswith("/AllUsers") for grant in grants)
    assert outcome.summary == "2 objects, 14 bytes, to s3://pages/site"
    assert sorted(job.lines) == [
        "Uploaded s3://pages/site/css/site.css (4 bytes)",
        "Uploaded s3://pages/site/index.html (10 bytes)",
    ]


def test_other_objects_stay_and_the_same_keys_are_overwritten(tmp_path: Path, address: str) -> None:
    for key in ("kept/old.html", "kept/index.html"):
        aws_client(address, "s3").put_object(Bucket=BUCKET, Key=key, Body=b"old")
    run(job_of(tmp_path, address, Extract="true", ObjectKey="kept"))
    found = {key: item["Body"].read() for key, item in objects(address, "kept").items()}
    assert found == {"old.html": b"old", "index.html": b"<p>new</p>", "css/site.css": b"p {}"}


def test_without_extract_the_artifact_is_one_zip(tmp_path: Path, address: str) -> None:
    key = "arn:aws:kms:eu-central-1:123456789012:key/k"
    job = job_of(
        tmp_path, address, Extract="false", ObjectKey="releases/site.zip", KMSEncryptionKeyARN=key
    )
    run(job)
    found = objects(address, "releases")["site.zip"]
    assert (found["ContentType"], found["SSEKMSKeyId"]) == ("application/zip", key)
    assert zipfile.ZipFile(io.BytesIO(found["Body"].read())).namelist() == [
        "css/site.css",
        "index.html",
    ]


def test_w_10_a_key_may_ask_for_the_time_and_a_uuid(tmp_path: Path, address: str) -> None:
    run(job_of(tmp_path, address, Extract="false", ObjectKey="dated/{datetime}/{uuid}.zip"))
    (key,) = objects(address, "dated")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d/[0-9a-f-]{36}\.zip", key)


def test_a_missing_bucket_is_told_in_the_services_words(tmp_path: Path, address: str) -> None:
    job = job_of(tmp_path, address, Extract="true")
    job.request = job.request._replace(
        configuration={**job.request.configuration, "BucketName": "missing"}
    )
    with pytest.raises(
        ActionError, match="PutObject: NoSuchBucket: The specified bucket does not exist"
    ):
        run(job)


def test_a_refusal_ends_it(tmp_path: Path) -> None:
    server = ScriptedServer((403, {}))
    with pytest.raises(ActionError) as caught:
        run(job_of(tmp_path, server.address, Extract="true"))
    assert caught.value.code == "PermissionError"
    server.close()


def test_a_bucket_that_is_busy_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    server = ScriptedServer((503, {}), (200, {}))
    outcome = run(job_of(tmp_path, server.address, Extract="false", ObjectKey="site.zip"))
    assert outcome.summary.startswith("1 object, ")
    assert len(server.requests) == 2
    server.close()


def test_more_files_than_a_hundred_thousand_are_refused(tmp_path: Path, address: str) -> None:
    job = job_of(tmp_path, address, Extract="true", ObjectKey="many")
    job.request = job.request._replace(limits=job.request.limits._replace(artifact_entries=2))
    with pytest.raises(ActionError, match="more than 2 files"):
        run(job)


@pytest.mark.parametrize(
    ("configuration", "problem"),
    [
        ({"BucketName": "pages", "Extract": "false"}, "ObjectKey is required"),
        ({"BucketName": "pages", "Extract": "yes"}, ".configuration.Extract"),
        ({"Extract": "true"}, ".configuration.BucketName"),
        (
            {"BucketName": "pages", "Extract": "true", "CannedACL": "mine"},
            ".configuration.CannedACL",
        ),
    ],
)
def test_bad_configuration_is_named(configuration: dict[str, str], problem: str) -> None:
    declared = declaration_of(ActionTypeId(category="Deploy", provider="S3"))
    assert declared is not None
    assert problem in " ".join(map(str, configuration_problems("", declared, configuration)))


CONTENTS = {
    "app.js.gz": ("text/javascript", "gzip"), "icon.svgz": ("image/svg+xml", "gzip"),
    "LOGO.SVGZ": ("image/svg+xml", "gzip"),
    "sitemap.xml.gz": ("application/xml", "gzip"), "data.json.gz": ("application/json", "gzip"),
    "site.css.br": ("text/css", "br"), "index.html.br": ("text/html", "br"),
    "x.wasm.gz": ("application/wasm", "gzip"),
    "bundle.tar.gz": ("application/gzip", None), "bundle.tgz": ("application/gzip", None),
    "dump.sql.gz": ("application/gzip", None), "x.gz": ("application/gzip", None),
    "x.taz": ("application/gzip", None),
    "bundle.tar.br": ("application/x-brotli", None), "x.br": ("application/x-brotli", None),
    "x.Z": ("application/x-compress", None), "bundle.tar.Z": ("application/x-compress", None),
    "page.html.bz2": ("application/x-bzip2", None), "bundle.tbz2": ("application/x-bzip2", None),
    "page.html.xz": ("application/x-xz", None), "bundle.tar.zst": ("application/zstd", None),
    "bundle.7z": ("application/x-7z-compressed", None), "bundle.zip": ("application/zip", None),
    "index.html": ("text/html", None), "page.HTML": ("text/html", None),
    "x.mjs": ("text/javascript", None),
    "font.woff2": ("font/woff2", None), "a.js.map": ("application/json", None),
    "noext": (None, None),
    "gz": (None, None),
}  # fmt: skip


@pytest.mark.parametrize(("name", "expected"), CONTENTS.items())
def test_bug_13_name_says_type_and_encoding(
    name: str, expected: tuple[str | None, str | None]
) -> None:
    assert tuple(content_of(name)) == expected


def test_bug_13_compressed_files_of_a_website_are_served_as_such(
    tmp_path: Path, address: str
) -> None:
    job = job_of(tmp_path, address, Extract="true", ObjectKey="packed")
    names = ("app.js.gz", "icon.svgz", "site.css.br", "bundle.tar.gz", "page.html.bz2")
    for name in names:
        (job.inputs["Built"] / name).write_bytes(b"x")
    run(job)
    found = objects(address, "packed")
    assert {
        name: (found[name]["ContentType"], found[name].get("ContentEncoding")) for name in names
    } == {name: CONTENTS[name] for name in names}
    assert "ContentEncoding" not in found["index.html"]
