"""Decides if a live object is what its manifest asked for, by kstatus (sigs.k8s.io/cli-utils).

Pure: an object in, a verdict out. Two rules are stricter or milder, as in Flux and Helm: a Job
counts when it has completed, not when it has started; a pod that cannot be scheduled yet may still
be, so it only waits.
"""

from collections.abc import Callable, Mapping
from typing import Any

from penstock.actions.kubernetes.live.verdicts import (
    CURRENT,
    Status,
    Verdict,
    failed,
    short,
    surplus,
    waiting,
)

Object = Mapping[str, Any]


# Waiting reasons that do not pass by themselves, or pass only after many failures.
_HOPELESS = ("CrashLoopBackOff", "InvalidImageName")


def status_of(item: Object) -> Verdict:
    """Return the verdict on an object as the API server gave it."""
    if verdict := _generic(item):
        return verdict
    group = item.get("apiVersion", "").rpartition("/")[0]
    rule = _RULES.get((group, item.get("kind", "")))
    return rule(item) if rule else _ready(item)


def end_of(item: Object) -> Verdict | None:
    """Return the verdict on a Job or Pod whose work is over, whatever becomes of it; else None."""
    kind = (item.get("apiVersion", ""), item.get("kind", ""))
    if kind == ("batch/v1", "Job"):
        return _end_of_job(item)
    if kind == ("v1", "Pod") and _status(item).get("phase") in ("Succeeded", "Failed"):
        return _pod(item)
    return None


def _generic(item: Object) -> Verdict | None:
    metadata, status = item.get("metadata") or {}, _status(item)
    if verdict := end_of(item):
        return verdict
    if metadata.get("deletionTimestamp"):
        return Verdict(Status.TERMINATING, "the object is being deleted")
    observed, generation = status.get("observedGeneration"), metadata.get("generation")
    if observed is not None and generation is not None and observed != generation:
        return waiting(
            f"generation is {generation}, but the latest observed generation is {observed}"
        )
    for condition in _conditions(item):
        if condition.get("status") == "True" and condition.get("type") == "Reconciling":
            return waiting(_text(condition))
        if condition.get("status") == "True" and condition.get("type") == "Stalled":
            return failed(_text(condition))
    return None


def _ready(item: Object) -> Verdict:
    condition = _condition(item, "Ready")
    if condition is None or condition.get("status") == "True":
        return CURRENT
    return waiting(_text(condition))


def _deployment(item: Object) -> Verdict:
    status, wanted = _status(item), _replicas(item)
    progressing, available = (
        _condition(item, "Progressing") or {},
        _condition(item, "Available") or {},
    )
    refused = _condition(item, "ReplicaFailure") or {}
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        return failed(_text(progressing))
    counts = [
        ("replicas", status.get("replicas", 0), wanted),
        ("updated", status.get("updatedReplicas", 0), wanted),
        ("available", status.get("availableReplicas", 0), status.get("updatedReplicas", 0)),
        ("ready", status.get("readyReplicas", 0), wanted),
    ]
    if verdict := short(counts) or surplus(status.get("replicas", 0), wanted):
        # This condition says why there are no pods, as for want of quota.
        return waiting(_text(refused)) if refused.get("status") == "True" else verdict
    # While it is paused it makes no progress that could be waited for.
    if (item.get("spec") or {}).get("paused") and available.get("status") == "True":
        return CURRENT
    if available.get("status") != "True":
        return waiting("the Deployment is not available")
    # The largest number means no deadline, and then the condition is not kept up.
    has_deadline = (item.get("spec") or {}).get("progressDeadlineSeconds", 600) != 2**31 - 1
    if has_deadline and not (
        progressing.get("status") == "True"
        and progressing.get("reason") == "NewReplicaSetAvailable"
    ):
        return waiting("the ReplicaSet is not available")
    return CURRENT


def _stateful_set(item: Object) -> Verdict:
    status, wanted, spec = _status(item), _replicas(item), item.get("spec") or {}
    strategy = spec.get("updateStrategy") or {}
    # Its pods are new once somebody has deleted the old ones: no wait brings that about.
    if strategy.get("type") == "OnDelete":
        return CURRENT
    counts = [
        ("replicas", status.get("replicas", 0), wanted),
        ("ready", status.get("readyReplicas", 0), wanted),
    ]
    if verdict := short(counts) or surplus(status.get("replicas", 0), wanted):
        return verdict
    partition = (strategy.get("rollingUpdate") or {}).get("partition")
    # Only the pods from the partition on are made anew.
    if partition:
        return short([("updated", status.get("updatedReplicas", 0), wanted - partition)]) or CURRENT
    if verdict := short([("current", status.get("currentReplicas", 0), wanted)]):
        return verdict
    if status.get("currentRevision") != status.get("updateRevision"):
        return waiting(f"waiting for the updated revision {status.get('updateRevision')}")
    return CURRENT


def _replica_set(item: Object) -> Verdict:
    status, wanted = _status(item), _replicas(item)
    failure = _condition(item, "ReplicaFailure") or {}
    if failure.get("status") == "True":
        return waiting(_text(failure))
    counts = [
        (name, status.get(f"{name}Replicas", 0), wanted)
        for name in ("fullyLabeled", "available", "ready")
    ]
    return short(counts) or surplus(status.get("replicas", 0), wanted) or CURRENT


