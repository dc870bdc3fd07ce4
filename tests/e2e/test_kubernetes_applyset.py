"""What a deploy remembers: pruning by ApplySet, one deploy at a time, and
trying before the first write (ADR 6).
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster import Cluster
from tests.e2e.conftest import Team, deploy, stage
from tests.e2e.failures import new_team
from tests.e2e.manifests import allow_edit, config_map, deployment, log_of, make, secret
from tests.support.kube import Document, Kube, KubeError, eventually

PART_OF = "applyset.kubernetes.io/part-of"
NO_IMAGE = "127.0.0.1:9/team/web:1"


def applyset_id(name: str, namespace: str) -> str:
    """Compute a set's id from the words of the specification."""
    digest = hashlib.sha256(f"{name}.{namespace}.Secret.".encode()).digest()
    return f"applyset-{base64.urlsafe_b64encode(digest).decode().rstrip('=')}-v1"


def deploys(*artifacts: str, **configuration: str) -> Iterator[Document]:
    """Yield one stage per artifact that deploys it."""
    for name in artifacts:
        yield stage(f"Deploy{name}", deploy(name, name, **configuration))


def names(team: Team, plural: str, set_id: str = "") -> set[str]:
    """Return the names of the members of a set, or of all objects of a kind."""
    found = team.kube.objects(plural, team.namespace, f"{PART_OF}={set_id}" if set_id else "")
    return {item["metadata"]["name"] for item in found}


@pytest.fixture(scope="module")
def team(cluster: Cluster, kube: Kube) -> Iterator[Team]:
    with new_team(cluster, kube) as team:
        allow_edit(kube, team.namespace, team.namespace)
        yield team


@pytest.fixture(scope="module")
def site(team: Team) -> Team:
    """One pipeline that deploys three versions, the last of them wrong; a
    dead deploy has left its lease behind.
    """
    dead = {"holderIdentity": "dead-pod/run", "leaseDurationSeconds": 1}
    team.kube.create("leases", team.namespace, {"metadata": {"name": "site"}, "spec": dead})
    stays = config_map("stays", {"penstock.dev/prune": "Disabled"})
    files = make(
        One=[config_map("a", x="1"), config_map("b"), stays, secret("s", password="canary-one")],
        Two=[config_map("a", x="2"), secret("s", password="canary-two"), config_map("same")],
        Bad=[config_map("new"), {**config_map("wrong"), "datum": {}}],
    )
    team.pipeline("site", files, *deploys("One", "Two", "Bad", ApplySet="site"))
    team.start("site", "site")
    status = team.ended("site")
    assert status["state"] == "Failed"
    assert status["stageStates"][2]["status"] == "Succeeded", status["statusSummary"]
    return team


def test_objects_that_the_manifests_no_longer_name_are_pruned(site: Team) -> None:
    assert names(site, "configmaps", applyset_id("site", site.namespace)) == {"a", "same"}
    assert {"stays", "a"} <= names(site, "configmaps") and "b" not in names(site, "configmaps")
    assert (
        site.execution("Two", "site")["summary"]
        == f"3 objects applied to namespace {site.namespace}, 1 pruned"
    )
    log = log_of(site, "Two", "site")
    assert "configmap/b pruned" in log
    assert "configmap/stays kept: its annotation penstock.dev/prune is Disabled" in log


def test_parent_is_one_after_the_specification(site: Team) -> None:
    metadata = site.kube.get("secrets", site.namespace, "site")["metadata"]
    assert metadata["labels"]["applyset.kubernetes.io/id"] == applyset_id("site", site.namespace)
    annotations = {
        k.partition("/")[2]: v
        for k, v in metadata["annotations"].items()
        if k.startswith("applyset")
    }
    assert annotations == {
        "tooling": "penstock/v1alpha1", "contains-group-kinds": "ConfigMap,Secret",
        "additional-namespaces": "",
    }  # fmt: skip


def test_lease_of_a_dead_deploy_is_taken_over_and_given_back(site: Team) -> None:
    assert any(
        "held by another deploy, dead-pod/run" in line for line in log_of(site, "One", "site")
    )
    assert "holderIdentity" not in site.kube.get("leases", site.namespace, "site")["spec"]


