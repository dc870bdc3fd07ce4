"""Plays the node, so that no pod has to run.

A LimitRange keeps every pod Pending: no real kubelet contradicts what is told.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from penstock.api.times import format_seconds
from tests.support.kube import Document, Kube, KubeError

LIMITS: Document = {
    "metadata": {"name": "unschedulable"},
    "spec": {
        "limits": [
            {
                "type": "Container",
                "default": {"example.com/none": "1"},
                "defaultRequest": {"example.com/none": "1"},
            }
        ]
    },
}
"""Gives every container a request that no node can hold, and that no pod of ours sets by itself."""


def keep_pods_pending(kube: Kube, namespace: str) -> None:
    """Let no pod of a namespace be scheduled."""
    kube.request("POST", f"/api/v1/namespaces/{namespace}/limitranges", LIMITS)


def tell(kube: Kube, pod: Document, **status: Any) -> None:
    """Write a pod's status, as its kubelet would."""
    meta = pod["metadata"]
    kube.patch("pods", meta["namespace"], meta["name"], {"status": status}, part="/status")


def ended(name: str, code: int, message: str = "", reason: str = "Completed") -> Document:
    """Return the status of a container that has ended."""
    at = format_seconds(datetime.now(UTC))
    state = {
        "exitCode": code,
        "reason": reason,
        "message": message,
        "startedAt": at,
        "finishedAt": at,
    }
    return _container(name, {"terminated": state})


def running(name: str) -> Document:
    """Return the status of a container that runs."""
    return _container(name, {"running": {"startedAt": format_seconds(datetime.now(UTC))}})


def _container(name: str, state: Document) -> Document:
    return {
        "name": name,
        "state": state,
        "ready": False,
        "restartCount": 0,
        "image": "x",
        "imageID": "x",
    }


def succeeded(pod: Document, **result: Any) -> str:
    """Return the message of an agent whose action succeeded."""
    told = {
        "version": 1,
        "status": "Succeeded",
        "podUid": pod["metadata"]["uid"],
        "exitCode": 0,
        **result,
    }
    return json.dumps(told)


def rows_of(run: Document) -> Iterator[tuple[str, Document]]:
    """Yield each try of a run with the name of its action."""
    for stage in run.get("status", {}).get("stageStates", ()):
        for action in stage.get("actionStates", ()):
            yield from ((action["actionName"], row) for row in action.get("executions", ()))


DUPLICATE = json.dumps(
    {"version": 1, "status": "Lost", "code": "DuplicateExecution", "message": "was started before"}
)
"""The message of an agent that found its try claimed."""


@dataclass
class Node:
    """The node of all pods of a namespace. As the store does for real, it
    lets one pod of each try have its effect.
    """

    kube: Kube
    namespace: str
    claims: dict[str, str] = field(default_factory=dict)
    """The uid of the pod that runs a try, by the name of its Job."""

    def pods_of(self, rows: Iterable[Document]) -> Iterator[Document]:
        """Yield the pod that runs each try; all others of its Job find the try claimed.

        Its name says whose a pod is, as labels and owners may have been changed.
        """
        wanted = {row["jobName"] for row in rows if "jobName" in row}
        found: dict[str, list[Document]] = {}
        for pod in self.kube.objects("pods", self.namespace):
            found.setdefault(pod["metadata"]["name"].rpartition("-")[0], []).append(pod)
        for job in wanted & set(found):
            pods = {pod["metadata"]["uid"]: pod for pod in found[job]}
            if self.claims.get(job) not in pods:
                self.claims[job] = min(
                    pods, key=lambda uid: pods[uid]["metadata"]["creationTimestamp"]
                )
            self._tell_all(
                (pods[u], "Failed", [ended("agent", 1, DUPLICATE), ended("action", 1)])
                for u in pods
                if self._is_late(job, pods[u])
            )
            yield pods[self.claims[job]]

    def _is_late(self, job: str, pod: Document) -> bool:
        uid, phase = str(pod["metadata"]["uid"]), str(pod["status"]["phase"])
        return self.claims[job] != uid and phase == "Pending"

    def run(self, pods: Iterable[Document]) -> None:
        """Say of pods that their containers run."""
        self._tell_all((pod, "Running", [running("agent"), running("action")]) for pod in pods)

    def succeed(self, pods: Iterable[Document], **result: Any) -> None:
        """Say of pods that their actions succeeded."""
        self._tell_all(
            (pod, "Succeeded", [ended("agent", 0, succeeded(pod, **result)), ended("action", 0)])
            for pod in pods
        )

    def _tell_all(self, told: Iterable[tuple[Document, str, list[Document]]]) -> None:
        def one(item: tuple[Document, str, list[Document]]) -> None:
            pod, phase, containers = item
            known = {container["name"] for container in pod["spec"]["containers"]}
            try:
                shown = [container for container in containers if container["name"] in known]
                tell(self.kube, pod, phase=phase, containerStatuses=shown)
            except KubeError as error:
                if error.status != 404:
                    raise

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(one, told))
