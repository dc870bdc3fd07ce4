"""The chart: what its values may say, and what they turn into."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from penstock.handlers.config import read_config
from penstock.runtime.config import ConfigError
from penstock.triggers.config import read_config as read_trigger_config
from tests.cluster import Cluster
from tests.support.install import ROOT, chart_values


def template(cluster: Cluster, **values: Any) -> list[dict[str, Any]]:
    """Return the objects that the chart renders; raise RuntimeError with
    Helm's own words when it refuses.
    """
    done = subprocess.run(
        [str(Path(cluster.bin_dir) / "helm"), "template", "penstock",
        str(ROOT / "charts" / "penstock"),
         "--namespace", "penstock-system", "--kube-version", "1.35.0", "--values", "/dev/stdin"],
        input=json.dumps(values), capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr)
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def named(documents: list[dict[str, Any]], kind: str, name: str = "penstock") -> dict[str, Any]:
    return next(d for d in documents if d["kind"] == kind and d["metadata"]["name"] == name)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"nope": 1}, "nope"),
        ({"replicas": 0}, "replicas"),
        ({"image": {"repository": ""}}, "repository"),
        ({"defaultArtifactStore": {"type": "Floppy"}}, "defaultArtifactStore"),
        ({"buildImages": {"aws/codebuild/standard:7.0": ""}}, "buildImages"),
        ({"networkPolicy": {"apiServerPorts": []}}, "apiServerPorts"),
        ({"watchNamespaces": ["Bad_Name"]}, "watchNamespaces"),
        ({"lease": {"duration": 15}}, "lease"),
        ({"triggers": {"pollSeconds": 0}}, "pollSeconds"),
        ({"triggers": {"allowedCidrs": ["everything"]}}, "allowedCidrs"),
        ({"triggers": {"credentials": [{"namespace": "a", "secretNames": []}]}}, "secretNames"),
    ],
)
def test_value_that_the_schema_does_not_know_is_refused(
    cluster: Cluster, values: dict[str, Any], message: str
) -> None:
    with pytest.raises(RuntimeError, match=message):
        template(cluster, **values)


def test_operator_of_chosen_namespaces_has_roles_there_and_no_cluster_role_for_its_work(
    cluster: Cluster,
) -> None:
    everywhere, chosen = template(cluster), template(cluster, watchNamespaces=["team-a", "team-b"])
    work = named(everywhere, "ClusterRole")["rules"]
    roles = [d for d in chosen if d["kind"] == "Role" and d["metadata"]["name"] == "penstock"]

    assert sorted(role["metadata"]["namespace"] for role in roles) == ["team-a", "team-b"]
    assert [role["rules"] for role in roles] == [work, work]
    assert "penstock" not in [d["metadata"]["name"] for d in chosen if d["kind"] == "ClusterRole"]


@pytest.mark.parametrize("engine", [{}, {"startSeconds": 5, "limits": {"graceSeconds": 7}}])
def test_operator_understands_the_configuration_that_the_chart_writes(
    cluster: Cluster, tmp_path: Path, engine: dict[str, Any]
) -> None:
    rendered = template(cluster, **chart_values(cluster), engine=engine, watchNamespaces=["team-a"])
    file = tmp_path / "config.yaml"
    file.write_text(named(rendered, "ConfigMap")["data"]["config.yaml"])
    settings = read_config(file, identity="pod-uid")

    assert settings.lease is not None
    assert (settings.lease.namespace, settings.lease.name, settings.lease.identity) == (
        "penstock-system", "penstock", "pod-uid"
    )  # fmt: skip
    assert list(settings.namespaces) == ["team-a"]
    assert settings.default_store is not None
    assert settings.engine.agent_image == cluster.image
    assert settings.engine.start_s == engine.get("startSeconds", 600)
    assert settings.engine.limits.grace_s == engine.get("limits", {}).get("graceSeconds", 10)


def test_triggers_understand_the_configuration_that_the_chart_writes(
    cluster: Cluster, tmp_path: Path
) -> None:
    values = {
        "pollSeconds": 5,
        "allowedHosts": ["Git.dev"],
        "allowedCidrs": ["10.0.0.0/8"],
        "parallel": 2,
    }
    rendered = template(cluster, watchNamespaces=["team-a"], triggers=values)
    file = tmp_path / "config.yaml"
    file.write_text(named(rendered, "ConfigMap", "penstock-triggers")["data"]["config.yaml"])
    settings = read_trigger_config(file, identity="pod-uid")

    assert settings.lease is not None
    assert (settings.lease.name, settings.lease.identity) == ("penstock-triggers", "pod-uid")
    assert (settings.namespaces, settings.poll_s, settings.parallel) == (("team-a",), 5, 2)
    settings.rules().check("git.dev", "192.168.0.1")
    settings.rules().check("another", "10.1.2.3")


def test_triggers_read_the_secrets_that_are_named_and_no_others(cluster: Cluster) -> None:
    credentials = [{"namespace": "team-a", "secretNames": ["git"]}]
    rendered = template(cluster, triggers={"credentials": credentials})
    with_secrets = [
        (d["metadata"]["namespace"], rule)
        for d in rendered
        if d["kind"] in ("Role", "ClusterRole")
        for rule in d["rules"]
        if "secrets" in rule["resources"]
    ]
    only = {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["git"], "verbs": ["get"]}
    assert with_secrets == [("team-a", only)]


def test_triggers_that_are_switched_off_leave_nothing(cluster: Cluster) -> None:
    rendered = template(cluster, triggers={"enabled": False})
    assert not [d for d in rendered if "triggers" in d["metadata"]["name"]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("engine: {start: 5}", "engine.start: unknown; known are .*startSeconds"),
        ("nope: 1", "nope: unknown"),
        ("engine: {startSeconds: soon}", "engine"),
        ("defaultArtifactStore: {location: X}", "defaultArtifactStore"),
        ("- a", "not a mapping"),
    ],
)
def test_configuration_that_says_something_unknown_is_refused_by_its_key(
    tmp_path: Path, text: str, message: str
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_config(file, identity="x")


def test_pods_of_the_operator_meet_the_restricted_level(cluster: Cluster) -> None:
    pod = named(template(cluster), "Deployment")["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def helm(
    cluster: Cluster, *arguments: str, values: dict[str, Any] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run Helm against the cluster."""
    return subprocess.run(
        [str(Path(cluster.bin_dir) / "helm"), "--kubeconfig", cluster.kubeconfig, *arguments],
        input=json.dumps(values or {}), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    "values", [{}, {"watchNamespaces": ["team-a"]}, {"triggers": {"enabled": False}}]
)
def test_helm_lint_finds_nothing(cluster: Cluster, values: dict[str, Any]) -> None:
    chart = str(ROOT / "charts" / "penstock")
    done = helm(cluster, "lint", "--strict", chart, "--values", "/dev/stdin", values=values)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_object_of_the_chart_is_accepted_by_the_server(
    cluster: Cluster, namespace: str
) -> None:
    """Under another name, with what a default installation leaves out."""
    values = {
        "crds": {"install": False},
        "image": {"pullSecrets": ["registry"]},
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "ci", "operator": "Exists"}],
        "priorityClassName": "system-cluster-critical",
        "serviceAccountAnnotations": {"a": "b"},
        "networkPolicy": {
            "metricsFrom": [{"namespaceSelector": {"matchLabels": {"team": "monitoring"}}}]
        },
        "watchNamespaces": [namespace],
        "triggers": {"credentials": [{"namespace": namespace, "secretNames": ["git"]}]},
    }
    arguments = (
        "install",
        f"other-{namespace}",
        str(ROOT / "charts" / "penstock"),
        "--namespace",
        namespace,
    )
    done = helm(cluster, *arguments, "--dry-run=server", "--values", "/dev/stdin", values=values)
    assert done.returncode == 0, done.stderr
    assert "kind: NetworkPolicy" in done.stdout
    assert "kind: PodDisruptionBudget" in done.stdout


