"""What a node tells late, wrongly or never, with the test as kubelet.

No pod is scheduled, and no real kubelet contradicts what the test writes into the pod's status.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.support.kube import Document, Kube, eventually
from tests.support.kubelet import ended, keep_pods_pending, succeeded, tell

ACTION = {
    "name": "Make",
    "actionTypeId": {"category": "Compute", "owner": "AWS", "provider": "Commands", "version": "1"},
    "commands": ["true"],
}


@pytest.fixture
def pod(kube: Kube, namespace: str) -> Iterator[Document]:
    """The pod of a run's first try, which will never start by itself."""
    keep_pods_pending(kube, namespace)
    pipeline = {
        "metadata": {"name": "p"},
        "spec": {"stages": [{"name": "Build", "actions": [ACTION]}]},
    }
    header = {"apiVersion": "penstock.dev/v1alpha1"}
    kube.create("pipelines", namespace, {**header, "kind": "Pipeline", **pipeline})
    run = {"metadata": {"name": "r"}, "spec": {"pipelineRef": {"name": "p"}}}
    kube.create("pipelineruns", namespace, {**header, "kind": "PipelineRun", **run})
    yield pod_of_try(kube, namespace, 1)


def pod_of_try(kube: Kube, namespace: str, number: int) -> Document:
    def find() -> Document | None:
        pods = kube.objects("pods", namespace, "penstock.dev/run-uid")
        return next(
            (p for p in pods if p["metadata"]["annotations"]["penstock.dev/try"] == str(number)),
            None,
        )

    found: Document = eventually(find, 20, f"the pod of try {number}")
    return found


def executions(kube: Kube, namespace: str) -> list[Document]:
    states = kube.get("pipelineruns", namespace, "r")["status"]["stageStates"]
    found: list[Document] = states[0]["actionStates"][0]["executions"]
    return found


def test_reboot_that_leaves_no_result_is_unknown_and_tried_again(
    kube: Kube, namespace: str, pod: Document
) -> None:
    lost = [ended(name, 137, reason="ContainerStatusUnknown") for name in ("agent", "action")]
    tell(kube, pod, phase="Failed", containerStatuses=lost)
    second = pod_of_try(kube, namespace, 2)
    rows = executions(kube, namespace)

    assert [row["status"] for row in rows] == ["Unknown", "InProgress"]
    assert rows[0]["errorDetails"]["code"] == "AgentLost"
    assert second["metadata"]["uid"] != pod["metadata"]["uid"]


@pytest.mark.parametrize(
    "message", ["", "{", '{"version":2,"status":"Succeeded"}', "z:AAAA", "Succeeded", "[]"]
)
def test_result_that_does_not_parse_is_never_success(
    kube: Kube, namespace: str, pod: Document, message: str
) -> None:
    tell(
        kube,
        pod,
        phase="Succeeded",
        containerStatuses=[ended("agent", 0, message), ended("action", 0)],
    )
    pod_of_try(kube, namespace, 2)
    assert executions(kube, namespace)[0]["status"] == "Unknown"


def test_pod_evicted_after_it_published_counts_as_what_it_published(
    kube: Kube, namespace: str, pod: Document
) -> None:
    containers = [ended("agent", 0, succeeded(pod)), ended("action", 0)]
    tell(
        kube,
        pod,
        phase="Failed",
        reason="Evicted",
        message="disk pressure",
        containerStatuses=containers,
    )
    eventually(
        lambda: kube.get("pipelineruns", namespace, "r")["status"].get("state") == "Succeeded",
        20,
        "the run succeeded",
    )


def test_first_end_written_stands_whatever_the_pod_says_later(
    kube: Kube, namespace: str, pod: Document
) -> None:
    failure = json.dumps(
        {"version": 1, "status": "Failed", "code": "TimedOut", "message": "Timed out after 1 s"}
    )
    tell(
        kube,
        pod,
        phase="Running",
        containerStatuses=[ended("agent", 1, failure), ended("action", 137)],
    )
    eventually(
        lambda: kube.get("pipelineruns", namespace, "r")["status"].get("state") == "Failed",
        20,
        "the run failed",
    )
    before = kube.get("pipelineruns", namespace, "r")["status"]
    tell(
        kube,
        pod,
        phase="Succeeded",
        containerStatuses=[ended("agent", 0, succeeded(pod)), ended("action", 0)],
    )
    kube.patch("pipelineruns", namespace, "r", {"metadata": {"labels": {"look": "again"}}})
    kube.patch("pipelines", namespace, "p", {"metadata": {"labels": {"look": "again"}}})
    eventually(lambda: is_seen(kube, namespace), 20, "the operator's next pass")

    assert kube.get("pipelineruns", namespace, "r")["status"] == before


def is_seen(kube: Kube, namespace: str) -> bool:
    """Whether the operator has worked since: a second run of the pipeline has been admitted."""
    if kube.find("pipelineruns", namespace, "after") is None:
        body = {"metadata": {"name": "after"}, "spec": {"pipelineRef": {"name": "p"}}}
        kube.create(
            "pipelineruns",
            namespace,
            {"apiVersion": "penstock.dev/v1alpha1", "kind": "PipelineRun", **body},
        )
    return "state" in kube.get("pipelineruns", namespace, "after").get("status", {})


def test_exit_code_that_contradicts_the_result_is_a_mismatch(
    kube: Kube, namespace: str, pod: Document
) -> None:
    tell(
        kube,
        pod,
        phase="Running",
        containerStatuses=[ended("agent", 0, succeeded(pod)), ended("action", 3)],
    )
    eventually(
        lambda: kube.get("pipelineruns", namespace, "r")["status"].get("state") == "Failed",
        20,
        "the run failed",
    )
    assert executions(kube, namespace)[0]["errorDetails"]["code"] == "ResultMismatch"
