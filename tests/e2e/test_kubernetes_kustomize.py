"""Overlays, built by the kustomize in the image; what would reach out of the
artifact is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.cluster import Cluster
from tests.e2e.conftest import Team, commands, deploy, stage
from tests.e2e.failures import new_team
from tests.e2e.manifests import allow_edit, config_map, make_files
from tests.support.kube import Kube

BASE = {
    "k8s/base/settings.json": json.dumps(config_map("settings", size="small", color="red")),
    "k8s/base/kustomization.yaml": json.dumps({"resources": ["settings.json"]}),
}
OVERLAY = {
    "namePrefix": "prod-",
    "resources": ["../../base"],
    "patches": [{"patch": json.dumps(config_map("settings", size="large"))}],
    "configMapGenerator": [{"name": "made", "literals": ["a=1"]}],
}
OUT = {"configMapGenerator": [{"name": "x", "files": ["../prod/kustomization.yaml"]}]}
REMOTE = {"resources": ["https://example.com/base.yaml"]}


@pytest.fixture(scope="module")
def team(cluster: Cluster, kube: Kube) -> Iterator[Team]:
    with new_team(cluster, kube) as team:
        allow_edit(kube, team.namespace, team.namespace)
        files = {
            **BASE,
            "k8s/overlays/prod/kustomization.yaml": json.dumps(OVERLAY),
            "k8s/overlays/far/kustomization.yaml": json.dumps(REMOTE),
            "k8s/overlays/out/kustomization.yaml": json.dumps(OUT),
        }
        for name in ("prod", "far", "out"):
            action = deploy("Apply", "Out", ManifestFiles=f"k8s/overlays/{name}")
            team.pipeline(name, make_files(Out=files), stage("Deploy", action))
            team.start(name, name)
        link = commands(
            "Make",
            "ln -s /etc/hostname out.yaml",
            outputArtifacts=[{"name": "Out", "files": ["**/*"]}],
        )
        team.pipeline("link", stage("Make", link), stage("Deploy", deploy("Apply", "Out")))
        team.start("link", "link")
        yield team


def message_of(team: Team, run: str) -> str:
    """Return why a run failed."""
    status = team.ended(run)
    assert status["state"] == "Failed"
    return str(status["statusSummary"])


def test_overlay_is_built_and_applied(team: Team) -> None:
    status = team.ended("prod")
    assert status["state"] == "Succeeded", status["statusSummary"]
    assert team.kube.get("configmaps", team.namespace, "prod-settings")["data"] == {
        "size": "large",
        "color": "red",
    }
    names = {item["metadata"]["name"] for item in team.kube.objects("configmaps", team.namespace)}
    assert [name for name in names if name.startswith("prod-made-")]


def test_remote_base_is_refused(team: Team) -> None:
    assert message_of(team, "far") == (
        "Deploy/Apply: k8s/overlays/far/kustomization.yaml: resources: "
        '"https://example.com/base.yaml" is not in the '
        "artifact; remote bases and files are refused"
    )


def test_file_of_another_folder_is_refused_by_the_program(team: Team) -> None:
    found = message_of(team, "out")
    assert found.startswith("Deploy/Apply: k8s/overlays/out: kustomize: ")
    assert "is not in or below" in found


def test_link_out_of_the_artifact_does_not_reach_the_deploy(team: Team) -> None:
    assert "out.yaml" in message_of(team, "link")
