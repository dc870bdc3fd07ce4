"""No AWS credential leaves the agent; a build whose project asks for a role
gets the role's keys, masked.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import pytest

from tests.cluster import Cluster
from tests.e2e.conftest import Team, commands, stage
from tests.e2e.failures import new_team
from tests.e2e.test_secrets import PLURALS, PUBLIC, SNOOP, assert_clean, logs, stored
from tests.support import aws_servers
from tests.support.kube import Document, Kube

PLANTED = "planted-aws-secret-access-key-0123456789"
BUILD = """\
version: 0.2
phases:
  build:
    commands:
      - >-
        echo "key:$AWS_SECRET_ACCESS_KEY:" "token:$AWS_SESSION_TOKEN:"
        "id:$(expr substr "$AWS_ACCESS_KEY_ID" 1 4)"
      - 'test "$(printenv AWS_SECRET_ACCESS_KEY)" != ""'
"""


@pytest.fixture(scope="module")
def hidden() -> dict[str, bytes]:
    """Return the planted key in the forms in which it could travel."""
    coded = base64.b64encode(PLANTED.encode())
    return {
        "key": PLANTED.encode(),
        "key in base64": coded,
        "half of the key": PLANTED[:24].encode(),
    }


@pytest.fixture(scope="module")
def ended(cluster: Cluster, kube: Kube) -> Iterator[Team]:
    """Run actions that call AWS with the planted key, a build that acts as a
    role, and a command that looks.
    """
    server = aws_servers.ready(cluster, "serverlessrepo")
    aws_servers.ready(cluster, "aws")
    with new_team(cluster, kube) as team:
        keys = {"accessKeyId": server.access_key, "secretAccessKey": PLANTED}
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "aws"},
            "stringData": keys,
        }
        role = {"serviceRole": "arn:aws:iam::000000000000:role/build", "credentialsSecret": "aws"}
        project = {
            "apiVersion": "penstock.dev/v1alpha1",
            "kind": "BuildProject",
            "metadata": {"name": "as-role"},
            "spec": {"image": "docker.io/library/debian:12-slim", "buildspec": BUILD, **role},
        }
        kube.apply([secret, project], team.namespace)
        made = commands(
            "Make", f"echo {PUBLIC} > file", outputArtifacts=[{"name": "Made", "files": ["file"]}]
        )
        team.pipeline(
            "cloud",
            stage("Make", made),
            stage(
                "Call",
                aws("Deploy", "S3", {"BucketName": "does-not-exist", "Extract": "true"}),
                aws(
                    "Deploy",
                    "CloudFormation",
                    {"ActionMode": "DELETE_ONLY", "StackName": "not-there"},
                    inputs=(),
                ),
                aws(
                    "Invoke",
                    "Lambda",
                    {"FunctionName": "not-there", "ArtifactCredentials": "Inherit"},
                ),
                {
                    "name": "Build",
                    "actionTypeId": {"category": "Build", "provider": "CodeBuild"},
                    "configuration": {"ProjectName": "as-role"},
                    "inputArtifacts": [{"name": "Made"}],
                },
                commands("Snoop", *SNOOP, outputArtifacts=[{"name": "Found", "files": ["found"]}]),
            ),
        )
        team.start("cloud")
        team.ended()
        yield team


def aws(
    category: str, provider: str, configuration: Document, inputs: tuple[str, ...] = ("Made",)
) -> Document:
    return {
        "name": provider,
        "actionTypeId": {
            "category": category,
            "owner": "AWS",
            "provider": provider,
            "version": "1",
        },
        "configuration": {"CredentialsSecret": "aws", **configuration},
        "inputArtifacts": [{"name": name} for name in inputs],
    }


def test_actions_ended_as_they_should(ended: Team) -> None:
    names = ("S3", "CloudFormation", "Lambda", "Build", "Snoop")
    assert {name: ended.execution(name)["status"] for name in names} == {
        "S3": "Failed",
        "CloudFormation": "Succeeded",
        "Lambda": "Failed",
        "Build": "Succeeded",
        "Snoop": "Succeeded",
    }


def test_no_aws_key_is_in_a_log_the_store_an_object_or_an_event(
    cluster: Cluster, ended: Team, hidden: dict[str, bytes]
) -> None:
    objects = {
        f"{plural} of the team": json.dumps(ended.kube.objects(plural, ended.namespace))
        for plural in PLURALS
    }
    found = {
        **dict(logs(ended)),
        **dict(stored(cluster, ended)),
        **{place: text.encode() for place, text in objects.items()},
    }
    assert sum(PUBLIC.encode() in data for data in found.values()) >= 3
    assert_clean(found, hidden)


def test_a_build_that_asks_for_a_role_gets_keys_that_are_masked(ended: Team) -> None:
    pod = ended.pod_of(ended.execution("Build")["jobName"])
    assert pod is not None
    lines = ended.kube.log(ended.namespace, pod["metadata"]["name"]).splitlines()
    assert "key:***: token:***: id:ASIA" in lines


def test_a_container_that_does_not_ask_has_no_aws_variable(ended: Team) -> None:
    pod = ended.pod_of(ended.execution("Snoop")["jobName"])
    assert pod is not None
    lines = ended.kube.log(ended.namespace, pod["metadata"]["name"]).splitlines()
    assert PUBLIC in lines
    assert not [line for line in lines if line.startswith("AWS_")]
