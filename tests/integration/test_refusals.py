"""Every refusal of the API server is the run's news: told at once, tried
again, and no other run's.
"""

from __future__ import annotations

from typing import Any

import pytest

from penstock.api.names import job_name
from tests.support.kube import Document, Kube, eventually
from tests.support.kubelet import keep_pods_pending

HEADER = {"apiVersion": "penstock.dev/v1alpha1"}


def action(name: str, **fields: Any) -> Document:
    type_id = {"category": "Compute", "owner": "AWS", "provider": "Commands", "version": "1"}
    return {"name": name, "actionTypeId": type_id, "commands": ["true"], **fields}


APPROVAL = {
    "name": "Ok",
    "actionTypeId": {"category": "Approval", "owner": "AWS", "provider": "Manual", "version": "1"},
}


def pipeline(kube: Kube, namespace: str, name: str, *actions: Document, **fields: Any) -> None:
    spec = {
        "executionMode": "PARALLEL",
        "stages": [{"name": "S", "actions": list(actions)}],
        **fields,
    }
    kube.create(
        "pipelines",
        namespace,
        {**HEADER, "kind": "Pipeline", "metadata": {"name": name}, "spec": spec},
    )


def run(kube: Kube, namespace: str, name: str, of: str = "p") -> None:
    spec = {"pipelineRef": {"name": of}}
    kube.create(
        "pipelineruns",
        namespace,
        {**HEADER, "kind": "PipelineRun", "metadata": {"name": name}, "spec": spec},
    )


def quota(kube: Kube, namespace: str, resource: str, most: int = 0) -> None:
    body = {"metadata": {"name": "tight"}, "spec": {"hard": {f"count/{resource}": str(most)}}}
    path = f"/api/v1/namespaces/{namespace}/resourcequotas"
    kube.request("POST", path, body)
    eventually(
        lambda: kube.request("GET", f"{path}/tight").get("status", {}).get("hard"),
        20,
        "the quota counts",
    )


def status(kube: Kube, namespace: str, name: str) -> Document:
    found: Document = kube.get("pipelineruns", namespace, name).get("status", {})
    return found


def reason(kube: Kube, namespace: str, name: str) -> str:
    conditions = status(kube, namespace, name).get("conditions", ())
    return next((c["reason"] for c in conditions if c["type"] == "Succeeded"), "")


def row(kube: Kube, namespace: str, name: str) -> Document:
    stages = status(kube, namespace, name).get("stageStates", ())
    rows: list[Document] = [
        e for s in stages for a in s.get("actionStates", ()) for e in a.get("executions", ())
    ]
    return rows[-1] if rows else {}


def jobs(kube: Kube, namespace: str) -> list[str]:
    return [
        job["metadata"]["name"] for job in kube.objects("jobs", namespace, "penstock.dev/run-uid")
    ]


@pytest.mark.parametrize(
    ("resource", "first"), [("jobs.batch", action("Make")), ("approvals.penstock.dev", APPROVAL)]
)
def test_attack_06_quota_is_told_by_the_run_and_its_action_until_it_has_room(
    kube: Kube, namespace: str, resource: str, first: Document
) -> None:
    keep_pods_pending(kube, namespace)
    pipeline(kube, namespace, "p", first)
    quota(kube, namespace, resource)
    run(kube, namespace, "r")

    eventually(
        lambda: reason(kube, namespace, "r") == "QuotaExceeded",
        20,
        "the run says why it does not start",
    )
    told = row(kube, namespace, "r")
    assert (told["status"], told["waiting"]["code"]) == ("InProgress", "QuotaExceeded")
    assert "exceeded quota" in told["waiting"]["message"]
    assert f"S/{first['name']} cannot start: " in status(kube, namespace, "r")["statusSummary"]

    kube.request("DELETE", f"/api/v1/namespaces/{namespace}/resourcequotas/tight")
    eventually(
        lambda: "waiting" not in row(kube, namespace, "r"), 30, "it starts once there is room"
    )
    assert row(kube, namespace, "r")["status"] == "InProgress"


def test_attack_06_quota_of_definitions_is_told_by_the_run_that_needs_one(
    kube: Kube, namespace: str
) -> None:
    keep_pods_pending(kube, namespace)
    quota(kube, namespace, "controllerrevisions.apps")
    pipeline(kube, namespace, "p", action("Make"))
    run(kube, namespace, "r")

    eventually(
        lambda: reason(kube, namespace, "r") == "QuotaExceeded",
        20,
        "the run says why it does not start",
    )
    assert "state" not in status(kube, namespace, "r")

    kube.request("DELETE", f"/api/v1/namespaces/{namespace}/resourcequotas/tight")
    eventually(lambda: jobs(kube, namespace), 30, "it starts once there is room")


def test_attack_06_name_that_is_taken_stalls_no_other_run(kube: Kube, namespace: str) -> None:
    """The name of a Job follows from who wants it: somebody who reads runs can take it first."""
    keep_pods_pending(kube, namespace)
    run(kube, namespace, "r1")
    uid = kube.get("pipelineruns", namespace, "r1")["metadata"]["uid"]
    name = job_name(uid, "S", "Make", 1, 1)
    spec = {"restartPolicy": "Never", "containers": [{"name": "x", "image": "none"}]}
    squatter = {"metadata": {"name": name}, "spec": {"suspend": True, "template": {"spec": spec}}}
    kube.request("POST", kube.path("jobs", namespace), squatter)
    pipeline(kube, namespace, "p", action("Make"))
    run(kube, namespace, "r2")

    eventually(
        lambda: reason(kube, namespace, "r1") == "NameTaken",
        30,
        "the first run says that its name is taken",
    )
    eventually(lambda: len(jobs(kube, namespace)) == 1, 20, "the second run has its Job")
    assert f"Job {namespace}/{name} exists" in status(kube, namespace, "r1")["statusSummary"]

    kube.request("DELETE", kube.path("jobs", namespace, name))
    eventually(
        lambda: len(jobs(kube, namespace)) == 2, 30, "the first run goes on when its name is free"
    )
