"""kstatus: a table of objects and verdicts, after the rules of sigs.k8s.io/cli-utils."""

from typing import Any

import pytest

from penstock.actions.kubernetes.live.kstatus import status_of

TRUE, FALSE = "True", "False"


def item(
    kind: str, status: dict[str, Any] | None = None, spec: dict[str, Any] | None = None, **more: Any
) -> Any:
    version = {
        "Pod": "v1",
        "Service": "v1",
        "PersistentVolumeClaim": "v1",
        "ConfigMap": "v1",
        "Job": "batch/v1",
    }
    version |= {
        "CustomResourceDefinition": "apiextensions.k8s.io/v1",
        "PodDisruptionBudget": "policy/v1",
    }
    version |= dict.fromkeys(("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"), "apps/v1")
    metadata = {"name": "x", "generation": 1, **more}
    found = {"apiVersion": version.get(kind, "example.com/v1"), "kind": kind, "metadata": metadata}
    return (
        found
        | ({"spec": spec} if spec is not None else {})
        | ({"status": status} if status is not None else {})
    )


def condition(kind: str, status: str, reason: str = "", message: str = "") -> dict[str, str]:
    return {"type": kind, "status": status, "reason": reason, "message": message}


ROLLED_OUT = [
    condition("Progressing", TRUE, "NewReplicaSetAvailable"),
    condition("Available", TRUE),
]
COUNTS = {"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2, "readyReplicas": 2}
SET = {
    "replicas": 2,
    "readyReplicas": 2,
    "currentReplicas": 2,
    "currentRevision": "a",
    "updateRevision": "a",
}
DAEMONS = {
    "observedGeneration": 1,
    "desiredNumberScheduled": 2,
    "currentNumberScheduled": 2,
    "updatedNumberScheduled": 2,
    "numberAvailable": 2,
    "numberReady": 2,
}
TWO = {"replicas": 2}
CRASHING = {"name": "app", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}

CASES: dict[str, tuple[Any, str]] = {
    "object without status": (item("ConfigMap"), "Current: "),
    "object being deleted": (
        item("ConfigMap", deletionTimestamp="now"),
        "Terminating: the object is being deleted",
    ),
    "old generation": (
        item("Widget", {"observedGeneration": 1}, generation=2),
        "InProgress: generation is 2, but the latest observed generation is 1",
    ),
    "resource without conditions": (item("Widget", {"observedGeneration": 1}), "Current: "),
    "Ready": (item("Widget", {"conditions": [condition("Ready", TRUE)]}), "Current: "),
    "not Ready": (
        item("Widget", {"conditions": [condition("Ready", FALSE, "No", "not yet")]}),
        "InProgress: No: not yet",
    ),
    "Ready unknown": (
        item("Widget", {"conditions": [condition("Ready", "Unknown", "Why")]}),
        "InProgress: Why",
    ),
    "Stalled": (
        item(
            "Widget",
            {"conditions": [condition("Ready", TRUE), condition("Stalled", TRUE, "Bad", "x")]},
        ),
        "Failed: Bad: x",
    ),
    "Reconciling": (
        item("Widget", {"conditions": [condition("Reconciling", TRUE, "Busy")]}),
        "InProgress: Busy",
    ),
    "Reconciling before Stalled": (
        item(
            "Widget",
            {
                "conditions": [
                    condition("Reconciling", TRUE, "Busy"),
                    condition("Stalled", TRUE, "Bad"),
                ]
            },
        ),
        "InProgress: Busy",
    ),
    "Stalled false": (item("Widget", {"conditions": [condition("Stalled", FALSE)]}), "Current: "),
    "status is no object": (item("Widget") | {"status": "up"}, "Current: "),
    "Deployment fresh": (item("Deployment", {}, TWO), "InProgress: replicas: 0/2"),
    "Deployment replicas default to one": (item("Deployment", {}, {}), "InProgress: replicas: 0/1"),
    "Deployment updating": (
        item("Deployment", COUNTS | {"updatedReplicas": 1}, TWO),
        "InProgress: updated: 1/2",
    ),
    "Deployment surplus": (
        item("Deployment", COUNTS | {"replicas": 3}, TWO),
        "InProgress: pending termination: 1",
    ),
    "Deployment unavailable": (
        item("Deployment", COUNTS | {"availableReplicas": 1}, TWO),
        "InProgress: available: 1/2",
    ),
    "Deployment not ready": (
        item("Deployment", COUNTS | {"readyReplicas": 1}, TWO),
        "InProgress: ready: 1/2",
    ),
    "Deployment without Available": (
        item("Deployment", COUNTS | {"conditions": ROLLED_OUT[:1]}, TWO),
        "InProgress: the Deployment is not available",
    ),
    "Deployment without new ReplicaSet": (
        item("Deployment", COUNTS | {"conditions": ROLLED_OUT[1:]}, TWO),
        "InProgress: the ReplicaSet is not available",
    ),
    "Deployment without a deadline": (
        item(
            "Deployment",
            COUNTS | {"conditions": ROLLED_OUT[1:]},
            TWO | {"progressDeadlineSeconds": 2**31 - 1},
        ),
        "Current: ",
    ),
    "Deployment rolled out": (
        item("Deployment", COUNTS | {"conditions": ROLLED_OUT}, TWO),
        "Current: ",
    ),
    "Deployment past its deadline": (
        item(
            "Deployment",
            {
                "conditions": [
                    condition("Progressing", FALSE, "ProgressDeadlineExceeded", "too slow")
                ]
            },
        ),
        "Failed: ProgressDeadlineExceeded: too slow",
    ),
    "Deployment scaled to zero": (
        item("Deployment", {"conditions": ROLLED_OUT}, {"replicas": 0}),
        "Current: ",
    ),
    "StatefulSet fresh": (item("StatefulSet", {}, TWO), "InProgress: replicas: 0/2"),
    "StatefulSet not ready": (
        item("StatefulSet", SET | {"readyReplicas": 1}, TWO),
        "InProgress: ready: 1/2",
    ),
    "StatefulSet surplus": (
        item("StatefulSet", SET | {"replicas": 3}, TWO),
        "InProgress: pending termination: 1",
    ),
    "StatefulSet updating": (
        item("StatefulSet", SET | {"updateRevision": "b"}, TWO),
        "InProgress: waiting for the updated revision b",
    ),
    "StatefulSet current short": (
        item("StatefulSet", SET | {"currentReplicas": 1}, TWO),
        "InProgress: current: 1/2",
    ),
    "StatefulSet rolled out": (item("StatefulSet", SET, TWO), "Current: "),
    "StatefulSet OnDelete": (
        item("StatefulSet", {}, {"updateStrategy": {"type": "OnDelete"}}),
        "Current: ",
    ),
    "StatefulSet partition done": (
        item(
            "StatefulSet",
            SET | {"updatedReplicas": 1},
            TWO | {"updateStrategy": {"rollingUpdate": {"partition": 1}}},
        ),
        "Current: ",
    ),
    "StatefulSet partition short": (
        item("StatefulSet", SET, TWO | {"updateStrategy": {"rollingUpdate": {"partition": 1}}}),
        "InProgress: updated: 0/1",
    ),
    "DaemonSet fresh": (
        item("DaemonSet", {}),
        "InProgress: the DaemonSet has not been observed yet",
    ),
    "DaemonSet updating": (
        item("DaemonSet", DAEMONS | {"updatedNumberScheduled": 1}),
        "InProgress: updated: 1/2",
    ),
    "DaemonSet not ready": (
        item("DaemonSet", DAEMONS | {"numberReady": 1}),
        "InProgress: ready: 1/2",
    ),
    "DaemonSet rolled out": (item("DaemonSet", DAEMONS), "Current: "),
    "DaemonSet without nodes": (
        item("DaemonSet", {"observedGeneration": 1, "desiredNumberScheduled": 0}),
        "Current: ",
    ),
    "ReplicaSet refused": (
        item(
            "ReplicaSet",
            {"conditions": [condition("ReplicaFailure", TRUE, "FailedCreate", "quota")]},
        ),
        "InProgress: FailedCreate: quota",
    ),
    "ReplicaSet short": (
        item("ReplicaSet", {"replicas": 2, "fullyLabeledReplicas": 2, "availableReplicas": 1}, TWO),
        "InProgress: available: 1/2",
    ),
    "ReplicaSet up": (
        item(
            "ReplicaSet",
            {"replicas": 2, "fullyLabeledReplicas": 2, "availableReplicas": 2, "readyReplicas": 2},
            TWO,
        ),
        "Current: ",
    ),
    "Pod fresh": (item("Pod", {}), "InProgress: the pod is not seen by a node yet"),
    "Pod unschedulable": (
        item(
            "Pod",
            {
                "phase": "Pending",
                "conditions": [condition("PodScheduled", FALSE, "Unschedulable", "no room")],
            },
        ),
        "InProgress: Unschedulable: no room",
    ),
    "Pod ready": (
        item("Pod", {"phase": "Running", "conditions": [condition("Ready", TRUE)]}),
        "Current: ",
    ),
    "Pod running": (item("Pod", {"phase": "Running"}), "InProgress: the pod is Running"),
    "Pod crashing": (
        item("Pod", {"phase": "Running", "containerStatuses": [CRASHING]}),
        "Failed: CrashLoopBackOff: containers app",
    ),
    "Pod done": (item("Pod", {"phase": "Succeeded"}), "Current: "),
    "Pod failed": (item("Pod", {"phase": "Failed", "message": "evicted"}), "Failed: evicted"),
    "Job started": (item("Job", {"active": 1}), "InProgress: active 1, succeeded 0"),
    "Job complete": (item("Job", {"conditions": [condition("Complete", TRUE)]}), "Current: "),
    "Job suspended": (item("Job", {"conditions": [condition("Suspended", TRUE)]}), "Current: "),
    "Job failed": (
        item("Job", {"conditions": [condition("Failed", TRUE, "BackoffLimitExceeded", "x")]}),
        "Failed: BackoffLimitExceeded: x",
    ),
    "claim pending": (
        item("PersistentVolumeClaim", {"phase": "Pending"}),
        "InProgress: the claim is Pending",
    ),
    "claim bound": (item("PersistentVolumeClaim", {"phase": "Bound"}), "Current: "),
    "Service": (item("Service", {"loadBalancer": {}}, {"type": "ClusterIP"}), "Current: "),
    "Service without address": (
        item("Service", {"loadBalancer": {}}, {"type": "LoadBalancer"}),
        "InProgress: no load balancer address has been assigned",
    ),
    "Service with address": (
        item(
            "Service",
            {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}},
            {"type": "LoadBalancer"},
        ),
        "Current: ",
    ),
    "definition fresh": (
        item("CustomResourceDefinition", {}),
        "InProgress: the definition is not established",
    ),
    "definition installing": (
        item(
            "CustomResourceDefinition",
            {"conditions": [condition("Established", FALSE, "Installing")]},
        ),
        "InProgress: the definition is not established",
    ),
    "definition with taken names": (
        item(
            "CustomResourceDefinition",
            {"conditions": [condition("NamesAccepted", FALSE, "Taken", "x")]},
        ),
        "Failed: Taken: x",
    ),
    "definition established": (
        item("CustomResourceDefinition", {"conditions": [condition("Established", TRUE)]}),
        "Current: ",
    ),
    "bug 07: Deployment paused with all its pods": (
        item(
            "Deployment",
            COUNTS
            | {
                "conditions": [
                    condition("Progressing", "Unknown", "DeploymentPaused"),
                    condition("Available", TRUE),
                ]
            },
            TWO | {"paused": True},
        ),
        "Current: ",
    ),
    "bug 07: Deployment whose pods are refused": (
        item(
            "Deployment",
            {"conditions": [condition("ReplicaFailure", TRUE, "FailedCreate", "quota")]},
            TWO,
        ),
        "InProgress: FailedCreate: quota",
    ),
    "bug 07: DaemonSet OnDelete": (
        item(
            "DaemonSet",
            DAEMONS | {"updatedNumberScheduled": 0},
            {"updateStrategy": {"type": "OnDelete"}},
        ),
        "Current: ",
    ),
    "bug 07: StatefulSet of none": (
        item(
            "StatefulSet",
            {"replicas": 0, "currentRevision": "a", "updateRevision": "a"},
            {"replicas": 0},
        ),
        "Current: ",
    ),
    "bug 07: StatefulSet with a partition beyond its pods": (
        item(
            "StatefulSet",
            SET | {"updateRevision": "b"},
            TWO | {"updateStrategy": {"rollingUpdate": {"partition": 5}}},
        ),
        "Current: ",
    ),
    "bug 07: Job complete and being deleted": (
        item("Job", {"conditions": [condition("Complete", TRUE)]}, deletionTimestamp="now"),
        "Current: ",
    ),
    "bug 07: Job failed and being deleted": (
        item(
            "Job",
            {"conditions": [condition("Failed", TRUE, "BackoffLimitExceeded")]},
            deletionTimestamp="now",
        ),
        "Failed: BackoffLimitExceeded",
    ),
    "bug 07: Job without parallelism": (item("Job", {}, {"parallelism": 0}), "Current: "),
    "bug 07: Job that asks to be suspended": (item("Job", {}, {"suspend": True}), "Current: "),
    "bug 07: Job that resumed": (
        item(
            "Job", {"active": 1, "conditions": [condition("Suspended", FALSE)]}, {"suspend": False}
        ),
        "InProgress: active 1, succeeded 0",
    ),
    "bug 07: Pod done and being deleted": (
        item("Pod", {"phase": "Succeeded"}, deletionTimestamp="now"),
        "Current: ",
    ),
    "bug 07: Pod with a name that is no image": (
        item(
            "Pod",
            {
                "phase": "Pending",
                "containerStatuses": [
                    {"name": "app", "state": {"waiting": {"reason": "InvalidImageName"}}}
                ],
            },
        ),
        "Failed: InvalidImageName: containers app",
    ),
    "bug 07: Pod whose init container crashes": (
        item("Pod", {"phase": "Pending", "initContainerStatuses": [CRASHING]}),
        "Failed: CrashLoopBackOff: containers app",
    ),
    "bug 07: claim that lost its volume": (
        item("PersistentVolumeClaim", {"phase": "Lost"}),
        "Failed: the claim has lost its volume",
    ),
    "bug 07: budget of no pods": (
        item("PodDisruptionBudget", {"currentHealthy": 0, "desiredHealthy": 2, "expectedPods": 0}),
        "Current: ",
    ),
    "bug 07: budget of fewer pods than it keeps": (
        item("PodDisruptionBudget", {"currentHealthy": 1, "desiredHealthy": 2, "expectedPods": 1}),
        "Current: ",
    ),
    "bug 07: budget whose pods come": (
        item("PodDisruptionBudget", {"currentHealthy": 1, "desiredHealthy": 2, "expectedPods": 3}),
        "InProgress: healthy: 1/2",
    ),
    "bug 07: HorizontalPodAutoscaler that scales nothing": (
        item(
            "HorizontalPodAutoscaler",
            {"conditions": [condition("AbleToScale", FALSE, "FailedGetScale")]},
        ),
        "Current: ",
    ),
    "bug 07: CronJob that never ran": (item("CronJob", {}), "Current: "),
    "budget unmet": (
        item("PodDisruptionBudget", {"currentHealthy": 1, "desiredHealthy": 2}),
        "InProgress: healthy: 1/2",
    ),
    "budget met": (
        item("PodDisruptionBudget", {"currentHealthy": 2, "desiredHealthy": 2}),
        "Current: ",
    ),
}


@pytest.mark.parametrize(("found", "wanted"), CASES.values(), ids=CASES.keys())
def test_status_of_an_object(found: Any, wanted: str) -> None:
    verdict = status_of(found)
    assert f"{verdict.status.value}: {verdict.message}" == wanted
