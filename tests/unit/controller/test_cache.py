"""The cache: the newer version stays, deletions leave tombstones, a LIST corrects what a watch missed."""

from typing import Any

from penstock.cluster.resources import APPROVALS, CLUSTER_ACTION_TYPES, JOBS, PIPELINES, PODS, RUNS
from penstock.controller.apply import merge_patch
from penstock.controller.cache import Cache

KEY = ("team", "web")


def run(version: int, uid: str = "u", name: str = "run-1", **status: Any) -> dict[str, Any]:
    meta = {"namespace": "team", "name": name, "uid": uid, "resourceVersion": str(version), "managedFields": [1]}
    return {"kind": "PipelineRun", "metadata": meta, "spec": {"pipelineRef": {"name": "web"}}, "status": status}


def job(name: str, run_uid: str = "u") -> dict[str, Any]:
    meta = {
        "namespace": "team",
        "name": name,
        "uid": f"uid-{name}",
        "resourceVersion": "5",
        "creationTimestamp": "2026-11-21T12:00:00Z",
        "labels": {"penstock.dev/run-uid": run_uid},
        "annotations": {"penstock.dev/pipeline": "web", "penstock.dev/request": "x" * 1000},
    }
    return {"metadata": meta, "spec": {"template": {"spec": {}}}}


def approval(name: str, run_uid: str = "u") -> dict[str, Any]:
    """Return an Approval; somebody has changed its annotation, but the spec is as it was written."""
    meta = {
        "namespace": "team",
        "name": name,
        "uid": f"uid-{name}",
        "resourceVersion": "5",
        "labels": {"penstock.dev/run-uid": run_uid},
        "annotations": {"penstock.dev/pipeline": "other"},
    }
    return {"kind": "Approval", "metadata": meta, "spec": {"pipelineName": "web"}}


def test_approval_belongs_to_the_pipeline_of_its_spec_and_is_remembered_when_it_is_deleted() -> None:
    cache = Cache()
    assert cache.put(APPROVALS, approval("ok")) == KEY
    assert [item["metadata"]["name"] for item in cache.of(APPROVALS, KEY)] == ["ok"]
    assert cache.remove(APPROVALS, approval("ok")) == KEY
    assert cache.deleted_names({"u"}) == {"ok"}


def test_older_version_never_replaces_a_newer_one() -> None:
    cache = Cache()
    assert cache.put(RUNS, run(7, state="Succeeded")) == KEY
    cache.put(RUNS, run(6, state="InProgress"))
    found = cache.get(RUNS, "team", "run-1")
    assert found is not None
    assert found["status"] == {"state": "Succeeded"}


def test_late_event_does_not_bring_a_deleted_object_back() -> None:
    cache = Cache()
    cache.put(RUNS, run(7))
    assert cache.remove(RUNS, run(8)) == KEY
    cache.put(RUNS, run(6))
    assert cache.get(RUNS, "team", "run-1") is None


def test_namesake_with_another_uid_replaces_the_old_object() -> None:
    cache = Cache()
    cache.put(RUNS, run(7, uid="old"))
    cache.put(RUNS, run(9, uid="new"))
    cache.put(RUNS, run(8, uid="old"))
    found = cache.get(RUNS, "team", "run-1")
    assert found is not None
    assert found["metadata"]["uid"] == "new"


def test_deletion_of_a_namesake_leaves_the_new_object() -> None:
    cache = Cache()
    cache.put(RUNS, run(9, uid="new"))
    cache.remove(RUNS, run(10, uid="old"))
    assert cache.get(RUNS, "team", "run-1") is not None


def test_list_forgets_what_vanished_in_a_gap_and_spares_what_came_since() -> None:
    cache = Cache()
    cache.put(RUNS, run(7, uid="gone", name="gone"))
    before = cache.uids(RUNS)
    cache.put(RUNS, run(9, uid="new", name="new"))
    changed = cache.replace(RUNS, [run(8, uid="there", name="there")], before)

    assert changed == {KEY}
    assert [item["metadata"]["name"] for item in cache.of(RUNS, KEY)] == ["new", "there"]


def test_deleted_job_is_remembered_by_its_run() -> None:
    cache = Cache()
    cache.put(JOBS, job("a"))
    cache.remove(JOBS, job("a"))
    cache.remove(JOBS, job("b", run_uid="other"))
    assert cache.deleted_names({"u"}) == frozenset({"a"})


def test_cache_keeps_no_managed_fields_and_no_requests() -> None:
    cache = Cache()
    cache.put(RUNS, run(7))
    cache.put(JOBS, job("a"))
    kept_run, kept_job = cache.get(RUNS, "team", "run-1"), cache.get(JOBS, "team", "a")
    assert kept_run is not None
    assert kept_job is not None
    assert "managedFields" not in kept_run["metadata"]
    assert "penstock.dev/request" not in kept_job["metadata"]["annotations"]
    assert kept_job["spec"] == {}


def test_object_that_is_not_ours_is_left_alone() -> None:
    cache = Cache()
    pod = {"metadata": {"namespace": "team", "name": "x", "uid": "x", "resourceVersion": "1"}, "spec": {}}
    assert cache.put(PODS, pod) is None
    assert cache.get(PODS, "team", "x") is None
    assert cache.pipelines() == set()
    assert cache.get(PIPELINES, "team", "x") is None


def test_merge_patch_says_what_changed_and_null_for_what_went() -> None:
    old = {"a": 1, "b": {"c": 1, "d": 2}, "e": [1], "f": 1}
    new = {"a": 1, "b": {"c": 1, "d": 3}, "e": [1, 2]}
    assert merge_patch(old, new) == {"b": {"d": 3}, "e": [1, 2], "f": None}


def test_action_type_is_kept_whole_though_it_has_a_template_as_jobs_have() -> None:
    cache = Cache()
    spec = {"category": "Deploy", "provider": "Script", "template": {"image": "debian:12"}}
    meta = {"name": "script", "uid": "u", "resourceVersion": "1", "managedFields": []}
    assert cache.put(CLUSTER_ACTION_TYPES, {"metadata": meta, "spec": spec}) is None
    assert [item["spec"] for item in cache.all(CLUSTER_ACTION_TYPES)] == [spec]
    cache.remove(CLUSTER_ACTION_TYPES, {"metadata": meta, "spec": spec})
    assert list(cache.all(CLUSTER_ACTION_TYPES)) == []
