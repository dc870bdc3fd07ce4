"""Edges of pruning and of the lease, against an API server of a few lines;
the real one is met in e2e.
"""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.actions.kubernetes.applyset import lease as lease_module
from penstock.actions.kubernetes.applyset.members import Scope, applyset_id
from penstock.actions.kubernetes.execution import run
from penstock.actions.kubernetes.live.objects import ObjectIdentity
from penstock.actions.kubernetes.live.session import Session
from penstock.agent.interrupt import Interrupted
from tests.unit.actions.api_server import ApiServer
from tests.unit.actions.kubernetes_jobs import CONFIG_MAP, DEPLOYMENT, failure, job_for

OTHER = CONFIG_MAP.replace("settings", "other")
DEFINITION = """apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  {group: example.com, scope: Namespaced, names: {kind: Widget, plural: widgets},
   versions: [{name: v1}]}
"""
SETTINGS = "/api/v1/namespaces/team/configmaps/settings"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/team/leases"
PARENT = "/api/v1/namespaces/team/secrets/site"
READY = {"conditions": [{"type": "Established", "status": "True"}]}


def members(api: ApiServer) -> set[str]:
    """Return the names of what carries the set's label."""
    return {
        path.rpartition("/")[2]
        for path, item in api.objects.items()
        if item["metadata"].get("labels", {}).get("applyset.kubernetes.io/part-of")
        == applyset_id("site", "team")
    }


def test_id_is_the_one_that_kubectl_computes() -> None:
    assert (
        applyset_id("my-set", "test") == "applyset-0eFHV8ySqp7XoShsGvyWFQD3s96yqwHmzc4e0HR1dsY-v1"
    )


WORDS = st.from_regex(r"[A-Za-z][a-z0-9]{0,8}", fullmatch=True)
IDENTITIES = st.lists(
    st.builds(ObjectIdentity, st.sampled_from(["", "apps", "a.example.com"]), WORDS, WORDS, WORDS)
)


@given(IDENTITIES, IDENTITIES)
def test_parent_of_both_deploys_reaches_what_either_reaches(
    old: list[ObjectIdentity], new: list[ObjectIdentity]
) -> None:
    """KEP-3659: while a deploy is under way the parent covers what was and what will be."""
    both = Scope.read((Scope.of(old, "home") | Scope.of(new, "home")).annotations())
    for identity in [*old, *new]:
        assert identity.group_kind in both.group_kinds
        assert identity.namespace in both.namespaces | {"home"}


def test_objects_are_pruned_in_reverse_order_and_the_parent_narrows(
    api: ApiServer, tmp_path: Path
) -> None:
    api.statuses["web"] = lambda _: {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1,
        "availableReplicas": 1, "readyReplicas": 1,
        "conditions": [{"type": "Available", "status": "True"},
        {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}]}  # fmt: skip
    run(
        job_for(
            tmp_path,
            {"a.yaml": CONFIG_MAP + "---\n" + DEPLOYMENT + "---\n" + OTHER},
            ApplySet="site",
        )
    )
    run(job_for(tmp_path, {"a.yaml": OTHER}, ApplySet="site"))
    assert [path.rpartition("/")[2] for path in api.deleted] == ["web", "settings"]
    annotations = api.objects[PARENT]["metadata"]["annotations"]
    assert annotations["applyset.kubernetes.io/contains-group-kinds"] == "ConfigMap"


@pytest.mark.parametrize(
    ("refusal", "what"),
    [("LIST configmaps", "to prune ConfigMap"), ("DELETE settings", "to prune configmap/settings")],
)
def test_right_to_prune_that_is_missing_is_told_before_anything_changes(
    api: ApiServer, tmp_path: Path, refusal: str, what: str
) -> None:
    run(job_for(tmp_path, {"a.yaml": CONFIG_MAP}, ApplySet="site"))
    api.refusals[refusal], before = (403, "Forbidden", "configmaps is forbidden"), list(api.applied)
    assert failure(job_for(tmp_path, {"a.yaml": OTHER}, ApplySet="site")) == (
        "PermissionError",
        f'{what}: configmaps is forbidden; allow list and delete, or set Prune to "false"',
    )
    assert api.applied == before


@pytest.mark.parametrize(("kinds", "deleted"), [("", 0), ("CustomResourceDefinition", 1)])
def test_definitions_are_pruned_only_when_prune_kinds_names_them(
    api: ApiServer, tmp_path: Path, kinds: str, deleted: int
) -> None:
    api.statuses["widgets.example.com"] = lambda _: READY
    more: dict[str, Any] = {"PruneKinds": kinds} if kinds else {}
    run(job_for(tmp_path, {"a.yaml": DEFINITION + "---\n" + OTHER}, ApplySet="site", **more))
    job = job_for(tmp_path, {"a.yaml": OTHER}, ApplySet="site", **more)
    run(job)
    assert (len(api.deleted), members(api)) == (deleted, {"other"})
    kept = (
        "customresourcedefinition.apiextensions.k8s.io/widgets.example.com kept: PruneKinds does "
        "not name "
    )
    assert any(line.startswith(kept) for line in job.lines) == (not deleted)


