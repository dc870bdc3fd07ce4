"""What is measured: bare Jobs and runs of the same image and command, timed
from creation to their end.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

from tests.support.kube import Document, Kube, eventually

IMAGE = "docker.io/library/busybox:1.35"
LIMIT_S = 180.0


def bare_job(name: str) -> Document:
    """Return a Job of the action's image and command, and nothing else."""
    container = {
        "name": "main",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", "true"],
    }
    pod = {"restartPolicy": "Never", "containers": [container]}
    return {"metadata": {"name": name}, "spec": {"backoffLimit": 0, "template": {"spec": pod}}}


def pipeline(name: str, actions: int) -> Document:
    """Return a pipeline of so many Commands actions in a row, each handing an
    artifact to the next.
    """

    def action(number: int) -> Document:
        return {
            "name": f"Action{number}",
            "runOrder": number,
            "actionTypeId": {
                "category": "Compute",
                "owner": "AWS",
                "provider": "Commands",
                "version": "1",
            },
            "configuration": {"Image": IMAGE},
            "commands": ["true"] if actions == 1 else [f"echo {number} > file-{number}"],
            "inputArtifacts": [{"name": f"Artifact{number - 1}"}] if number > 1 else [],
            "outputArtifacts": [{"name": f"Artifact{number}"}] if actions > 1 else [],
        }

    stages = [{"name": "Work", "actions": [action(number) for number in range(1, actions + 1)]}]
    return {
        "apiVersion": "penstock.dev/v1alpha1",
        "kind": "Pipeline",
        "metadata": {"name": name},
        "spec": {"stages": stages},
    }


PROJECT: Document = {
    "apiVersion": "penstock.dev/v1alpha1",
    "kind": "BuildProject",
    "metadata": {"name": "bench"},
    "spec": {"image": IMAGE, "buildspec": "version: 0.2\nphases: {build: {commands: ['true']}}\n"},
}


def pair(name: str, provider: str) -> Document:
    """Return a pipeline whose second action runs ``true`` on the first one's
    artifact: Commands, or CodeBuild.
    """
    made = pipeline(name, 2)
    second = made["spec"]["stages"][0]["actions"][1]
    second["outputArtifacts"], second["commands"] = [], ["true"]
    if provider == "CodeBuild":
        del second["commands"]
        second["actionTypeId"] = {
            "category": "Build",
            "owner": "AWS",
            "provider": provider,
            "version": "1",
        }
        second["configuration"] = {"ProjectName": PROJECT["metadata"]["name"]}
    return made


def run_of(pipeline_name: str, name: str) -> Document:
    """Return a run."""
    return {
        "apiVersion": "penstock.dev/v1alpha1",
        "kind": "PipelineRun",
        "metadata": {"name": name},
        "spec": {"pipelineRef": {"name": pipeline_name}},
    }


def is_job_complete(job: Document) -> bool:
    """Whether a Job reports Complete; a failed one is an error, not a figure."""
    conditions = {c["type"]: c["status"] for c in job.get("status", {}).get("conditions", [])}
    if conditions.get("Failed") == "True":
        raise RuntimeError(f"Job {job['metadata']['name']} failed")
    return conditions.get("Complete") == "True"


def is_run_over(run: Document) -> bool:
    """Whether a run has succeeded; a failed one is an error, not a figure."""
    state = run.get("status", {}).get("state")
    if state not in (None, "InProgress", "Succeeded"):
        raise RuntimeError(
            f"run {run['metadata']['name']} {state}: {run['status'].get('statusSummary')}"
        )
    return bool(state == "Succeeded")


@dataclass
class Bench:
    """A namespace to measure in."""

    kube: Kube
    namespace: str

    def seconds(self, plural: str, bodies: list[Document]) -> float:
        """Create objects at once and return the seconds until a watch says
        that the last one is over.
        """
        is_over = is_job_complete if plural == "jobs" else is_run_over
        left = {body["metadata"]["name"] for body in bodies}
        changes = self.kube.watch(plural, self.namespace, LIMIT_S)
        started = time.perf_counter()
        threads = [
            threading.Thread(
                target=self.kube.create, args=(plural, self.namespace, body), daemon=True
            )
            for body in bodies
        ]
        for thread in threads:
            thread.start()
        for changed in changes:
            if changed["metadata"]["name"] in left and is_over(changed):
                left.discard(changed["metadata"]["name"])
            if not left:
                return time.perf_counter() - started
        raise RuntimeError(
            f"{len(left)} of {len(bodies)} {plural} were not over within {LIMIT_S:g} s"
        )

    def job(self, name: str) -> float:
        """Return the seconds of one bare Job."""
        return self.seconds("jobs", [bare_job(name)])

    def run(self, pipeline_name: str, name: str) -> float:
        """Return the seconds of one run."""
        return self.seconds("pipelineruns", [run_of(pipeline_name, name)])

    def apply(self, *documents: Any) -> None:
        """Apply pipelines and wait until they are ready."""
        self.kube.apply(list(documents), self.namespace)
        names = {document["metadata"]["name"] for document in documents}
        eventually(lambda: names <= self._ready(), 30, "pipelines ready")

    def _ready(self) -> set[str]:
        return {
            item["metadata"]["name"]
            for item in self.kube.objects("pipelines", self.namespace)
            for condition in item.get("status", {}).get("conditions", [])
            if condition["type"] == "Ready" and condition["status"] == "True"
        }