def test_log_tells_changes_and_no_value_of_a_secret(site: Team) -> None:
    log = log_of(site, "Two", "site")
    start = log.index("changes:")
    assert log[start : start + 7] == [
        "changes:",
        "  ~ configmap/a",
        '      data.x: "1" -> "2"',
        "  ~ secret/s",
        "      data.password: changed",
        "  + configmap/same",
        "  - configmap/b",
    ]
    assert not [
        line for line in log if "canary" in line or base64.b64encode(b"canary-two").decode() in line
    ]


def test_manifest_that_is_wrong_changes_nothing(site: Team) -> None:
    details = site.execution("Bad", "site")["errorDetails"]
    assert details["code"] == "ConfigurationError"
    assert re.search(r"ConfigMap wrong: .*field not declared in schema", details["message"])
    assert "new" not in names(site, "configmaps")
    assert not [
        line for line in log_of(site, "Bad", "site") if line.endswith((" applied", " pruned"))
    ]


def test_nothing_is_pruned_after_an_object_was_refused(team: Team) -> None:
    """The quota has room for either of two new objects, so that the second
    one is refused only when it is applied.
    """
    with team.kube.namespace(f"{team.namespace}-quota") as target:
        quota = {"metadata": {"name": "few"}, "spec": {"hard": {"count/configmaps": "4"}}}
        team.kube.apply([{"apiVersion": "v1", "kind": "ResourceQuota", **quota}], target)
        allow_edit(team.kube, target, team.namespace)
        files = make(
            Old=[config_map("a"), config_map("b")], New=[config_map(name) for name in "acd"]
        )
        team.pipeline("quota", files, *deploys("Old", "New", Namespace=target, ApplySet="few"))
        team.start("quota", "quota")
        assert team.ended("quota")["state"] == "Failed"
        assert "ConfigMap d: " in team.execution("New", "quota")["errorDetails"]["message"]
        assert {item["metadata"]["name"] for item in team.kube.objects("configmaps", target)} >= {
            "a",
            "b",
            "c",
        }


def test_second_deploy_of_a_set_waits_for_the_first(team: Team) -> None:
    late = deployment("late", NO_IMAGE, progressDeadlineSeconds=3600)
    for name, objects in (("first", [late]), ("second", [config_map("second")])):
        action = deploy("Apply", "Out", ApplySet="shared")
        team.pipeline(name, make(Out=objects), stage("Deploy", action))
    team.start("first", "first")
    holder = eventually(lambda: holder_of(team, "shared"), 60, "the first deploy holds the lease")
    team.start("second", "second")
    waiting = (
        f"waiting: Lease shared in namespace {team.namespace} is held by another deploy, {holder}"
    )
    eventually(lambda: waiting in log_so_far(team, "second"), 60, "the second deploy waits")
    # The first one holds the lease until it is let fail.
    team.kube.patch("deployments", team.namespace, "late", {"spec": {"progressDeadlineSeconds": 1}})
    assert team.ended("second")["state"] == "Succeeded"
    assert team.ended("first")["stageStates"][1]["status"] == "Failed"
    lines = log_of(team, "Apply", "second")
    assert lines.count(waiting) == 1
    assert holder.endswith("/first")
    assert "deployment.apps/late pruned" in lines[lines.index(waiting) :]


def log_so_far(team: Team, run: str) -> list[str]:
    """Return the lines of a deploy that is under way; none before its container has started."""
    with contextlib.suppress(AssertionError, KeyError, KubeError):
        return log_of(team, "Apply", run)
    return []


def holder_of(team: Team, name: str) -> Any:
    """Return who holds a lease."""
    return ((team.kube.find("leases", team.namespace, name) or {}).get("spec") or {}).get(
        "holderIdentity"
    )


def test_dry_run_only_tells(team: Team) -> None:
    name = f"dry-{secrets.token_hex(2)}"
    action = deploy("Look", "Out", ApplySet=name, DryRun="true")
    team.pipeline(name, make(Out=[config_map(name)]), stage("Deploy", action))
    team.start(name, name)
    assert team.ended(name)["state"] == "Succeeded"
    assert team.execution("Look", name)["summary"] == "dry run: 1 to create"
    assert f"  + configmap/{name}" in log_of(team, "Look", name)
    assert team.kube.find("configmaps", team.namespace, name) is None
    assert team.kube.find("secrets", team.namespace, name) is None
    assert team.kube.find("leases", team.namespace, name) is None
