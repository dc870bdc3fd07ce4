"""CodeBuild actions on the cluster, with an image that has bash and one that
has neither bash nor tar.
"""

from __future__ import annotations

import pytest
import yaml

from tests.e2e.conftest import Team

IMAGES = {"debian": "docker.io/library/debian:12-slim", "busybox": "docker.io/library/busybox:1.35"}


def run_build(
    team: Team, image: str, document: dict[str, object], **action: object
) -> dict[str, object]:
    """Run a pipeline that makes a source and builds it; return the build's row."""
    project = {
        "apiVersion": "penstock.dev/v1alpha1",
        "kind": "BuildProject",
        "metadata": {"name": "web"},
        "spec": {"image": image, "buildspec": yaml.safe_dump({"version": 0.2, **document})},
    }
    team.kube.apply([project], team.namespace)
    source = {
        "name": "Make",
        "actionTypeId": {"category": "Compute", "provider": "Commands"},
        "commands": ["echo text > a.txt"],
        "outputArtifacts": [{"name": "Source"}],
    }
    build = {
        "name": "Compile",
        "actionTypeId": {"category": "Build", "provider": "CodeBuild"},
        "configuration": {"ProjectName": "web"},
        "inputArtifacts": [{"name": "Source"}],
        **action,
    }
    team.pipeline(
        "web", {"name": "Source", "actions": [source]}, {"name": "Build", "actions": [build]}
    )
    team.start("web")
    team.ended()
    return team.execution("Compile")


@pytest.mark.parametrize("image", IMAGES.values(), ids=list(IMAGES))
def test_build_stores_its_artifact_and_exports_the_last_value(team: Team, image: str) -> None:
    phases = {
        "install": {"commands": ["export V=1", "mkdir d; cd d"]},
        "post_build": {"commands": ["V=2; touch b"]},
    }
    document = {
        "env": {"exported-variables": ["V"]},
        "phases": phases,
        "artifacts": {"files": "**/*"},
    }
    row = run_build(team, image, document, outputArtifacts=[{"name": "Site"}])
    assert row["status"] == "Succeeded", row
    assert row["outputVariables"] == {"V": "2"}
    assert str(row["externalExecutionId"]).startswith("web:")


@pytest.mark.parametrize("image", IMAGES.values(), ids=list(IMAGES))
def test_failed_build_says_phase_and_command(team: Team, image: str) -> None:
    row = run_build(team, image, {"phases": {"build": {"commands": ["exit 3"]}}})
    message = "Build terminated with state: FAILED: BUILD: Command failed with exit code 3: exit 3"
    assert row["errorDetails"] == {"code": "JobFailed", "message": message}
