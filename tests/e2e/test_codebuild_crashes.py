"""A BuildProject that is edited while the operator dies: each attempt runs on
the project it began with.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster import Cluster
from tests.e2e.conftest import Team, commands, stage
from tests.e2e.operator_process import OperatorProcess
from tests.e2e.test_crashes import is_over
from tests.support.kube import Document, Kube, eventually

BUILDSPEC = """
version: 0.2
env: {exported-variables: [VALUE]}
phases: {build: {commands: [echo "$VALUE"]}}
"""

pytestmark = [pytest.mark.own_operator, pytest.mark.usefixtures("without_chart")]


@pytest.fixture
def operator(cluster: Cluster, kube: Kube, team: Team) -> Iterator[OperatorProcess]:
    process = OperatorProcess(cluster, kube, namespaces=[team.namespace])
    yield process
    process.stop()


def project(generation: int) -> Document:
    return {
        "apiVersion": "penstock.dev/v1alpha1",
        "kind": "BuildProject",
        "metadata": {"name": "web"},
        "spec": {
            "image": "docker.io/library/busybox:1.35",
            "buildspec": BUILDSPEC,
            "environmentVariables": [{"name": "VALUE", "value": str(generation)}],
        },
    }


def test_attempt_runs_on_the_project_that_it_began_with_whatever_dies(
    team: Team, operator: OperatorProcess
) -> None:
    """After each death the project is another. Two writes are the frozen
    project and the status that names it.
    """
    build = {
        "name": "Compile",
        "actionTypeId": {"category": "Build", "provider": "CodeBuild"},
        "configuration": {"ProjectName": "web"},
        "inputArtifacts": [{"name": "Source"}],
    }
    source = commands("Make", "echo text > a.txt", outputArtifacts=[{"name": "Source"}])
    team.kube.apply([project(1)], team.namespace)
    team.pipeline("web", stage("Source", source), stage("Build", build), wait=False)
    team.start("web")
    lives = 0
    while not is_over(team, "run") and lives < 40:
        operator.start(die_after_writes=2)
        eventually(
            lambda: not operator.is_running or is_over(team, "run"), 60, "a write, or the end"
        )
        operator.kill()
        lives += 1
        team.kube.apply([project(lives + 1)], team.namespace)
    row = team.execution("Compile")
    assert row["status"] == "Succeeded", (row, operator.log()[-2000:])
    assert lives > 3, "the fault points were not met"
    frozen = row["buildProject"]
    assert 1 < frozen["generation"] <= lives
    assert row["outputVariables"] == {"VALUE": str(frozen["generation"])}
    revision = team.kube.get("controllerrevisions", team.namespace, frozen["revision"])
    assert revision["data"]["buildProject"]["environmentVariables"][0]["value"] == str(
        frozen["generation"]
    )
