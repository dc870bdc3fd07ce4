"""The S3 source (P-03): versions, summaries, polling, and what is said when
there is nothing to fetch.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster import Cluster
from tests.e2e.conftest import Team, commands, stage
from tests.e2e.failures import ACTION, Failing, assert_shown, start_all
from tests.e2e.operator_process import settle
from tests.e2e.test_triggers import await_mark, grant, source_of, triggered
from tests.e2e.triggers_process import POLL_S, TriggersProcess
from tests.support.install import STORE_SECRET, s3_client
from tests.support.kube import Document, Kube, eventually

KEY = "releases/my app.zip"


@pytest.fixture
def bucket(cluster: Cluster, team: Team) -> str:
    """A versioned bucket of the team's own."""
    s3, name = s3_client(cluster), team.namespace
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


@pytest.fixture
def triggers(cluster: Cluster, kube: Kube, team: Team) -> Iterator[TriggersProcess]:
    process = TriggersProcess(cluster, kube, namespaces=[team.namespace])
    yield process
    process.stop()


def put(team: Team, key: str, body: bytes, **metadata: str) -> str:
    """Store an object; return its version."""
    version: str = s3_client(team.cluster).put_object(
        Bucket=team.namespace, Key=key, Body=body, Metadata=metadata
    )["VersionId"]
    return version


def zipped(**files: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(f"{name}.txt", text)
    return data.getvalue()


def s3(team: Team, key: str = KEY, *, endpoint: str = "", **configuration: str) -> Document:
    """Return an S3 source action."""
    server = team.cluster.s3
    given = {
        "S3Bucket": team.namespace,
        "S3ObjectKey": key,
        "Endpoint": endpoint or server.cluster_endpoint,
        "Region": server.region,
        "CredentialsSecret": STORE_SECRET,
    }
    return {
        "name": "Fetch",
        "namespace": "Src",
        "actionTypeId": {"category": "Source", "owner": "AWS", "provider": "S3", "version": "1"},
        "configuration": given | configuration,
        "outputArtifacts": [{"name": "Source"}],
    }


def show(*lines: str) -> Document:
    return commands("Show", *lines, inputArtifacts=[{"name": "Source"}], outputVariables=["TEXT"])


def revision_of(status: Document) -> tuple[Any, Any]:
    found = status["artifactRevisions"][0]
    return found["revisionId"], found["revisionSummary"]


def test_object_is_unpacked_and_its_version_is_the_revision(team: Team, bucket: str) -> None:
    """W-23, X-29, X-51, X-87: the newest version, or the one that the start
    asks for, or another key.
    """
    old = put(
        team,
        KEY,
        zipped(page="one"),
        **{"codepipeline-artifact-revision-summary": "built by job 7"},
    )
    new = put(team, KEY, zipped(page="two"))
    report = 'TEXT="$(cat page.txt) #{Src.VersionId} #{Src.BucketName} #{Src.ObjectKey}"'
    put(team, "other.zip", zipped(page="three"))
    source = s3(team, AllowOverrideForS3ObjectKey="true")
    team.pipeline(
        "web", stage("Source", source), stage("Show", show(report)), executionMode="PARALLEL"
    )
    team.start("web", "newest")
    other = {"actionName": "Fetch", "revisionType": "S3_OBJECT_KEY", "revisionValue": "other.zip"}
    team.start("web", "other", sourceRevisions=[other])
    override = {"actionName": "Fetch", "revisionType": "S3_OBJECT_VERSION_ID", "revisionValue": old}
    team.start("web", "older", sourceRevisions=[override])

    assert revision_of(team.ended("newest")) == (new, f"Amazon S3 version id: {new}")
    assert (
        team.execution("Show", "newest")["outputVariables"]["TEXT"] == f"two {new} {bucket} {KEY}"
    )
    assert revision_of(team.ended("older")) == (old, "built by job 7")
    assert team.execution("Show", "older")["outputVariables"]["TEXT"] == f"one {old} {bucket} {KEY}"
    assert team.ended("other")["state"] == "Succeeded"
    assert team.execution("Show", "other")["outputVariables"]["TEXT"].startswith("three ")


def test_object_that_is_no_archive_becomes_a_file_of_the_artifact(team: Team, bucket: str) -> None:
    put(team, "tools/run.sh", b"echo hello")
    team.pipeline(
        "web", stage("Source", s3(team, "tools/run.sh")), stage("Show", show('TEXT="$(sh run.sh)"'))
    )
    team.start("web")
    assert team.ended()["state"] == "Succeeded"
    assert team.execution("Show")["outputVariables"] == {"TEXT": "hello"}


def test_source_that_cannot_be_fetched_fails_with_what_was_asked_for(
    team: Team, bucket: str
) -> None:
    put(team, "hostile.zip", zipped(**{"../../out": "x"}))
    endpoint, where = team.cluster.s3.cluster_endpoint, f"s3://{bucket}"
    named = re.escape(f'The bucket "{bucket}" at {endpoint}')
    cases: list[tuple[str, dict[str, str], str, str | re.Pattern[str]]] = [
        (
            "no-object",
            {"key": "nope.zip"},
            "RevisionUnavailable",
            f"{where}/nope.zip was not found",
        ),
        (
            "no-bucket",
            {"S3Bucket": "no-such-bucket"},
            "ConfigurationError",
            f'The bucket "no-such-bucket" at {endpoint}: the bucket does not exist',
        ),
        (
            "no-secret",
            {"CredentialsSecret": "nope"},
            "ConfigurationError",
            re.compile(f"{named}: the credentials' Secret is missing, or has no key accessKeyId"),
        ),
        (
            "wrong-region",
            {"Region": "us-west-2"},
            "ConfigurationError",
            re.compile(f"{named}: the region is not .+"),
        ),
        (
            "hostile-zip",
            {"key": "hostile.zip"},
            "ConfigurationError",
            f'{where}/hostile.zip: "../../out.txt" leads out of the folder',
        ),
    ]
    failing = [
        Failing(name, {**s3(team, **fields), "name": ACTION}, code, message)
        for name, fields, code, message in cases
    ]
    start_all(team, failing)
    for case in failing:
        assert_shown(team, case)


def test_new_version_starts_a_run_and_the_same_one_does_not(
    cluster: Cluster, team: Team, bucket: str, triggers: TriggersProcess
) -> None:
    """G-04, G-06, G-07; the object's absence is told, and its Secret is read
    once the chart allows it.
    """
    action = s3(team, endpoint=cluster.s3.endpoint)
    team.pipeline("web", stage("Source", action), startOnCreate=False)
    triggers.start()
    eventually(
        lambda: "may not read the Secret" in source_of(team, "web").get("lastError", ""),
        30,
        "the refusal",
    )
    grant(team, STORE_SECRET)
    eventually(
        lambda: "was not found" in source_of(team, "web").get("lastError", ""),
        30,
        "that there is no object",
    )
    first = put(team, KEY, zipped(page="one"))
    await_mark(team, "web", first)
    second = put(team, KEY, zipped(page="two"))
    await_mark(team, "web", second)
    put(team, "another.zip", zipped(page="other"))
    settle(3 * POLL_S)

    assert [detail for _, detail in triggered(team, "web")] == [
        f"source Fetch changed to {version}" for version in (first, second)
    ]
    assert team.cluster.s3.secret_key not in triggers.log()
