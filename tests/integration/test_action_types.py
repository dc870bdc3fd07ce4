"""What the API server lets into an ActionType, and whom (P-80): nothing that
a Pipeline's author could not reach.
"""

from __future__ import annotations

import copy
import secrets
from typing import Any

import pytest
import yaml

from tests.support.approvals import acting_as, let_edit
from tests.support.install import ROOT
from tests.support.kube import Kube, KubeError

SPEC: dict[str, Any] = {
    "category": "Deploy",
    "provider": "Script",
    "configurationProperties": [
        {"name": "Target", "required": True},
        {"name": "Login", "secret": True},
    ],
    "inputArtifactDetails": {"minimumCount": 0, "maximumCount": 5},
    "outputArtifactDetails": {"minimumCount": 0, "maximumCount": 0},
    "template": {"image": "debian:12", "commands": ["deploy"]},
}


def action_type(**fields: Any) -> dict[str, Any]:
    spec = copy.deepcopy(SPEC)
    spec["template"] |= fields.pop("template", {})
    meta = {"generateName": "script-"}
    return {
        "apiVersion": "penstock.dev/v1alpha1",
        "kind": "ActionType",
        "metadata": meta,
        "spec": {**spec, **fields},
    }


def test_action_type_gets_its_defaults(kube: Kube, namespace: str) -> None:
    created = kube.create("actiontypes", namespace, action_type())
    assert (created["spec"]["version"], created["spec"]["onLostPod"]) == ("1", "fail")


def test_action_types_of_the_example_are_accepted(kube: Kube, namespace: str) -> None:
    text = (ROOT / "examples/09-custom-action/pipeline.yaml").read_text()
    kinds = [document["kind"] for document in yaml.safe_load_all(text)]
    assert kinds == ["ActionType", "ActionType", "Pipeline"]
    kube.apply(text, namespace)


def test_everything_that_a_template_may_say_is_accepted(kube: Kube, namespace: str) -> None:
    node = {"matchExpressions": [{"key": "pool", "operator": "NotIn", "values": ["a", "b"]}]}
    template = {
        "environmentVariables": [{"name": "MODE", "value": "$(x)"}],
        "resources": {
            "requests": {"cpu": "100m", "memory": "1Gi", "ephemeral-storage": "1Gi"},
            "limits": {"cpu": "1", "memory": "1024Mi", "ephemeral-storage": "2Gi"},
        },
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [
            {"key": "ci", "operator": "Exists"},
            {"key": "ci", "value": "x", "effect": "NoExecute", "tolerationSeconds": 5},
            {"operator": "Exists"},
        ],
        "affinity": {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [node]},
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {"weight": 1, "preference": node}
                ],
            }
        },
        "priorityClassName": "low",
        "imagePullSecrets": [{"name": "registry"}],
        "runAsUser": 1000,
        "runAsGroup": 0,
    }
    kube.create("actiontypes", namespace, action_type(template=template))


@pytest.mark.parametrize(
    "field",
    [
        {"hostNetwork": True},
        {"hostPID": True},
        {"hostPath": "/"},
        {"volumes": [{"name": "h", "hostPath": {"path": "/"}}]},
        {"volumeMounts": [{"name": "token", "mountPath": "/t"}]},
        {"privileged": True},
        {"securityContext": {"privileged": True}},
        {"capabilities": {"add": ["SYS_ADMIN"]}},
        {"serviceAccountName": "admin"},
        {"automountServiceAccountToken": True},
        {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]},
        {"envFrom": [{"secretRef": {"name": "s"}}]},
        {"containers": [{"name": "more"}]},
        {"initContainers": [{"name": "more"}]},
        {"runtimeClassName": "host"},
        {"nodeName": "master"},
        {"podSpecPatch": "{}"},
        {"restartPolicy": "Always"},
        {"shareProcessNamespace": True},
    ],
    ids=lambda field: next(iter(field)),
)
def test_template_holds_nothing_that_reaches_further_than_its_container(
    kube: Kube, namespace: str, field: dict[str, Any]
) -> None:
    """Strict validation names it; without, the server prunes it."""
    wanted = action_type(template=field)
    with pytest.raises(KubeError, match=rf'unknown field "spec.template.{next(iter(field))}"'):
        kube.create("actiontypes", namespace, wanted)
    pruned = kube.request("POST", kube.path("actiontypes", namespace), wanted)
    assert set(pruned["spec"]["template"]) == {"image", "commands"}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"category": "Approval"}, 'Unsupported value: "Approval"'),
        (
            {"configurationProperties": [{"name": f"P{n}"} for n in range(11)]},
            "must have at most 10 items",
        ),
        ({"configurationProperties": [{"name": "../x"}]}, "should match"),
        (
            {"configurationProperties": [{"name": "A", "queryable": True}]},
            "a queryable property is required",
        ),
        (
            {
                "configurationProperties": [
                    {"name": n, "queryable": True, "required": True} for n in "AB"
                ]
            },
            "at most one property is queryable",
        ),
        (
            {"configurationProperties": [{"name": "A", "secret": True, "type": "Number"}]},
            "its type is String",
        ),
        (
            {"inputArtifactDetails": {"minimumCount": 2, "maximumCount": 1}},
            "minimumCount is at most maximumCount",
        ),
        (
            {"inputArtifactDetails": {"minimumCount": 0, "maximumCount": 6}},
            "less than or equal to 5",
        ),
        ({"jobTimeout": 59}, "greater than or equal to 60"),
        ({"jobTimeout": 43_201}, "less than or equal to 43200"),
        ({"settings": {"executionUrlTemplate": "javascript:alert(1)"}}, "should match"),
        ({"template": {"commands": []}}, "should have at least 1 items"),
        ({"template": {"nodeSelector": {"-a": "b"}}}, "the keys are names of labels"),
        ({"template": {"resources": {"limits": {"cpu": "a lot"}}}}, "should match"),
        (
            {"template": {"resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1500m"}}}},
            "is more than limits.cpu",
        ),
        (
            {"template": {"tolerations": [{"operator": "Exists", "value": "x"}]}},
            "Exists takes no value",
        ),
        ({"template": {"tolerations": [{"value": "x"}]}}, "without a key, say Exists"),
        (
            {"template": {"tolerations": [{"key": "a", "tolerationSeconds": 1}]}},
            "of the effect NoExecute",
        ),
    ],
)
def test_action_type_that_cannot_be_meant_is_refused(
    kube: Kube, namespace: str, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(KubeError, match=message):
        kube.create("actiontypes", namespace, action_type(**fields))


def test_editors_write_types_of_their_namespace_and_none_of_the_cluster(
    kube: Kube, namespace: str
) -> None:
    let_edit(kube, namespace, "alice")
    alice = acting_as(kube, "alice")
    alice.create("actiontypes", namespace, action_type())
    shared = {
        **action_type(),
        "kind": "ClusterActionType",
        "metadata": {"name": f"shared-{secrets.token_hex(4)}"},
    }
    with pytest.raises(KubeError, match="forbidden"):
        alice.create("clusteractiontypes", None, shared)
    with pytest.raises(KubeError, match="forbidden"):
        alice.create("actiontypes", "default", action_type())