def _daemon_set(item: Object) -> Verdict:
    status = _status(item)
    wanted = status.get("desiredNumberScheduled")
    if "observedGeneration" not in status or wanted is None:
        return waiting("the DaemonSet has not been observed yet")
    if ((item.get("spec") or {}).get("updateStrategy") or {}).get("type") == "OnDelete":
        return CURRENT
    names = {
        "current": "currentNumberScheduled",
        "updated": "updatedNumberScheduled",
        "available": "numberAvailable",
        "ready": "numberReady",
    }
    return short([(name, status.get(key, 0), wanted) for name, key in names.items()]) or CURRENT


def _pod(item: Object) -> Verdict:
    status = _status(item)
    phase = status.get("phase")
    if phase == "Succeeded" or (
        phase == "Running" and (_condition(item, "Ready") or {}).get("status") == "True"
    ):
        return CURRENT
    if phase == "Failed":
        return failed(status.get("message") or status.get("reason") or "the pod failed")
    containers = [
        *(status.get("initContainerStatuses") or []),
        *(status.get("containerStatuses") or []),
    ]
    for reason in _HOPELESS:
        if names := [one.get("name", "") for one in containers if _waits_for(one) == reason]:
            return failed(f"{reason}: containers {', '.join(names)}")
    scheduled = _condition(item, "PodScheduled") or {}
    if scheduled.get("status") == "False":
        return waiting(_text(scheduled))
    return waiting(f"the pod is {phase or 'not seen by a node yet'}")


def _waits_for(container: Mapping[str, Any]) -> str:
    return str(((container.get("state") or {}).get("waiting") or {}).get("reason") or "")


def _end_of_job(item: Object) -> Verdict | None:
    for condition in _conditions(item):
        if condition.get("status") == "True" and condition.get("type") in ("Complete", "Failed"):
            return CURRENT if condition.get("type") == "Complete" else failed(_text(condition))
    return None


def _job(item: Object) -> Verdict:
    status, spec = _status(item), item.get("spec") or {}
    if spec.get("suspend") or spec.get("parallelism") == 0 or _is_true(item, "Suspended"):
        return CURRENT
    return waiting(f"active {status.get('active', 0)}, succeeded {status.get('succeeded', 0)}")


def _claim(item: Object) -> Verdict:
    phase = _status(item).get("phase")
    if phase == "Lost":
        return failed("the claim has lost its volume")
    return CURRENT if phase == "Bound" else waiting(f"the claim is {phase or 'not bound'}")


def _service(item: Object) -> Verdict:
    if (item.get("spec") or {}).get("type") != "LoadBalancer":
        return CURRENT
    has_address = (_status(item).get("loadBalancer") or {}).get("ingress")
    return CURRENT if has_address else waiting("no load balancer address has been assigned")


def _definition(item: Object) -> Verdict:
    names, established = (
        _condition(item, "NamesAccepted") or {},
        _condition(item, "Established") or {},
    )
    if names.get("status") == "False":
        return failed(_text(names))
    # While the server installs a definition, it is not established for a moment.
    if established.get("status") == "False" and established.get("reason") != "Installing":
        return failed(_text(established))
    return (
        CURRENT
        if established.get("status") == "True"
        else waiting("the definition is not established")
    )


def _disruption_budget(item: Object) -> Verdict:
    status = _status(item)
    have, want, pods = (
        status.get(key) for key in ("currentHealthy", "desiredHealthy", "expectedPods")
    )
    if pods is not None and (want or 0) > pods:
        # There are fewer pods than it asks to keep: no wait makes more of them healthy.
        return CURRENT
    return short([("healthy", have or 0, want or 0)]) or CURRENT


_RULES: Mapping[tuple[str, str], Callable[[Object], Verdict]] = {
    ("apps", "Deployment"): _deployment,
    ("apps", "StatefulSet"): _stateful_set,
    ("apps", "ReplicaSet"): _replica_set,
    ("apps", "DaemonSet"): _daemon_set,
    ("", "Pod"): _pod,
    ("batch", "Job"): _job,
    ("", "PersistentVolumeClaim"): _claim,
    ("", "Service"): _service,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _definition,
    ("policy", "PodDisruptionBudget"): _disruption_budget,
}


def _status(item: Object) -> Mapping[str, Any]:
    status = item.get("status")
    return status if isinstance(status, Mapping) else {}


def _replicas(item: Object) -> int:
    replicas = (item.get("spec") or {}).get("replicas")
    return 1 if replicas is None else int(replicas)


def _conditions(item: Object) -> list[Mapping[str, Any]]:
    conditions = _status(item).get("conditions")
    return (
        [one for one in conditions if isinstance(one, Mapping)]
        if isinstance(conditions, list)
        else []
    )


def _condition(item: Object, kind: str) -> Mapping[str, Any] | None:
    return next((one for one in _conditions(item) if one.get("type") == kind), None)


def _is_true(item: Object, kind: str) -> bool:
    return (_condition(item, kind) or {}).get("status") == "True"


def _text(condition: Mapping[str, Any]) -> str:
    reason, message = (
        condition.get("reason") or condition.get("type") or "",
        condition.get("message") or "",
    )
    return f"{reason}: {message}" if message else str(reason)
