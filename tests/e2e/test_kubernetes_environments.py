"""One Pipeline for development, staging and production; images and values
from files of the build (issue 4).
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

import pytest

from tests.cluster import Cluster
from tests.e2e.conftest import Team, deploy, stage
from tests.e2e.failures import new_team
from tests.e2e.manifests import allow_edit, as_list, config_map, deployment, make, make_files
from tests.support.kube import Kube

BUSYBOX = "docker.io/library/busybox:1.35"
ENVIRONMENTS = ("development", "staging", "production")
NAMESPACES = "applyset.kubernetes.io/additional-namespaces"


@pytest.fixture(scope="module")
def team(cluster: Cluster, kube: Kube) -> Iterator[Team]:
    with contextlib.ExitStack() as stack:
        team = stack.enter_context(new_team(cluster, kube))
        for environment in ENVIRONMENTS:
            name = stack.enter_context(kube.namespace(f"{team.namespace}-{environment}"))
            allow_edit(kube, name, team.namespace)
        allow_edit(kube, team.namespace, team.namespace)
        yield team


def test_pipeline_variable_chooses_the_namespace(team: Team) -> None:
    objects = [deployment("web", "built", ("sleep", "3600")), config_map("settings", x="${X}")]
    images = json.dumps([{"name": "web", "imageUri": BUSYBOX}])
    files = make_files(
        Out={"k8s/all.json": as_list(objects)},
        Images={"imagedefinitions.json": images, "values.yaml": "X: from-file"},
    )
    action = deploy(
        "Apply", "Out", Namespace=f"{team.namespace}-#{{variables.Environment}}",
        ManifestFiles="k8s",
        ImageDefinitions="Images::imagedefinitions.json", Substitutions="Images::values.yaml",
    )  # fmt: skip
    action["inputArtifacts"].append({"name": "Images"})
    variables = [{"name": "Environment", "defaultValue": "development"}]
    team.pipeline("web", files, stage("Deploy", action), variables=variables)
    for environment in ENVIRONMENTS:
        team.start("web", environment, variables=[{"name": "Environment", "value": environment}])
        status = team.ended(environment)
        assert status["state"] == "Succeeded", status["statusSummary"]
    for environment in ENVIRONMENTS:
        namespace = f"{team.namespace}-{environment}"
        web = team.kube.get("deployments", namespace, "web")
        assert web["spec"]["template"]["spec"]["containers"][0]["image"] == BUSYBOX
        assert team.kube.get("configmaps", namespace, "settings")["data"] == {"x": "from-file"}


def test_namespace_that_is_none_is_refused_when_the_variable_is_known(team: Team) -> None:
    action = deploy("Apply", "Out", Namespace="#{variables.Environment}")
    variables = [{"name": "Environment", "defaultValue": "No Namespace"}]
    team.pipeline("none", make(Out=[config_map("a")]), stage("Deploy", action), variables=variables)
    team.start("none", "none")
    assert team.ended("none")["state"] == "Failed"
    assert "configuration.Namespace" in team.execution("Apply", "none")["errorDetails"]["message"]


def test_set_that_spans_namespaces_is_pruned_in_all_of_them(team: Team) -> None:
    development, staging, _ = (f"{team.namespace}-{environment}" for environment in ENVIRONMENTS)
    both = [config_map("here", namespace=development), config_map("there", namespace=staging)]
    stages = [
        stage(f"Deploy{name}", deploy(name, name, ApplySet="wide")) for name in ("Both", "One")
    ]
    team.pipeline("wide", make(Both=both, One=both[:1]), *stages)
    team.start("wide", "wide")
    status = team.ended("wide")
    assert status["state"] == "Succeeded", status["statusSummary"]
    assert team.kube.find("configmaps", staging, "there") is None
    assert team.kube.find("configmaps", development, "here") is not None
    annotations = team.kube.get("secrets", team.namespace, "wide")["metadata"]["annotations"]
    assert annotations[NAMESPACES] == development