def test_definitions_stay_after_an_uninstall_and_are_upgraded_with_the_chart(
    cluster: Cluster,
) -> None:
    definitions = [d for d in template(cluster) if d["kind"] == "CustomResourceDefinition"]
    assert sorted(d["spec"]["names"]["kind"] for d in definitions) == [
        "ActionType",
        "Approval",
        "BuildProject",
        "ClusterActionType",
        "Connection",
        "Pipeline",
        "PipelineRun",
        "StageTransition",
    ]
    assert all(
        d["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep" for d in definitions
    )
    assert not [
        d
        for d in template(cluster, crds={"install": False})
        if d["kind"] == "CustomResourceDefinition"
    ]


def test_policies_stay_with_the_definitions_that_they_guard(cluster: Cluster) -> None:
    """An Approval that outlives an uninstall must not be left to be forged
    until the next installation.
    """
    for keep, wanted in ((True, {"helm.sh/resource-policy": "keep"}), (False, None)):
        documents = template(cluster, crds={"keep": keep})
        policies = [d for d in documents if d["kind"].startswith("ValidatingAdmissionPolicy")]
        assert (
            sorted(d["metadata"]["name"] for d in policies)
            == ["penstock-approvals"] * 2 + ["penstock-requests"] * 2
        )
        assert [d["metadata"].get("annotations") for d in policies] == [wanted] * 4


def test_policies_of_chosen_namespaces_bind_there_alone(cluster: Cluster) -> None:
    documents = template(cluster, watchNamespaces=["team-a"])
    for binding in (d for d in documents if d["kind"] == "ValidatingAdmissionPolicyBinding"):
        (expression,) = binding["spec"]["matchResources"]["namespaceSelector"]["matchExpressions"]
        assert (expression["key"], expression["values"]) == (
            "kubernetes.io/metadata.name",
            ["team-a"],
        )


def test_one_replica_has_no_disruption_budget_that_would_block_every_drain(
    cluster: Cluster,
) -> None:
    kinds = [{d["kind"] for d in template(cluster, replicas=replicas)} for replicas in (1, 2)]
    assert ["PodDisruptionBudget" in found for found in kinds] == [False, True]
