"""Failures of a deploy: no right, no valid manifest, or objects that never become ready."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from tests.cluster import Cluster
from tests.e2e.conftest import Team, commands, deploy
from tests.e2e.failures import ACTION, Failing, assert_shown, new_team, start_all
from tests.support.kube import Document, Kube

NO_IMAGE = "127.0.0.1:9/team/web:1"
CONFIG: Document = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "web"},
    "data": {"a": "1"},
}
NO_SUCH_KIND = {**CONFIG, "kind": "Confusion"}
NO_SUCH_FIELD = {**CONFIG, "datum": {}}
WRONG_TYPE = {**CONFIG, "data": 7}


def deployment(name: str, **spec: int) -> Document:
    """Return a Deployment whose image nobody can pull."""
    labels = {"app": name}
    containers = [{"name": "web", "image": NO_IMAGE}]
    template = {"metadata": {"labels": labels}, "spec": {"containers": containers}}
    body = {"selector": {"matchLabels": labels}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": body}


def failing_deploy(name: str, text: str, code: str, message: str, **configuration: str) -> Failing:
    """Return a pipeline that deploys one file of this text."""
    make = commands(
        "Make",
        f"echo '{text}' > web.yaml",
        outputArtifacts=[{"name": "Out", "files": ["web.yaml"]}],
    )
    action = deploy(ACTION, "Out", **configuration)
    return Failing(name, action, code, re.compile(message, re.DOTALL), before=(make,))


CASES = (
    failing_deploy(
        "no-permission",
        json.dumps(CONFIG),
        "PermissionError",
        r'web\.yaml.*: ConfigMap web: configmaps "web" is forbidden: '
        r'User "system:serviceaccount:e2e-[0-9a-f]+:default" cannot get resource "configmaps" '
        r'in API group "" in the namespace "default"',
        Namespace="default",
        Prune="false",
    ),
    failing_deploy(
        "no-lease-right",
        json.dumps(CONFIG),
        "PermissionError",
        r"Lease penstock-no-lease-right-do-[0-9a-f]+ in namespace default: .* "
        r'cannot get resource "leases" in API group "coordination\.k8s\.io" in the namespace '
        r'"default"; '
        r"a deploy that prunes holds a Lease: allow get, create and update, or set Prune to "
        r'"false"',
        Namespace="default",
    ),
    failing_deploy(
        "namespace-that-does-not-exist",
        json.dumps({**CONFIG, "metadata": {"name": "web", "namespace": "nowhere"}}),
        "PermissionError",
        r'.* cannot get resource "configmaps" in API group "" in the namespace "nowhere"',
    ),
    failing_deploy(
        "secret-that-is-no-applyset",
        json.dumps(CONFIG),
        "ConfigurationError",
        r"ApplySet artifact-store in namespace e2e-[0-9a-f]+: the Secret of this name is no "
        r"ApplySet; "
        r"set ApplySet to another name",
        ApplySet="artifact-store",
    ),
    failing_deploy(
        "applyset-of-another-tool",
        json.dumps(CONFIG),
        "ConfigurationError",
        r"ApplySet foreign in namespace .*: the Secret of this name belongs to kubectl/v1\.35; set "
        r"ApplySet .*",
        ApplySet="foreign",
    ),
    failing_deploy(
        "object-of-another-applyset",
        json.dumps({**CONFIG, "metadata": {"name": "taken"}}),
        "ConfigurationError",
        r"web\.yaml, document 1: ConfigMap taken belongs to another ApplySet, foreign; deploy it "
        r"from one place, "
        r'or set ForceConflicts to "true" to take it over',
    ),
    failing_deploy(
        "manifest-not-yaml", "a: b: c", "ConfigurationError", r"web\.yaml.*: not YAML: .*"
    ),
    failing_deploy(
        "manifest-of-no-kind",
        json.dumps(NO_SUCH_KIND),
        "ConfigurationError",
        r'web\.yaml.*: no kind "Confusion" in version "v1"',
    ),
    failing_deploy(
        "manifest-with-an-unknown-field",
        json.dumps(NO_SUCH_FIELD),
        "ConfigurationError",
        r"web\.yaml.*: ConfigMap web: .*field not declared in schema.*",
    ),
    failing_deploy(
        "manifest-with-a-wrong-type",
        json.dumps(WRONG_TYPE),
        "ConfigurationError",
        r"web\.yaml.*: ConfigMap web: .*\.data.*",
    ),
    failing_deploy(
        "deployment-past-its-own-deadline",
        json.dumps(deployment("late", progressDeadlineSeconds=25)),
        "JobFailed",
        rf"Deployment late: ProgressDeadlineExceeded: .* "
        rf"\(pod late-.*: container web: (ErrImagePull|ImagePullBackOff): .*{NO_IMAGE}.*\)",
    ),
    failing_deploy(
        "deployment-never-ready",
        json.dumps(deployment("never")),
        "TimedOut",
        rf"not ready after [0-9]+ s: Deployment never: .* "
        rf"\(pod never-.*: container web: (ErrImagePull|ImagePullBackOff): .*{NO_IMAGE}.*\)",
    ),
)


@pytest.fixture(scope="module")
def failing(cluster: Cluster, kube: Kube) -> Iterator[Team]:
    with new_team(cluster, kube) as team:
        binding = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "deployer"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "edit",
            },
            "subjects": [
                {"kind": "ServiceAccount", "name": "default", "namespace": team.namespace}
            ],
        }
        foreign = {
            "name": "foreign",
            "labels": {"applyset.kubernetes.io/id": "applyset-foreign-v1"},
            "annotations": {"applyset.kubernetes.io/tooling": "kubectl/v1.35"},
        }
        taken = {
            "name": "taken",
            "labels": {"applyset.kubernetes.io/part-of": "applyset-foreign-v1"},
        }
        parent = {"apiVersion": "v1", "kind": "Secret", "metadata": foreign}
        kube.apply([binding, parent, {**CONFIG, "metadata": taken}], team.namespace)
        yield start_all(team, CASES)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_deploy_that_cannot_be_done_fails_with_the_objects_own_reason(
    failing: Team, case: Failing
) -> None:
    assert_shown(failing, case)
