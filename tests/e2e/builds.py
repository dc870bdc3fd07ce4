"""Runs many CodeBuild actions at once: one repository, one run, an action and
an output artifact per case.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from penstock.artifacts.unpacking import Caps, unpack
from tests.cluster import Cluster
from tests.e2e.conftest import Team, commands, git, stage
from tests.support.install import BUCKET, make_store_secret, push_repository, s3_client
from tests.support.kube import Document, Kube

IMAGES = {"debian": "docker.io/library/debian:12-slim", "busybox": "docker.io/library/busybox:1.35"}


@dataclass(frozen=True)
class Case:
    """One build: its buildspec, the names of its output artifacts, what its action says besides."""

    buildspec: str
    outputs: tuple[str, ...] = ()
    configuration: Document = field(default_factory=dict)
    inputs: tuple[str, ...] = ("Source",)


@dataclass
class Built:
    """What became of the cases, by their names."""

    team: Team

    def row(self, name: str) -> Document:
        """Return the action's row."""
        return self.team.execution(name)

    def message(self, name: str) -> str:
        """Return why a build failed; it must have."""
        row = self.row(name)
        assert row["status"] == "Failed", row
        return str(row["errorDetails"]["message"])

    def log(self, name: str) -> list[str]:
        """Return the lines of a build's log, as stored."""
        assert self.row(name)["hasLog"]
        return (
            self._object(f"logs/{self.team.stored_below(name)}")
            .decode(errors="replace")
            .splitlines()
        )

    def files(self, name: str, output: str | None = None) -> dict[str, str]:
        """Return an output artifact: path to text. A failed build has one in the store only."""
        stored = [
            a["name"]
            for a in self.row(name).get("outputArtifacts", [])
            if output in (None, a["name"])
        ]
        wanted = stored[0] if stored else output
        keys = [key for key in self.uploads(name) if wanted is None or key.endswith(f"/{wanted}")]
        assert keys, f"nothing stored: {self.row(name)}"
        with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as file:
            file.write(self._object(keys[0]))
            file.seek(0)
            unpack(file, Path(folder), Caps(1000, 1 << 20, 1000))
            paths = sorted(path for path in Path(folder).rglob("*") if path.is_file())
            return {str(path.relative_to(folder)): path.read_text() for path in paths}

    def uploads(self, name: str) -> list[str]:
        """Return the keys of everything that a build has uploaded as artifacts."""
        listed = s3_client(self.team.cluster).list_objects_v2(
            Bucket=BUCKET, Prefix=f"{self.team.stored_below(name)}/"
        )
        return [item["Key"] for item in listed.get("Contents", [])]

    def _object(self, key: str) -> bytes:
        body: bytes = s3_client(self.team.cluster).get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return body


@contextmanager
def built(
    cluster: Cluster, kube: Kube, image: str, cases: dict[str, Case], files: dict[str, str]
) -> Iterator[Built]:
    """Run all cases with one image, on a repository with these files, in a namespace of its own."""
    with kube.namespace(f"builds-{image}-{secrets.token_hex(3)}") as namespace:
        make_store_secret(cluster, kube, namespace)
        team = Team(cluster, kube, namespace)
        specs = {f"buildspecs/{name}.yml": case.buildspec for name, case in cases.items()}
        url = push_repository(cluster, namespace, {**files, **specs}).cluster_url
        project = {
            "apiVersion": "penstock.dev/v1alpha1",
            "kind": "BuildProject",
            "metadata": {"name": "any"},
            "spec": {
                "image": IMAGES[image],
                "environmentVariables": [{"name": "B", "value": "project"}],
            },
        }
        kube.apply([project], namespace)
        extra = commands("Make", "echo extra > extra.txt", outputArtifacts=[{"name": "Extra"}])
        builds = stage("Build", *(action(name, case) for name, case in cases.items()))
        team.pipeline("builds", stage("Source", git("Checkout", url), extra), builds)
        team.start("builds")
        status = team.ended(seconds=180)
        assert [state["stageName"] for state in status["stageStates"]] == ["Source", "Build"], (
            status["statusSummary"]
        )
        yield Built(team)


def action(name: str, case: Case) -> Document:
    """Return the action of a case."""
    configuration: dict[str, Any] = {
        "ProjectName": "any",
        "BuildspecOverride": f"buildspecs/{name}.yml",
    }
    return {
        "name": name,
        "actionTypeId": {"category": "Build", "provider": "CodeBuild"},
        "configuration": {**configuration, **case.configuration},
        "inputArtifacts": [{"name": item} for item in case.inputs],
        "outputArtifacts": [{"name": item} for item in case.outputs],
    }
