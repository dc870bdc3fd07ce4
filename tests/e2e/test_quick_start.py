"""The README's first pipeline, pasted: its own blocks, unchanged and in
order, on the cluster that the demo leaves.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.cluster import Cluster
from tests.e2e.conftest import QUICK_VALUES
from tests.support.install import ROOT, TRIGGERS, install_chart
from tests.support.kube import Kube

pytestmark = pytest.mark.alone(reason="it installs the chart for one namespace")

SECTION = "## Your first pipeline in five minutes\n"


def blocks() -> list[tuple[str, str]]:
    """Return language and text of each block of the section."""
    text = (ROOT / "README.md").read_text()
    section = text[text.index(SECTION) :].split("\n### ")[0].split("\n## What")[0]
    return re.findall(r"^```(\w+)\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)


@pytest.fixture
def namespace(cluster: Cluster, kube: Kube) -> Iterator[str]:
    """A namespace with nothing in it, and the chart as the demo leaves it,
    for this namespace alone.
    """
    with kube.namespace(f"e2e-{secrets.token_hex(4)}") as name:
        try:
            install_chart(
                cluster,
                kube,
                {**QUICK_VALUES, "watchNamespaces": [name], "triggers": TRIGGERS},
            )
            yield name
        finally:
            install_chart(cluster, kube, QUICK_VALUES)


def shell(cluster: Cluster, namespace: str, folder: Path) -> dict[str, str]:
    """Return the environment of a shell whose kubeconfig's context has the namespace."""
    config = yaml.safe_load(Path(cluster.kubeconfig).read_text())
    for context in config["contexts"]:
        context["context"]["namespace"] = namespace
    (folder / "config").write_text(json.dumps(config))
    tools = (cluster.bin_dir, str(Path(sys.executable).parent), os.environ["PATH"])
    return {**os.environ, "KUBECONFIG": str(folder / "config"), "PATH": ":".join(tools)}


def test_first_hour_03_quick_start_works_as_it_is_pasted(
    cluster: Cluster, namespace: str, kube: Kube, tmp_path: Path
) -> None:
    environment = shell(cluster, namespace, tmp_path)
    said = []
    for language, text in blocks():
        if language == "yaml":
            (tmp_path / "hello.yaml").write_text(text)
            continue
        done = subprocess.run(
            ["sh", "-eu"], input=text, cwd=tmp_path, env=environment, capture_output=True,
            text=True,
            timeout=90, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        said.append(done.stdout)

    runs = kube.objects("pipelineruns", namespace)
    assert [run["status"]["state"] for run in runs] == ["Succeeded", "Succeeded"]
    assert sorted(run["spec"]["trigger"]["triggerType"] for run in runs) == [
        "CreatePipeline",
        "StartPipelineExecution",
    ]
    first = next(run for run in runs if run["spec"]["trigger"]["triggerType"] == "CreatePipeline")
    assert f"[Greet/Hello] Hello from run {first['metadata']['uid']}" in said[1]
    assert "Greet/Hello: Succeeded" in said[1]
    assert len(said) == 3, "a step for the keys, one for the pipeline, one that cleans up"
