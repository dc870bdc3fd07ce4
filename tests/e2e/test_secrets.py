"""No secret leaves the agent: the keys of the store, the credential of a Git
host, the service account's token.

Everything that a run leaves behind is searched. A word that must be there is planted, too, so that
a search which looks at nothing is seen.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import pytest
import zstandard

from tests.cluster import Cluster
from tests.e2e.conftest import Team, commands, git, stage
from tests.e2e.failures import new_team
from tests.support.install import BUCKET, SYSTEM, Repository, push_repository, s3_client
from tests.support.kube import Document, Kube, KubeError

PUBLIC = "canary-that-everyone-may-see"
TOKEN_START = "eyJhbGciOi"
PLURALS = (
    "pipelines",
    "pipelineruns",
    "jobs",
    "pods",
    "events",
    "controllerrevisions",
    "configmaps",
)
SNOOP = (
    f"mkdir -p /tmp; echo {PUBLIC} > /tmp/found",
    "env >> /tmp/found; set >> /tmp/found; cat /proc/*/environ >> /tmp/found 2>/dev/null; true",
    "find /penstock /workspace /var/run /run -type f -exec cat {} + >> /tmp/found 2>/dev/null; "
    "true",
    "mv /tmp/found found; cat found",
)


@pytest.fixture(scope="module")
def hidden(cluster: Cluster) -> dict[str, bytes]:
    """Return the secrets in every form in which they travel."""
    password, key = cluster.git.password, cluster.s3.secret_key
    basic = f"{cluster.git.user}:{password}"
    found = {"password": password, "key": key, "token": TOKEN_START}
    coded = {
        name: base64.b64encode(text.encode()).decode()
        for name, text in (
            ("password in base64", password),
            ("key in base64", key),
            ("basic authentication", basic),
        )
    }
    return {name: text.encode() for name, text in (found | coded).items()}


@pytest.fixture(scope="module")
def ended(cluster: Cluster, kube: Kube) -> Iterator[Team]:
    """Run a pipeline on a private repository whose command looks for secrets,
    and one that prints a key.
    """
    with new_team(cluster, kube) as team:
        keys = {"username": cluster.git.user, "password": cluster.git.password}
        secret: Document = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "git"},
            "stringData": keys,
        }
        kube.apply([{**secret, "type": "kubernetes.io/basic-auth"}], team.namespace)
        url = push_private(cluster, team.namespace).cluster_url
        source = git("Fetch", url, CredentialsSecret="git")
        snoop = commands(
            "Snoop", *SNOOP, inputArtifacts=[{"name": "Source"}], outputArtifacts=[{"name": "Out"}]
        )
        half = len(cluster.s3.secret_key) // 2
        first, second = cluster.s3.secret_key[:half], cluster.s3.secret_key[half:]
        team.pipeline("snoop", stage("Source", source), stage("Work", snoop), wait=False)
        team.pipeline(
            "print",
            stage("Work", commands("Print", f"printf '<%s%s>\\n' {first} {second}")),
            wait=False,
        )
        for name in ("snoop", "print"):
            team.start(name, name)
        for name in ("snoop", "print"):
            assert team.ended(name)["statusSummary"] == "all stages succeeded"
        yield team


def push_private(cluster: Cluster, name: str, page: str = "Hello") -> Repository:
    """Push a page to a repository that only the Git server's user may read."""
    basic = base64.b64encode(f"{cluster.git.user}:{cluster.git.password}".encode()).decode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_CONFIG_COUNT", "1")
        patch.setenv("GIT_CONFIG_KEY_0", "http.extraHeader")
        patch.setenv("GIT_CONFIG_VALUE_0", f"Authorization: Basic {basic}")
        return push_repository(cluster, f"private/{name}", {"index.html": page})


