"""Actions that call an AWS which never answers: given up, late, or lost with their pods."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from tests.cluster import Cluster
from tests.e2e.conftest import Team, commands, stage
from tests.e2e.failures import new_team, silent_host
from tests.support.kube import Document, Kube, eventually

PORT = 8081
TEMPLATE = """\
Metadata:
  AWS::ServerlessRepo::Application:
    {Name: shop, Description: Sells, Author: team, SemanticVersion: 1.0.0}
Resources: {}
"""
PROVIDERS = {
    "S3": {"BucketName": "pages", "Extract": "true"},
    "ServerlessApplicationRepository": {"TemplatePath": "Made::template.yaml"},
}


@pytest.fixture(scope="module")
def team(cluster: Cluster, kube: Kube) -> Iterator[Team]:
    """Start a run whose actions all wait for the silent server, and prepare
    one that is to be given up.
    """
    with new_team(cluster, kube) as made:
        server = f"http://{silent_host(made, PORT)}:{PORT}"
        keys = {"accessKeyId": "AKIA", "secretAccessKey": "planted-secret-access-key"}
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "aws"},
            "stringData": keys,
        }
        kube.apply([secret], made.namespace)
        text = TEMPLATE.replace("\n", "\\n")
        makes = commands(
            "Make",
            f"printf '{text}' > template.yaml",
            outputArtifacts=[{"name": "Made", "files": ["template.yaml"]}],
        )
        for pipeline, names in (("waits", ("Late", "Killed")), ("stopped", ("GivenUp",))):
            calls = [
                action(f"{name}-{provider}", provider, server)
                for name in names
                for provider in PROVIDERS
            ]
            made.pipeline(pipeline, stage("Make", makes), stage("Call", *calls))
        made.start("waits", "waits")
        yield made


def action(name: str, provider: str, server: str) -> Document:
    endpoint = {"Endpoint": server, "Region": "eu-central-1", "CredentialsSecret": "aws"}
    return {
        "name": name,
        "actionTypeId": {
            "category": "Deploy",
            "owner": "AWS",
            "provider": provider,
            "version": "1",
        },
        "configuration": {**PROVIDERS[provider], **endpoint},
        "inputArtifacts": [{"name": "Made"}],
    }


def pod_at_work(team: Team, run: str, name: str) -> Document | None:
    """Return an action's pod once its agent runs."""
    job = team.execution(name, run).get("jobName")
    pod = team.pod_of(job) if job else None
    statuses = (pod or {}).get("status", {}).get("containerStatuses", [])
    return pod if statuses and "running" in statuses[0]["state"] else None


def test_a_lost_deploy_fails_and_a_lost_publication_is_followed_by_a_new_try(team: Team) -> None:
    for provider in PROVIDERS:
        name = f"Killed-{provider}"
        pod = eventually(partial(pod_at_work, team, "waits", name), 60, f"{name} works")
        team.kube.delete("pods", team.namespace, pod["metadata"]["name"], gracePeriodSeconds=0)
    s3, publish = (f"Killed-{provider}" for provider in PROVIDERS)
    eventually(lambda: team.execution(publish, "waits").get("try") == 2, 60, "another try")
    assert team.execution(publish, "waits")["attempt"] == 1
    eventually(
        lambda: team.execution(s3, "waits")["status"] == "Failed", 60, "the deploy has failed"
    )
    assert team.execution(s3, "waits")["errorDetails"]["code"] == "ExecutionLost"


def test_an_action_that_is_given_up_ends(team: Team) -> None:
    team.start("stopped", "stopped")
    for provider in PROVIDERS:
        name = f"GivenUp-{provider}"
        eventually(partial(pod_at_work, team, "stopped", name), 60, f"{name} works")
    body = '{"spec": {"stop": {"abandon": true}}}'
    team.kube.kubectl("-n", team.namespace, "patch", "plr", "stopped", "--type=merge", "-p", body)
    assert team.ended("stopped")["state"] == "Stopped"
    assert {
        team.execution(f"GivenUp-{provider}", "stopped")["status"] for provider in PROVIDERS
    } == {"Abandoned"}


def test_an_action_that_takes_too_long_times_out(team: Team) -> None:
    team.ended("waits", seconds=100)
    codes = {
        name: team.execution(f"Late-{name}", "waits")["errorDetails"]["code"] for name in PROVIDERS
    }
    assert codes == {"S3": "TimedOut", "ServerlessApplicationRepository": "TimedOut"}
