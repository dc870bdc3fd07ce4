"""Artifacts on a volume: a PersistentVolumeClaim of the team's namespace in place of a bucket."""

from __future__ import annotations

import re

from tests.cluster import Cluster
from tests.e2e.conftest import Team, commands, git, stage
from tests.e2e.failures import ACTION, Failing, assert_shown, start_all
from tests.support.install import push_repository
from tests.support.kube import Document, eventually

STORE = {"type": "Volume", "location": "artifacts"}


def claim(team: Team, name: str = "artifacts") -> None:
    """Create a claim; the cluster's provisioner makes its volume."""
    spec: Document = {
        "accessModes": ["ReadWriteMany"],
        "resources": {"requests": {"storage": "100Mi"}},
    }
    body = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": spec,
    }
    team.kube.apply([body], team.namespace)


def as_root(team: Team, name: str, line: str) -> None:
    """Run a command as root with the volume at /store, as an administrator
    would; host paths know no fsGroup.
    """
    container = {
        "name": "main",
        "image": "docker.io/library/busybox:1.35",
        "command": ["sh", "-ec", line],
        "volumeMounts": [{"name": "store", "mountPath": "/store"}],
    }
    volume = {"name": "store", "persistentVolumeClaim": {"claimName": "artifacts"}}
    spec = {"containers": [container], "volumes": [volume], "restartPolicy": "Never"}
    team.kube.apply(
        [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}],
        team.namespace,
    )

    def ended() -> str | None:
        phase: str = team.kube.get("pods", team.namespace, name)["status"].get("phase", "")
        return phase if phase in ("Succeeded", "Failed") else None

    phase = eventually(ended, 30, f"pod {name} ended")
    assert phase == "Succeeded", team.kube.log(team.namespace, name, "main")


def test_artifacts_claims_and_logs_travel_through_a_volume(cluster: Cluster, team: Team) -> None:
    claim(team)
    as_root(team, "prepare", "chgrp 65532 /store && chmod 2770 /store")
    url = push_repository(cluster, f"e2e/{team.namespace}", {"page.txt": "hello\n"}).cluster_url
    make = commands(
        "Make", "tr a-z A-Z < page.txt > upper.txt", inputArtifacts=[{"name": "Source"}]
    )
    make["outputArtifacts"] = [{"name": "Made", "files": ["upper.txt"]}]
    show = commands(
        "Show",
        'TEXT="$(cat upper.txt)"',
        inputArtifacts=[{"name": "Made"}],
        outputVariables=["TEXT"],
    )
    team.pipeline(
        "p",
        stage("Get", git("Git", url)),
        stage("Work", make),
        stage("End", show),
        artifactStore=STORE,
    )
    team.start("p")

    status = team.ended()
    assert status["state"] == "Succeeded", status["statusSummary"]
    assert team.execution("Show")["outputVariables"] == {"TEXT": "HELLO"}
    key = f"{team.stored_below('Make')}/Made"
    as_root(team, "look", f"test -s '/store/{key}' && test -d /store/claims")


def test_volume_that_the_agent_may_not_write_to_fails_the_action(team: Team) -> None:
    claim(team)
    as_root(team, "prepare", "chmod 0755 /store")
    message = re.compile(
        r'The artifact store "artifacts" \(a volume\): permission denied; group 65532 .+'
    )
    case = Failing(
        "not-writable",
        commands(ACTION, "true"),
        "PermissionError",
        message,
        spec={"artifactStore": STORE},
    )
    start_all(team, [case])
    assert_shown(team, case)