def logs(team: Team) -> Iterator[tuple[str, bytes]]:
    """Yield the log of every container of the team and of the operator that has started.

    One that waits for its image has none: the API server refuses to show it.
    """
    for namespace in (team.namespace, SYSTEM):
        for pod in team.kube.objects("pods", namespace):
            name = pod["metadata"]["name"]
            for container in pod["status"].get("containerStatuses", []):
                if "waiting" in container["state"] and not container["lastState"]:
                    continue
                try:
                    text = team.kube.log(namespace, name, container["name"])
                except KubeError as error:
                    if error.status != 404:  # as it is when the pod was deleted meanwhile
                        raise
                    continue
                yield f"log of {container['name']} in {name}", text.encode()


def stored(cluster: Cluster, team: Team) -> Iterator[tuple[str, bytes]]:
    """Yield every object of the team's runs in the store, unpacked where it is packed."""
    uids = [run["metadata"]["uid"] for run in team.kube.objects("pipelineruns", team.namespace)]
    client = s3_client(cluster)
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        for item in page.get("Contents", []):
            if any(uid in item["Key"] for uid in uids):
                data: bytes = client.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read()
                is_packed = data.startswith(b"\x28\xb5\x2f\xfd")
                yield (
                    item["Key"],
                    zstandard.ZstdDecompressor().decompressobj().decompress(data)
                    if is_packed
                    else data,
                )


def assert_clean(found: dict[str, bytes], hidden: dict[str, bytes]) -> None:
    """Check that no secret is anywhere; say where, and which, but never the secret."""
    leaks = [
        f"the {name} is in {place}"
        for place, data in found.items()
        for name, text in hidden.items()
        if text in data
    ]
    assert leaks == []


def test_no_secret_is_in_a_log(ended: Team, hidden: dict[str, bytes]) -> None:
    found = dict(logs(ended))
    assert any(place.startswith("log of operator") for place in found)
    assert any(PUBLIC.encode() in data.splitlines() for data in found.values())
    assert ended.kube.token_of(ended.namespace, "default").startswith(TOKEN_START)
    assert_clean(found, hidden)


def test_no_secret_is_in_the_store(cluster: Cluster, ended: Team, hidden: dict[str, bytes]) -> None:
    found = dict(stored(cluster, ended))
    kinds = {"logs": 0, "artifacts": 0, "claims": 0}
    for place, data in found.items():
        kind = place.partition("/")[0]
        kinds[kind if kind in kinds else "artifacts"] += PUBLIC.encode() in data or kind == "claims"
    assert kinds == {"logs": 1, "artifacts": 1, "claims": 3}
    assert_clean(found, hidden)


def test_no_secret_is_in_an_object_or_event(ended: Team, hidden: dict[str, bytes]) -> None:
    found = {
        f"{plural} of the team": json.dumps(ended.kube.objects(plural, ended.namespace)).encode()
        for plural in PLURALS
    }
    assert PUBLIC.encode() in found["pipelines of the team"]
    assert b"RunSucceeded" in found["events of the team"]
    assert_clean(found, hidden)


def test_action_container_gets_nothing_that_is_secret(ended: Team) -> None:
    pod = ended.pod_of(next(iter(_executions(ended, "snoop", "Work")))["jobName"])
    assert pod is not None
    action = next(item for item in pod["spec"]["containers"] if item["name"] == "action")
    assert "env" not in action
    assert "envFrom" not in action
    volumes = {item["name"]: item for item in pod["spec"]["volumes"]}
    mounted = [volumes[item["name"]] for item in action["volumeMounts"]]
    assert all(volume.keys() == {"name", "emptyDir"} for volume in mounted)
    assert pod["spec"]["automountServiceAccountToken"] is False


def test_key_that_a_command_prints_is_masked(ended: Team) -> None:
    pod = ended.pod_of(next(iter(_executions(ended, "print", "Work")))["jobName"])
    assert pod is not None
    assert "<***>" in ended.kube.log(ended.namespace, pod["metadata"]["name"]).splitlines()


def _executions(team: Team, run: str, name: str) -> Iterator[Document]:
    for state in team.status(run)["stageStates"]:
        if state["stageName"] == name:
            for action in state["actionStates"]:
                yield from action["executions"]
