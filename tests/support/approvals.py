"""People who decide approvals: identities of a test cluster, and how each
writes with nothing but kubectl's means.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tests.support.install import SYSTEM
from tests.support.kube import Document, Kube, KubeError, eventually

POLICY = "penstock-approvals"
OPERATOR = f"system:serviceaccount:{SYSTEM}:penstock"
TRIGGERS = f"{OPERATOR}-triggers"


def approval_action(name: str = "Ok", **fields: Any) -> Document:
    """Return a manual approval."""
    type_id = {"category": "Approval", "owner": "AWS", "provider": "Manual", "version": "1"}
    return {"name": name, "actionTypeId": type_id, **fields}


def acting_as(kube: Kube, user: str, *groups: str) -> Kube:
    """Return the same cluster as somebody else sees it."""
    return replace(kube, user=user, groups=groups)


def let_edit(kube: Kube, namespace: str, *users: str, role: str = "edit") -> None:
    """Give users the rights of Kubernetes' own role in a namespace."""
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": f"people-{role}"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [
            {"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}
            for user in users
        ],
    }
    kube.apply([binding], namespace)
    wanted = {
        "group": "penstock.dev",
        "resource": "approvals",
        "verb": "patch",
        "namespace": namespace,
    }
    for user in users:
        kube.await_right(user, resourceAttributes=wanted)


def pending(kube: Kube, namespace: str, run: str = "run", seconds: float = 20) -> Document:
    """Wait until a run waits for an approval; return the Approval."""

    def found() -> Document | None:
        items = [
            item for item in kube.objects("approvals", namespace) if item["spec"]["run"] == run
        ]
        return next((item for item in items if item["status"].get("state") == "Pending"), None)

    approval: Document = eventually(found, seconds, f"an approval for run {run}")
    return approval


def decide(
    kube: Kube, namespace: str, name: str, decision: str, comment: str = "", **more: str
) -> Document:
    """Add one's own decision, by a JSON patch as the documentation shows it."""
    made = (
        {"user": kube.user, "decision": decision} | ({"comment": comment} if comment else {}) | more
    )
    patch = [{"op": "add", "path": "/spec/decisions/-", "value": made}]
    path = kube.path("approvals", namespace, name)
    return kube.request("PATCH", path, patch, content_type="application/json-patch+json")


@contextlib.contextmanager
def unguarded(kube: Kube, plural: str, weaker: Document | None = None) -> Iterator[None]:
    """Remove the policy of Approvals, or its binding, for the time of a test,
    or only make it weaker.
    """
    kept = kube.get(plural, None, POLICY)
    if weaker:
        kube.patch(plural, None, POLICY, {"spec": weaker})
    else:
        kube.delete(plural, None, POLICY)
    try:
        eventually(lambda: not is_forgery_denied(kube), 20, "the policy no longer enforced")
        yield
    finally:
        # As Helm wrote it: an upgrade would stumble over fields of another manager.
        managers = [
            m["manager"] for m in kept["metadata"]["managedFields"] if not m.get("subresource")
        ]
        for field in ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"):
            kept["metadata"].pop(field, None)
        kept.pop("status", None)
        path = f"{kube.path(plural, None, POLICY)}?fieldManager={managers[0]}&force=true"
        kube.request("PATCH", path, kept, content_type="application/apply-patch+yaml")
        eventually(lambda: is_forgery_denied(kube), 20, "the policy enforced again")


def is_forgery_denied(kube: Kube) -> bool:
    """Whether somebody who may do everything is denied to create an Approval."""
    path = f"{kube.path('approvals', 'default')}?dryRun=All"
    spec = {
        "pipelineName": "p", "pipelineExecutionId": "u", "run": "r", "stageName": "S",
        "actionName": "A",
        "attempt": 1, "token": "t", "quorum": 1, "expirationTime": "2100-01-01T00:00:00Z",
    }  # fmt: skip
    body = {
        "apiVersion": "penstock.dev/v1alpha1", "kind": "Approval", "metadata": {"name": "forged"},
        "spec": spec,
    }  # fmt: skip
    try:
        kube.request("POST", path, body)
    except KubeError as error:
        if "created by the operator alone" not in error.message:
            raise
        return True
    return False
