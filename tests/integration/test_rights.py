"""The accounts of operator and triggers may do what they do, and nothing else."""

from __future__ import annotations

import pytest

from tests.support.install import SYSTEM
from tests.support.kube import Kube, KubeError

OPERATOR = f"system:serviceaccount:{SYSTEM}:penstock"
TRIGGERS = f"{OPERATOR}-triggers"


def may(
    kube: Kube,
    verb: str,
    resource: str,
    group: str = "",
    namespace: str = "default",
    name: str = "",
    user: str = OPERATOR,
) -> bool:
    plural, _, part = resource.partition("/")
    attributes = {
        "verb": verb,
        "resource": plural,
        "group": group,
        "namespace": namespace,
        "name": name,
    }
    spec = {
        "user": user,
        "resourceAttributes": {**attributes, **({"subresource": part} if part else {})},
    }
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
    answer = kube.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", body)
    return bool(answer["status"]["allowed"])


@pytest.mark.parametrize(
    ("verb", "resource", "group"),
    [
        ("watch", "pipelines", "penstock.dev"),
        ("patch", "pipelines/status", "penstock.dev"),
        ("create", "pipelineruns", "penstock.dev"),
        ("delete", "pipelineruns", "penstock.dev"),
        ("patch", "pipelineruns/status", "penstock.dev"),
        ("create", "approvals", "penstock.dev"),
        ("watch", "approvals", "penstock.dev"),
        ("watch", "stagetransitions", "penstock.dev"),
        ("watch", "actiontypes", "penstock.dev"),
        ("watch", "clusteractiontypes", "penstock.dev"),
        ("patch", "approvals/status", "penstock.dev"),
        ("create", "jobs", "batch"),
        ("deletecollection", "jobs", "batch"),
        ("watch", "pods", ""),
        ("create", "controllerrevisions", "apps"),
        ("create", "events", "events.k8s.io"),
    ],
)
def test_operator_may_do_its_work(kube: Kube, verb: str, resource: str, group: str) -> None:
    assert may(kube, verb, resource, group)


@pytest.mark.parametrize(
    ("verb", "resource", "group"),
    [
        ("get", "secrets", ""),
        ("list", "secrets", ""),
        ("create", "pods", ""),
        ("create", "pods/exec", ""),
        ("get", "pods/log", ""),
        ("delete", "pods", ""),
        ("patch", "jobs", "batch"),
        ("patch", "approvals", "penstock.dev"),
        ("delete", "approvals", "penstock.dev"),
        ("patch", "stagetransitions", "penstock.dev"),
        ("create", "actiontypes", "penstock.dev"),
        ("patch", "clusteractiontypes", "penstock.dev"),
        ("get", "validatingadmissionpolicies", "admissionregistration.k8s.io"),
        ("patch", "pipelines", "penstock.dev"),
        ("patch", "pipelineruns", "penstock.dev"),
        ("create", "serviceaccounts/token", ""),
        ("impersonate", "users", ""),
        ("create", "clusterrolebindings", "rbac.authorization.k8s.io"),
        ("get", "leases", "coordination.k8s.io"),
    ],
)
def test_operator_may_do_nothing_else(kube: Kube, verb: str, resource: str, group: str) -> None:
    assert not may(kube, verb, resource, group)


def test_lease_is_the_only_one_the_operator_may_change(kube: Kube) -> None:
    assert may(kube, "patch", "leases", "coordination.k8s.io", SYSTEM, "penstock")
    assert not may(kube, "patch", "leases", "coordination.k8s.io", SYSTEM, "another")


def test_policy_of_approvals_is_the_only_one_the_operator_may_read(kube: Kube) -> None:
    for kind in ("validatingadmissionpolicies", "validatingadmissionpolicybindings"):
        group = "admissionregistration.k8s.io"
        assert may(kube, "get", kind, group, "", "penstock-approvals")
        assert not may(kube, "get", kind, group, "", "penstock-requests")
        assert not may(kube, "patch", kind, group, "", "penstock-approvals")


def test_token_of_the_operator_cannot_read_a_secret(
    kube: Kube, cluster: object, namespace: str
) -> None:
    kube.create("secrets", namespace, {"metadata": {"name": "s"}, "stringData": {"a": "b"}})
    operator = Kube(kube.kubeconfig, token=kube.token_of(SYSTEM, "penstock"))
    with pytest.raises(KubeError, match="forbidden"):
        operator.get("secrets", namespace, "s")


@pytest.mark.parametrize(
    ("verb", "resource", "group"),
    [
        ("list", "pipelines", "penstock.dev"),
        ("watch", "pipelines", "penstock.dev"),
        ("list", "connections", "penstock.dev"),
        ("patch", "connections/status", "penstock.dev"),
        ("patch", "pipelines/status", "penstock.dev"),
        ("list", "pipelineruns", "penstock.dev"),
        ("create", "pipelineruns", "penstock.dev"),
    ],
)
def test_triggers_may_do_their_work(kube: Kube, verb: str, resource: str, group: str) -> None:
    assert may(kube, verb, resource, group, user=TRIGGERS)


@pytest.mark.parametrize(
    ("verb", "resource", "group"),
    [
        ("get", "secrets", ""),
        ("list", "secrets", ""),
        ("create", "pods", ""),
        ("list", "pods", ""),
        ("create", "jobs", "batch"),
        ("patch", "pipelines", "penstock.dev"),
        ("patch", "pipelineruns", "penstock.dev"),
        ("patch", "pipelineruns/status", "penstock.dev"),
        ("delete", "pipelineruns", "penstock.dev"),
        ("create", "approvals", "penstock.dev"),
        ("patch", "approvals", "penstock.dev"),
        ("create", "events", "events.k8s.io"),
        ("create", "serviceaccounts/token", ""),
        ("get", "leases", "coordination.k8s.io"),
    ],
)
def test_triggers_may_do_nothing_else(kube: Kube, verb: str, resource: str, group: str) -> None:
    assert not may(kube, verb, resource, group, user=TRIGGERS)
