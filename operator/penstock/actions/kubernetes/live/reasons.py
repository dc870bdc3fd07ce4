"""Tells why a workload is not ready: by its newest pod, if that says more than the workload."""

from collections.abc import Mapping
from typing import Any

from penstock.actions.kubernetes.live.server import ApiError, ServedResource, Server

_PODS = ServedResource("/api/v1", "pods", True)
# Every container waits for these two on its way.
_DULL = {"ContainerCreating", "PodInitializing"}
_WITH_PODS = {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job"}


def pod_reason(server: Server, item: Mapping[str, Any], namespace: str) -> str:
    """Return the newest telling reason, or nothing; that we may not list pods is no failure."""
    selector = _selector((item.get("spec") or {}).get("selector") or {})
    if item.get("kind") not in _WITH_PODS or not selector:
        return ""
    try:
        pods = server.get(_PODS.path(namespace), labelSelector=selector, limit="50").get(
            "items", []
        )
    except ApiError:
        return ""
    newest = sorted(
        pods, key=lambda pod: pod["metadata"].get("creationTimestamp", ""), reverse=True
    )
    return next(
        (
            f"pod {pod['metadata']['name']}: {reason}"
            for pod in newest
            if (reason := reason_of(pod))
        ),
        "",
    )


def reason_of(pod: Mapping[str, Any]) -> str:
    """Return what keeps a pod from being ready, in its own words."""
    status = pod.get("status") or {}
    for container in [
        *(status.get("initContainerStatuses") or []),
        *(status.get("containerStatuses") or []),
    ]:
        state, name = container.get("state") or {}, container.get("name", "")
        waiting = state.get("waiting") or {}
        if waiting.get("reason") and waiting["reason"] not in _DULL:
            return f"container {name}: {waiting['reason']}: {waiting.get('message', '')}".rstrip(
                ": "
            )
        ended = state.get("terminated") or {}
        if ended.get("exitCode"):
            return (
                f"container {name}: {ended.get('reason', 'Error')}: exit code {ended['exitCode']}"
            )
    for condition in status.get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return f"{condition.get('reason', '')}: {condition.get('message', '')}"
    return (
        str(status.get("message") or status.get("reason") or "")
        if status.get("phase") == "Failed"
        else ""
    )


def _selector(selector: Mapping[str, Any]) -> str:
    terms = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for item in selector.get("matchExpressions") or []:
        values, key = ",".join(item.get("values") or []), item.get("key", "")
        terms.append(
            {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "Exists": key}.get(
                item.get("operator", ""), f"!{key}"
            )
        )
    return ",".join(terms)
