"""Manifests for tests of deploys, and an action that makes artifacts of them."""

from __future__ import annotations

import json
from typing import Any

from tests.e2e.conftest import Team, commands, stage
from tests.support.kube import Document, Kube


def config_map(
    name: str, /, annotations: Document | None = None, namespace: str = "", **data: str
) -> Document:
    """Return a ConfigMap."""
    metadata: Document = {"name": name} | ({"annotations": annotations} if annotations else {})
    metadata |= {"namespace": namespace} if namespace else {}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def secret(name: str, **data: str) -> Document:
    """Return a Secret."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}


def deployment(name: str, image: str, command: tuple[str, ...] = (), **spec: Any) -> Document:
    """Return a Deployment of one container, called ``web``."""
    labels = {"app": name}
    container: Document = {"name": "web", "image": image} | (
        {"command": list(command)} if command else {}
    )
    pod = {"containers": [container], "terminationGracePeriodSeconds": 0}
    template = {"metadata": {"labels": labels}, "spec": pod}
    body = {"selector": {"matchLabels": labels}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": body}


def make(**artifacts: list[Document]) -> Document:
    """Return a stage whose actions make these artifacts, each of one file of manifests."""
    return make_files(**{name: {"all.json": as_list(items)} for name, items in artifacts.items()})


def make_files(**artifacts: dict[str, str]) -> Document:
    """Return a stage whose actions make these artifacts of files."""
    actions = []
    for name, files in artifacts.items():
        lines = [
            f"mkdir -p ./{path.rpartition('/')[0]} && printf %s '{text}' > {path}"
            for path, text in files.items()
        ]
        actions.append(
            commands(f"Make{name}", *lines, outputArtifacts=[{"name": name, "files": ["**/*"]}])
        )
    return stage("Make", *actions)


def as_list(items: list[Document]) -> str:
    """Return manifests as one file."""
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def allow_edit(kube: Kube, namespace: str, account_namespace: str) -> None:
    """Let the default service account of a namespace edit in another one, or its own."""
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "deployer"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"},
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": account_namespace}],
    }
    kube.apply([binding], namespace)


def log_of(team: Team, action: str, run: str = "run") -> list[str]:
    """Return the lines that an action logged."""
    pod = team.pod_of(team.execution(action, run)["jobName"])
    assert pod is not None
    return team.kube.log(team.namespace, pod["metadata"]["name"]).splitlines()