def test_without_pruning_nothing_is_remembered(api: ApiServer, tmp_path: Path) -> None:
    run(job_for(tmp_path, {"a.yaml": CONFIG_MAP}, Prune="false"))
    assert list(api.objects) == [SETTINGS]
    assert "labels" not in api.objects[SETTINGS]["metadata"]


def test_object_that_somebody_made_anew_is_left_alone(api: ApiServer, tmp_path: Path) -> None:
    run(job_for(tmp_path, {"a.yaml": CONFIG_MAP}, ApplySet="site"))
    api.refusals["DELETE settings"] = (409, "Conflict", "the uid differs")
    job = job_for(tmp_path, {"a.yaml": OTHER}, ApplySet="site")
    run(job)
    assert "configmap/settings was made anew by somebody else: left alone" in job.lines


def test_object_that_stands_twice_must_be_the_same(api: ApiServer, tmp_path: Path) -> None:
    run(job_for(tmp_path, {"a.yaml": CONFIG_MAP, "b.yaml": CONFIG_MAP}))
    changed = CONFIG_MAP.replace("'1'", "'2'")
    assert failure(job_for(tmp_path, {"a.yaml": CONFIG_MAP, "b.yaml": changed})) == (
        "ConfigurationError",
        "b.yaml, document 1: ConfigMap settings stands in a.yaml, document 1, too, differently",
    )


def test_lease_that_another_took_over_ends_the_deploy_before_the_next_write(
    api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_module, "_RENEW_S", -1.0)  # Looked at before every write.

    def take(_: int) -> dict[str, Any]:
        api.objects[f"{LEASES}/site"]["spec"]["holderIdentity"] = "pod/other-run"
        return {}

    api.statuses["settings"] = take
    code, message = failure(
        job_for(tmp_path, {"a.yaml": CONFIG_MAP + "---\n" + OTHER}, ApplySet="site")
    )
    assert (code, message) == (
        "ConcurrentDeploy",
        "Lease site in namespace team was taken over by pod/other-run; nothing more was changed",
    )
    assert [path.rpartition("/")[2] for path in api.written] == ["site", "settings"]


def test_lease_that_cannot_be_renewed_ends_the_deploy_before_a_write_that_it_does_not_cover(
    api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_module, "_RENEW_S", -1.0)
    monkeypatch.setattr(lease_module, "DURATION_S", 2)  # No longer than a request may take.
    api.refusals["PUT site"] = (500, "InternalError", "etcd is away")
    job = job_for(tmp_path, {"a.yaml": CONFIG_MAP}, ApplySet="site")
    assert failure(job) == (
        "SystemUnavailable",
        "Lease site in namespace team could not be renewed in time; nothing more was changed",
    )
    assert api.applied == []
    assert (
        "Lease site in namespace team could not be given back; it ends by itself within 2 s"
        in job.lines
    )


def test_lease_is_given_back_when_the_pod_is_told_to_go(
    api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise Interrupted

    monkeypatch.setattr(Session, "pause", interrupt)
    with pytest.raises(Interrupted):
        run(job_for(tmp_path, {"a.yaml": DEPLOYMENT}, ApplySet="site"))
    assert api.objects[f"{LEASES}/site"]["spec"]["holderIdentity"] is None


def test_lease_that_is_held_all_the_time_ends_the_wait(
    api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Session, "pause", lambda session, _: setattr(session, "_deadline", 0.0))
    spec = {"holderIdentity": "pod/other-run", "leaseDurationSeconds": 3600}
    api.objects[f"{LEASES}/site"] = {
        "metadata": {"name": "site", "resourceVersion": "1"},
        "spec": spec,
    }
    job = job_for(tmp_path, {"a.yaml": CONFIG_MAP}, ApplySet="site")
    assert failure(job) == (
        "TimedOut",
        "Lease site in namespace team is held by another deploy, pod/other-run, for the whole time",
    )
    assert api.applied == []


def test_namespace_of_the_same_artifact_is_made_first(api: ApiServer, tmp_path: Path) -> None:
    api.kinds["/apis/coordination.k8s.io/v1"] = [("Lease", "leases", True)]
    api.refusals["POST leases"] = (404, "NotFound", 'namespaces "shop" not found')
    namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"
    job = job_for(tmp_path, {"a.yaml": CONFIG_MAP}, Namespace="shop")
    assert failure(job) == (
        "ConfigurationError",
        "namespace shop does not exist; create it, or put it among the manifests",
    )
    api.statuses["shop"] = lambda _: api.refusals.clear() or {}  # type: ignore[func-returns-value]
    run(job_for(tmp_path, {"a.yaml": CONFIG_MAP + "---\n" + namespace}, Namespace="shop"))
    assert api.written[0] == "/api/v1/namespaces/shop"
