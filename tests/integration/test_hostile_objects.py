"""One object that cannot be read, or asks for too much, is its own namespace's problem."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.kube import Document, Kube, eventually

HEADER = {"apiVersion": "penstock.dev/v1alpha1", "kind": "Pipeline"}
ACTION = {
    "name": "A",
    "actionTypeId": {"category": "Compute", "owner": "AWS", "provider": "Commands", "version": "1"},
    "commands": ["true"],
}
SPEC: Document = {"startOnCreate": False, "stages": [{"name": "S", "actions": [ACTION]}]}


def nested(levels: int) -> str:
    """Return JSON that Python's own encoder could not write."""
    return '{"f:a":' * levels + "{}" + "}" * levels


def with_deep_fields(name: str, levels: int, **more: Any) -> str:
    fields = {
        "manager": "x",
        "operation": "Update",
        "apiVersion": "v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": "DEEP",
    }
    body = {"metadata": {"name": name, "managedFields": [fields]}, **more}
    return json.dumps(body).replace('"DEEP"', f'{{"f:spec":{nested(levels)}}}')


def restarts(kube: Kube) -> int:
    pods = kube.objects("pods", "penstock-system", "app.kubernetes.io/name=penstock")
    assert pods
    return sum(
        status["restartCount"] for pod in pods for status in pod["status"]["containerStatuses"]
    )


def becomes_ready(kube: Kube, namespace: str, name: str) -> bool:
    conditions = kube.get("pipelines", namespace, name).get("status", {}).get("conditions", ())
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


@pytest.mark.parametrize("levels", [300, 600, 900, 1_500, 9_000])
def test_attack_01_object_too_deep_to_read_stops_nobody_else(
    kube: Kube, namespace: str, levels: int
) -> None:
    before = restarts(kube)
    pipelines = f"/apis/penstock.dev/v1alpha1/namespaces/{namespace}/pipelines"
    pod = {"spec": {"containers": [{"name": "agent", "image": "none"}]}}
    hostile = with_deep_fields("deep-pod", levels, **pod)
    hostile = hostile.replace(
        '"name": "deep-pod"', '"name": "deep-pod", "labels": {"penstock.dev/run-uid": "x"}'
    )

    assert (
        kube.status_of("POST", pipelines, with_deep_fields("deep", levels, **HEADER, spec=SPEC))
        == 201
    )
    assert kube.status_of("POST", f"/api/v1/namespaces/{namespace}/pods", hostile) == 201
    with kube.namespace(f"{namespace}-next") as neighbour:
        kube.create("pipelines", neighbour, {**HEADER, "metadata": {"name": "p"}, "spec": SPEC})
        eventually(
            lambda: becomes_ready(kube, neighbour, "p"), 30, "the neighbour's Pipeline is Ready"
        )

    assert restarts(kube) == before


@pytest.mark.parametrize("field", ["triggers", "artifactStores", "blockers"])
def test_attack_01_no_field_is_open_ended(kube: Kube, namespace: str, field: str) -> None:
    deep = nested(1_200)
    stage = json.dumps({"name": "S", "actions": [ACTION]})[:-1]
    inside = {
        "triggers": f'"triggers":[{deep}],"stages":[{stage}}}]',
        "artifactStores": f'"artifactStores":{{"us-east-1":{deep}}},"stages":[{stage}}}]',
        "blockers": f'"stages":[{stage},"blockers":[{deep}]}}]',
    }[field]
    head = '"apiVersion":"penstock.dev/v1alpha1","kind":"Pipeline","metadata":{"name":"p"}'
    body = f'{{{head},"spec":{{{inside}}}}}'

    assert (
        kube.status_of(
            "POST", f"/apis/penstock.dev/v1alpha1/namespaces/{namespace}/pipelines", body
        )
        == 422
    )
