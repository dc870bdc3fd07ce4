"""``helm install --wait`` of a chart that holds a Pipeline and a run: Helm
waits for the run, and fails with it.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.e2e.conftest import Team, commands, stage
from tests.support.install import helm
from tests.support.kube import Document


def chart(folder: Path, command: str) -> Path:
    """Write a chart of one Pipeline and one run."""
    (folder / "templates").mkdir()
    (folder / "Chart.yaml").write_text(
        yaml.safe_dump({"apiVersion": "v2", "name": "app", "version": "1.0.0"})
    )
    stages = [stage("Build", commands("Make", "sleep 2", command))]
    objects: list[Document] = [
        {"kind": "Pipeline", "metadata": {"name": "app"}, "spec": {"stages": stages}},
        {
            "kind": "PipelineRun",
            "metadata": {"name": "app-1"},
            "spec": {"pipelineRef": {"name": "app"}},
        },
    ]
    for item in objects:
        text = yaml.safe_dump({"apiVersion": "penstock.dev/v1alpha1", **item})
        (folder / "templates" / f"{item['kind'].lower()}.yaml").write_text(text)
    return folder


def test_helm_waits_for_the_run(team: Team, tmp_path: Path) -> None:
    helm(
        team.cluster,
        "install",
        "app",
        str(chart(tmp_path, "true")),
        "-n",
        team.namespace,
        "--wait",
        "--timeout",
        "60s",
    )
    assert team.status("app-1")["state"] == "Succeeded"


def test_helm_fails_with_the_run_and_names_it(team: Team, tmp_path: Path) -> None:
    folder = str(chart(tmp_path, "false"))
    with pytest.raises(Exception, match="app-1") as caught:
        helm(
            team.cluster,
            "install",
            "app",
            folder,
            "-n",
            team.namespace,
            "--wait",
            "--timeout",
            "60s",
        )
    assert "Failed" in str(caught.value)
    assert team.status("app-1")["state"] == "Failed"
