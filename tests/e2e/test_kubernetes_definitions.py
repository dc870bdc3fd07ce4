"""A set that brings its own namespace and its own kinds, and takes them away again (ADR 6)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster import Cluster
from tests.e2e.conftest import Team, deploy, stage
from tests.e2e.failures import new_team
from tests.e2e.manifests import config_map, log_of, make
from tests.support.kube import Document, Kube, KubeError

GROUP = "e2e.example.com"
RBAC = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
DEFINITION: Document = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"widgets.{GROUP}"},
    "spec": {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"kind": "Widget", "plural": "widgets", "singular": "widget"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {"size": {"type": "integer"}},
                    }
                },
            }
        ],
    },
}
WIDGET: Document = {
    "apiVersion": f"{GROUP}/v1",
    "kind": "Widget",
    "metadata": {"name": "one"},
    "size": 3,
}


@pytest.fixture
def admin(cluster: Cluster, kube: Kube) -> Iterator[Team]:
    """A team whose default account may do everything in the cluster."""
    with new_team(cluster, kube) as team:
        name, account = f"{team.namespace}-admin", {"kind": "ServiceAccount", "name": "default"}
        binding = {
            "metadata": {"name": name},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "cluster-admin",
            },
            "subjects": [{**account, "namespace": team.namespace}],
        }
        kube.request("POST", RBAC, binding)
        try:
            yield team
        finally:
            kube.request("DELETE", f"{RBAC}/{name}")
            kube.delete("namespaces", None, f"{team.namespace}-own")
            if exists(kube, f"{DEFINITIONS}/widgets.{GROUP}"):
                kube.request("DELETE", f"{DEFINITIONS}/widgets.{GROUP}")


def exists(kube: Kube, path: str) -> bool:
    """Tell whether an object is there."""
    try:
        return bool(kube.request("GET", path))
    except KubeError as error:
        assert error.status == 404
        return False


def test_namespace_and_kinds_of_the_set_come_first_and_may_be_pruned(admin: Team) -> None:
    own = f"{admin.namespace}-own"
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": own}}
    files = make(All=[WIDGET, config_map("a"), DEFINITION, namespace], Less=[config_map("a")])
    configuration = {"Namespace": own, "ApplySet": "own", "PruneKinds": "CustomResourceDefinition"}
    stages = [
        stage(f"Deploy{name}", deploy(name, name, **configuration)) for name in ("All", "Less")
    ]
    admin.pipeline("own", files, *stages)
    admin.start("own", "own")
    status = admin.ended("own")
    assert status["state"] == "Succeeded", status["statusSummary"]
    lines = log_of(admin, "All", "own")
    assert f"  + widget.{GROUP}/one (not tried first: its kind comes with this deploy)" in lines
    lines = log_of(admin, "Less", "own")
    ends = [line for line in lines if line.endswith(" pruned") or " kept: " in line]
    assert ends == [
        f"namespace/{own} kept: PruneKinds does not name Namespace",
        f"widget.{GROUP}/one pruned",
        f"customresourcedefinition.apiextensions.k8s.io/widgets.{GROUP} pruned",
    ]
    assert not exists(admin.kube, f"{DEFINITIONS}/widgets.{GROUP}")
    labels = admin.kube.get("namespaces", None, own)["metadata"]["labels"]
    assert "applyset.kubernetes.io/part-of" not in labels
