"""The objects of the contract, and looks at them.

The kinds are such as the running operator leaves alone: BuildProjects, suspended Jobs, Events; a
Pipeline or a run only where one answer is looked at.
"""

from __future__ import annotations

import asyncio

from penstock.cluster.client import Client
from penstock.cluster.errors import ForbiddenError, NotFoundError
from penstock.cluster.resources import PODS, Resource
from tests.support.fake_documents import Document

_LONGEST_S = 60.0
MARK = "tests.penstock.dev/contract"


def project(name: str = "web", **meta: object) -> Document:
    """Return a BuildProject."""
    header = {"apiVersion": "penstock.dev/v1alpha1", "kind": "BuildProject"}
    return {**header, "metadata": {"name": name, **meta}, "spec": {"image": "none"}}


def job(name: str, **meta: object) -> Document:
    """Return a Job that starts no pod."""
    container = {"name": "x", "image": "none"}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    spec = {"suspend": True, "template": template}
    header = {"apiVersion": "batch/v1", "kind": "Job"}
    return {**header, "metadata": {"name": name, **meta}, "spec": spec}


def run(name: str, **fields: object) -> Document:
    """Return a PipelineRun of a Pipeline that does not exist."""
    header = {"apiVersion": "penstock.dev/v1alpha1", "kind": "PipelineRun"}
    spec = {"pipelineRef": {"name": "absent"}}
    return {**header, "metadata": {"name": name}, "spec": spec, **fields}


def pod(name: str, **spec: object) -> Document:
    """Return a Pod that no node takes, unless its spec names one."""
    wanted = {
        "containers": [{"name": "x", "image": "none"}],
        "nodeSelector": {MARK: "nowhere"},
        "terminationGracePeriodSeconds": 30,
    }
    header = {"apiVersion": "v1", "kind": "Pod"}
    return {**header, "metadata": {"name": name}, "spec": {**wanted, **spec}}


def version_of(document: Document) -> str:
    """Return an object's version."""
    return str(document["metadata"]["resourceVersion"])


async def names(client: Client, resource: Resource, namespace: str, **wanted: str) -> list[str]:
    """Return the names that a LIST shows, in its order."""
    listed = client.list(resource, namespace, **wanted)
    return [document["metadata"]["name"] async for document in listed]


async def is_gone(client: Client, resource: Resource, namespace: str, name: str) -> bool:
    """Whether an object is no more, or soon is."""
    for _ in range(int(_LONGEST_S / 0.2)):
        try:
            await client.get(resource, namespace, name)
        except NotFoundError:
            return True
        await asyncio.sleep(0.2)
    return False


async def created_pod(client: Client, namespace: str, document: Document) -> Document:
    """Create a Pod, once its namespace has a service account."""
    for _ in range(int(_LONGEST_S / 0.2)):
        try:
            return await client.create(PODS, namespace, document)
        except ForbiddenError:
            await asyncio.sleep(0.2)
    return await client.create(PODS, namespace, document)
